// Who did what when, as stretches that the timeline draws: speech of both, barge-ins, tools, silences, keys. Pure; drawing is
// elsewhere. Milliseconds since the media started.
import type { CallTool, CallTurn } from './types.ts';

export type BandKind = 'caller' | 'agent' | 'unheard' | 'barge_in' | 'tool' | 'silence' | 'key';

export interface Band {
  kind: BandKind;
  fromMs: number;
  /** Not before `fromMs`; the same for what has no length. */
  toMs: number;
  /** What it is called where there is room: a tool's name. */
  label: string;
}

/** A pause that a person notices. */
export const SILENCE_MS = 2_000;

/** When a turn could be heard; null: it was not, or nobody knows. */
export function soundOf(turn: CallTurn): { fromMs: number; toMs: number } | null {
  if (turn.who === 'agent') {
    const fromMs = turn.soundAtMs ?? null;
    if (fromMs === null || !((turn.heardMs ?? 0) > 0)) return null;
    return { fromMs, toMs: fromMs + (turn.heardMs ?? 0) };
  }
  const fromMs = turn.speechStartAtMs ?? null;
  const committed = turn.committedAtMs ?? null;
  const reported = turn.speechStopAtMs ?? committed;
  if (fromMs === null || reported === null) return null;
  // The model reports the end late, by the silence that it waits for; where the wait was measured, the last sound is known.
  const wait = turn.latency?.endOfTurnWaitMs ?? null;
  const last = wait === null || committed === null ? reported : Math.min(reported, committed - wait);
  return { fromMs, toMs: Math.max(fromMs, last) };
}

/** @returns in order of their beginnings */
export function bandsOf(
  turns: readonly CallTurn[],
  tools: readonly CallTool[],
  keysAtMs: readonly number[],
  durationMs: number,
  ourStopsAtMs: readonly number[] = [],
): Band[] {
  const bands: Band[] = [];
  for (const turn of turns) {
    const sound = soundOf(turn);
    const kind = turn.who === 'agent' ? 'agent' : 'caller';
    if (sound !== null) bands.push({ kind, ...sound, label: '' });
    const stopped = stoppedAt(turn);
    if (stopped === null) continue;
    if (!isOurs(stopped, ourStopsAtMs))
      bands.push({ kind: 'barge_in', fromMs: stopped, toMs: stopped, label: 'barge-in' });
    const lost = (turn.receivedMs ?? 0) - (turn.heardMs ?? 0);
    if (lost > 0) bands.push({ kind: 'unheard', fromMs: stopped, toMs: stopped + lost, label: '' });
  }
  for (const { name, atMs, durationMs: lasted } of tools)
    bands.push({ kind: 'tool', fromMs: atMs, toMs: atMs + Math.max(0, lasted ?? 0), label: name });
  for (const atMs of keysAtMs) bands.push({ kind: 'key', fromMs: atMs, toMs: atMs, label: 'key' });
  bands.push(...silences(bands, durationMs));
  return bands.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
}

/** Where the caller broke in; null: the turn was not stopped, or nothing of it had sounded. */
export const stoppedAt = (turn: CallTurn): number | null =>
  turn.who === 'agent' && turn.outcome === 'interrupted' && turn.soundAtMs !== null && turn.soundAtMs !== undefined
    ? turn.soundAtMs + (turn.heardMs ?? 0)
    : null;

/** Where it stopped being heard and when it was stopped are two clocks: the carrier's audio lies between them. */
const SAME_STOP_MS = 400;

/** Whether a stop was ours: `ourStopsAtMs` of the record. */
export const isOurs = (stoppedAtMs: number, ourStopsAtMs: readonly number[]): boolean =>
  ourStopsAtMs.some((atMs) => Math.abs(atMs - stoppedAtMs) <= SAME_STOP_MS);

/** Stretches longer than `leastMs` in which neither of the two was heard. */
export function silences(bands: readonly Band[], durationMs: number, leastMs = SILENCE_MS): Band[] {
  const heard = bands
    .filter(({ kind }) => kind === 'caller' || kind === 'agent')
    .toSorted((a, b) => a.fromMs - b.fromMs);
  const found: Band[] = [];
  let untilMs = 0;
  const gap = (toMs: number): void => {
    if (toMs - untilMs > leastMs)
      found.push({ kind: 'silence', fromMs: untilMs, toMs, label: `${((toMs - untilMs) / 1_000).toFixed(1)} s` });
  };
  for (const { fromMs, toMs } of heard) {
    gap(Math.min(fromMs, durationMs));
    untilMs = Math.max(untilMs, toMs);
  }
  gap(durationMs);
  return found;
}

/** Bands that touch a stretch; `bands` in order of their beginnings, `longestMs` the longest of them. */
export function bandsWithin(bands: readonly Band[], longestMs: number, fromMs: number, toMs: number): Band[] {
  const found: Band[] = [];
  for (let i = firstFrom(bands, fromMs - longestMs); i < bands.length; i++) {
    const band = bands[i] as Band;
    if (band.fromMs > toMs) break;
    if (band.toMs >= fromMs) found.push(band);
  }
  return found;
}

export const longestOf = (bands: readonly Band[]): number =>
  bands.reduce((most, { fromMs, toMs }) => Math.max(most, toMs - fromMs), 0);

/** Index of the first that begins at or after `ms`; the length where there is none. */
export function firstFrom(ordered: readonly { fromMs: number }[], ms: number): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ordered[middle] as { fromMs: number }).fromMs < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
