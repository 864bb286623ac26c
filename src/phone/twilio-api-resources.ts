// What the double of the REST API answers: calls, pages of calls, and refusals, spelled as the API spells them.
import { rfc2822 } from './call-params.ts';
import type { PhoneCall } from './phone.ts';

export const API_VERSION = '2010-04-01';

/** A call that the API knows, and when it was what; Unix milliseconds. */
export interface RegisteredCall {
  call: PhoneCall;
  createdWallMs: number;
  answeredWallMs?: number;
  endedWallMs?: number;
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

interface Moment {
  wallMs: number;
  /** From the end of a call until its price is known. */
  priceAfterMs: number;
}

/** An inbound minute to a local number, as listed. */
const USD_A_MINUTE = 0.0085;
const DEFAULT_PAGE_SIZE = 50;
const SUBRESOURCES = ['notifications', 'recordings', 'payments', 'events', 'siprec', 'streams', 'transcriptions'];

/** One call as JSON. */
export function callResource(known: RegisteredCall, { wallMs, priceAfterMs }: Moment): Record<string, unknown> {
  const { call, createdWallMs, answeredWallMs, endedWallMs } = known;
  const { accountSid, from, to } = call.identity;
  const path = `/${API_VERSION}/Accounts/${accountSid}/Calls/${call.callSid}`;
  const over = endedWallMs !== undefined;
  const seconds = over && answeredWallMs !== undefined ? Math.ceil((endedWallMs - answeredWallMs) / 1000) : 0;
  const priced = over && wallMs - endedWallMs >= priceAfterMs;
  const time = (ms: number | undefined) => (ms === undefined ? null : rfc2822(ms));
  return {
    sid: call.callSid,
    date_created: time(createdWallMs),
    date_updated: time(endedWallMs ?? answeredWallMs ?? createdWallMs),
    parent_call_sid: null,
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
    price: priced ? (-USD_A_MINUTE * Math.ceil(seconds / 60)).toFixed(5) : null,
    price_unit: 'USD',
    direction: 'inbound',
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

/** One page of calls, newest first, filtered by To, From and Status. */
export function pageOf(
  calls: readonly RegisteredCall[],
  params: Record<string, string>,
  root: string,
  moment: Moment,
): Record<string, unknown> {
  const { To, From, Status, Page, PageSize } = params;
  const size = Math.min(1_000, Math.max(1, Number(PageSize) || DEFAULT_PAGE_SIZE));
  const page = Math.max(0, Number(Page) || 0);
  const wanted = calls
    .map((call) => callResource(call, moment))
    .filter(({ to, from, status }) => (To ?? to) === to && (From ?? from) === from && (Status ?? status) === status)
    .toReversed();
  const start = page * size;
  const shown = wanted.slice(start, start + size);
  const uri = (n: number) =>
    `${root}.json?${new URLSearchParams({ ...params, PageSize: `${size}`, Page: `${n}` }).toString()}`;
  return {
    calls: shown,
    ...{ page, page_size: size, start, end: start + Math.max(0, shown.length - 1) },
    ...{ uri: uri(page), first_page_uri: uri(0) },
    next_page_uri: start + size < wanted.length ? uri(page + 1) : null,
    previous_page_uri: page > 0 ? uri(page - 1) : null,
  };
}

/** Numbers of the carrier's own country as people there write them; others as they are. */
const formatted = (party: string): string => party.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
