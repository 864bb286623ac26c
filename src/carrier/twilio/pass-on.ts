// A webhook may reach any of our processes; the one that has the call answers it. Runs after a request has proved itself
// and before it is worked on. What a peer has sent is answered here.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PassedWebhook, Peers } from '../carrier.ts';
import { carrierOf, parseCallSid, parseParent, parsePersonFor } from './incoming.ts';
import type { Form } from './signature.ts';

const PASSED = new Map<string, PassedWebhook>([
  ['/voice', 'voice'],
  ['/voice/next', 'next'],
  ['/voice/status', 'status'],
]);

/** Adds the hook to the context of the webhooks. */
export function passOnWebhooks(app: FastifyInstance, peers: Peers): void {
  app.addHook('preHandler', async (request, reply) => {
    const what = PASSED.get(request.routeOptions.url ?? '');
    if (what === undefined || peers.isPeer(request.raw.socket)) return;
    const form = (request.body ?? {}) as Form;
    const answer = await peers.passOn(what, carrierOf(form), callOf(what, request.query, form), passed(request, form));
    if (answer === null) return;
    reply.code(answer.status);
    if (answer.contentType !== '') reply.header('content-type', answer.contentType);
    return reply.send(answer.body);
  });
}

/** The call whose process has to answer: of a person's leg the caller's, as nobody else knows of it. */
function callOf(what: PassedWebhook, query: unknown, form: Form): string {
  const carrierCallId = parseCallSid(form);
  if (what === 'voice') return carrierCallId;
  const parent = what === 'next' ? parsePersonFor(query, form) : parseParent(query, form);
  return parent ?? carrierCallId;
}

/** The signature covers names and values, not how the form was written. */
function passed({ originalUrl, headers }: FastifyRequest, form: Form) {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) for (const one of [value].flat()) body.append(name, one);
  return { path: originalUrl, headers, body: body.toString() };
}
