// Who spoke when in a folded call, and what: the turns by which differences are told.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import { GREETING_CLIP } from '../call/policy.ts';
import type { CallOpening } from '../call/state.ts';

/** One stretch of speech. */
export interface FoldTurn {
  who: 'caller' | 'agent';
  /** The model's turn or utterance; null for a turn that was never committed. */
  id: string | null;
  /** Monotonic, as the tape's `atMs`. */
  atMs: number;
  /** Empty where no words are known. */
  words: string;
}

/** Follows the events of a folded call. */
export class TurnFinder {
  readonly turns: FoldTurn[] = [];
  /** Start of the media; the admission until then. */
  mediaAtMs: number;
  readonly #opening: CallOpening;
  readonly #byId = new Map<string, FoldTurn>();

  constructor(opening: CallOpening) {
    this.#opening = opening;
    this.mediaAtMs = opening.atMs;
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'leg.started') this.mediaAtMs = event.atMs;
    if (event.type === 'speech.started') this.#begin('caller', event.atMs);
    if (event.type === 'turn.committed') {
      // A turn that did not begin with speech: keys.
      const last = this.turns.findLast(({ who }) => who === 'caller');
      this.#name(event.turn, last?.id === null ? last : this.#begin('caller', event.atMs));
    }
    if (event.type === 'turn.transcribed') this.#say(event.turn, event.text);
    if (event.type === 'utterance.text') {
      this.#utterance(event.utterance, event.atMs);
      this.#say(event.utterance, event.text);
    }
    for (const effect of effects) if (effect.do === 'leg.play') this.#utterance(effect.utterance, event.atMs);
  }

  #begin(who: FoldTurn['who'], atMs: number): FoldTurn {
    const turn = { who, id: null, atMs, words: '' };
    this.turns.push(turn);
    return turn;
  }

  #name(id: string, turn: FoldTurn): void {
    turn.id = id;
    this.#byId.set(id, turn);
  }

  /** An utterance begins with its first word or its first sound. */
  #utterance(id: string, atMs: number): void {
    if (this.#byId.has(id)) return;
    this.#name(id, this.#begin('agent', atMs));
    const { greeting } = this.#opening.policy;
    if (id === GREETING_CLIP && greeting?.by === 'clip') this.#say(id, greeting.text);
  }

  #say(id: string, text: string): void {
    const turn = this.#byId.get(id);
    if (turn) turn.words += text;
  }
}
