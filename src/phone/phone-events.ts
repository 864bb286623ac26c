// What a phone reports while a call runs. Waiting has a deadline, and moments that come once may be awaited late.
import type { Cancel, Clock } from '../clock.ts';
import type { HttpExchange, PhoneResult, PhoneWarning } from './phone-result.ts';
import type { Announcement, ConferenceStay, DialLeg, FollowedVerb } from './verb.ts';

/** All `atMs` are ms since the start of the call's first stream. */
export interface PhoneEvents {
  /** A request was answered, or was not. */
  http: HttpExchange;
  /** A TwiML verb is being carried out. */
  verb: FollowedVerb;
  /** The carrier itself let the caller hear something; it is over now. */
  announced: Announcement;
  /** The caller pressed a key. */
  key: { atMs: number; digit: string };
  /** A Dial is over. */
  dialled: DialLeg;
  /** In a conference that has not begun: music until somebody comes. */
  waiting: { atMs: number; room: string };
  /** In a conference with somebody; once for each. */
  together: { atMs: number; room: string; callSid: string; party: string };
  /** In the conference no more. */
  left: ConferenceStay;
  /** `start` was sent; frames follow. Once a stream. */
  streaming: { callSid: string; streamSid: string };
  /** Agent audio arrived at the carrier. */
  media: { atMs: number; bytes: Buffer };
  /** The first agent audio starts to be heard. Once a stream. */
  firstAudio: { atMs: number };
  /** A mark arrived at the carrier. */
  mark: { atMs: number; name: string };
  /** A mark's echo was sent back: its audio was played, or cleared. */
  echo: { atMs: number; name: string };
  /** The server cleared the play buffer. */
  clear: { atMs: number; droppedBytes: number; playedBytesTotal: number };
  /** The carrier found fault with something. */
  warning: PhoneWarning;
  /** The media stream is closed. `by` is who closed it, `network` after `dropSocket()`. Once a stream. */
  closed: { by: 'phone' | 'server' | 'network'; code: number };
  /** The call is over and every callback has been sent. Once. */
  ended: PhoneResult;
}

type Name = keyof PhoneEvents;
type Listener<N extends Name> = (event: PhoneEvents[N]) => void;

export interface WaitOptions<N extends Name> {
  /** Give up after this many ms. Default 10 s. */
  withinMs?: number;
  /** Only an event for which this holds. */
  where?: (event: PhoneEvents[N]) => boolean;
}

const ONE_TIME: readonly Name[] = ['streaming', 'firstAudio', 'closed', 'ended'];
const DEFAULT_WAIT_MS = 10_000;

export class PhoneFeed {
  readonly #clock: Clock;
  readonly #listeners = new Map<Name, Set<(event: never) => void>>();
  readonly #past = new Map<Name, unknown>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit<N extends Name>(name: N, event: PhoneEvents[N]): void {
    if (ONE_TIME.includes(name)) this.#past.set(name, event);
    const listeners = [...(this.#listeners.get(name) ?? [])];
    for (const listener of listeners) (listener as Listener<N>)(event);
  }

  /** A further stream begins: its one-time moments are still to come. */
  expectStream(): void {
    for (const name of ['streaming', 'firstAudio', 'closed'] as const) this.#past.delete(name);
  }

  on<N extends Name>(name: N, listener: Listener<N>): Cancel {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** The next event of this name. Rejects at the deadline, and when the call ends without it. */
  once<N extends Name>(name: N, options: WaitOptions<N> = {}): Promise<PhoneEvents[N]> {
    const past = this.#past.get(name) as PhoneEvents[N] | undefined;
    if (past !== undefined && (options.where?.(past) ?? true)) return Promise.resolve(past);
    const ended = this.#past.has('ended');
    const withinMs = options.withinMs ?? DEFAULT_WAIT_MS;
    return new Promise((resolve, reject) => {
      if (ended) return reject(new Error(`the call has ended, no ${name} will come`));
      const stopWaiting = () => {
        for (const cancel of cancels) cancel();
      };
      const cancels = [
        this.on(name, (event) => {
          if (options.where && !options.where(event)) return;
          stopWaiting();
          resolve(event);
        }),
        this.#clock.at(this.#clock.nowMs() + withinMs, () => {
          stopWaiting();
          reject(new Error(`no ${name} within ${withinMs} ms`));
        }),
      ];
      if (name !== 'ended')
        cancels.push(
          this.on('ended', () => {
            stopWaiting();
            reject(new Error(`the call ended before ${name}`));
          }),
        );
    });
  }
}
