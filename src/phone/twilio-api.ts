// A double of the carrier's REST API on loopback, for calls that a phone of this process has placed: fetch and list them,
// hang them up, send them to other TwiML; call people, who answer as a script says; conferences; text messages. It refuses
// what the official description refuses, and what it answers has that shape; what it cannot do answers 20404 as the API does
// for anything unknown. It can be made to fail as the API does at times.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, realClock } from '../clock.ts';
import { newSid, rfc2822 } from './call-params.ts';
import { Conferences } from './conferences.ts';
import { PersonCall, type PlacedLeg } from './person-call.ts';
import type { People } from './person-script.ts';
import type { PhoneCall } from './phone.ts';
import { seededRandom } from './seeded-random.ts';
import { Origin } from './signed-request.ts';
import { type Answer, carryOut } from './twilio-api-operations.ts';
import { type ApiCall, ApiError, type RegisteredCall, type SentMessage } from './twilio-api-resources.ts';
import type { FormFault, TwilioDescription } from './twilio-description.ts';
import type { DialLeg } from './verb.ts';

/** Shares of all requests, 0 to 1, drawn from one seeded row; together at most 1. */
export interface ApiFaults {
  /** Refused with 429 and code 20429; not carried out. */
  tooMany?: number;
  /** Seconds to wait that such a refusal names. Default: it names none. */
  retryAfterSeconds?: number;
  /** Refused with 500; not carried out. */
  serverError?: number;
  /** Carried out after `slowMs`, also when nobody waits for it any more: there is no idempotency. */
  slow?: number;
  /** Default 2000. */
  slowMs?: number;
  /** Never answered, nor carried out. */
  hang?: number;
  /** Carried out, and the connection is cut instead of answered. */
  lost?: number;
  /** Only requests whose method and path fit, as in `POST /2010-04-01/…/Calls.json`; others draw nothing. Default: all. */
  for?: RegExp;
  /** Default 1. */
  seed?: number;
}

export interface TwilioApiOptions {
  accountSid: string;
  authToken: string;
  /** Further keys that may sign in: secrets by key sid. */
  apiKeys?: Readonly<Record<string, string>>;
  /** What becomes of calls to people. Default: answered after 2 s, no key is ever pressed, as a mailbox does. */
  people?: People;
  /** Where the documents of such calls are asked for. Default: where the registered calls went, else their own address. */
  server?: { url: string; publicUrl: string };
  /** How many times faster than spoken people's ringing, prompts and talk pass; finite. Default 1. */
  pace?: number;
  /** Numbers of the account: nobody else may call or send. Default: any. */
  numbers?: readonly string[];
  /** A refusal of a request that is sound, such as a number that wants no messages (400, 21610). */
  refuse?: (request: ApiRequest) => ApiRefusal | undefined;
  faults?: ApiFaults;
  /** From the end of a call until its price is known. Default one minute. */
  priceAfterMs?: number;
  clock?: Clock;
}

export interface ApiRefusal {
  status: number;
  code: number;
  message: string;
}

/** One request as it came; what it asked for is told even where it was refused. */
export interface ApiRequest {
  method: string;
  path: string;
  params: Record<string, string>;
  /** Fields of the form that the official description does not know. The API takes no notice of them. */
  unknown: string[];
  /** HTTP status of the answer; 0 while there is none. */
  status: number;
  /** Code of a refusal. */
  code?: number;
}

type Fault = 'tooMany' | 'serverError' | 'slow' | 'hang' | 'lost' | null;

const DEFAULT_SLOW_MS = 2_000;
const DEFAULT_PRICE_AFTER_MS = 60_000;
const DEFAULT_WAIT_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024;
const MORE_INFO = 'https://www.twilio.com/docs/errors/';
/** The API's numbers for fields that are missing, and for fields that are wrong; others are 20001. */
const MISSING: Record<string, number> = { 'CreateCall To': 21201, 'CreateCall From': 21213, 'CreateMessage To': 21604 };
const WRONG: Record<string, number> = { To: 21211, From: 21212, Url: 21205 };

/** Starts the double on a free port of loopback. */
export async function startTwilioApi(options: TwilioApiOptions): Promise<TwilioApi> {
  const api = new TwilioApi(options);
  await api.listen();
  return api;
}

/** Owns its listening socket, the timers of slow answers and the calls to people; `close()` ends all. */
export class TwilioApi {
  /** Every request so far, in order. */
  readonly requests: ApiRequest[] = [];
  /** Calls to people, in the order they were made. */
  readonly people: PersonCall[] = [];
  /** Text messages that were taken, in order. */
  readonly messages: SentMessage[] = [];
  /** The rooms of the account. */
  readonly conferences = new Conferences();
  readonly #options: TwilioApiOptions;
  readonly #clock: Clock;
  readonly #calls = new Map<string, RegisteredCall>();
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();
  #servers: { url: string; publicUrl: string }[] = [];
  #faults: ApiFaults = {};
  #random: () => number = () => 1;
  #description: Promise<TwilioDescription> | undefined;
  #underWay = 0;

  constructor(options: TwilioApiOptions) {
    const { pace = 1 } = options;
    if (!(pace > 0 && Number.isFinite(pace))) throw new RangeError(`pace is ${pace}: expected a finite number above 0`);
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.faults = options.faults ?? {};
    if (options.server) this.#servers.push(options.server);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** How the API fails from now on. */
  set faults(faults: ApiFaults) {
    this.#faults = faults;
    this.#random = seededRandom(faults.seed ?? 1);
  }

  get faults(): ApiFaults {
    return this.#faults;
  }

  /** What the client is to use in place of the API's own origin. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The API knows this call from now on, also when it is over. It must belong to the account, whose rooms it shares. */
  register(call: PhoneCall): void {
    if (call.identity.accountSid !== this.#options.accountSid)
      throw new Error(`the call belongs to ${call.identity.accountSid}, not to this account`);
    call.useConferences(this.conferences);
    const { serverOrigin } = call;
    this.#servers = [serverOrigin, ...this.#servers.filter(({ publicUrl }) => publicUrl !== serverOrigin.publicUrl)];
    this.#know(call, 'inbound');
    call.on('dialled', (leg) => this.#knowDialled(call, leg));
  }

  /** A call that is over and that nobody will ask about: its sound need not be kept. */
  forget(callSid: string): void {
    this.#calls.delete(callSid);
  }

  /** The nth call to a person; waits for it. */
  person(n = 0, withinMs = DEFAULT_WAIT_MS): Promise<PersonCall> {
    return this.#come('call to a person', this.people, n, withinMs);
  }

  /** The nth text message; waits for it. */
  message(n = 0, withinMs = DEFAULT_WAIT_MS): Promise<SentMessage> {
    return this.#come('message', this.messages, n, withinMs);
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Ends everything, requests that hang and calls to people included. */
  async close(): Promise<void> {
    for (const person of this.people) person.complete();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await Promise.all([closed, ...this.people.map(({ ended }) => ended)]);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://double');
    const asked: ApiRequest = { method: request.method ?? '', path: url.pathname, params: {}, unknown: [], status: 0 };
    this.requests.push(asked);
    const fault = this.#drawFault(asked);
    this.#underWay++;
    response.on('close', () => this.#underWay--);
    try {
      const form = new URLSearchParams(await readBody(request));
      asked.params = Object.fromEntries([...url.searchParams, ...form]);
      if (fault === 'hang') return;
      if (fault === 'slow') await this.#pass(this.#faults.slowMs ?? DEFAULT_SLOW_MS);
      if (fault === 'tooMany') throw new ApiError(429, 20429, 'Too Many Requests');
      if (fault === 'serverError') throw new ApiError(500, 20500, 'Internal Server Error');
      this.#signIn(request);
      const { status, body } = await this.#carryOut(asked, form);
      if (fault === 'lost') return void request.socket.destroy();
      this.#answer(asked, response, status, body);
    } catch (error) {
      // Whoever goes away in the middle of a request is answered nothing.
      if (!(error instanceof ApiError)) {
        if (request.errored) return;
        throw error;
      }
      const { status, code, message } = error;
      asked.code = code;
      const { retryAfterSeconds } = this.#faults;
      if (status === 429 && retryAfterSeconds !== undefined) response.setHeader('Retry-After', `${retryAfterSeconds}`);
      this.#answer(asked, response, status, { code, message, more_info: `${MORE_INFO}${code}`, status });
    }
  }

  #answer(asked: ApiRequest, response: ServerResponse, status: number, body: object | null): void {
    asked.status = status;
    response.writeHead(status, {
      ...(body === null ? {} : { 'Content-Type': 'application/json' }),
      'Twilio-Concurrent-Requests': `${this.#underWay}`,
      Date: rfc2822(this.#clock.wallMs()),
    });
    response.end(body === null ? undefined : JSON.stringify(body));
  }

  #drawFault({ method, path }: ApiRequest): Fault {
    const { tooMany = 0, serverError = 0, slow = 0, hang = 0, lost = 0, for: which } = this.#faults;
    if (which !== undefined && !which.test(`${method} ${path}`)) return null;
    let drawn = this.#random();
    for (const [fault, share] of Object.entries({ tooMany, serverError, slow, hang, lost })) {
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
  async #carryOut(asked: ApiRequest, form: URLSearchParams): Promise<Answer> {
    const { method, path, params } = asked;
    const { accountSid, numbers, refuse } = this.#options;
    const description = await this.#described();
    const operation = description.asked(method, path);
    if (operation === 'method') throw new ApiError(405, 20004, 'Method not allowed');
    if (!operation || operation.ids['AccountSid'] !== accountSid)
      throw new ApiError(404, 20404, `The requested resource ${path} was not found`);
    const { operationId, ids } = operation;
    const { faults, unknown } = description.read(operationId, form);
    asked.unknown = unknown;
    const [fault] = faults;
    if (fault) throw refusal(operationId, fault);
    const refused = refuse?.(asked);
    if (refused) throw new ApiError(refused.status, refused.code, refused.message);
    return carryOut(
      {
        sid: accountSid,
        numbers: numbers ?? null,
        calls: this.#calls,
        conferences: this.conferences,
        messages: this.messages,
        moment: () => ({
          wallMs: this.#clock.wallMs(),
          priceAfterMs: this.#options.priceAfterMs ?? DEFAULT_PRICE_AFTER_MS,
        }),
        place: (to, from, leg) => this.#place(to, from, leg),
        send: (message) => this.#send(message),
      },
      { operationId, path, ids, params, form },
    );
  }

  /** Reading it and the validator takes a while: only who asks the API waits for that. */
  #described(): Promise<TwilioDescription> {
    this.#description ??= import('./twilio-description.ts').then(({ TwilioDescription }) => new TwilioDescription());
    return this.#description;
  }

  #place(to: string, from: string, leg: PlacedLeg): RegisteredCall {
    const { accountSid, authToken, people = () => ({}), pace = 1 } = this.#options;
    const named = 'url' in leg.document ? leg.document.url : leg.statusCallback;
    const server = this.#serverOf(named);
    const person = new PersonCall({
      identity: { callSid: newSid('CA'), accountSid, from, to },
      leg,
      script: people(to),
      origin: new Origin({
        clock: this.#clock,
        server: server.url,
        publicUrl: server.publicUrl,
        authToken,
        sign: 'good',
      }),
      server: { ...server, authToken },
      conferences: this.conferences,
      pace,
      clock: this.#clock,
    });
    this.people.push(person);
    const known = this.#know(person, 'outbound-api');
    this.#wake();
    return known;
  }

  /** The server that answers for a public address. */
  #serverOf(named: string | undefined): { url: string; publicUrl: string } {
    const host = named === undefined || !URL.canParse(named) ? undefined : new URL(named).host;
    const known = this.#servers.find(
      ({ url, publicUrl }) => host === undefined || [url, publicUrl].some((one) => new URL(one).host === host),
    );
    if (known) return known;
    const { origin } = new URL(named ?? this.origin);
    return { url: origin, publicUrl: origin };
  }

  #send(message: Omit<SentMessage, 'atMs' | 'wallMs'>): SentMessage {
    const sent = { ...message, atMs: this.#clock.nowMs(), wallMs: this.#clock.wallMs() };
    this.messages.push(sent);
    this.#wake();
    return sent;
  }

  #know(call: PhoneCall | PersonCall, direction: RegisteredCall['direction']): RegisteredCall {
    const known: RegisteredCall = { call, direction, createdWallMs: this.#clock.wallMs() };
    this.#calls.set(call.callSid, known);
    call.on('verb', () => (known.answeredWallMs ??= this.#clock.wallMs()));
    void call.ended.then(() => (known.endedWallMs = this.#clock.wallMs()));
    return known;
  }

  /** The other call of a Dial, known when it is over. */
  #knowDialled({ identity, callSid: parentSid }: PhoneCall, leg: DialLeg): void {
    const call: ApiCall = {
      callSid: leg.callSid,
      identity: { ...identity, callSid: leg.callSid, to: leg.to },
      callStatus: leg.status,
      complete: () => {},
      update: () => {},
    };
    const wallMs = this.#clock.wallMs();
    const answered = leg.answeredAtMs === undefined ? {} : { answeredWallMs: wallMs - (leg.endMs - leg.answeredAtMs) };
    const created = { createdWallMs: wallMs - (leg.endMs - leg.atMs), endedWallMs: wallMs };
    this.#calls.set(leg.callSid, { call, direction: 'outbound-dial', parentSid, ...created, ...answered });
  }

  #come<T>(what: string, list: readonly T[], n: number, withinMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = list[n];
        if (found === undefined) return;
        this.#waiting.delete(look);
        cancel();
        resolve(found);
      };
      const cancel = this.#clock.at(this.#clock.nowMs() + withinMs, () => {
        this.#waiting.delete(look);
        reject(new Error(`no ${what} within ${withinMs} ms: there are ${list.length}, number ${n + 1} was waited for`));
      });
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** What the description refuses, in the API's numbers. */
function refusal(operationId: string, { field, missing, expected }: FormFault): ApiError {
  if (missing) {
    const code = MISSING[`${operationId} ${field}`] ?? 20001;
    return new ApiError(400, code, `A '${field}' is required`);
  }
  const code = WRONG[field] ?? 20001;
  return new ApiError(400, code, `The '${field}' is not valid: expected ${expected}`);
}

/** What is too long is read to its end, for whoever is cut off in the middle hears no refusal. */
async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size <= MAX_BODY_BYTES) parts.push(part);
  }
  if (size > MAX_BODY_BYTES) throw new ApiError(413, 20413, 'Request Entity Too Large');
  return Buffer.concat(parts).toString('utf8');
}
