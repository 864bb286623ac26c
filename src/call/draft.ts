// One step in the making: the state as it becomes, and the effects so far. Lives only inside `step`.
import type { CallEffect, UnaddressedEffect } from './effect.ts';
import type { CallState, ConnectedState, LiveState, Turn } from './state.ts';

export interface Draft<S extends CallState = LiveState> {
  state: S;
  readonly atMs: number;
  readonly effects: CallEffect[];
}

/** Adds an effect, addressed to the current leg, session and epoch. */
export function cause(d: Draft<CallState>, effect: UnaddressedEffect): void {
  d.effects.push({ ...effect, on: d.state.on });
}

/** Replaces part of the state; the old one stays as it was. */
export function change<S extends CallState>(d: Draft<S>, part: Partial<S>): void {
  d.state = { ...d.state, ...part };
}

/** Replaces part of who has the floor. */
export function changeTurn(d: Draft, part: Partial<Turn>): void {
  d.state = { ...d.state, turn: { ...d.state.turn, ...part } };
}

export const isConnected = (d: Draft): d is Draft<ConnectedState> => d.state.phase !== 'awaiting_media';
