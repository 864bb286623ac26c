// Closed calls whose carrier has still to ask what follows. A carrier that does not ask keeps a caller on a dead line, and
// may keep the call on the bill: then it is told, by the way beside the media.
import type { Controls, NextStep } from '../carrier/carrier.ts';
import type { Cancel, Clock } from '../clock.ts';
import type { CallsWatch } from './calls.ts';
import type { CallStore } from './call-store.ts';

export interface FollowingOptions {
  clock: Clock;
  store: CallStore;
  /** Null: a carrier that does not ask is left alone. */
  controls: Controls;
  watch: Pick<CallsWatch, 'ordered' | 'fault'>;
  /** Nothing is waited for any more. */
  idle(): void;
}

/** A call as this file needs it. */
export interface FollowedCall {
  callId: string;
  carrier: string;
  carrierCallId: string;
  /** The caller hung up: there is nobody to lead anywhere. */
  callerGone: boolean;
}

/** After its media a carrier asks what follows, or reports the end of the call; within this, or it is told. */
const FOLLOW_WITHIN_MS = 3_000;

/** Owns one timer, or one order to the carrier, per closed call. Calls are named by carrier and its own id of them. */
export class Following {
  readonly #options: FollowingOptions;
  /** Calls, live ones too, whose carrier has asked since their media last began. */
  readonly #asked = new Set<string>();
  readonly #waiting = new Map<string, Cancel>();
  /** Orders about calls that the carrier may make needless at any time. */
  readonly #unwanted = new Map<string, AbortController>();

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  /** Calls that are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The carrier asks what follows the media of a call; `live` says whether the call is one of this process. */
  asked(key: string, live: boolean): void {
    if (live || this.#waiting.has(key)) this.#asked.add(key);
    this.#callOff(key);
  }

  /** Media began, again perhaps: what the carrier asked before counts no more. */
  mediaBegan(key: string): void {
    this.#asked.delete(key);
    this.#callOff(key);
  }

  /** Aborted as soon as an order about this call is needless: the carrier asks by itself, or says that the call is over. */
  unwanted(key: string): AbortSignal {
    this.#callOff(key);
    const abort = new AbortController();
    this.#unwanted.set(key, abort);
    return abort.signal;
  }

  /** A call was closed here whose carrier did not say that it is over. */
  wait(key: string, call: FollowedCall): void {
    const { clock } = this.#options;
    const cancel = clock.at(clock.nowMs() + FOLLOW_WITHIN_MS, () => {
      const dead = !this.#asked.has(key) && !call.callerGone;
      void (dead ? this.#order(call, this.unwanted(key)) : Promise.resolve()).then(() => this.over(key));
    });
    this.#waiting.set(key, cancel);
  }

  /** The carrier will ask nothing more about this call. */
  over(key: string): void {
    this.#asked.delete(key);
    this.#callOff(key);
    this.#waiting.get(key)?.();
    if (this.#waiting.delete(key) && this.size === 0) this.#options.idle();
  }

  #callOff(key: string): void {
    this.#unwanted.get(key)?.abort();
    this.#unwanted.delete(key);
  }

  async #order({ callId, carrier, carrierCallId }: FollowedCall, unwanted: AbortSignal): Promise<void> {
    const { controls, store, watch } = this.#options;
    const control = controls(carrier);
    if (control === null) return;
    try {
      const next = await store.get(carrier, carrierCallId).then(
        (stored) => stored?.next ?? HANG_UP,
        (error: unknown) => {
          watch.fault(callId, error);
          return HANG_UP;
        },
      );
      const order = next.do === 'hang_up' || next.do === 'reject_busy' ? 'hang_up' : 'redirect';
      const outcome =
        order === 'hang_up'
          ? await control.hangUp(carrierCallId, unwanted)
          : await control.redirect(carrierCallId, next, unwanted);
      if (!unwanted.aborted) watch.ordered(callId, order, outcome);
    } catch (error) {
      watch.fault(callId, error);
    }
  }
}

const HANG_UP: NextStep = { do: 'hang_up' };
