// What goes wrong in a sample business when it is told to, by `POST /_faults`: for tests, and for whoever wants to hear how
// an agent copes. Seeded, so that a run that failed fails again.
import { createHash, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { seededRandom } from '../../src/phone/seeded-random.ts';

/**
 * `latency`: answers `ms` later. `error`: `status` instead of doing it. `html`: a proxy's page, 502. `huge`: a body of 10 MB.
 * `hang`: no answer, for a minute. `lost`: it is done, and the connection ends without the answer. `cut`: it is done, and the
 * connection ends in the middle of the answer.
 */
export interface Fault {
  kind: 'latency' | 'error' | 'html' | 'huge' | 'hang' | 'lost' | 'cut';
  /** The operation it happens to; default all of them. */
  operation?: string;
  /** How likely it is, 0 to 1; default 1. */
  rate?: number;
  /** How often it happens at most; default any number of times. */
  times?: number;
  /** Of `latency`; default 1000. */
  ms?: number;
  /** Of `error`; default 503. */
  status?: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The fault that its answer will meet. */
    struckBy: 'lost' | 'cut' | null;
  }
  interface FastifyContextConfig {
    /** What the route is called in the description of the service. */
    operation?: string;
  }
}

const HANG_MS = 60_000;
const HUGE_BYTES = 10 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

const SETTINGS = {
  type: 'object',
  properties: {
    seed: { type: 'integer', minimum: 0, maximum: 0xffff_ffff },
    faults: {
      type: 'array',
      maxItems: 20,
      items: {
        type: 'object',
        properties: {
          kind: { type: 'string', enum: ['latency', 'error', 'html', 'huge', 'hang', 'lost', 'cut'] },
          operation: { type: 'string', minLength: 1, maxLength: 64 },
          rate: { type: 'number', minimum: 0, maximum: 1 },
          times: { type: 'integer', minimum: 1, maximum: 1_000_000 },
          ms: { type: 'integer', minimum: 0, maximum: 60_000 },
          status: { type: 'integer', minimum: 400, maximum: 599 },
        },
        required: ['kind'],
        additionalProperties: false,
      },
    },
  },
  required: ['faults'],
  additionalProperties: false,
};

/** What a request asks for, by the name that faults know it by; undefined: no fault meets it. */
type OperationOf = (request: FastifyRequest) => string | undefined;

/** Adds the page and lets faults meet every route that is an operation. */
export function addFaults(
  app: FastifyInstance,
  adminToken: string | null,
  operationOf: OperationOf = (request) => request.routeOptions.config.operation,
): void {
  if (adminToken === null) return;
  let faults: (Fault & { struck: number })[] = [];
  let random = seededRandom(1);
  const closing = new AbortController();

  app.decorateRequest('struckBy', null);
  app.addHook('preClose', () => closing.abort());

  app.post<{ Body: { seed?: number; faults: Fault[] } }>(
    '/_faults',
    {
      schema: { body: SETTINGS },
      onRequest: async (request, reply) => {
        const own = ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(request.ip);
        if (own && hasToken(request.headers.authorization, adminToken)) return;
        await reply.code(404).send({ error: { code: 'not_found', message: 'There is nothing here.' } });
      },
    },
    (request) => {
      const struck = faults.map(({ kind, struck: times }) => ({ kind, struck: times }));
      faults = request.body.faults.map((fault) => ({ ...fault, struck: 0 }));
      random = seededRandom(request.body.seed ?? 1);
      // What the settings before came to, so that a test can see that its fault has happened.
      return { before: struck };
    },
  );

  /** The faults that meet this request, in their order; chance is drawn for every one that may. */
  const meeting = (operation: string) =>
    faults.filter((fault) => {
      if (fault.operation !== undefined && fault.operation !== operation) return false;
      if (fault.struck >= (fault.times ?? Number.POSITIVE_INFINITY) || random() >= (fault.rate ?? 1)) return false;
      fault.struck++;
      return true;
    });

  app.addHook('preHandler', async (request, reply) => {
    const operation = operationOf(request);
    if (operation === undefined) return;
    for (const fault of meeting(operation)) {
      if (fault.kind === 'latency') await sleep(fault.ms ?? 1_000, null, { signal: closing.signal }).catch(() => {});
      else if (fault.kind === 'lost' || fault.kind === 'cut') request.struckBy = fault.kind;
      else return strike(fault, request, reply);
    }
  });

  app.addHook('onSend', async (request, reply, payload) => {
    if (request.struckBy === null) return payload;
    const { socket } = request.raw;
    if (request.struckBy === 'lost' || typeof payload !== 'string') {
      socket.destroy();
      return payload;
    }
    reply.header('content-length', Buffer.byteLength(payload));
    return Readable.from(halfOf(payload, () => socket.destroy()));
  });
}

/** Answers with the fault, or not at all. */
async function strike(fault: Fault, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (fault.kind === 'hang') {
    reply.hijack();
    const { socket } = request.raw;
    const end = setTimeout(() => socket.destroy(), HANG_MS).unref();
    socket.once('close', () => clearTimeout(end));
    return undefined;
  }
  if (fault.kind === 'html')
    return reply
      .code(502)
      .type('text/html; charset=utf-8')
      .send('<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>');
  if (fault.kind === 'huge') return reply.type('application/json').send(Readable.from(hugeBody()));
  return reply
    .code(fault.status ?? 503)
    .send({ error: { code: 'internal', message: 'The service has a problem right now.' } });
}

async function* halfOf(payload: string, cut: () => void): AsyncGenerator<string> {
  yield payload.slice(0, Math.max(1, payload.length >> 1));
  // Not before the half has left.
  await new Promise((resolve) => setImmediate(resolve));
  cut();
}

function* hugeBody(): Generator<string> {
  yield '{"filler":"';
  for (let sent = 0; sent < HUGE_BYTES; sent += CHUNK_BYTES) yield 'x'.repeat(CHUNK_BYTES);
  yield '"}';
}

/** Whether an Authorization header carries this bearer token; takes as long for any wrong one. */
export function hasToken(header: string | undefined, token: string): boolean {
  const sha256 = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(sha256(header ?? ''), sha256(`Bearer ${token}`));
}
