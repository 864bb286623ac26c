// The three webhooks. Each proves itself first, is read second, asks the intake third, and always answers text/xml: a
// body of another type is read aloud to the caller (text/plain) or fails (12300), refusals included.
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { TrunklineError } from '../../errors.ts';
import type { Admission, CallIntake, DialOutcome, Peers } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import {
  carrierOf,
  isOver,
  isStreamStatus,
  parseCallSid,
  parseCallStatus,
  parseDialled,
  parseIncomingCall,
  parseKey,
  parsePersonFor,
  parseStreamStatus,
  parseVoicemail,
} from './incoming.ts';
import { passOnWebhooks } from './pass-on.ts';
import type { Form, SignatureCheck } from './signature.ts';
import type { Twiml } from './twiml.ts';

export interface WebhookOptions {
  intake: CallIntake;
  signature: SignatureCheck;
  accountSid: string | null;
  twiml: Twiml;
  log: Pick<Logger, 'warn' | 'error'>;
  counters: TwilioCounters;
  peers: Peers | null;
}

/** Twilio's own forms are two or three KiB. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** About sixty come with a call, more with SIP headers. Each is sorted and hashed several times before we know who sent it. */
const MAX_FORM_FIELDS = 500;
const NO_FIELDS: Form = {};

/**
 * Registers POST /voice, /voice/next and /voice/status. Forms are read by incoming.ts rather than by JSON Schema: the
 * signature covers the body untouched, and Fastify's validator coerces what it checks.
 */
export async function webhooks(app: FastifyInstance, options: WebhookOptions): Promise<void> {
  const { intake, twiml, counters, log } = options;
  app.removeAllContentTypeParsers(); // Only in this context: here JSON is a 415.
  await app.register(formbody, { bodyLimit: BODY_LIMIT_BYTES });
  app.addHook('onRequest', (_request, reply, done) => {
    // Twilio caches what headers allow, and these answers work once.
    reply.header('cache-control', 'no-store');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    counters.webhook(routeOf(request), reply.statusCode);
    done();
  });
  app.addHook('preValidation', (request, reply, done) => {
    const refusal = refusalOf(request, options);
    if (refusal === null) done();
    else refuse(request, reply, refusal, options);
  });
  if (options.peers !== null) passOnWebhooks(app, options.peers);
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 400 && status < 500) return refuse(request, reply, { status, reason: reasonOf(error) }, options);
    // A 5xx makes Twilio try again or turn to the fallback URL.
    log.error({ route: routeOf(request), err: error }, 'webhook failed');
    return xml(reply.code(500), twiml.hangUp);
  });

  app.post('/voice', async (request, reply) => {
    const admission = await intake.admit(parseIncomingCall(formOf(request), request.headers));
    if (admission.outcome === 'replayed') return refuse(request, reply, { status: 403, reason: 'replayed' }, options);
    return xml(reply, answer(admission, twiml));
  });
  app.post('/voice/next', async (request, reply) => {
    const form = formOf(request);
    const carrierCallId = parseCallSid(form);
    const parentCallId = parsePersonFor(request.query, form);
    if (parentCallId !== null) return xml(reply, await forPerson(form, parentCallId, options));
    const dialled = parseDialled(form);
    if (dialled !== null) return xml(reply, await afterDial(form, dialled, options));
    const recorded = parseVoicemail(form);
    if (recorded === null)
      return xml(reply, twiml.next(await intake.next(carrierOf(form), carrierCallId, isOver(form))));
    // A message was taken: nothing follows it.
    if (recorded.message !== null) await intake.voicemail(carrierOf(form), carrierCallId, recorded.message);
    return xml(reply, twiml.hangUp);
  });
  app.post('/voice/status', async (request, reply) => {
    const form = formOf(request);
    if (!isStreamStatus(form)) await intake.status(carrierOf(form), parseCallStatus(form, request.query));
    else {
      const status = parseStreamStatus(form);
      if (status !== null) intake.streamStatus(carrierOf(form), status);
    }
    return reply.code(204).send();
  });
}

/** What a person hears whom we called: asked when they answer, and with the key that they press. */
async function forPerson(form: Form, parentCallId: string, { intake, twiml }: WebhookOptions): Promise<string> {
  // They hung up, or the room that they were in has closed.
  if (isOver(form) || parseDialled(form) !== null) return twiml.hangUp;
  const step = await intake.person(carrierOf(form), parseCallSid(form), parseKey(form), parentCallId);
  return step === null ? twiml.hangUp : twiml.next(step, parentCallId);
}

/** What follows a Dial. A caller who hung up meanwhile gets nothing, but what became of the Dial is kept. */
async function afterDial(form: Form, outcome: DialOutcome, { intake, twiml }: WebhookOptions): Promise<string> {
  const carrierCallId = parseCallSid(form);
  const step = await intake.dialled(carrierOf(form), carrierCallId, outcome);
  if (!isOver(form)) return twiml.next(step);
  await intake.next(carrierOf(form), carrierCallId, true);
  return twiml.hangUp;
}

function answer(admission: Exclude<Admission, { outcome: 'replayed' }>, twiml: Twiml): string {
  if (admission.outcome === 'refused') return twiml.first(admission.answer);
  return twiml.connect(admission.token, admission.facts);
}

interface Refusal {
  status: number;
  reason: string;
}

/** Why a request is not served, or null: first who sent it, then for which account. */
function refusalOf(request: FastifyRequest, { signature, accountSid }: WebhookOptions): Refusal | null {
  const form = formOf(request);
  if (countFields(form) > MAX_FORM_FIELDS) return { status: 400, reason: 'too_many_fields' };
  const given = request.headers['x-twilio-signature'];
  if (given === undefined) return { status: 403, reason: 'signature_missing' };
  if (!signature.webhook(request.originalUrl, form, given)) return { status: 403, reason: 'signature_wrong' };
  if (accountSid !== null && form.AccountSid !== accountSid) return { status: 403, reason: 'account' };
  if (!signature.ownPhone(form)) return { status: 403, reason: 'own_phone' };
  return null;
}

/** One count and one line per refusal; neither holds anything that was sent. */
function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, reason }: Refusal,
  { counters, log, twiml }: WebhookOptions,
): FastifyReply {
  counters.refused('webhook', reason);
  log.warn({ route: routeOf(request), reason, status, remote: request.ip }, 'webhook refused');
  return xml(reply.code(status), twiml.hangUp);
}

const xml = (reply: FastifyReply, document: string): FastifyReply =>
  reply.header('content-type', 'text/xml; charset=utf-8').send(document);

function reasonOf({ statusCode, code }: { statusCode?: number; code?: string }): string {
  if (code === ('TRK_BAD_WEBHOOK' satisfies TrunklineError['code'])) return 'bad_webhook';
  if (statusCode === 413) return 'too_large';
  return statusCode === 415 ? 'content_type' : 'bad_request';
}

/** A request without any body has none; the check of its signature and CallSid does the rest. */
const formOf = (request: FastifyRequest): Form => (request.body as Form | null | undefined) ?? NO_FIELDS;

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? '';

function countFields(form: Form): number {
  let count = 0;
  for (const name in form) count += Array.isArray(form[name]) ? form[name].length : 1;
  return count;
}
