// The world that chaos strikes: the real server, the simulated model, the carrier's REST API, disk and clock, all in this
// process on 127.0.0.1. Says at the end what is left over.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Agent } from '../agent/agent.ts';
import { loadAgents } from '../agent/load.ts';
import { readClip } from '../phone/caller-track.ts';
import { newSid } from '../phone/call-params.ts';
import type { PhoneCall } from '../phone/phone.ts';
import { placeCall } from '../phone/phone.ts';
import { Origin } from '../phone/signed-request.ts';
import { startTwilioApi, type TwilioApi } from '../phone/twilio-api.ts';
import { readConfig } from '../config.ts';
import { realClock } from '../clock.ts';
import { createLogger } from '../log.ts';
import type { CallRecord } from '../record/call-record.ts';
import { type Server, startServer } from '../server.ts';
import { type Simulator, startSimulator } from '../simulator/server.ts';
import { CallReports } from './call-reports.ts';
import { ChaosClock } from './chaos-clock.ts';
import { deadEndpoint, portWithoutListener } from './dead-endpoint.ts';
import { failCallers } from './failed-callers.ts';
import { FaultyStore } from './faulty-store.ts';
import type { KnownClip } from './heard-call.ts';
import type { JudgedCall } from './judge.ts';
import { knownClips } from './known-clips.ts';
import type { CallPlan } from './plan.ts';
import { RestGate } from './rest-gate.ts';
import { callingNumber, calledNumber, callOfModel, greetingClip, sceneAgent } from './scene-agent.ts';
import { sceneCaller } from './scene-caller.ts';
import { Stalls } from './stalls.ts';
import { restFaultOf, StruckCall } from './struck-call.ts';

const SAMPLE_AGENTS = fileURLToPath(new URL('../../agents', import.meta.url));
const GREETING = fileURLToPath(new URL('../../agents/clips/greeting.wav', import.meta.url));
/** Nobody of chaos stays longer: a call that does is stuck. */
const LONGEST_CALL_MS = 75_000;
/** The last call is over; then its sockets, its onlookers and what its carrier is told have so long. */
const GONE_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 100;
/** Carriers take ring tones, words and pauses at this speed, so that chaos need not wait for them. */
const VERB_PACE = 4;

/** What is known of one call when it is over, and the parts that it left. */
export interface EndedCall extends JudgedCall {
  call: StruckCall;
  phone: PhoneCall;
  result: Awaited<PhoneCall['ended']>;
  record: CallRecord | null;
}

/** Owns everything it starts; `close` ends it. */
export class World {
  readonly clips: readonly KnownClip[];
  readonly stalls = new Stalls();
  /** Rejections that nobody handled. */
  readonly unhandled: unknown[] = [];
  readonly dataDir: string;
  readonly #server: Server;
  readonly #simulator: Simulator;
  readonly #api: TwilioApi;
  readonly #gate: RestGate;
  readonly #clock: ChaosClock;
  readonly #accountSid: string;
  readonly #calls: Map<number, StruckCall>;
  /** Calls whose model refuses everybody, for a moment. */
  readonly #failing: Set<number>;
  readonly #byCarrierCall = new Map<string, StruckCall>();
  readonly #reports: CallReports;
  readonly #before: { timers: number; sockets: number };
  readonly #noteUnhandled = (reason: unknown): void => void this.unhandled.push(reason);

  /** @param plans every call that may be placed */
  static async start(plans: readonly CallPlan[]): Promise<World> {
    const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-chaos-'));
    const calls = new Map<number, StruckCall>();
    const failing = new Set<number>();
    const byCarrierCall = new Map<string, StruckCall>();
    const simulator = await startSimulator({
      session(_n, model) {
        const asked = callOfModel(model);
        if (asked && failing.has(asked.call)) return { refuse: { status: 503 } };
        return (asked && calls.get(asked.call)?.options(asked.fallback)) ?? {};
      },
    });
    simulator.onSession((session) => {
      const asked = callOfModel(session.model);
      if (asked) calls.get(asked.call)?.opened(session, asked.fallback);
    });
    const accountSid = newSid('AC');
    const authToken = 'chaos';
    const api = await startTwilioApi({ accountSid, authToken });
    const gate = await RestGate.start(api.origin, (path) => {
      const sid = /\/Calls\/(\w+)\.json/.exec(path)?.[1] ?? '';
      return byCarrierCall.get(sid)?.restFault;
    });
    const config = readConfig({
      ...{
        PORT: '0',
        HOST: '127.0.0.1',
        DATA_DIR: dataDir,
        MAX_CONCURRENT_CALLS: '1000',
        MAX_CALLS_PER_SECOND: '1000',
      },
      // Phones, models and the server share this process: what it is late by is not the server's alone.
      MAX_LOOP_DELAY_MS: '0',
      ...{ TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken, TWILIO_API_BASE_URL: gate.origin },
      ...{ OPENAI_API_KEY: 'chaos', OPENAI_BASE_URL: simulator.origin },
    });
    const [sample] = await loadAgents(SAMPLE_AGENTS, config);
    const greeting = greetingClip(readClip(GREETING));
    const closedPort = await portWithoutListener();
    const agents = plans.map((plan) =>
      sceneAgent({
        ...{ plan, sample: sample as Agent, greeting },
        endpoint: deadEndpoint(plan, simulator.origin, closedPort),
        toolFault: plan.strikes.find(({ fault }) => fault.startsWith('tool_'))?.fault,
        toolRuns: () => calls.get(plan.number)?.toolRuns(),
      }),
    );
    const clock = new ChaosClock();
    const reports = new CallReports();
    const server = await startServer({
      ...{ config, agents, clock },
      log: createLogger({ level: 'info', destination: { write: (line) => reports.line(line) } }),
      loopDelayMs: () => 0,
      store: (files) => new FaultyStore(files, (sid) => byCarrierCall.get(sid)?.storeFault),
      onlookers: [
        ({ opening, incoming }) => {
          const call = byCarrierCall.get(incoming.carrierCallId);
          if (call) call.callId = opening.callId;
          return null;
        },
      ],
    });
    server.records.onRecord((record) => reports.record(record));
    const clips = knownClips(sample as Agent, greeting);
    return new World({
      dataDir,
      calls,
      failing,
      byCarrierCall,
      reports,
      simulator,
      api,
      gate,
      clock,
      server,
      accountSid,
      clips,
    });
  }

  private constructor(parts: {
    dataDir: string;
    calls: Map<number, StruckCall>;
    failing: Set<number>;
    byCarrierCall: Map<string, StruckCall>;
    reports: CallReports;
    simulator: Simulator;
    api: TwilioApi;
    gate: RestGate;
    clock: ChaosClock;
    server: Server;
    accountSid: string;
    clips: readonly KnownClip[];
  }) {
    this.dataDir = parts.dataDir;
    this.#calls = parts.calls;
    this.#failing = parts.failing;
    this.#byCarrierCall = parts.byCarrierCall;
    this.#reports = parts.reports;
    this.#simulator = parts.simulator;
    this.#api = parts.api;
    this.#gate = parts.gate;
    this.#clock = parts.clock;
    this.#server = parts.server;
    this.#accountSid = parts.accountSid;
    this.clips = parts.clips;
    this.#before = { timers: this.#clock.armed, sockets: openSockets() };
    process.on('unhandledRejection', this.#noteUnhandled);
  }

  /** The tape of a call that was let in; null where there is none. */
  tape({ callId }: StruckCall): Promise<string | null> {
    return readFile(join(this.dataDir, 'calls', callId ?? '', 'tape.jsonl'), 'utf8').catch(() => null);
  }

  /** Places one call; resolves when it is over and its record is there, or is missing. */
  async place(plan: CallPlan): Promise<EndedCall> {
    const { origin: server, publicUrl, authToken } = this.#server;
    const origin = new Origin({ clock: realClock, server, publicUrl, authToken, sign: 'good' });
    const to = calledNumber(plan.number);
    if (plan.strikes.some(({ fault }) => fault === 'circuit_open')) {
      this.#failing.add(plan.number);
      await failCallers(() => placeCall({ server, publicUrl, authToken, accountSid: this.#accountSid, to }));
      this.#failing.delete(plan.number);
    }
    const call = new StruckCall(plan, {
      ...{ origin, dataDir: this.dataDir },
      jump: (ms) => this.#clock.jump(ms),
    });
    this.#calls.set(plan.number, call);
    call.restFault = restFaultOf(plan);
    const callSid = newSid('CA');
    const fromMs = realClock.nowMs();
    this.#byCarrierCall.set(callSid, call);
    const phone = placeCall({
      ...{ server, publicUrl, authToken, accountSid: this.#accountSid, callSid },
      from: callingNumber(plan.number),
      to,
      track: sceneCaller(plan.scene),
      verbPace: VERB_PACE,
      dial: { ringMs: 800, talkMs: 1_600 },
      maxMs: LONGEST_CALL_MS,
      ...call.phoneOptions(),
    });
    this.#api.register(phone);
    call.begin(phone);
    const result = await phone.ended;
    const toMs = realClock.nowMs();
    call.end(result.streams);
    const report = call.callId === null ? null : await this.#reports.whenRecorded(call.callId);
    // Of thousands of calls the sound would fill the memory.
    this.#byCarrierCall.delete(callSid);
    this.#calls.delete(plan.number);
    this.#api.forget(callSid);
    const { records = [], ends = 0, log = [] } = report ?? {};
    return { call, phone, result, record: records[0] ?? null, records: records.length, ends, log, fromMs, toMs };
  }

  /** Waits for the end of everything; says what did not go. */
  async leftovers(): Promise<string[]> {
    const untilMs = realClock.nowMs() + GONE_WITHIN_MS;
    let left: string[];
    do {
      await sleep(LOOK_EVERY_MS);
      left = this.#left();
    } while (left.length > 0 && realClock.nowMs() < untilMs);
    return left;
  }

  async close(): Promise<void> {
    process.off('unhandledRejection', this.#noteUnhandled);
    this.stalls.stop();
    await this.#server.close();
    await this.#simulator.close();
    await this.#gate.close();
    await this.#api.close();
    await rm(this.dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  #left(): string[] {
    const { calls, coordination, holdings } = this.#server;
    const counts: [string, number][] = [
      ['calls', calls.live],
      ['held things of calls', holdings.count()],
      ['sessions at the model', this.#simulator.sessions.filter(({ closed }) => !closed).length],
      ['leases', coordination.leases.leases],
      ['tokens', coordination.tokens.size],
      ['timers', this.#clock.armed - this.#before.timers],
      ['sockets', openSockets() - this.#before.sockets],
    ];
    return counts.filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  }
}

const openSockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
