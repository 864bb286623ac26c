// What happened in a call, in its order: words, barge-ins, tools, notes and what else the record tells. Pure; the transcript
// draws it, looks things up in it and searches it.
import { isOurs, soundOf, stoppedAt } from './bands.ts';
import type { Extras } from './extras.ts';
import type { CallTool, CallTurn } from './types.ts';

export type Happening =
  | { kind: 'caller' | 'agent'; turn: CallTurn }
  /** `ours`: keys or a wrap-up stopped the agent, not the caller's voice. */
  | { kind: 'barge_in'; unheardMs: number; ours: boolean }
  | { kind: 'tool'; tool: CallTool }
  | { kind: 'aside'; what: string; text: string; tone: 'plain' | 'bad' | 'operator' };

export type Entry = Happening & {
  /** Stays the same while a call grows. */
  key: string;
  fromMs: number;
  toMs: number;
};

/** @returns in order of time; what has no time stands behind what came before it */
export function storyOf(turns: readonly CallTurn[], tools: readonly CallTool[], extras: Extras | null): Entry[] {
  const entries: Entry[] = [];
  let lastMs = 0;
  for (const turn of turns) {
    const sound = soundOf(turn);
    const fromMs = sound?.fromMs ?? turn.atMs ?? lastMs;
    lastMs = fromMs;
    const kind = turn.who === 'agent' ? 'agent' : 'caller';
    entries.push({ kind, turn, key: `t${turn.turn}`, fromMs, toMs: sound?.toMs ?? fromMs });
    const stopped = stoppedAt(turn);
    if (stopped === null) continue;
    const unheardMs = Math.max(0, (turn.receivedMs ?? 0) - (turn.heardMs ?? 0));
    const ours = isOurs(stopped, extras?.ourStopsAtMs ?? []);
    entries.push({ kind: 'barge_in', unheardMs, ours, key: `b${turn.turn}`, fromMs: stopped, toMs: stopped });
  }
  for (const tool of tools) {
    const toMs = tool.atMs + (tool.durationMs ?? 0);
    entries.push({ kind: 'tool', tool, key: `f${tool.tool}`, fromMs: tool.atMs, toMs });
  }
  extras?.asides.forEach(({ atMs, what, text, tone }, i) => {
    entries.push({ kind: 'aside', what, text, tone, key: `a${i}`, fromMs: atMs, toMs: atMs });
  });
  return entries.toSorted((a, b) => a.fromMs - b.fromMs);
}

/** Index of what is heard at a moment: the last of the spoken entries that has begun; -1: nothing yet. */
export function heardAt(entries: readonly Entry[], ms: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle] as Entry).fromMs <= ms) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0; i--) {
    const kind = entries[i]?.kind;
    if (kind === 'caller' || kind === 'agent') return i;
  }
  return -1;
}

/** What of an entry can be found by searching. */
export function textOf(entry: Entry): string {
  switch (entry.kind) {
    case 'caller':
    case 'agent':
      return entry.turn.said ?? '';
    case 'tool':
      return `${entry.tool.name} ${entry.tool.arguments} ${entry.tool.output ?? ''}`;
    case 'barge_in':
      return 'barge-in';
    case 'aside':
      return `${entry.what} ${entry.text}`;
  }
}

/** Indices of the entries that contain a text, whatever its case. */
export function search(entries: readonly Entry[], text: string): number[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [];
  return entries.flatMap((entry, i) => (textOf(entry).toLowerCase().includes(wanted) ? [i] : []));
}

/** A text in pieces, those that were searched for marked. */
export function marked(text: string, wanted: string): { text: string; hit: boolean }[] {
  const needle = wanted.trim().toLowerCase();
  const lower = text.toLowerCase();
  // Where lower case is longer than the text (İ), places in one are none in the other.
  if (needle === '' || lower.length !== text.length) return [{ text, hit: false }];
  const pieces: { text: string; hit: boolean }[] = [];
  let at = 0;
  for (let found = lower.indexOf(needle); found >= 0; found = lower.indexOf(needle, at)) {
    if (found > at) pieces.push({ text: text.slice(at, found), hit: false });
    at = found + needle.length;
    pieces.push({ text: text.slice(found, at), hit: true });
  }
  if (at < text.length) pieces.push({ text: text.slice(at), hit: false });
  return pieces;
}
