// What went wrong under a call and was made good, or not: sessions that were lost, media that went away. Each with its
// reason in words, as it came. The end of a call itself is not here: it has its own place in the record.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { Trouble } from './call-record.ts';
import { SessionChanges } from './session-changes.ts';

/** A call that has more than these has been of no use to its caller for long. */
const MAX_TROUBLES = 200;

export class CallTroubles {
  readonly #troubles: Trouble[] = [];
  readonly #changes = new SessionChanges();
  #dropped = 0;
  #target: number;
  #over = false;

  /** @param target which of the agent's models the call begins with */
  constructor(target: number) {
    this.#target = target;
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (this.#over) return;
    const { atMs } = event;
    this.#over = effects.some((effect) => effect.do === 'call.end');
    if (event.type === 'session.delayed') this.#add({ atMs, what: 'session_delayed', why: event.detail });
    if (event.type === 'leg.closed' && !this.#over) this.#add({ atMs, what: 'media_lost', why: event.detail });
    if (this.#changes.of(event, effects) === 'lost') this.#add({ atMs, what: 'session_lost', why: whyOf(event) });
    for (const effect of effects) {
      if (effect.do === 'note.resumed') this.#add({ atMs, what: 'media_back', why: `after ${effect.awayMs} ms` });
      if (effect.do !== 'session.open') continue;
      if (effect.target > this.#target) this.#add({ atMs, what: 'fallback_opened', why: '' });
      this.#target = effect.target;
    }
  }

  /** All troubles in the record's own time, and how many were not kept. */
  troubles(zeroMs: number): { troubles: Trouble[]; troublesDropped: number } {
    const troubles = this.#troubles.map((trouble) => ({ ...trouble, atMs: Math.round(trouble.atMs - zeroMs) }));
    return { troubles, troublesDropped: this.#dropped };
  }

  #add(trouble: Trouble): void {
    if (this.#troubles.length >= MAX_TROUBLES) {
      this.#dropped += 1;
      return;
    }
    this.#troubles.push(trouble);
  }
}

/** Why a session was replaced: what it said of itself, or what it did not do in time. */
function whyOf(event: CallEvent): string {
  if (event.type === 'session.closed') return event.detail;
  if (event.type === 'answer.ended') return event.detail === '' ? 'empty answers' : event.detail;
  if (event.type !== 'timer.fired') return event.type;
  return event.timer === 'stall' ? 'no sound in time' : 'not ready in time';
}
