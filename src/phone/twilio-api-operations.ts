// What the operations of the REST API do to the double's calls, conferences and messages. Their forms were held against the
// official description before; here is what it does not say: which fields need each other, and what state refuses.
import { newSid } from './call-params.ts';
import type { Conference, Conferences } from './conferences.ts';
import type { PlacedLeg } from './person-call.ts';
import {
  type ApiCall,
  ApiError,
  callResource,
  conferenceResource,
  messageResource,
  type Moment,
  pageOf,
  participantResource,
  type RegisteredCall,
  type SentMessage,
} from './twilio-api-resources.ts';

/** One request whose form is sound. */
export interface Request {
  operationId: string;
  path: string;
  ids: Record<string, string>;
  params: Record<string, string>;
  form: URLSearchParams;
}

/** What the operations work on. */
export interface Account {
  sid: string;
  /** Numbers that may call and send; null: any. */
  numbers: readonly string[] | null;
  calls: ReadonlyMap<string, RegisteredCall>;
  conferences: Conferences;
  messages: readonly SentMessage[];
  moment(): Moment;
  /** Makes a call to a person. */
  place(to: string, from: string, leg: PlacedLeg): RegisteredCall;
  send(message: Omit<SentMessage, 'atMs' | 'wallMs'>): SentMessage;
}

/** An answer. */
export interface Answer {
  status: number;
  body: object | null;
}

/** Documented for `Twiml` when a call is created; taken to hold for updates. */
const MAX_TWIML_LETTERS = 4_000;
const MAX_MESSAGE_LETTERS = 1_600;
const MAX_TIMEOUT_S = 600;
const DEFAULT_TIMEOUT_S = 60;
const CALL_EVENTS = ['initiated', 'ringing', 'answered', 'completed'];
/** Fields that the description has as texts, with the values that the reference has. */
const WORDS: Record<string, readonly string[]> = {
  MachineDetection: ['Enable', 'DetectMessageEnd'],
  AsyncAmd: ['true', 'false'],
  Trim: ['trim-silence', 'do-not-trim'],
  RecordingChannels: ['mono', 'dual'],
  RecordingTrack: ['inbound', 'outbound', 'both'],
  Beep: ['true', 'false', 'onEnter', 'onExit'],
};

/** @throws ApiError */
export function carryOut(account: Account, request: Request): Answer {
  const { operationId, ids, params, path } = request;
  const { sid, calls, conferences } = account;
  const ok = (body: object): Answer => ({ status: 200, body });
  switch (operationId) {
    case 'CreateCall':
      return { status: 201, body: callResource(createCall(account, request), account.moment()) };
    case 'ListCall': {
      const all = [...calls.values()].map((known) => callResource(known, account.moment())).toReversed();
      const filters = { To: 'to', From: 'from', Status: 'status', ParentCallSid: 'parent_call_sid' };
      return ok(pageOf('calls', all, params, path, filters));
    }
    case 'FetchCall':
      return ok(callResource(callOf(account, request), account.moment()));
    case 'UpdateCall': {
      const known = callOf(account, request);
      update(known.call, params);
      return ok(callResource(known, account.moment()));
    }
    case 'CreateMessage':
      return { status: 201, body: messageResource(createMessage(account, params), sid) };
    case 'ListMessage': {
      const all = account.messages.map((message) => messageResource(message, sid)).toReversed();
      return ok(pageOf('messages', all, params, path, { To: 'to', From: 'from' }));
    }
    case 'FetchMessage': {
      const message = account.messages.find((one) => one.sid === ids['Sid']);
      return message ? ok(messageResource(message, sid)) : notFound(path);
    }
    case 'ListConference': {
      const all = conferences.all.map((one) => conferenceResource(one, sid)).toReversed();
      return ok(pageOf('conferences', all, params, path, { FriendlyName: 'friendly_name', Status: 'status' }));
    }
    case 'FetchConference':
      return ok(conferenceResource(roomOf(account, request, 'Sid'), sid));
    case 'UpdateConference': {
      const room = roomOf(account, request, 'Sid');
      if (params['Status'] === 'completed') room.end();
      return ok(conferenceResource(room, sid));
    }
    case 'ListParticipant': {
      const room = roomOf(account, request, 'ConferenceSid');
      const all = room.members.map((member) => participantResource(member, room.sid, sid));
      return ok(pageOf('participants', all, params, path, {}));
    }
    case 'CreateParticipant':
      return createParticipant(account, request);
    case 'FetchParticipant':
    case 'UpdateParticipant':
    case 'DeleteParticipant':
      return participant(account, request);
    default:
      return notFound(path);
  }
}

function notFound(path: string): never {
  throw new ApiError(404, 20404, `The requested resource ${path} was not found`);
}

function refuse(code: number, message: string): never {
  throw new ApiError(400, code, message);
}

function callOf({ calls }: Account, { ids, path }: Request): RegisteredCall {
  return calls.get(ids['Sid'] ?? '') ?? notFound(path);
}

/** A conference by its sid; where somebody is called into one, by its name, too. */
function roomOf({ conferences }: Account, { ids, path }: Request, key: 'Sid' | 'ConferenceSid'): Conference {
  const sid = ids[key] ?? '';
  return conferences.all.find((one) => one.sid === sid) ?? notFound(path);
}

function createCall(account: Account, { params, form }: Request): RegisteredCall {
  const { Url: url, Twiml: twiml, ApplicationSid: application, Method: method = 'POST' } = params;
  const { To: to = '', From: from = '' } = params;
  mayCallFrom(account, from, 21210);
  checkWords(params);
  if ((url ?? twiml ?? application) === undefined) refuse(21205, 'Url, Twiml or ApplicationSid is required');
  if (url === undefined && twiml === undefined) refuse(20001, 'This double knows no applications: give Url or Twiml');
  if (url === undefined && (twiml?.length ?? 0) > MAX_TWIML_LETTERS)
    refuse(21618, `Twiml is longer than ${MAX_TWIML_LETTERS} characters`);
  // Of both, Url is the one.
  const document = url === undefined ? { twiml: twiml ?? '' } : { url, method };
  return account.place(to, from, { document, ...legOf(params, form) });
}

function legOf(params: Record<string, string>, form: URLSearchParams): Omit<PlacedLeg, 'document'> {
  const { StatusCallback: statusCallback, StatusCallbackMethod: statusCallbackMethod = 'POST', Timeout } = params;
  const events = form.getAll('StatusCallbackEvent').flatMap((text) => text.split(/\s+/));
  for (const event of events) if (!CALL_EVENTS.includes(event)) refuse(21626, `Invalid StatusCallbackEvent: ${event}`);
  const seconds = Number(Timeout ?? DEFAULT_TIMEOUT_S);
  if (seconds < 1 || seconds > MAX_TIMEOUT_S) refuse(20001, `Timeout is not from 1 to ${MAX_TIMEOUT_S}: ${Timeout}`);
  return {
    statusCallback,
    statusCallbackMethod,
    statusCallbackEvents: events.length === 0 ? ['completed'] : events,
    timeoutMs: 1000 * seconds,
    params,
  };
}

function checkWords(params: Record<string, string>): void {
  for (const [field, words] of Object.entries(WORDS)) {
    const word = params[field];
    if (word !== undefined && !words.includes(word)) refuse(20001, `Invalid ${field}: ${word}`);
  }
}

function mayCallFrom({ numbers }: Account, from: string, code: number): void {
  if (numbers === null || numbers.includes(from)) return;
  refuse(code, `The 'From' phone number ${from} is not one of this account, or not verified`);
}

/**
 * `StatusCallback`, `TimeLimit` and the fallback are taken and change nothing here.
 * @throws ApiError
 */
function update(call: ApiCall, params: Record<string, string>): void {
  const { Url: url, Twiml: twiml, Method: method = 'POST', Status: status } = params;
  if (url !== undefined && twiml !== undefined) refuse(20001, 'Url and Twiml exclude each other');
  if (twiml !== undefined && twiml.length > MAX_TWIML_LETTERS)
    refuse(20001, `Twiml is longer than ${MAX_TWIML_LETTERS} characters`);
  const unanswered = ['queued', 'ringing'].includes(call.callStatus);
  if (!unanswered && call.callStatus !== 'in-progress' && (status ?? url ?? twiml) !== undefined)
    refuse(21220, 'Call is not in-progress. Cannot redirect.');
  // Calls that were answered are left alone by `canceled`.
  if (status === 'completed' || (status === 'canceled' && unanswered)) return call.complete(status);
  if ((url ?? twiml) === undefined) return;
  if (unanswered) refuse(21220, 'Call is not in-progress. Cannot redirect.');
  call.update(twiml === undefined ? { url: url as string, method } : { twiml });
}

function createMessage(account: Account, params: Record<string, string>): SentMessage {
  const { To: to = '', From: from = '', Body: body, MessagingServiceSid: service } = params;
  if (from === '' && service === undefined) refuse(21603, "A 'From' phone number is required");
  if (from !== '') mayCallFrom(account, from, 21606);
  if ((body ?? '') === '' && params['MediaUrl'] === undefined && params['ContentSid'] === undefined)
    refuse(21602, 'Message body is required');
  if ((body ?? '').length > MAX_MESSAGE_LETTERS)
    refuse(21617, `The concatenated message body exceeds the ${MAX_MESSAGE_LETTERS} character limit`);
  return account.send({ sid: newSid('SM'), to, from, body: body ?? '', params });
}

/** Calls somebody into a conference, which is made where there is none. */
function createParticipant(account: Account, { ids, params, form, path }: Request): Answer {
  const { To: to = '', From: from = '', StartConferenceOnEnter, EndConferenceOnExit, Beep, Muted } = params;
  const named = ids['ConferenceSid'] ?? '';
  const known = account.conferences.find(named);
  if (known?.status === 'completed' || (!known && /^CF[0-9a-f]{32}$/i.test(named))) notFound(path);
  mayCallFrom(account, from, 21210);
  checkWords(params);
  const wallMs = account.moment().wallMs;
  const room = known ?? account.conferences.open(named, wallMs);
  const attributes = {
    startConferenceOnEnter: StartConferenceOnEnter,
    endConferenceOnExit: EndConferenceOnExit,
    beep: Beep,
    muted: Muted,
  };
  const written = Object.entries(attributes).flatMap(([name, value]) => (value ? [` ${name}="${value}"`] : []));
  const name = room.room.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const twiml = `<Response><Dial><Conference${written.join('')}>${name}</Conference></Dial></Response>`;
  const { call } = account.place(to, from, { document: { twiml }, ...legOf(params, form) });
  const ends = EndConferenceOnExit === 'true';
  const entering = { callSid: call.callSid, party: to, starts: StartConferenceOnEnter !== 'false', ends, beeps: false };
  const member = { ...entering, enteredWallMs: wallMs, muted: Muted === 'true', hold: false };
  return { status: 201, body: participantResource(member, room.sid, account.sid, 'queued') };
}

/** Somebody who is in a conference: told, muted, held, or taken out. */
function participant(account: Account, request: Request): Answer {
  const { operationId, ids, params, path } = request;
  const room = roomOf(account, request, 'ConferenceSid');
  const member = room.members.find(({ callSid }) => callSid === ids['CallSid']) ?? notFound(path);
  if (operationId === 'DeleteParticipant') {
    room.remove(member.callSid, 'removed');
    return { status: 204, body: null };
  }
  if (operationId === 'UpdateParticipant') {
    const { Muted, Hold, EndConferenceOnExit } = params;
    if (Muted !== undefined) member.muted = Muted === 'true';
    if (Hold !== undefined) member.hold = Hold === 'true';
    if (EndConferenceOnExit !== undefined) member.ends = EndConferenceOnExit === 'true';
  }
  return { status: 200, body: participantResource(member, room.sid, account.sid) };
}
