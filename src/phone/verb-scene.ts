// Where the verbs of one document are carried out: the carrier's time, the caller's ears and keys, the web. A scene is
// cut short when the caller hangs up or a REST update takes the call elsewhere; nothing of it runs on after that.
import type { Cancel, Clock } from '../clock.ts';
import type { PhoneFeed } from './phone-events.ts';
import type { PhoneLine } from './phone-line.ts';
import type { PhoneRequests } from './phone-requests.ts';
import type { Origin } from './signed-request.ts';

export interface VerbSceneOptions {
  clock: Clock;
  /** How many times faster than spoken; Infinity takes no time. */
  pace: number;
  line: PhoneLine;
  feed: PhoneFeed;
  requests: PhoneRequests;
  origin: Origin;
  /** URL of the document: the base of relative ones. */
  base: string;
  /** Aborted when the document is over before its end. */
  signal: AbortSignal;
  /** Something that the end of the call waits for. */
  later(work: Promise<unknown>): void;
  warn(code: number, reason: string): void;
}

/** A timer that keeps the process alive fires never: these are the days of a wait. */
const FOREVER_MS = 2 ** 31 - 1;

export class VerbScene {
  readonly #options: VerbSceneOptions;

  constructor(options: VerbSceneOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  get requests(): PhoneRequests {
    return this.#options.requests;
  }

  /** Whether the document may go on. */
  get over(): boolean {
    return this.signal.aborted;
  }

  /** The same scene until `signal`, too, is aborted. */
  until(signal: AbortSignal): VerbScene {
    return new VerbScene({ ...this.#options, signal: AbortSignal.any([this.signal, signal]) });
  }

  /** The same scene with time that passes: as spoken, where verbs take none. */
  get clocked(): VerbScene {
    return Number.isFinite(this.#options.pace) ? this : new VerbScene({ ...this.#options, pace: 1 });
  }

  warn(code: number, reason: string): void {
    this.#options.warn(code, reason);
  }

  /** The end of the call waits for this; the verb does not. */
  later(work: Promise<unknown>): void {
    this.#options.later(work);
  }

  /** A URL of the document made absolute; undefined, with a warning, when it is none. */
  url(target: string): URL | undefined {
    const { origin, base } = this.#options;
    if (URL.canParse(target, base)) return origin.resolve(target, base);
    this.warn(11100, `${JSON.stringify(target)} is not a URL`);
    return undefined;
  }

  /** Whether the phone can reach this URL: it knows one server only. */
  reaches(url: URL): boolean {
    return this.#options.origin.owns(url);
  }

  wallMs(): number {
    return this.#options.clock.wallMs();
  }

  /** Presses of keys from now on. */
  onKey(listener: (digit: string) => void): Cancel {
    return this.#options.feed.on('key', ({ digit }) => listener(digit));
  }

  /** Lets so much time of a speaking carrier pass, or less when the scene is cut short. */
  wait(ms: number): Promise<void> {
    const { clock, pace } = this.#options;
    const tookMs = ms / pace;
    if (this.over || !(tookMs > 0)) return Promise.resolve();
    return new Promise((resolve) => {
      // Clock timers keep no process alive, and in a pause no socket may be open that does.
      const alive = setInterval(() => {}, FOREVER_MS);
      const done = () => {
        cancel();
        clearInterval(alive);
        this.signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = clock.at(clock.nowMs() + tookMs, done);
      this.signal.addEventListener('abort', done);
    });
  }

  /** How much of a speaking carrier's time has passed since a time of the clock; 0 where it takes none. */
  passedMs(sinceMs: number): number {
    const { clock, pace } = this.#options;
    return Number.isFinite(pace) ? (clock.nowMs() - sinceMs) * pace : 0;
  }

  /** Lets the caller hear something for `ms`; `audio` is its sound in PCMU where it is known. */
  async announce(verb: string, about: string, ms: number, audio?: Uint8Array): Promise<void> {
    const { clock, line, feed } = this.#options;
    const fromMs = clock.nowMs();
    await this.wait(ms);
    feed.emit('announced', line.announce({ verb, about, fromMs, toMs: clock.nowMs(), spokenMs: ms, audio }));
  }
}
