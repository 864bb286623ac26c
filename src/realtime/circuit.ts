// A circuit breaker before one model endpoint: after failures in a row nobody is sent there for a while, so that a caller
// is handed over at once instead of waiting for the next failure.
//
// closed      everybody may try. Left when the fifth failure in a row comes within 30 s of the first of the five.
// open        nobody may. Left when the pause is over: 5 s, doubled each time up to 60 s, with jitter.
// half_open   one may try. Its success closes the circuit, its failure opens it again for the next longer pause. A try that
//             never says how it ended (its caller hung up) makes room for another after 10 s.
import type { Clock } from '../clock.ts';

export type CircuitState = 'closed' | 'open' | 'half_open';

export interface CircuitOptions {
  clock: Clock;
  /** The circuit opened or closed; `detail` is the failure that opened it. For the log. */
  changed?(state: 'open' | 'closed', detail: string): void;
  /** From 0 to below 1. Default Math.random. */
  random?(): number;
}

const FAILURES_IN_A_ROW = 5;
const FAILURES_WITHIN_MS = 30_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;
/** A pause is up to this share shorter or longer, so that nodes do not all come back in the same moment. */
const JITTER = 0.2;
/** Longer than a handshake and the wait for a configured session take together. */
const PROBE_WITHIN_MS = 10_000;

export class Circuit {
  readonly #options: CircuitOptions;
  readonly #clock: Clock;
  /** When each of the latest failures in a row came, oldest first; at most five. */
  #failedAtMs: number[] = [];
  /** Null while closed. */
  #openUntilMs: number | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  /** Until when the try of the half-open circuit may take; in the past when there is none. */
  #probeUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get state(): CircuitState {
    if (this.#openUntilMs === null) return 'closed';
    return this.#clock.nowMs() < this.#openUntilMs ? 'open' : 'half_open';
  }

  /** What `tryAcquire` would say now, without taking anything. */
  get available(): boolean {
    const { state } = this;
    return state === 'closed' || (state === 'half_open' && this.#clock.nowMs() >= this.#probeUntilMs);
  }

  /** May somebody try now? While half open, yes means that this one is the probe. */
  tryAcquire(): boolean {
    if (!this.available) return false;
    if (this.#openUntilMs !== null) this.#probeUntilMs = this.#clock.nowMs() + PROBE_WITHIN_MS;
    return true;
  }

  /** The endpoint answered. Also a late success of a try that began before the circuit opened closes it. */
  succeeded(): void {
    this.#failedAtMs = [];
    if (this.#openUntilMs === null) return;
    this.#openUntilMs = null;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#options.changed?.('closed', '');
  }

  /** The endpoint failed; `detail` says how, in words for the log. */
  failed(detail: string): void {
    const { state } = this;
    // Tries that began before it opened may still fail; they say nothing new.
    if (state === 'open') return;
    if (state === 'half_open') return this.#open(Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2), detail);
    const nowMs = this.#clock.nowMs();
    this.#failedAtMs = [...this.#failedAtMs, nowMs].slice(-FAILURES_IN_A_ROW);
    const [first = nowMs] = this.#failedAtMs;
    if (this.#failedAtMs.length === FAILURES_IN_A_ROW && nowMs - first <= FAILURES_WITHIN_MS)
      this.#open(FIRST_PAUSE_MS, detail);
  }

  #open(pauseMs: number, detail: string): void {
    this.#pauseMs = pauseMs;
    this.#failedAtMs = [];
    this.#probeUntilMs = Number.NEGATIVE_INFINITY;
    const random = this.#options.random?.() ?? Math.random();
    this.#openUntilMs = this.#clock.nowMs() + Math.round(pauseMs * (1 - JITTER + 2 * JITTER * random));
    this.#options.changed?.('open', detail);
  }
}
