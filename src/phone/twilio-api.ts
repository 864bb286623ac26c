// A double of the carrier's REST API on loopback, for calls that a phone of this process has placed: fetch and list them,
// hang them up, send them to other TwiML. What it answers has the shape of the official description; what it cannot do
// answers 20404 as the API does for anything unknown. It can be made to fail as the API does at times.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, realClock } from '../clock.ts';
import { rfc2822 } from './call-params.ts';
import type { PhoneCall } from './phone.ts';
import { seededRandom } from './seeded-random.ts';
import { API_VERSION, ApiError, callResource, pageOf, type RegisteredCall } from './twilio-api-resources.ts';

/** Shares of all requests, 0 to 1, drawn from one seeded row; together at most 1. */
export interface ApiFaults {
  /** Refused with 429 and code 20429; not carried out. */
  tooMany?: number;
  /** Seconds to wait that such a refusal names. Default: it names none. */
  retryAfterSeconds?: number;
  /** Refused with 500; not carried out. */
  serverError?: number;
  /** Carried out after `slowMs`. */
  slow?: number;
  /** Default 2000. */
  slowMs?: number;
  /** Never answered, nor carried out. */
  hang?: number;
  /** Default 1. */
  seed?: number;
}

export interface TwilioApiOptions {
  accountSid: string;
  authToken: string;
  /** Further keys that may sign in: secrets by key sid. */
  apiKeys?: Readonly<Record<string, string>>;
  faults?: ApiFaults;
  /** From the end of a call until its price is known. Default one minute. */
  priceAfterMs?: number;
  clock?: Clock;
}

/** One request as it came; what it asked for is told even where it was refused. */
export interface ApiRequest {
  method: string;
  path: string;
  params: Record<string, string>;
  /** HTTP status of the answer; 0 while there is none. */
  status: number;
  /** Code of a refusal. */
  code?: number;
}

type Fault = 'tooMany' | 'serverError' | 'slow' | 'hang' | null;

const DEFAULT_SLOW_MS = 2_000;
const DEFAULT_PRICE_AFTER_MS = 60_000;
const MAX_BODY_BYTES = 64 * 1024;
/** Documented for `Twiml` when a call is created; taken to hold for updates. */
const MAX_TWIML_LETTERS = 4_000;
const MORE_INFO = 'https://www.twilio.com/docs/errors/';

/** Starts the double on a free port of loopback. */
export async function startTwilioApi(options: TwilioApiOptions): Promise<TwilioApi> {
  const api = new TwilioApi(options);
  await api.listen();
  return api;
}

/** Owns its listening socket and the timers of slow answers; `close()` ends both. */
export class TwilioApi {
  /** Every request so far, in order. */
  readonly requests: ApiRequest[] = [];
  readonly #options: TwilioApiOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #calls = new Map<string, RegisteredCall>();
  readonly #server: Server;
  #underWay = 0;

  constructor(options: TwilioApiOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#random = seededRandom(options.faults?.seed ?? 1);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** What the client is to use in place of the API's own origin. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The API knows this call from now on, also when it is over. It must belong to the account. */
  register(call: PhoneCall): void {
    if (call.identity.accountSid !== this.#options.accountSid)
      throw new Error(`the call belongs to ${call.identity.accountSid}, not to this account`);
    const known: RegisteredCall = { call, createdWallMs: this.#clock.wallMs() };
    this.#calls.set(call.callSid, known);
    call.on('verb', () => (known.answeredWallMs ??= this.#clock.wallMs()));
    void call.ended.then(() => (known.endedWallMs = this.#clock.wallMs()));
  }

  /** A call that is over and that nobody will ask about: its sound need not be kept. */
  forget(callSid: string): void {
    this.#calls.delete(callSid);
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Ends everything, requests that hang included. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    return closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://double');
    const asked: ApiRequest = { method: request.method ?? '', path: url.pathname, params: {}, status: 0 };
    this.requests.push(asked);
    const fault = this.#drawFault();
    this.#underWay++;
    response.on('close', () => this.#underWay--);
    try {
      const body = await readBody(request);
      asked.params = Object.fromEntries([...url.searchParams, ...new URLSearchParams(body)]);
      if (fault === 'hang') return;
      if (fault === 'slow') await this.#pass(this.#options.faults?.slowMs ?? DEFAULT_SLOW_MS);
      if (fault === 'tooMany') throw new ApiError(429, 20429, 'Too Many Requests');
      if (fault === 'serverError') throw new ApiError(500, 20500, 'Internal Server Error');
      this.#signIn(request);
      this.#answer(asked, response, 200, this.#carryOut(asked));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { status, code, message } = error;
      asked.code = code;
      const { retryAfterSeconds } = this.#options.faults ?? {};
      if (status === 429 && retryAfterSeconds !== undefined) response.setHeader('Retry-After', `${retryAfterSeconds}`);
      this.#answer(asked, response, status, { code, message, more_info: `${MORE_INFO}${code}`, status });
    }
  }

  #answer(asked: ApiRequest, response: ServerResponse, status: number, body: object): void {
    asked.status = status;
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Twilio-Concurrent-Requests': `${this.#underWay}`,
      Date: rfc2822(this.#clock.wallMs()),
    });
    response.end(JSON.stringify(body));
  }

  #drawFault(): Fault {
    const { tooMany = 0, serverError = 0, slow = 0, hang = 0 } = this.#options.faults ?? {};
    let drawn = this.#random();
    for (const [fault, share] of Object.entries({ tooMany, serverError, slow, hang })) {
      if (drawn < share) return fault as Fault;
      drawn -= share;
    }
    return null;
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.at(this.#clock.nowMs() + ms, resolve));
  }

  /** @throws ApiError 20003 */
  #signIn({ headers }: IncomingMessage): void {
    const { accountSid, authToken, apiKeys = {} } = this.#options;
    const [, encoded = ''] = /^Basic (.+)$/.exec(headers.authorization ?? '') ?? [];
    const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    const secret = user === accountSid ? authToken : Object.hasOwn(apiKeys, user) ? apiKeys[user] : undefined;
    if (secret === undefined) throw new ApiError(401, 20003, 'Authentication Error - invalid username');
    if (rest.join(':') !== secret) throw new ApiError(401, 20003, 'Authenticate');
  }

  /** @throws ApiError */
  #carryOut({ method, path, params }: ApiRequest): object {
    const root = `/${API_VERSION}/Accounts/${this.#options.accountSid}/Calls`;
    if (method === 'GET' && path === `${root}.json`)
      return pageOf([...this.#calls.values()], params, root, this.#nowAndPrice());
    const sid =
      path.startsWith(`${root}/`) && path.endsWith('.json') ? path.slice(root.length + 1, -'.json'.length) : '';
    const known = this.#calls.get(sid);
    if (!known) throw new ApiError(404, 20404, `The requested resource ${path} was not found`);
    if (method === 'POST') update(known.call, params);
    else if (method !== 'GET') throw new ApiError(405, 20004, 'Method not allowed');
    return callResource(known, this.#nowAndPrice());
  }

  #nowAndPrice() {
    return { wallMs: this.#clock.wallMs(), priceAfterMs: this.#options.priceAfterMs ?? DEFAULT_PRICE_AFTER_MS };
  }
}

/**
 * Carries an update out. `StatusCallback`, `TimeLimit` and the fallback are taken and change nothing here.
 * @throws ApiError
 */
function update(call: PhoneCall, params: Record<string, string>): void {
  const { Url: url, Twiml: twiml, Method: method = 'POST', Status: status } = params;
  if (status !== undefined && status !== 'completed' && status !== 'canceled')
    throw new ApiError(400, 20001, `Invalid Status: ${status}`);
  if (url !== undefined && twiml !== undefined) throw new ApiError(400, 20001, 'Url and Twiml exclude each other');
  if (url !== undefined && !(URL.canParse(url) && /^https?:/.test(url)))
    throw new ApiError(400, 21205, `Url is not a valid URL: ${url}`);
  if (method !== 'GET' && method !== 'POST') throw new ApiError(400, 20001, `Invalid Method: ${method}`);
  if (twiml !== undefined && twiml.length > MAX_TWIML_LETTERS)
    throw new ApiError(400, 20001, `Twiml is longer than ${MAX_TWIML_LETTERS} characters`);
  const ringing = call.callStatus === 'ringing';
  if (!ringing && call.callStatus !== 'in-progress' && (status ?? url ?? twiml) !== undefined)
    throw new ApiError(400, 21220, 'Call is not in-progress. Cannot redirect.');
  // Calls that were answered are left alone by `canceled`.
  if (status === 'completed' || (status === 'canceled' && ringing)) return call.complete(status);
  if ((url ?? twiml) === undefined) return;
  if (ringing) throw new ApiError(400, 21220, 'Call is not in-progress. Cannot redirect.');
  call.update(twiml === undefined ? { url: url as string, method } : { twiml });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new ApiError(413, 20413, 'Request Entity Too Large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
