// What the double of the REST API answers with: calls, messages, conferences and who is in them, pages of each, and
// refusals, spelled as the API spells them.
import { type CallIdentity, rfc2822 } from './call-params.ts';
import type { Conference, Member } from './conferences.ts';
import type { CallUpdate } from './phone-options.ts';

export const API_VERSION = '2010-04-01';

/** A call as the API handles it: that of a caller, or that of a person. */
export interface ApiCall {
  callSid: string;
  identity: CallIdentity;
  callStatus: string;
  complete(status: 'completed' | 'canceled'): void;
  update(update: CallUpdate): void;
}

/** A call that the API knows, and when it was what; Unix milliseconds. */
export interface RegisteredCall {
  call: ApiCall;
  direction: 'inbound' | 'outbound-api' | 'outbound-dial';
  parentSid?: string;
  createdWallMs: number;
  answeredWallMs?: number;
  endedWallMs?: number;
}

/** A text message that the API took. */
export interface SentMessage {
  sid: string;
  to: string;
  /** Empty where a messaging service chooses it. */
  from: string;
  body: string;
  /** The form of the request. */
  params: Record<string, string>;
  /** Of the clock, and Unix milliseconds. */
  atMs: number;
  wallMs: number;
}

/** A refusal: HTTP status, the API's own code, and its words. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Moment {
  wallMs: number;
  /** From the end of a call until its price is known. */
  priceAfterMs: number;
}

type Resource = Record<string, unknown>;

/** A minute with a local number, as listed. */
const USD_A_MINUTE = { inbound: 0.0085, 'outbound-api': 0.014, 'outbound-dial': 0.014 } as const;
const DEFAULT_PAGE_SIZE = 50;
const SUBRESOURCES = ['notifications', 'recordings', 'payments', 'events', 'siprec', 'streams', 'transcriptions'];

const accountPath = (accountSid: string): string => `/${API_VERSION}/Accounts/${accountSid}`;
const time = (ms: number | undefined): string | null => (ms === undefined ? null : rfc2822(ms));

/** One call as JSON. */
export function callResource(known: RegisteredCall, { wallMs, priceAfterMs }: Moment): Resource {
  const { call, createdWallMs, answeredWallMs, endedWallMs, direction } = known;
  const { accountSid, from, to } = call.identity;
  const path = `${accountPath(accountSid)}/Calls/${call.callSid}`;
  const over = endedWallMs !== undefined;
  const seconds = over && answeredWallMs !== undefined ? Math.ceil((endedWallMs - answeredWallMs) / 1000) : 0;
  const priced = over && wallMs - endedWallMs >= priceAfterMs;
  return {
    sid: call.callSid,
    date_created: time(createdWallMs),
    date_updated: time(endedWallMs ?? answeredWallMs ?? createdWallMs),
    parent_call_sid: known.parentSid ?? null,
    account_sid: accountSid,
    to,
    to_formatted: formatted(to),
    from,
    from_formatted: formatted(from),
    phone_number_sid: null,
    status: call.callStatus,
    start_time: time(answeredWallMs),
    end_time: time(endedWallMs),
    duration: over ? `${seconds}` : null,
    price: priced ? (-USD_A_MINUTE[direction] * Math.ceil(seconds / 60)).toFixed(5) : null,
    price_unit: 'USD',
    direction,
    answered_by: null,
    api_version: API_VERSION,
    forwarded_from: null,
    group_sid: null,
    caller_name: null,
    queue_time: '0',
    trunk_sid: null,
    uri: `${path}.json`,
    subresource_uris: Object.fromEntries(SUBRESOURCES.map((name) => [name, `${path}/${capital(name)}.json`])),
  };
}

/** One message as JSON: taken, and not yet sent. */
export function messageResource({ sid, to, from, body, params, wallMs }: SentMessage, accountSid: string): Resource {
  const path = `${accountPath(accountSid)}/Messages/${sid}`;
  return {
    sid,
    account_sid: accountSid,
    body,
    num_segments: `${segmentsOf(body)}`,
    num_media: '0',
    direction: 'outbound-api',
    from: from === '' ? null : from,
    to,
    messaging_service_sid: params['MessagingServiceSid'] ?? null,
    status: from === '' ? 'accepted' : 'queued',
    price: null,
    price_unit: 'USD',
    error_code: null,
    error_message: null,
    date_created: time(wallMs),
    date_updated: time(wallMs),
    date_sent: null,
    api_version: API_VERSION,
    uri: `${path}.json`,
    subresource_uris: { media: `${path}/Media.json` },
  };
}

/** One conference as JSON. */
export function conferenceResource(conference: Conference, accountSid: string): Resource {
  const { sid, room, status, reason, endedBy, createdWallMs, updatedWallMs } = conference;
  const path = `${accountPath(accountSid)}/Conferences/${sid}`;
  return {
    sid,
    account_sid: accountSid,
    friendly_name: room,
    status,
    region: 'us1',
    api_version: API_VERSION,
    date_created: time(createdWallMs),
    date_updated: time(updatedWallMs),
    // Null where it is not over; the description allows only the words themselves.
    ...(reason === undefined ? {} : { reason_conference_ended: reason }),
    call_sid_ending_conference: endedBy ?? null,
    uri: `${path}.json`,
    subresource_uris: { participants: `${path}/Participants.json`, recordings: `${path}/Recordings.json` },
  };
}

/** Somebody in a conference as JSON. */
export function participantResource(
  { callSid, muted, hold, ends, starts, enteredWallMs }: Member,
  conferenceSid: string,
  accountSid: string,
  status = 'connected',
): Resource {
  return {
    account_sid: accountSid,
    call_sid: callSid,
    conference_sid: conferenceSid,
    label: null,
    muted,
    hold,
    coaching: false,
    call_sid_to_coach: null,
    start_conference_on_enter: starts,
    end_conference_on_exit: ends,
    status,
    queue_time: '0',
    date_created: time(enteredWallMs),
    date_updated: time(enteredWallMs),
    uri: `${accountPath(accountSid)}/Conferences/${conferenceSid}/Participants/${callSid}.json`,
  };
}

/** One page of a list, filtered by those parameters that are fields of it. */
export function pageOf(
  name: string,
  all: readonly Resource[],
  params: Record<string, string>,
  path: string,
  filters: Readonly<Record<string, string>>,
): Resource {
  const { Page, PageSize } = params;
  const size = Math.min(1_000, Math.max(1, Number(PageSize) || DEFAULT_PAGE_SIZE));
  const page = Math.max(0, Number(Page) || 0);
  const wanted = all.filter((resource) =>
    Object.entries(filters).every(([param, field]) => (params[param] ?? resource[field]) === resource[field]),
  );
  const start = page * size;
  const shown = wanted.slice(start, start + size);
  const uri = (n: number) =>
    `${path}?${new URLSearchParams({ ...params, PageSize: `${size}`, Page: `${n}` }).toString()}`;
  return {
    [name]: shown,
    ...{ page, page_size: size, start, end: start + Math.max(0, shown.length - 1) },
    ...{ uri: uri(page), first_page_uri: uri(0) },
    next_page_uri: start + size < wanted.length ? uri(page + 1) : null,
    previous_page_uri: page > 0 ? uri(page - 1) : null,
  };
}

/** GSM 03.38 without its escapes: what fits seven bits a letter. */
const GSM = /^[\w @£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà\n\r]*$/;

/** How many messages a network makes of a text. */
function segmentsOf(body: string): number {
  const [one, each] = GSM.test(body) ? [160, 153] : [70, 67];
  return body.length <= one ? 1 : Math.ceil(body.length / each);
}

/** Numbers of the carrier's own country as people there write them; others as they are. */
const formatted = (party: string): string => party.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
