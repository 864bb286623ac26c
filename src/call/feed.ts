// The read-only feed of a call: what came in, what was decided, what was sent. Onlookers (tape, record, recording, metrics,
// page) hang on it; one that throws is logged and detached, it never reaches the media path.
import type { Agent } from '../agent/agent.ts';
import type { AudioChunk } from '../audio/chunk.ts';
import type { IncomingCall } from '../carrier/carrier.ts';
import type { Clock } from '../clock.ts';
import { TrunklineError } from '../errors.ts';
import type { CallEffect } from './effect.ts';
import type { CallEvent, UnstampedEvent } from './event.ts';
import type { CallOpening } from './state.ts';

/** What is known of a call when it is admitted. */
export interface CallFacts {
  opening: CallOpening;
  incoming: IncomingCall;
  agent: Agent;
  /** Unix milliseconds of the admission, and the monotonic time that belongs to it (`opening.atMs`). */
  wallMs: number;
  /** The model adapter's own configuration, plain data: part of the tape, so that a replay can build the same machine. */
  sessionConfig: unknown;
  /** That of the agent's second model, where it has one. */
  fallbackConfig?: unknown;
  /** A tool's arguments as they may be kept: secret and personal values are markers. Default: as they are. */
  shownArguments?: (name: string, text: string) => string;
  /** Those of the agents that the call may be handed to, first model and fallback, by name. */
  handOffConfigs?: Readonly<Record<string, readonly [unknown, unknown]>>;
}

/** Something from outside, as the machines got it. Inputs of a model session are its adapter's own, opaque here. */
export type FeedInput = { from: 'call'; event: UnstampedEvent } | { from: 'session'; session: string; input: unknown };

/** A frame of the caller's. */
export type FrameEvent = Extract<CallEvent, { type: 'leg.audio' }>;

/** Watches one call. Every method is optional; all are called synchronously and must return at once. */
export interface Onlooker {
  input?(atMs: number, input: FeedInput): void;
  stepped?(event: CallEvent, effects: readonly CallEffect[]): void;
  /**
   * A frame of the caller's that went on to the model and did nothing else, as almost all do: `input` and `stepped` in one.
   * Whoever has no `frame` is told both.
   */
  frame?(frame: FrameEvent): void;
  /** A control message that went to the model (not audio), as the adapter sent it. */
  sent?(atMs: number, message: unknown): void;
  /** Agent audio handed to the carrier, expected to sound from `startsAtMs`. */
  played?(startsAtMs: number, pieces: readonly AudioChunk[]): void;
  /** Both sockets are gone; nothing follows. What is returned is awaited before the call counts as closed. */
  closed?(atMs: number): void | Promise<void>;
}

/** Makes the onlooker of one call, or none. */
export type OnlookerFactory = (call: CallFacts) => Onlooker | null;

/** An onlooker that has not finished by then is let go: a disk that hangs must not keep a call's place. */
const FINISH_WITHIN_MS = 5_000;

/** The frame goes to the model as it came, and nothing else happens. */
function isOnlyPassedOn({ chunk, on }: FrameEvent, effects: readonly CallEffect[]): boolean {
  const only = effects.length === 1 ? effects[0] : undefined;
  return only?.do === 'session.append' && only.chunk === chunk && only.on === on;
}

/** How an onlooker takes a frame, looked up once: onlookers have many shapes, and a frame goes to all of them. */
interface FrameTaker {
  onlooker: Onlooker;
  /** Null: as input and step. */
  take: ((frame: FrameEvent) => void) | null;
}

const frameTaker = (onlooker: Onlooker): FrameTaker => ({
  onlooker,
  take: onlooker.frame?.bind(onlooker) ?? null,
});

export class Feed {
  #onlookers: Onlooker[];
  #takers: readonly FrameTaker[];
  readonly #failed: (error: unknown) => void;
  readonly #clock: Clock | null;

  /**
   * @param failed told when an onlooker threw and was detached, or did not finish in time
   * @param clock bounds the wait in `closed`; without one it has no bound
   */
  constructor(onlookers: readonly Onlooker[], failed: (error: unknown) => void, clock: Clock | null = null) {
    this.#onlookers = [...onlookers];
    this.#takers = onlookers.map(frameTaker);
    this.#failed = failed;
    this.#clock = clock;
  }

  input(atMs: number, input: FeedInput): void {
    for (const o of this.#onlookers) {
      try {
        o.input?.(atMs, input);
      } catch (error) {
        this.#detach(o, error);
      }
    }
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    for (const o of this.#onlookers) {
      try {
        o.stepped?.(event, effects);
      } catch (error) {
        this.#detach(o, error);
      }
    }
  }

  /** A frame was worked on: input and step in one. The frame path: nothing is made for those who take a frame as it is. */
  framed(frame: FrameEvent, effects: readonly CallEffect[]): void {
    if (!isOnlyPassedOn(frame, effects)) {
      this.input(frame.atMs, { from: 'call', event: frame });
      this.stepped(frame, effects);
      return;
    }
    for (const { onlooker, take } of this.#takers) {
      try {
        if (take !== null) take(frame);
        else {
          onlooker.input?.(frame.atMs, { from: 'call', event: frame });
          onlooker.stepped?.(frame, effects);
        }
      } catch (error) {
        this.#detach(onlooker, error);
      }
    }
  }

  sent(atMs: number, message: unknown): void {
    for (const o of this.#onlookers) {
      try {
        o.sent?.(atMs, message);
      } catch (error) {
        this.#detach(o, error);
      }
    }
  }

  played(startsAtMs: number, pieces: readonly AudioChunk[]): void {
    for (const o of this.#onlookers) {
      try {
        o.played?.(startsAtMs, pieces);
      } catch (error) {
        this.#detach(o, error);
      }
    }
  }

  async closed(atMs: number): Promise<void> {
    const endings = this.#onlookers.map(async (o) => {
      try {
        const finished = o.closed?.(atMs);
        if (finished !== undefined) await this.#inTime(finished);
      } catch (error) {
        this.#failed(error);
      }
    });
    await Promise.all(endings);
  }

  async #inTime(finished: Promise<void>): Promise<void> {
    const clock = this.#clock;
    if (clock === null) return finished;
    const late = Promise.withResolvers<never>();
    const text = `an onlooker did not finish within ${FINISH_WITHIN_MS / 1_000} s`;
    const cancel = clock.at(clock.nowMs() + FINISH_WITHIN_MS, () =>
      late.reject(new TrunklineError('TRK_ONLOOKER_LATE', text)),
    );
    try {
      await Promise.race([finished, late.promise]);
    } finally {
      cancel();
    }
  }

  #detach(onlooker: Onlooker, error: unknown): void {
    this.#onlookers = this.#onlookers.filter((o) => o !== onlooker);
    this.#takers = this.#takers.filter((taker) => taker.onlooker !== onlooker);
    this.#failed(error);
  }
}
