// The captions of one browser call: they begin with its first stream, go on through the following ones, and last a moment longer
// than the call, because what was said last is often written down only when it is over.
import type { Clock } from '../../clock.ts';
import type { LiveEntry } from '../schemas/live.ts';
import type { PhoneMessage } from './phone-messages.ts';

/**
 * Tells of a live call's transcript: first what there is, then what is new or has changed, at last that the call is gone. Gives
 * what ends it; null: there is no such call here.
 */
export type Captions = (
  callId: string,
  tell: (entries: readonly LiveEntry[]) => void,
  gone: () => void,
) => (() => void) | null;

export interface BrowserCaptionsOptions {
  clock: Clock;
  captions: Captions;
  /** Whether the caller may know numbers, tools and what operators do: one with a link is only a caller. */
  isOperator: boolean;
  tell: (message: PhoneMessage) => void;
}

/** From the end of the call to its last caption. */
const LAST_WORDS_MS = 1_500;

export class BrowserCaptions {
  readonly #options: BrowserCaptionsOptions;
  #stop: (() => void) | null = null;
  #over: () => void = () => {};

  constructor(options: BrowserCaptionsOptions) {
    this.#options = options;
  }

  /** From the second time on nothing happens. */
  begin(callId: string): void {
    const { captions, tell, isOperator } = this.#options;
    this.#stop ??= captions(
      callId,
      (entries) => {
        const shown = isOperator ? [...entries] : entries.flatMap(forCaller);
        if (shown.length > 0) tell({ event: 'caption', entries: shown });
      },
      () => {
        this.#stop = null;
        this.#over();
      },
    );
  }

  /** Resolves when the last words are told, or are not to be had. */
  async lastWords(): Promise<void> {
    if (this.#stop === null) return;
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#over = resolve;
    const cancel = clock.at(clock.nowMs() + LAST_WORDS_MS, resolve);
    await promise;
    cancel();
    this.#stop?.();
  }
}

/**
 * What a caller may see: what they hear and say, and that something is done; not what tools are told, nor whispers, nor words
 * that a rule of the agent stopped before they were heard.
 */
function forCaller(entry: LiveEntry): LiveEntry[] {
  if (entry.heard !== null) return [{ ...entry, text: entry.heard, unheard: null, tool: null }];
  if (entry.kind === 'operator' || entry.kind === 'trouble') return [];
  if (entry.kind === 'tool' || entry.kind === 'transfer' || entry.kind === 'hand_off')
    return [{ ...entry, text: '', tool: null }];
  return [entry];
}
