// Where a live call stands, in one word: read off the timers that the core arms and the sound that is on its way to the
// caller. The core derives its timers from its state after each event, so that they say what it waits for. Pure.
import type { CallEffect } from '../../call/effect.ts';
import type { CallEvent, TimerName } from '../../call/event.ts';
import type { HOLD_CLIP, MUSIC_CLIP } from '../../call/policy.ts';
import type { LIVE_STATES } from '../schemas/live.ts';

export type LiveStateName = (typeof LIVE_STATES)[number];

// Values of call/policy.ts, kept equal by the compiler.
const HOLD: typeof HOLD_CLIP = 'clip:hold';
const MUSIC: typeof MUSIC_CLIP = 'clip:music';

/** Played so that the caller is not left in silence; the agent says nothing. */
export const isFiller = (utterance: string): boolean => utterance.startsWith(HOLD) || utterance.startsWith(MUSIC);

export class LiveState {
  /** Bounded: each exists once. */
  readonly #armed = new Set<TimerName>();
  /** Utterances of which something was sent, and that are not settled; the core holds few at once. */
  readonly #sounding = new Set<string>();
  readonly #tools = new Set<string>();
  #started = false;
  #ready = false;
  #transferring = false;
  #over = false;

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'timer.fired') this.#armed.delete(event.timer);
    else if (event.type === 'leg.started') this.#started = true;
    else if (event.type === 'session.ready') this.#ready = true;
    else if (event.type === 'tool.settled') this.#tools.delete(event.toolCall);
    for (const effect of effects) this.#caused(effect);
  }

  get name(): LiveStateName {
    const armed = this.#armed;
    if (this.#over || armed.has('farewell')) return 'ending';
    if (this.#transferring) return 'transferring';
    if (!this.#started || armed.has('resume')) return 'connecting';
    if (armed.has('input')) return 'caller_speaking';
    if (this.#sounding.size > 0) return 'speaking';
    if (this.#tools.size > 0) return 'tool';
    // Armed when the model is ready and owes an answer, or is in the middle of one.
    if (armed.has('stall')) return 'thinking';
    // Armed while no session is ready.
    return this.#ready && !armed.has('recovery') ? 'listening' : 'connecting';
  }

  #caused(effect: CallEffect): void {
    switch (effect.do) {
      case 'timer.set':
        this.#armed.add(effect.timer);
        return;
      case 'timer.clear':
        this.#armed.delete(effect.timer);
        return;
      case 'leg.play':
        if (!isFiller(effect.utterance)) this.#sounding.add(effect.utterance);
        return;
      case 'note.settled':
        this.#sounding.delete(effect.utterance);
        return;
      case 'tool.run':
        this.#tools.add(effect.toolCall);
        return;
      case 'tool.abort':
        this.#tools.delete(effect.toolCall);
        return;
      case 'note.transfer':
        this.#transferring = effect.stage === 'begun' || effect.stage === 'taken';
        return;
      case 'call.end':
        this.#over = true;
        return;
      default:
    }
  }
}
