// What was done for the caller beside talking, as a call's record tells it: notes, hand-overs to people and to other agents,
// what a guardrail stopped, and what an operator did.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';

/** What the call was about, in the agent's words. */
export interface NoteRecord {
  atMs: number;
  disposition: string;
  text: string;
}

/** One step of a hand-over to a person. */
export interface TransferRecord {
  atMs: number;
  target: string;
  stage: 'begun' | 'taken' | 'missed' | 'revoked';
  why: string;
}

/** What an operator did to the call. Never the words: those that the caller heard are in the turns. */
export interface OperatorRecord {
  atMs: number;
  action: 'whispered' | 'said' | 'transfers' | 'hung_up';
  /** Of the agent file, where the caller was handed over; else empty. */
  target: string;
}

export interface ErrandRecord {
  notes: NoteRecord[];
  transfers: TransferRecord[];
  /** Which agents took the call over. */
  handOffs: { atMs: number; agent: string }[];
  guarded: { atMs: number; guardrail: string }[];
  operated: OperatorRecord[];
}

/** Of each kind; no honest call comes near. */
const MAX_KEPT = 200;

export class ErrandLog {
  readonly #kept: ErrandRecord = { notes: [], transfers: [], handOffs: [], guarded: [], operated: [] };

  happened(event: CallEvent, effects: readonly CallEffect[]): void {
    const { operated } = this.#kept;
    const { atMs } = event;
    if (effects.some((effect) => effect.do === 'note.ignored' && effect.what === 'operator_refused')) return;
    if (event.type === 'operator.whispered') put(operated, { atMs, action: 'whispered', target: '' });
    else if (event.type === 'operator.said') put(operated, { atMs, action: 'said', target: '' });
    else if (event.type === 'operator.transfers') put(operated, { atMs, action: 'transfers', target: event.target });
    else if (event.type === 'call.asked_to_end' && event.reason === 'operator_ended')
      put(operated, { atMs, action: 'hung_up', target: '' });
  }

  caused(effect: CallEffect, atMs: number): void {
    const { notes, transfers, handOffs, guarded } = this.#kept;
    switch (effect.do) {
      case 'note.left':
        return put(notes, { atMs, disposition: effect.disposition, text: effect.text });
      case 'note.transfer':
        return put(transfers, { atMs, target: effect.target, stage: effect.stage, why: effect.why });
      case 'note.handed_off':
        return put(handOffs, { atMs, agent: effect.to });
      case 'note.guarded':
        return put(guarded, { atMs, guardrail: effect.guardrail });
      default:
    }
  }

  /** All of it in the record's own time. */
  errands(zeroMs: number): ErrandRecord {
    const timed = <T extends { atMs: number }>(list: readonly T[]): T[] =>
      list.map((one) => ({ ...one, atMs: Math.round(one.atMs - zeroMs) }));
    const { notes, transfers, handOffs, guarded, operated } = this.#kept;
    return {
      notes: timed(notes),
      transfers: timed(transfers),
      handOffs: timed(handOffs),
      guarded: timed(guarded),
      operated: timed(operated),
    };
  }
}

function put<T>(list: T[], one: T): void {
  if (list.length < MAX_KEPT) list.push(one);
}
