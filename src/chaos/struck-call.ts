// One call under fire: the phone, the simulated sessions behind it, and the faults that strike them at the moments of its
// plan. Owns its timers; everything that it did is in `struck`.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { realClock } from '../clock.ts';
import { callParams } from '../phone/call-params.ts';
import type { PhoneCall } from '../phone/phone.ts';
import type { PhoneFault } from '../phone/phone-faults.ts';
import type { PhoneOptions } from '../phone/phone-options.ts';
import type { Origin } from '../phone/signed-request.ts';
import type { SessionOptions } from '../simulator/options.ts';
import type { SimulatedSession } from '../simulator/session.ts';
import type { FaultName, Moment } from './fault-kinds.ts';
import type { StoreFault } from './faulty-store.ts';
import type { CallPlan, Strike } from './plan.ts';
import type { RestFault } from './rest-gate.ts';
import { sessionOptions } from './scene-model.ts';

/** What a call can do to the world around it. */
export interface StrikeWorld {
  origin: Origin;
  dataDir: string;
  /** The wall clock jumps. */
  jump(ms: number): void;
}

/** A fault that really struck. */
export interface Struck {
  strike: Strike;
  /** Since the start of the call's first stream; negative before it. */
  atMs: number;
  /** The same by the clock. */
  clockMs: number;
}

const STOLEN_MS = 200;
const HOUR_MS = 3_600_000;
const NOTICED = { leastMs: 1_000, mostMs: 3_000 };
/** As soon as the server at the latest: its order by REST fails, and the carrier asks by itself. */
const NOTICED_WITH_REST = { leastMs: 2_500, mostMs: 3_500 };
const EXPIRED = { type: 'invalid_request_error', code: 'session_expired', param: null, event_id: null };
const EXPIRED_WORDS = 'Your session hit the maximum duration of 60 minutes.';
const ELSEWHERE = '<Response><Say>You are being connected.</Say><Hangup/></Response>';

export class StruckCall {
  readonly plan: CallPlan;
  readonly struck: Struck[] = [];
  readonly sessions: SimulatedSession[] = [];
  storeFault: StoreFault | undefined;
  restFault: RestFault | undefined;
  /** The server's name of the call, once it was let in. */
  callId: string | null = null;
  /** Set when the call is placed. */
  phone: PhoneCall | null = null;
  readonly #world: StrikeWorld;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #seen = new Map<Moment, number>();
  readonly #attempts = { first: 0, fallback: 0 };
  #answered = 0;
  /** Every further session is lost so long after it began. */
  #losesAllAfterMs: number | null = null;
  #diskGone = false;

  constructor(plan: CallPlan, world: StrikeWorld) {
    this.plan = plan;
    this.#world = world;
  }

  /** Whether a fault has struck. */
  suffered(fault: FaultName): boolean {
    return this.struck.some(({ strike }) => strike.fault === fault);
  }

  /** What the phone must be told from the beginning. */
  phoneOptions(): Pick<PhoneOptions, 'faults' | 'network'> {
    const { strikes, number } = this.plan;
    const faults = strikes.flatMap((strike) => phoneFault(strike) ?? []);
    const bad = strikes.some(({ fault }) => fault === 'bad_network');
    const network = { toServerMs: 60, fromServerMs: 60, jitterMs: 40, burstMs: 300, burstEveryMs: 3_000, seed: number };
    return { faults, ...(bad ? { network } : {}) };
  }

  /** The call is up: strikes wait for their moments. */
  begin(phone: PhoneCall): void {
    this.phone = phone;
    for (const strike of this.plan.strikes) {
      if (strike.moment !== 'connect') continue;
      if (['bad_network', 'port_closed', 'tls_failure'].includes(strike.fault)) this.#note(strike);
      if (strike.fault.startsWith('store_')) this.#strike(strike);
    }
    phone.on('streaming', () => this.#moment('any'));
    phone.on('firstAudio', () => this.#moment('greeting'));
  }

  /** Options for a connection to one of the call's models. */
  options(fallback: boolean): SessionOptions {
    const attempt = ++this.#attempts[fallback ? 'fallback' : 'first'];
    return sessionOptions({
      ...{ plan: this.plan, attempt, fallback, answered: this.#answered, takesOver: this.sessions.length > 0 },
      struck: (strike) => this.#note(strike),
    });
  }

  /** A session of the call has begun. */
  opened(session: SimulatedSession, fallback: boolean): void {
    this.sessions.push(session);
    session.on('response_done', ({ status }) => {
      if (status === 'completed' || status === 'cancelled') this.#answered += this.#ownTurn(session);
      this.#moment('pause');
    });
    session.on('speech_started', () => this.#moment('listening'));
    session.on('committed', () => this.#moment('thinking'));
    session.on('response', () => this.#moment('answering'));
    if (this.#losesAllAfterMs !== null && !fallback)
      this.#later(this.#losesAllAfterMs, () => session.drop(1011, 'again'));
  }

  toolRuns(): void {
    for (const strike of this.plan.strikes) if (strike.fault.startsWith('tool_')) this.#note(strike);
  }

  /** The call is over: nothing strikes any more, and what was frozen may go. */
  end(streams: readonly { fromMs: number; toMs: number }[]): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const strike of this.plan.strikes) {
      const fault = phoneFault(strike);
      // The phone strikes the stream that runs at that time, and none else.
      const hit = fault && streams.some(({ fromMs, toMs }) => fromMs <= fault.atMs && toMs >= fault.atMs - 1);
      if (hit) this.struck.push({ strike, atMs: fault.atMs, clockMs: (this.phone?.zeroMs ?? 0) + fault.atMs });
    }
    const found = this.plan.strikes.find(({ fault }) => fault === 'circuit_open');
    // With the circuit open nobody asked that model.
    if (found && this.#attempts.first === 0) this.#note(found);
    if (this.suffered('frozen')) for (const session of this.sessions) session.drop();
  }

  /** A turn of the caller was answered by this response: the greeting and what was asked for are none. */
  #ownTurn(session: SimulatedSession): number {
    return session.responses.at(-1)?.origin === 'vad' ? 1 : 0;
  }

  #moment(moment: Moment): void {
    const nth = (this.#seen.get(moment) ?? 0) + 1;
    this.#seen.set(moment, nth);
    for (const strike of this.plan.strikes) {
      const wanted = moment === 'any' ? 1 : strike.nth;
      if (strike.moment === moment && wanted === nth) this.#later(strike.delayMs, () => this.#strike(strike));
    }
  }

  #later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #note(strike: Strike): void {
    if (this.struck.some((one) => one.strike === strike)) return;
    const { phone } = this;
    this.struck.push({ strike, atMs: phone && phone.nowMs > 0 ? phone.nowMs : -1, clockMs: realClock.nowMs() });
  }

  #strike(strike: Strike): void {
    if (this.#carryOut(strike)) this.#note(strike);
  }

  /** False: there was nothing to strike. */
  #carryOut(strike: Strike): boolean {
    const { fault } = strike;
    switch (fault) {
      case 'stolen_cpu':
        steal(STOLEN_MS);
        return true;
      case 'clock_forward':
      case 'clock_back':
        this.#world.jump(fault === 'clock_forward' ? HOUR_MS : -HOUR_MS);
        return true;
      case 'store_rejects':
      case 'store_hangs':
      case 'store_slow':
        this.storeFault = fault.slice('store_'.length) as StoreFault;
        return true;
      case 'disk_refuses':
        return this.#loseDisk();
      case 'status_out_of_order':
        return this.#tellStatus('ringing', 'in-progress', 'initiated', 'in-progress');
      case 'status_before_stop':
        this.#later(50 + strike.chance * 400, () => this.phone?.hangUp());
        return this.#tellStatus('completed');
      case 'webhook_repeated':
        return this.#ask('/voice', 'ringing');
      default:
        return this.#strikeModel(strike);
    }
  }

  #strikeModel({ fault, chance }: Strike): boolean {
    const session = this.sessions.findLast(({ closed }) => closed === undefined);
    if (!session) return false;
    switch (fault) {
      case 'closed_1000':
      case 'closed_1001':
      case 'closed_1011':
      case 'closed_1013':
        session.drop(Number(fault.slice('closed_'.length)), 'chaos');
        return true;
      case 'closed_1006':
        session.drop();
        return true;
      case 'closed_again_and_again':
        this.#losesAllAfterMs = 300 + chance * 1_200;
        session.drop(1011, 'again');
        return true;
      case 'session_expired':
        session.send({ type: 'error', error: { ...EXPIRED, message: EXPIRED_WORDS } });
        session.drop(1001, EXPIRED_WORDS);
        return true;
      case 'session_expired_without_error':
        session.drop(1001, EXPIRED_WORDS);
        return true;
      case 'mute':
        session.options.mute = true;
        return true;
      case 'stall':
        session.options.stall = true;
        return true;
      case 'stops_mid_answer':
        session.withhold(/^response\./);
        return true;
      case 'frozen':
        session.freeze();
        return true;
      default:
        return false;
    }
  }

  #loseDisk(): boolean {
    if (this.callId === null || this.#diskGone) return false;
    const folder = join(this.#world.dataDir, 'calls', this.callId);
    rmSync(folder, { recursive: true, force: true });
    writeFileSync(folder, '');
    this.#diskGone = true;
    return true;
  }

  #tellStatus(...statuses: string[]): boolean {
    return statuses.every((status, i) => this.#ask('/voice/status', status, { SequenceNumber: `${i}` }));
  }

  #ask(path: string, status: string, more: Record<string, string> = {}): boolean {
    if (!this.phone) return false;
    const { origin } = this.#world;
    void origin.ask(origin.resolve(path), { ...callParams(this.phone.identity, status), ...more });
    return true;
  }
}

/** The fault as the phone knows it; undefined where it is none of the phone's. */
function phoneFault({ fault, delayMs: atMs, chance }: Strike): PhoneFault | undefined {
  switch (fault) {
    case 'socket_lost':
    case 'stops_reading':
    case 'stop_without_close':
    case 'close_without_stop':
    case 'duplicate_socket':
    case 'stale_socket':
      return { kind: fault, atMs };
    case 'rest_refuses_once':
      return { kind: 'stops_reading', atMs };
    case 'half_open_noticed':
      return { kind: 'half_open', atMs, noticedAfterMs: between(NOTICED, chance) };
    case 'half_open':
      return { kind: 'half_open', atMs };
    case 'sent_elsewhere':
      return { kind: 'update', atMs, update: { twiml: ELSEWHERE } };
    default:
      return fault.startsWith('rest_')
        ? { kind: 'half_open', atMs, noticedAfterMs: between(NOTICED_WITH_REST, chance) }
        : undefined;
  }
}

const between = ({ leastMs, mostMs }: typeof NOTICED, chance: number): number => leastMs + chance * (mostMs - leastMs);

/** Which fault the way to the REST API has for a call with these strikes. */
export const restFaultOf = (plan: CallPlan): RestFault | undefined => {
  const rest = plan.strikes.find(({ fault }) => fault.startsWith('rest_'));
  return rest && (rest.fault.slice('rest_'.length) as RestFault);
};

/** Nothing else of this process gets a turn. */
function steal(ms: number): void {
  const untilMs = realClock.nowMs() + ms;
  while (realClock.nowMs() < untilMs);
}
