// What was said in a call so far, bounded: what a session that takes over is told. Agent speech counts as far as it was
// heard; a tool stands with its outcome. Pure.
import type { Recalled } from '../realtime/session.ts';
import { change, type Draft } from './draft.ts';
import type { SettledUtterance } from './effect.ts';
import { splitHeard } from '../heard-text.ts';

/** One thing that was said or done. */
export type Said =
  /** `text` is null until the caller's words were understood. */
  | { who: 'caller'; turn: string; text: string | null }
  /** `heard` is the share of it that reached the caller; null while it is still on its way. */
  | { who: 'agent'; utterance: string; text: string; heard: number | null }
  | { who: 'tool'; toolCall: string; name: string; arguments: string; output: string | null };

export type History = readonly Said[];

/** Entries kept, and characters of any one text: some four minutes of talk. */
export const MAX_HISTORY = 48;
const MAX_TEXT_CHARS = 2_000;

/** Something was said or done; the oldest is forgotten. */
export function remember(d: Draft, said: Said): void {
  change(d, { history: [...d.state.history.slice(1 - MAX_HISTORY), said] });
}

/** The caller's words were understood. */
export function understood(d: Draft, turn: string, text: string): void {
  revise(d, (said) =>
    said.who === 'caller' && said.turn === turn ? { ...said, text: text.slice(0, MAX_TEXT_CHARS) } : said,
  );
}

/** Words of an utterance, as the model produces them. */
export function worded(d: Draft, utterance: string, text: string): void {
  revise(d, (said) =>
    said.who === 'agent' && said.utterance === utterance && said.text.length < MAX_TEXT_CHARS
      ? { ...said, text: said.text + text }
      : said,
  );
}

/** An utterance is over. */
export function heardAs(d: Draft, { utterance, heardMs, receivedMs, outcome }: SettledUtterance): void {
  const heard = outcome === 'heard' ? 1 : receivedMs === 0 ? 0 : heardMs / receivedMs;
  revise(d, (said) => (said.who === 'agent' && said.utterance === utterance ? { ...said, heard } : said));
}

/** A tool has its outcome. */
export function toolDone(d: Draft, toolCall: string, output: string): void {
  revise(d, (said) =>
    said.who === 'tool' && said.toolCall === toolCall ? { ...said, output: output.slice(0, MAX_TEXT_CHARS) } : said,
  );
}

/** The conversation as a new session is told it. Speech that is still on its way will be heard. */
export function recall(history: History): Recalled[] {
  return history.flatMap((said): Recalled[] => {
    switch (said.who) {
      case 'caller':
        return said.text?.trim() ? [{ who: 'caller', text: said.text.trim() }] : [];
      case 'agent': {
        const text = splitHeard(said.text, said.heard ?? 1).heard;
        return text === '' ? [] : [{ who: 'agent', text }];
      }
      case 'tool':
        return [said];
      default:
        return said satisfies never;
    }
  });
}

/** True when the caller said something of which the words are not known. */
export const hasUnknownWords = (history: History): boolean =>
  history.some((said, i) => said.who === 'caller' && said.text === null && i >= history.length - 3);

function revise(d: Draft, to: (said: Said) => Said): void {
  const history = d.state.history.map(to);
  if (history.some((said, i) => said !== d.state.history[i])) change(d, { history });
}
