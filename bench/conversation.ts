// The script of one call at the model's end: the caller speaks, the agent answers, half of the time the agent is heard.
// Every other answer or so is interrupted, and its rest said anew, so that barge-ins come at intervals and the share of
// speech stays.
import { FRAME_MS } from '../src/audio/mulaw.ts';
import { type Answer, DELTA_MS, readerBooks, type SessionBooks } from './books.ts';
import type { ModelSession } from './model-session.ts';
import { MAX_LINE, StampWriter } from './stamps.ts';

/** How long everything takes, ms. */
export interface Script {
  greetingMs: number;
  /** Between the greeting and the first cycle. */
  pauseMs: number;
  /** One turn of the caller and the answer to it; half of it is speech of the agent. */
  cycleMs: number;
  speechMs: number;
  /** The caller's turn before an answer, and when he interrupts one. */
  turnMs: number;
  interruptionMs: number;
  /** When an answer is interrupted, counted from its first delta: playback is never over by then. */
  interruptedAfterMs: readonly [earliest: number, latest: number];
}

export const LONG: Script = {
  greetingMs: 2_000,
  // A gap shorter than a second would count as one that the server made.
  pauseMs: 1_200,
  cycleMs: 12_000,
  speechMs: 6_000,
  turnMs: 800,
  interruptionMs: 400,
  interruptedAfterMs: [800, 4_800],
};

/** The same talk for a measurement of a few seconds. */
export const SHORT: Script = {
  greetingMs: 400,
  pauseMs: 200,
  cycleMs: 4_000,
  speechMs: 2_000,
  turnMs: 400,
  interruptionMs: 200,
  interruptedAfterMs: [400, 1_600],
};

/** Audio produced per real time. */
const PACE = 5;
/** Share of answers that are interrupted. */
const INTERRUPTED = 0.5;

/** One session's talk. Owns the timer of its next step. */
export class Conversation {
  readonly #session: ModelSession;
  readonly #script: Script;
  readonly #random: () => number;
  readonly #late: (ms: number) => void;
  readonly #stamps: StampWriter;
  readonly #sentAtMs: number[] = [];
  readonly #arrivedAtMs: number[] = [];
  readonly #spoken: Spoken[] = [];
  #timer: NodeJS.Timeout | undefined;
  #talking = true;

  /** @param late told how late each delta was against its plan */
  constructor(session: ModelSession, script: Script, random: () => number, late: (ms: number) => void) {
    this.#session = session;
    this.#script = script;
    this.#random = random;
    this.#late = late;
    this.#stamps = new StampWriter(session.number % (MAX_LINE + 1));
  }

  /** The session is configured: once the greeting is over, the call enters its cycle anywhere, be it in mid-answer. */
  begin(): void {
    const { greetingMs, pauseMs, cycleMs, speechMs } = this.#script;
    const enteredMs = this.#random() * cycleMs;
    this.#after(greetingMs + pauseMs, () => {
      const restMs = Math.floor((speechMs - enteredMs) / DELTA_MS) * DELTA_MS;
      if (restMs > 0) this.#say(restMs, null);
      this.#after(cycleMs - enteredMs, () => this.#cycle());
    });
  }

  greet(metadata: object | null): void {
    this.#say(this.#script.greetingMs, metadata);
  }

  /** The caller's audio came and was read. */
  heard(atMs: number): void {
    const frames = Math.floor(this.#session.heard.next / FRAME_MS);
    while (this.#arrivedAtMs.length < frames) this.#arrivedAtMs.push(atMs);
  }

  /** No further turns; what is being said goes on. */
  finish(): void {
    this.#talking = false;
    clearTimeout(this.#timer);
  }

  /** The last millisecond that must reach the caller; null while it is not known yet. */
  get owedMs(): number | null {
    if (this.#session.speaking) return null;
    return this.#answers().findLast(({ interruptedAtMs }) => interruptedAtMs === null)?.to ?? 0;
  }

  books(): SessionBooks {
    return {
      number: this.#session.number,
      sentAtMs: Float64Array.from(this.#sentAtMs),
      answers: this.#answers(),
      heard: readerBooks(this.#session.heard),
      arrivedAtMs: Float64Array.from(this.#arrivedAtMs),
      errors: this.#session.errors,
    };
  }

  #cycle(): void {
    const { turnMs, speechMs, cycleMs } = this.#script;
    this.#session.callerStarts();
    this.#after(turnMs, () => {
      this.#session.callerStops();
      const answer = this.#say(speechMs, null);
      if (answer && this.#random() < INTERRUPTED) this.#interrupt(answer);
      else this.#after(cycleMs - turnMs, () => this.#cycle());
    });
  }

  /** The caller speaks up in the middle, and the agent then says what he did not hear. */
  #interrupt(answer: Spoken): void {
    const { interruptedAfterMs, interruptionMs, speechMs, cycleMs, turnMs } = this.#script;
    const [earliestMs, latestMs] = interruptedAfterMs;
    const heardMs = earliestMs + this.#random() * (latestMs - earliestMs);
    this.#after(heardMs, () => {
      answer.interruptedAtMs = this.#session.callerStarts();
      this.#after(interruptionMs, () => {
        this.#session.callerStops();
        this.#say(Math.ceil((speechMs - heardMs) / DELTA_MS) * DELTA_MS, null);
        this.#after(cycleMs - turnMs - heardMs - interruptionMs, () => this.#cycle());
      });
    });
  }

  #say(ms: number, metadata: object | null): Spoken | null {
    const spoken: Spoken = { from: this.#stamps.next, interruptedAtMs: null };
    const item = this.#session.speak(
      {
        stamps: this.#stamps,
        ms,
        deltaMs: DELTA_MS,
        pace: PACE,
        sending: (atMs, dueMs) => {
          this.#sentAtMs.push(atMs);
          this.#late(atMs - dueMs);
        },
      },
      metadata,
    );
    if (item === null) return null;
    this.#spoken.push(spoken);
    return spoken;
  }

  #answers(): Answer[] {
    return this.#spoken.map((spoken, i) => ({ ...spoken, to: this.#spoken[i + 1]?.from ?? this.#stamps.next }));
  }

  #after(ms: number, step: () => void): void {
    if (this.#talking && !this.#session.closed) this.#timer = setTimeout(step, ms);
  }
}

/** Where an answer begins; it ends where the next one does. */
interface Spoken {
  from: number;
  interruptedAtMs: number | null;
}
