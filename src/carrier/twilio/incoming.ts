// Reads Twilio's call webhooks into the words of carrier.ts. The form has been proved genuine by then; what it says may
// still be anything a caller can put into a SIP header or a caller id.
// Parameters: Twilio's "TwiML Voice: request parameters" and status callback pages, as of 2026-11.
import type { IncomingHttpHeaders } from 'node:http';
import { TrunklineError } from '../../errors.ts';
import {
  BROWSER,
  type CallStatus,
  type DialOutcome,
  type IncomingCall,
  type Party,
  type StreamStatus,
  type VoicemailMessage,
} from '../carrier.ts';
import { type Form, OWN_PHONE_FIELD } from './signature.ts';

/** The name under which this adapter's calls are known to the intake. */
const CARRIER = 'twilio';
/** Whose call a webhook is about: Twilio's, or one of our own page, which speaks as Twilio does. */
export const carrierOf = (form: Form): string => (field(form, OWN_PHONE_FIELD) === '' ? CARRIER : BROWSER);

/** Bounds on what a caller may put into a record. */
const MAX_SIP_HEADERS = 50;
const MAX_SIP_HEADER_NAME_LENGTH = 100;
/** Twilio documents 1024 characters for custom SIP headers. */
const MAX_SIP_HEADER_VALUE_LENGTH = 1024;
const MAX_URI_LENGTH = 512;
const MAX_KEY_LENGTH = 200;

const CALL_SID = /^CA[0-9a-f]{32}$/i;
const E164 = /^\+[1-9]\d{1,14}$/;
const SIP_URI = /^sips?:[^\s]+$/i;
/** RFC 9110 token: what a SIP header may be called. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const SIP_HEADER_PREFIX = 'SipHeader_';

/** What carriers write where a caller keeps the number back. */
const WITHHELD_WORDS = new Set(['anonymous', 'blocked', 'private', 'restricted', 'unavailable', 'unknown', 'withheld']);
/** The same words spelled on a telephone keypad, which is how they arrive where only digits may. */
const WITHHELD_DIGITS = new Set([
  '266696687', // ANONYMOUS
  '2562533', // BLOCKED
  '7378742833', // RESTRICTED
  '8656696', // UNKNOWN
  '86282452253', // UNAVAILABLE
]);

const STREAM_SID = /^MZ[0-9a-f]{32}$/i;
const STREAM_EVENTS = new Map<string, StreamStatus['event']>([
  ['stream-started', 'started'],
  ['stream-stopped', 'stopped'],
  ['stream-error', 'failed'],
]);

/** The states a call never leaves. */
const FINAL_STATUSES = new Set(['completed', 'busy', 'failed', 'no-answer', 'canceled']);

/** What Twilio tells of a Dial, in our words; `answered` is said of a conference room (docs, TwiML Dial, from memory). */
const DIAL_OUTCOMES = new Map<string, DialOutcome>([
  ['completed', 'answered'],
  ['answered', 'answered'],
  ['busy', 'busy'],
  ['no-answer', 'no_answer'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
]);
/** In a status callback, a person at the other end. Twilio documents `in-progress` for the event `answered`. */
const ANSWERED_STATUSES = new Set(['in-progress', 'answered']);

/** A voice webhook as a call that asks to be let in; throws TRK_BAD_WEBHOOK without a usable CallSid. */
export function parseIncomingCall(form: Form, headers: IncomingHttpHeaders): IncomingCall {
  return {
    carrier: carrierOf(form),
    carrierCallId: parseCallSid(form),
    // `outbound-api` and `outbound-dial` are calls that we placed and the other side answered.
    direction: field(form, 'Direction').startsWith('outbound') ? 'outbound' : 'inbound',
    from: parseParty(field(form, 'From')),
    to: parseParty(field(form, 'To')),
    attestation: parseAttestation(field(form, 'StirVerstat')),
    sipHeaders: parseSipHeaders(form),
    idempotencyKey: parseIdempotency(headers['i-twilio-idempotency-token']),
  };
}

/** The CallSid of any call webhook; throws TRK_BAD_WEBHOOK when it is missing or ill-formed. */
export function parseCallSid(form: Form): string {
  const callSid = field(form, 'CallSid');
  if (!isCallSid(callSid)) throw new TrunklineError('TRK_BAD_WEBHOOK', 'CallSid is missing or ill-formed');
  return callSid;
}

/** Whether a text is the id of a call. */
export const isCallSid = (text: unknown): text is string => typeof text === 'string' && CALL_SID.test(text);

/**
 * The caller for whom we called the person whom a webhook is about: the `for` that we put into its URL, which the
 * signature covers. Null: it is about no such person. Throws TRK_BAD_WEBHOOK for what we never put there.
 */
export function parsePersonFor(query: unknown, form: Form): string | null {
  const given = (query as Record<string, unknown> | null | undefined)?.for;
  if (given === undefined) return null;
  if (isCallSid(given) && given !== field(form, 'CallSid')) return given;
  throw new TrunklineError('TRK_BAD_WEBHOOK', 'the query `for` is not the id of another call');
}

/**
 * The call on whose behalf the one of a status callback was placed: by us (`for`), or by a Dial of ours
 * (`ParentCallSid`). Null: it stands for itself.
 */
export function parseParent(query: unknown, form: Form): string | null {
  const given = parsePersonFor(query, form);
  if (given !== null || form.ParentCallSid === undefined || form.ParentCallSid === '') return given;
  const parent = form.ParentCallSid;
  if (isCallSid(parent) && parent !== field(form, 'CallSid')) return parent;
  throw new TrunklineError('TRK_BAD_WEBHOOK', 'ParentCallSid is not the id of another call');
}

/** A status callback. They may overtake one another: `sequence` orders them. */
export function parseCallStatus(form: Form, query?: unknown): CallStatus {
  const carrierCallId = parseCallSid(form);
  const parentCallId = parseParent(query, form);
  const status = field(form, 'CallStatus').slice(0, MAX_KEY_LENGTH);
  if (status === '') throw new TrunklineError('TRK_BAD_WEBHOOK', 'CallStatus is missing');
  return {
    carrierCallId,
    status,
    final: FINAL_STATUSES.has(status),
    ...(parentCallId === null ? {} : { parentCallId }),
    ...(ANSWERED_STATUSES.has(status) ? { answered: true } : {}),
    // CallDuration is seconds; Duration, beside it, is billed minutes.
    durationSeconds: parseCount(field(form, 'CallDuration')),
    sequence: parseCount(field(form, 'SequenceNumber')),
  };
}

/** Whether any call webhook says that the call has ended. */
export const isOver = (form: Form): boolean => FINAL_STATUSES.has(field(form, 'CallStatus'));

/** How a Dial ended, where one has; a word that we do not know is no conversation. */
export function parseDialled(form: Form): DialOutcome | null {
  if (form.DialCallStatus === undefined || form.DialCallStatus === '') return null;
  return DIAL_OUTCOMES.get(field(form, 'DialCallStatus')) ?? 'failed';
}

/** The one key that a Gather asked for; null where none was pressed, and for what no such Gather tells. Never logged. */
export function parseKey(form: Form): string | null {
  const digits = field(form, 'Digits');
  return /^[0-9*#]$/.test(digits) ? digits : null;
}

/** Whether a status callback is about a media stream and not about a call: both come to the same URL. */
export const isStreamStatus = (form: Form): boolean =>
  field(form, 'CallStatus') === '' && (field(form, 'StreamSid') !== '' || field(form, 'StreamEvent') !== '');

/** A stream's status callback; null for an event that we do not know, which Twilio may add at any time. */
export function parseStreamStatus(form: Form): StreamStatus | null {
  const carrierCallId = parseCallSid(form);
  const streamId = field(form, 'StreamSid');
  if (!STREAM_SID.test(streamId)) throw new TrunklineError('TRK_BAD_WEBHOOK', 'StreamSid is missing or ill-formed');
  const event = STREAM_EVENTS.get(field(form, 'StreamEvent'));
  if (event === undefined) return null;
  // A sentence with the number of the error in it, or the number alone; the sentence is not ours to keep.
  const error = event === 'failed' ? (/\b\d{5}\b/.exec(field(form, 'StreamError'))?.[0] ?? 'unknown') : null;
  return { carrierCallId, streamId, event, error };
}

/**
 * What the action of a Record is told; null when the form is not one of a Record. The message is null where the recording
 * cannot be had. When the caller hung up, `Digits` is the word `hangup`: the message is kept all the same.
 */
export function parseVoicemail(form: Form): { message: VoicemailMessage | null } | null {
  const url = field(form, 'RecordingUrl');
  if (url === '' && field(form, 'RecordingSid') === '') return null;
  if (url.length > MAX_URI_LENGTH || !URL.canParse(url) || !/^https?:\/\//i.test(url)) return { message: null };
  return { message: { url, seconds: parseCount(field(form, 'RecordingDuration')) ?? 0 } };
}

/** `From` or `To`: a number, a SIP URI, a client of the Voice SDK, or a word for "not shown". */
export function parseParty(given: string): Party {
  const text = given.trim();
  if (E164.test(text) && !WITHHELD_DIGITS.has(text.slice(1))) return { kind: 'pstn', value: text };
  if (text.length > MAX_URI_LENGTH) return WITHHELD;
  if (SIP_URI.test(text)) return isAnonymousUri(text) ? WITHHELD : { kind: 'sip', value: text };
  if (text.startsWith('client:') && text.length > 7) return { kind: 'client', value: text.slice(7) };
  return WITHHELD;
}

const WITHHELD: Party = Object.freeze({ kind: 'withheld', value: '' });

/** RFC 3323 hides a caller as anonymous@anonymous.invalid; PBXs keep their own domain and hide only the user. */
function isAnonymousUri(uri: string): boolean {
  const address = uri.slice(uri.indexOf(':') + 1).toLowerCase();
  const at = address.indexOf('@');
  const user = at < 0 ? '' : (address.slice(0, at).split(/[;:]/, 1)[0] ?? '');
  const host = address.slice(at + 1).split(/[;:?]/, 1)[0] ?? '';
  return host === 'anonymous.invalid' || WITHHELD_WORDS.has(user) || WITHHELD_DIGITS.has(user.replace(/^\+/, ''));
}

/** TN-Validation-Passed-A and its relatives, kept as given; absent without a PASSporT. */
const parseAttestation = (given: string): string | null => (/^[A-Za-z0-9-]{1,64}$/.test(given) ? given : null);

/** X- headers and User-to-User of a call into a SIP Domain. */
function parseSipHeaders(form: Form): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  let count = 0;
  for (const key of Object.keys(form)) {
    if (!key.startsWith(SIP_HEADER_PREFIX)) continue;
    const name = key.slice(SIP_HEADER_PREFIX.length);
    const value = form[key];
    // A repeated header arrives as a list: which one was meant is not ours to guess.
    if (typeof value !== 'string' || value.length > MAX_SIP_HEADER_VALUE_LENGTH) continue;
    if (name.length > MAX_SIP_HEADER_NAME_LENGTH || !HEADER_NAME.test(name)) continue;
    if (++count > MAX_SIP_HEADERS) break;
    headers[name] = value;
  }
  return headers;
}

const parseIdempotency = (given: string | string[] | undefined): string | null =>
  typeof given === 'string' && given !== '' && given.length <= MAX_KEY_LENGTH ? given : null;

const parseCount = (given: string): number | null => (/^\d{1,9}$/.test(given) ? Number(given) : null);

/** A field given once, else empty. */
const field = (form: Form, name: string): string => {
  const value = form[name];
  return typeof value === 'string' ? value : '';
};
