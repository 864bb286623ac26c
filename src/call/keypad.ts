// Keys that the caller presses of their own accord: told to the model as text. Those that were asked for stand in
// collecting.ts. Pure.
import { cause, changeTurn, type Draft } from './draft.ts';
import { askToSay, stay } from './ending.ts';
import { remember } from './history.ts';
import * as ledger from './playback.ts';
import { isTakingOver, oweWhenReady } from './recovery.ts';
import { stopSpeaking } from './speaking.ts';
import type { ConnectedState, Leaving } from './state.ts';

/** A key: collected until `#`, or until no further key comes. */
export function keyPressed(d: Draft<ConnectedState>, digit: string): void {
  changeTurn(d, { keys: (d.state.turn.keys + digit).slice(-64), lastKeyMs: d.atMs, prompts: 0 });
  if (digit === '#') tellKeys(d);
}

/** The keys pressed so far are told to the model as text; they count as the caller's turn. */
export function tellKeys(d: Draft): void {
  const { keys } = d.state.turn;
  changeTurn(d, { keys: '', lastActivityMs: d.atMs });
  if (keys === '' || d.state.session === 'gone') return;
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  const current = ledger.currentTrack(d.state.playback, d.atMs);
  if (!current?.protected) stopSpeaking(d, 'our_decision');
  if (d.state.phase === 'leaving') stay(d as Draft<Leaving>);
  const text = `[The caller pressed keys: ${keys.split('').join(' ')}]`;
  remember(d, { who: 'caller', turn: `keys:${d.atMs}`, text });
  if (isTakingOver(d.state)) return oweWhenReady(d);
  if (!d.state.capabilities.detectsTurns) cause(d, { do: 'session.commit' });
  cause(d, { do: 'session.tell', role: 'user', text });
  askToSay(d, null);
}
