// What a step of a call does to the model session that serves it. One that is prepared beside it opens alone and serves when
// that one ends: in a pause as planned, or because that one was lost.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';

/** Follows the sessions of one call, from its feed. */
export class SessionChanges {
  /** The session that was prepared, if one is. */
  #spare: string | null = null;

  /** Whether the serving session was replaced by this step, and how; null: it was not, or the call goes on without any. */
  of(event: CallEvent, effects: readonly CallEffect[]): 'lost' | 'rolled_over' | null {
    let opened: string | null = null;
    let prepared = this.#spare;
    let served = true;
    for (const effect of effects) {
      if (effect.do === 'session.open') opened = effect.session;
      if (effect.do !== 'session.close') continue;
      if (effect.on.session === this.#spare) prepared = null;
      else served = false;
    }
    this.#spare = served ? (opened ?? prepared) : null;
    if (served || (opened === null && prepared === null)) return null;
    return event.type === 'timer.fired' && event.timer === 'rollover' ? 'rolled_over' : 'lost';
  }
}
