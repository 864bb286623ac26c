// One request to Twilio's REST API with its repetitions, printed by the `twilio` package and sent by us: its own sender
// (axios) knows neither our clock nor another base URL nor a bound on an answer. Nothing here throws, and nothing that is
// logged holds a word of a person: an answer is reduced to numbers.
//
// Of the package only what prints the requests is loaded. `twilio` and `twilio/lib/rest/Twilio.js` stop the event loop for
// 115 to 145 ms and take 28 MB; the four files below take 16 ms and 2.5 MB (Node 24.21, 2026-11).
import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
// By `require`, which is what these files are written for: how `import` shows their defaults differs between loaders.
import type * as DomainFile from 'twilio/lib/base/Domain.js';
import type * as VersionFile from 'twilio/lib/base/Version.js';
import type * as CallFile from 'twilio/lib/rest/api/v2010/account/call.js';
import type * as MessageFile from 'twilio/lib/rest/api/v2010/account/message.js';
import type { Clock } from '../../clock.ts';

export interface RestAccount {
  /** Root of the REST API, without a slash at the end. */
  baseUrl: string;
  accountSid: string;
  /** The account's auth token: the same that proves the signatures. */
  authToken: string;
  clock: Clock;
  /** 0 to 1, for the jitter of retries. Default `Math.random`. */
  random?: () => number;
}

/** What one account can be asked for, in the package's words. */
export interface Resources {
  calls: CallFile.CallListInstance;
  messages: MessageFile.MessageListInstance;
}

/** The last answer of a request. `status` is 0 where there was none, and `failure` then says why. */
export interface RestAnswer {
  status: number;
  /** Twilio's own error number. */
  code: number | null;
  failure: string | null;
  /** Id of what was made; null where nothing was, or the answer cannot be read. */
  sid: string | null;
  tries: number;
}

export interface RestRequest {
  /** Prints it. */
  ask: (resources: Resources) => Promise<{ sid: string }>;
  /**
   * What is tried again: `lost` also one without an answer or with a 5xx; `unheard` only what the API says that it did
   * not carry out (429), since nothing tells a repeated order from a second one.
   */
  again: 'lost' | 'unheard';
  /** Whoever asked may have changed their mind. */
  unwanted?: AbortSignal | undefined;
}

/** One try; Twilio itself answers in a tenth of a second. */
const TRY_MS = 3_000;
const MAX_TRIES = 3;
/** Before the n-th repetition at most this times 2 to the n, drawn anew each time (full jitter). */
const BACK_OFF_MS = 250;
/** A caller who is off the air does not wait for longer: the order has failed. */
const MAX_RETRY_AFTER_MS = 5_000;
/** An error's body is some 200 bytes, a call's 2 KB, a message's at most 10 KB. */
const MAX_BODY_BYTES = 65_536;
const API_VERSION = '2010-04-01';

/** A request as the package prints it. */
interface Printed {
  uri: string;
  data?: Record<string, unknown>;
}

/** Sends requests; resolves to the last answer, or null where it became unwanted. Starts to load the package at once. */
export function restClient(account: RestAccount): (request: RestRequest) => Promise<RestAnswer | null> {
  const loading = loadPackage();
  // Whoever asks hears of it.
  loading.catch(() => {});
  return async (request) => {
    const unwanted = request.unwanted ?? new AbortController().signal;
    for (let tries = 1; ; tries++) {
      const { retryAfterMs, ...answer } = await tryOnce(account, await loading.catch(() => null), request, unwanted);
      const again = mayPass(answer, request.again) && tries < MAX_TRIES && retryAfterMs <= MAX_RETRY_AFTER_MS;
      if (again) await pause(account, retryAfterMs, tries, unwanted);
      if (unwanted.aborted) return null;
      if (!again) return { ...answer, tries };
    }
  };
}

/** Each file by itself: the longest takes 10 ms, and the loop turns between them. */
async function loadPackage() {
  const load = createRequire(import.meta.url);
  await nextTurn();
  const { default: Domain } = load('twilio/lib/base/Domain.js') as (typeof DomainFile)['default'];
  const { default: Version } = load('twilio/lib/base/Version.js') as (typeof VersionFile)['default'];
  await nextTurn();
  const { CallListInstance } = load('twilio/lib/rest/api/v2010/account/call.js') as typeof CallFile;
  await nextTurn();
  const { MessageListInstance } = load('twilio/lib/rest/api/v2010/account/message.js') as typeof MessageFile;
  return (account: RestAccount, send: (printed: Printed) => Promise<object>): Resources => {
    // A domain asks nothing else of its client.
    const client = { request: send } as unknown as ConstructorParameters<typeof Domain>[0];
    // The API's own version has a way to each of its resources beside; these two need none.
    const api = new Version(new Domain(client, account.baseUrl), API_VERSION) as Parameters<typeof CallListInstance>[0];
    return { calls: CallListInstance(api, account.accountSid), messages: MessageListInstance(api, account.accountSid) };
  };
}

type Tried = Omit<RestAnswer, 'tries'> & { retryAfterMs: number };

const NO_ANSWER: Tried = { status: 0, code: null, failure: null, sid: null, retryAfterMs: 0 };

async function tryOnce(
  account: RestAccount,
  resources: Awaited<ReturnType<typeof loadPackage>> | null,
  { ask, again }: RestRequest,
  unwanted: AbortSignal,
): Promise<Tried> {
  if (resources === null) return { ...NO_ANSWER, failure: 'package' };
  const { clock } = account;
  const late = new AbortController();
  const cancel = clock.at(clock.nowMs() + TRY_MS, () => late.abort());
  const signal = AbortSignal.any([late.signal, unwanted]);
  let answer: Tried = { ...NO_ANSWER, failure: 'unprintable' };
  const send = async (printed: Printed): Promise<object> => {
    answer = { ...NO_ANSWER, failure: 'network' };
    const response = await post(account, printed, signal);
    const retryAfterMs = retryAfter(response.headers.get('retry-after'), clock.wallMs());
    answer = { ...NO_ANSWER, status: response.status, retryAfterMs };
    // What became of an update, its status says.
    const body = response.ok && again === 'lost' ? await forget(response) : await readBody(response);
    answer.code = errorCode(response, body);
    return { statusCode: response.status, body };
  };
  try {
    const { sid } = await ask(resources(account, send));
    if (typeof sid === 'string') answer.sid = sid;
  } catch (error) {
    // The package throws what the answer already says.
    if (answer.status === 0) answer.failure = late.signal.aborted ? 'timeout' : (failureOf(error) ?? answer.failure);
  } finally {
    cancel();
  }
  return answer;
}

function post({ accountSid, authToken }: RestAccount, { uri, data }: Printed, signal: AbortSignal): Promise<Response> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(data ?? {}))
    for (const one of [value].flat()) body.append(name, String(one));
  return fetch(uri, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'trunkline',
    },
    body: body.toString(),
    // The token goes nowhere but to the configured host.
    redirect: 'manual',
    signal,
  });
}

function mayPass({ status }: { status: number }, again: RestRequest['again']): boolean {
  return status === 429 || (again === 'lost' && (status === 0 || status >= 500));
}

function pause({ clock, random = Math.random }: RestAccount, atLeastMs: number, tries: number, unwanted: AbortSignal) {
  const ms = Math.max(atLeastMs, random() * BACK_OFF_MS * 2 ** tries);
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.at(clock.nowMs() + ms, resolve);
  const stop = (): void => resolve();
  unwanted.addEventListener('abort', stop, { once: true });
  if (unwanted.aborted) resolve();
  return promise.finally(() => {
    cancel();
    unwanted.removeEventListener('abort', stop);
  });
}

async function forget({ body }: Response): Promise<string> {
  await body?.cancel().catch(() => {});
  return '{}';
}

/** Empty where it is too long, or broke off: then only the status tells. */
async function readBody({ body }: Response): Promise<string> {
  if (body === null) return '';
  let text = '';
  let bytes = 0;
  const decoder = new TextDecoder();
  try {
    for await (const part of body) {
      bytes += (part as Uint8Array).length;
      if (bytes > MAX_BODY_BYTES) return '';
      text += decoder.decode(part as Uint8Array, { stream: true });
    }
  } catch {
    return '';
  }
  return text;
}

/** Twilio's error number in a refusal; the words beside it are not ours to keep. */
function errorCode({ ok }: Response, body: string): number | null {
  if (ok) return null;
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'number' ? code : null;
  } catch {
    return null;
  }
}

/** Seconds or a date (RFC 9110 10.2.3), as milliseconds from now; 0 for none, or one that cannot be read. */
function retryAfter(given: string | null, wallMs: number): number {
  if (given === null) return 0;
  if (/^\d{1,9}$/.test(given)) return Number(given) * 1_000;
  const atMs = Date.parse(given);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - wallMs);
}

/** The word of Node or OpenSSL for it, such as ECONNREFUSED: never a sentence, which may hold an address. */
function failureOf(error: unknown): string | null {
  const { cause } = error as { cause?: unknown };
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : null;
}
