// The whole product on loopback: the real server, the faithful phone and the simulator. Every run ends with `close`, which
// looks at everything each call left behind: nothing live, a record, a tape that replays to the same decisions, no secret
// in the log.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import webhooks from 'twilio/lib/webhooks/webhooks.js';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import type { Agent } from '../../src/agent/agent.ts';
import { loadAgents } from '../../src/agent/load.ts';
import type { CallFacts, OnlookerFactory } from '../../src/call/feed.ts';
import { END_REASONS } from '../../src/call/termination.ts';
import { type Clock, realClock } from '../../src/clock.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import { readRecord } from '../../src/record/record.ts';
import { callParams, newSid } from '../../src/phone/call-params.ts';
import { cutClip, readClip } from '../../src/phone/caller-track.ts';
import { foldTape } from '../../src/replay/fold.ts';
import { type PhoneCall, placeCall } from '../../src/phone/phone.ts';
import { startTwilioApi, type TwilioApi, type TwilioApiOptions } from '../../src/phone/twilio-api.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { type Server, startServer } from '../../src/server.ts';
import { FactStore } from './fact-store.ts';
import type { SessionOptions } from '../../src/simulator/options.ts';
import type { Simulator } from '../../src/simulator/server.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { parseTape, type Tape } from '../../src/tape/tape.ts';
import { expectClientMessage } from '../realtime/openai/client-schema.ts';

export interface E2eOptions {
  /** Changes to the sample agent. */
  agent?: Partial<Agent> | ((sample: Agent) => Partial<Agent>);
  /** Agents beside it, each made from it; they answer no number of their own. */
  beside?: readonly (Partial<Agent> & { name: string })[];
  /** A double of the carrier's REST API: the server may give it orders, and it knows every call. */
  rest?: Omit<TwilioApiOptions, 'accountSid' | 'authToken' | 'server'>;
  /** How the simulated model behaves, or by the n-th connection attempt (from 1). */
  simulator?: SessionOptions | ((n: number) => SessionOptions);
  config?: Partial<Config>;
  clock?: Clock;
  /** How late the event loop runs, instead of how late it does. */
  loopDelayMs?: () => number;
  onlookers?: readonly OnlookerFactory[];
  /** With journal, worker thread and database; without, facts are only looked at. */
  database?: boolean;
}

/** One line of the server's log. */
export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

const ACCOUNT = { accountSid: newSid('AC'), authToken: 'a'.repeat(32) };
const AGENTS_DIR = fileURLToPath(new URL('../fixtures/agents', import.meta.url));
const CALLS = fileURLToPath(new URL('../fixtures/calls', import.meta.url));

/** After the last phone has hung up, everything must be gone within this. */
const GONE_WITHIN_MS = 5_000;

let loading: Promise<Agent> | undefined;

/** The agent of agents/clinic/, loaded once; it is frozen. */
export const sampleAgent = (): Promise<Agent> =>
  (loading ??= loadAgents(AGENTS_DIR, readConfig({})).then(
    (agents) => agents.find(({ name }) => name === 'Harbor Clinic') as Agent,
  ));

/** PCMU of a recorded caller, cut to a part of it. */
export const recorded = (file: string, fromMs = 0, toMs = Number.POSITIVE_INFINITY): Uint8Array =>
  cutClip(readClip(join(CALLS, file)), fromMs, toMs);

/** Path of a recorded caller. */
export const recordedPath = (file: string): string => join(CALLS, file);

/** "What's the weather like?": 1.2 s of speech that begins at once. */
export const question = (): Uint8Array => recorded('q-weather-short.wav', 0, 1_300);
/** "Turn on the lamp.": 0.9 s of speech that begins at once. */
export const interruption = (): Uint8Array => recorded('cmd-turn-on-lamp.wav', 430, 1_400);

/** The promise, or a failure that says what did not happen in time. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = realClock.at(realClock.nowMs() + ms, () => reject(new Error(`not within ${ms} ms: ${what}`)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}

export class E2e {
  readonly server: Server;
  readonly simulator: Simulator;
  readonly agent: Agent;
  readonly config: Config;
  readonly logLines: LogLine[];
  /** Every call let in, in order. */
  readonly admitted: readonly CallFacts[];
  /** What was kept of them; null where it went into a database. */
  readonly facts: FactStore | null;
  readonly phones: PhoneCall[] = [];
  readonly #api: TwilioApi | null;
  /** Texts that must be in no line of the log. */
  readonly secrets = new Set<string>();

  constructor(parts: {
    server: Server;
    agent: Agent;
    config: Config;
    logLines: LogLine[];
    admitted: readonly CallFacts[];
    facts: FactStore | null;
    api: TwilioApi | null;
  }) {
    this.server = parts.server;
    this.simulator = parts.server.simulator as Simulator;
    this.agent = parts.agent;
    this.config = parts.config;
    this.logLines = parts.logLines;
    this.admitted = parts.admitted;
    this.facts = parts.facts;
    this.#api = parts.api;
    this.secrets.add(parts.server.authToken);
  }

  /** The double of the carrier's REST API. */
  get api(): TwilioApi {
    if (this.#api === null) throw new Error('this run has no REST double: ask for one by `rest`');
    return this.#api;
  }

  /** Places a call; it is bounded to a minute. */
  call(options: Partial<PhoneOptions> = {}): PhoneCall {
    const { origin, publicUrl, authToken } = this.server;
    const account = this.#api === null ? {} : { accountSid: this.config.twilioAccountSid as string };
    const phone = placeCall({ server: origin, publicUrl, authToken, maxMs: 60_000, ...account, ...options });
    this.#api?.register(phone);
    this.phones.push(phone);
    return phone;
  }

  /** The n-th session of the simulator (from 0), live or past. */
  session(n = 0): Promise<SimulatedSession> {
    const { promise, resolve } = Promise.withResolvers<SimulatedSession>();
    const stop = this.simulator.onSession(() => give());
    const give = (): void => {
      const session = this.simulator.sessions[n];
      if (!session) return;
      stop();
      resolve(session);
    };
    give();
    return within(10_000, `session ${n} of the simulator`, promise);
  }

  /** The id of the admitted call behind a carrier call. */
  callId(carrierCallId: string): string {
    const facts = this.admitted.find(({ incoming }) => incoming.carrierCallId === carrierCallId);
    if (!facts) throw new Error(`the call ${carrierCallId} was not let in`);
    return facts.opening.callId;
  }

  /** The record of a call, once the call is closed. */
  async record(carrierCallId: string): Promise<CallRecord> {
    const callId = this.callId(carrierCallId);
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.server.records.onRecord((record) => {
      if (record.callId === callId) resolve();
    });
    try {
      const early = await readRecord(this.config.dataDir, callId);
      if (early) return early;
      await within(GONE_WITHIN_MS, `the record of ${callId}`, promise);
    } finally {
      stop();
    }
    return (await readRecord(this.config.dataDir, callId)) as CallRecord;
  }

  async tape(carrierCallId: string): Promise<Tape> {
    return this.#tapeOf(this.callId(carrierCallId));
  }

  /** The recorded audio of a call, or null. */
  audioFile(carrierCallId: string): Promise<Buffer | null> {
    const path = join(this.config.dataDir, 'calls', this.callId(carrierCallId), 'audio.wav');
    return readFile(path).catch(() => null);
  }

  /** The sum of all samples of a metric whose labels are these; 0 for none. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    // Not kept alive: runs that count sockets count this one too.
    const response = await fetch(`${this.server.origin}/metrics`, { headers: { connection: 'close' } });
    return sumOf(await response.text(), name, labels);
  }

  warnings(): LogLine[] {
    return this.logLines.filter(({ level }) => level === 'warn');
  }

  /** What a reader of a failure wants to know of the run. */
  async story(): Promise<string> {
    const ends = this.admitted.map(async ({ opening: { callId } }) => {
      const record = await readRecord(this.config.dataDir, callId);
      return record ? `${record.end.reason} ${record.end.detail}` : 'no record';
    });
    const faults = this.logLines.filter(({ level }) => level === 'warn' || level === 'error');
    return [
      `calls: ${(await Promise.all(ends)).join(', ')}; live: ${this.server.calls.live}`,
      ...faults.slice(0, 20).map((line) => JSON.stringify(line)),
    ].join('\n');
  }

  /** Ends the run without looking at what it left. */
  async abandon(): Promise<void> {
    for (const phone of this.phones) phone.hangUp();
    await this.#api?.close();
    await this.server.close();
    // A log of a call that was cut off may still be written meanwhile.
    await rm(this.config.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** Waits for every call to be over and checks what is left of each; then everything is closed. */
  async close(): Promise<void> {
    await Promise.all(this.phones.map((phone) => within(90_000, 'the end of a call', phone.ended)));
    const { calls } = this.server;
    await within(GONE_WITHIN_MS, `the end of ${calls.live} calls`, this.server.drain(60_000));
    expect(calls.live).toBe(0);
    expect(this.server.coordination).toMatchObject({ leases: { leases: 0 }, tokens: { size: 0 } });
    const tapes = await Promise.all(this.admitted.map(({ opening }) => this.#checkCall(opening.callId)));
    for (const session of this.simulator.sessions) {
      if (!session.closed) await within(GONE_WITHIN_MS, 'the end of a session', session.next('closed'));
      checkSession(session, tapes);
    }
    // People still there hang up, and whoever is told of it is still there.
    await this.#api?.close();
    for (const { method, path, unknown } of this.#api?.requests ?? [])
      expect(unknown, `fields of ${method} ${path} that the API does not know`).toEqual([]);
    this.#checkLog();
    await this.abandon();
  }

  async #checkCall(callId: string): Promise<Tape> {
    const record = await readRecord(this.config.dataDir, callId);
    expect(END_REASONS).toContain(record?.end.reason);
    this.facts?.check(callId, record as CallRecord);
    const tape = await this.#tapeOf(callId);
    expect(tape).toMatchObject({ complete: true, cutOff: false });
    const fold = foldTape(tape);
    expect(fold.report, 'the tape replays to other decisions').toBeNull();
    expect(fold).toMatchObject({ identical: true, faults: [], termination: { reason: record?.end.reason } });
    return tape;
  }

  async #tapeOf(callId: string): Promise<Tape> {
    return parseTape(await readFile(join(this.config.dataDir, 'calls', callId, 'tape.jsonl'), 'utf8'));
  }

  #checkLog(): void {
    for (const phone of this.phones) for (const token of tokensOf(phone)) this.secrets.add(token);
    for (const line of this.logLines) {
      const text = JSON.stringify(line);
      expect(text, 'a telephone number').not.toMatch(/\+\d{6,}/);
      expect(text, 'a signature').not.toMatch(/[A-Za-z0-9+/]{27}=/);
      expect(text, 'an address with a token').not.toMatch(/\/media\/[^":[]/);
      for (const secret of this.secrets) expect(text).not.toContain(secret);
    }
  }
}

/** Every client event was one that the API takes, and nothing was refused. */
function checkSession({ clientEvents, errorsSent, options }: SimulatedSession, tapes: readonly Tape[]): void {
  for (const { event } of clientEvents) expectClientMessage(event);
  // A session that was made to refuse its configuration did so.
  if (options.refuseUpdate) return;
  const provoked = errorsSent.filter(({ code, event_id: id }) => {
    const cancel = clientEvents.find(({ event }) => event['event_id'] === id)?.event;
    return code !== 'response_cancel_not_active' || !hasCrossed(tapes, String(cancel?.['response_id']));
  });
  expect(provoked, 'error events provoked').toEqual([]);
}

/** The response's end was not known to us when we cancelled it: the two met on the wire, which nobody can prevent. */
function hasCrossed(tapes: readonly Tape[], responseId: string): boolean {
  const entries = tapes.flatMap((tape) => tape.entries).filter(({ text }) => text.includes(responseId));
  const cancelled = entries.findIndex(({ kind, text }) => kind === 'sent' && text.includes('"response.cancel"'));
  const done = entries.findIndex(({ kind, text }) => kind === 'input' && text.includes('"response.done"'));
  return cancelled >= 0 && (done < 0 || cancelled < done);
}

/** Starts the product; the caller closes it. */
export async function startE2e(options: E2eOptions = {}): Promise<E2e> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-e2e-'));
  const sample = await sampleAgent();
  const agent = { ...sample, ...(typeof options.agent === 'function' ? options.agent(sample) : options.agent) };
  // A machine that runs everything at once is late, and callers come in crowds: neither is what most runs are about.
  const roomy = { MAX_CALLS_PER_SECOND: '1000', MAX_LOOP_DELAY_MS: '0' };
  const api = options.rest === undefined ? null : await startTwilioApi({ ...ACCOUNT, ...options.rest });
  const account =
    api === null
      ? {}
      : {
          twilioAccountSid: ACCOUNT.accountSid,
          twilioAuthToken: ACCOUNT.authToken,
          twilioApiBaseUrl: api.origin,
        };
  const standard = readConfig({ PORT: '0', HOST: '127.0.0.1', DATA_DIR: dataDir, ...roomy });
  const config = { ...standard, ...account, ...options.config };
  const logLines: LogLine[] = [];
  const admitted: CallFacts[] = [];
  const facts = options.database === true ? null : new FactStore();
  const server = await startServer({
    config,
    log: createLogger({ level: 'trace', destination: { write: (line) => void logLines.push(JSON.parse(line)) } }),
    agents: [agent, ...(options.beside ?? []).map((other) => ({ ...agent, answers: [], handOff: [], ...other }))],
    ...(facts === null ? {} : { openStore: () => Promise.resolve(facts) }),
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.loopDelayMs ? { loopDelayMs: options.loopDelayMs } : {}),
    onlookers: [
      (facts) => {
        admitted.push(facts);
        return null;
      },
      ...(options.onlookers ?? []),
    ],
    simulator: { ...(options.simulator ? { session: options.simulator } : {}) },
  });
  return new E2e({ server, agent, config, logLines, admitted, facts, api });
}

/** Runs `body` against a server of its own, then checks what every call left. A failure of `body` is what is reported. */
export async function withE2e<T>(options: E2eOptions, body: (e2e: E2e) => Promise<T>): Promise<T> {
  const e2e = await startE2e(options);
  try {
    const result = await body(e2e);
    await e2e.close();
    return result;
  } catch (error) {
    if (error instanceof Error) error.message += `\n${await e2e.story()}`;
    throw error;
  } finally {
    await e2e.abandon();
  }
}

/** One call after the other through everything, so that a run that measures finds the code compiled. */
export async function warmUp(): Promise<void> {
  await withE2e({ simulator: { script: { greeting: { items: [{ stampedMs: 300 }] }, turns: [] } } }, async (e2e) => {
    for (let i = 0; i < 5; i++) {
      const phone = e2e.call({
        hangupAfterTrack: 200,
        track: { steps: [{ cue: { atMs: 100 }, action: { say: interruption() } }] },
      });
      await phone.ended;
    }
  });
}

/** The media tokens that a phone was given. */
export const tokensOf = (phone: PhoneCall): string[] =>
  phone.verbs.flatMap(({ children }) =>
    children.flatMap(({ attributes }) => attributes['url']?.split('/media/')[1] ?? []),
  );

// --- the carrier by hand, for what a phone never does

/** How a request is signed: with the server's token unless told otherwise; null sends no signature. */
export interface ByHand {
  token?: string | null;
  contentType?: string;
  /** Instead of the parameters as a form. */
  body?: string;
  /** Instead of the signature. */
  signature?: string;
}

/** The parameters of a call's webhooks. */
export const webhookParams = (callSid = newSid('CA'), from = '+15005550006', to = '+15005550001') =>
  callParams({ callSid, accountSid: newSid('AC'), from, to }, 'ringing');

/** Posts a webhook. */
export async function post(e2e: E2e, path: string, params: Record<string, string>, by: ByHand = {}) {
  const { origin, publicUrl, authToken } = e2e.server;
  const { token = authToken, contentType = 'application/x-www-form-urlencoded' } = by;
  const signature =
    by.signature ?? (token === null ? null : webhooks.getExpectedTwilioSignature(token, publicUrl + path, params));
  const response = await fetch(origin + path, {
    method: 'POST',
    headers: { 'content-type': contentType, ...(signature === null ? {} : { 'x-twilio-signature': signature }) },
    body: by.body ?? new URLSearchParams(params).toString(),
  });
  return { status: response.status, type: response.headers.get('content-type') ?? '', body: await response.text() };
}

/** The media URL in a TwiML answer. */
export function mediaUrl(twiml: string): string {
  const url = /<Stream[^>]*url="([^"]+)"/.exec(twiml)?.[1];
  if (url === undefined) throw new Error(`no <Stream> in ${twiml}`);
  return url;
}

/** How an upgrade was answered; the socket is there after a 101. */
export interface Upgrade {
  status: number;
  socket: WebSocket | null;
  /** Resolves with the close code of an accepted socket. */
  closed: Promise<number>;
}

/** Asks for a media socket. */
export function upgrade(e2e: E2e, url: string, by: ByHand = {}): Promise<Upgrade> {
  const { token = e2e.server.authToken } = by;
  const signature = by.signature ?? (token === null ? null : webhooks.getExpectedTwilioSignature(token, url, {}));
  const socket = new WebSocket(url, {
    headers: signature === null ? {} : { 'x-twilio-signature': signature },
    perMessageDeflate: false,
  });
  const { promise, resolve } = Promise.withResolvers<Upgrade>();
  const closed = new Promise<number>((done) => socket.on('close', done));
  socket.on('error', () => {});
  socket.on('open', () => resolve({ status: 101, socket, closed }));
  socket.on('unexpected-response', (request, response) => {
    request.destroy();
    resolve({ status: response.statusCode ?? 0, socket: null, closed });
  });
  return within(5_000, 'an answer to the upgrade', promise);
}

/** The sum of all samples of a metric whose labels are these. */
export function sumOf(text: string, name: string, labels: Record<string, string>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((pair) => line.includes(pair)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
