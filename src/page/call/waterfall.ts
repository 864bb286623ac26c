// Where the time of each answer went: one row per caller turn that was answered with sound, in the order in which the parts
// followed each other. Tools run inside the answer: they are drawn beside it, at their own times, and never added. Pure.
import type { CallTool, CallTurn, TurnLatency } from './types.ts';

export const PARTS = ['wait', 'model', 'tools', 'ours', 'queued', 'carrier', 'unattributed'] as const;
export type Part = (typeof PARTS)[number];

/** What each part is, for people who hover. */
export const MEANING: Record<Part, { name: string; what: string }> = {
  wait: { name: 'End-of-turn wait', what: "From the caller's last sound until the model took the turn as finished." },
  model: {
    name: 'Model',
    what: 'From the finished turn to the first audio of the answer, less the time in which tools ran.',
  },
  tools: {
    name: 'Waiting for tools',
    what: 'The part of the same stretch in which a tool of ours ran. The tools themselves are drawn beside it.',
  },
  ours: { name: 'This server', what: 'From the first audio received to its being handed to the carrier.' },
  queued: { name: 'Queued', what: 'Behind what was still being played to the caller.' },
  carrier: { name: 'Carrier', what: 'Half of the quickest round trip to the carrier: an estimate.' },
  unattributed: { name: 'Unattributed', what: 'What the parts do not explain of the time that passed.' },
};

export interface WaterfallRow {
  /** Number of the caller's turn in the call. */
  turn: number;
  /** When it was the agent's turn: the end of the caller's last sound, or the commit where that is not known. */
  zeroAtMs: number;
  said: string | null;
  parts: { part: Part; fromMs: number; ms: number }[];
  /** Tools that ran meanwhile, from `zeroAtMs` on. */
  tools: { name: string; fromMs: number; ms: number }[];
  /** All of it; with an unknown beginning, from the commit on. */
  totalMs: number;
  /** As the caller hears it; null: nobody can say when the caller stopped. */
  voiceToVoiceMs: number | null;
  oursMs: number;
  latency: TurnLatency;
  /** The slowest of the call by the caller's latency. */
  worst: boolean;
}

export function waterfallOf(turns: readonly CallTurn[], tools: readonly CallTool[]): WaterfallRow[] {
  const rows: WaterfallRow[] = [];
  const ordered = tools.toSorted((a, b) => a.atMs - b.atMs);
  const answers = turns.filter((turn) => turn.who === 'agent' && startOf(turn) !== null);
  let next = 0;
  for (const turn of turns) {
    const { latency } = turn;
    const committedAtMs = turn.committedAtMs ?? null;
    if (turn.who !== 'caller' || !latency || committedAtMs === null) continue;
    // Turns stand in the order in which they began; rows go forward only, so that thousands of them cost one pass.
    while (next < answers.length && (startOf(answers[next] as CallTurn) as number) < committedAtMs) next += 1;
    rows.push(rowOf(turn, latency, committedAtMs, answers[next], ordered));
  }
  let worst: WaterfallRow | null = null;
  for (const row of rows)
    if (row.voiceToVoiceMs !== null && row.voiceToVoiceMs > (worst?.voiceToVoiceMs ?? -1)) worst = row;
  if (worst !== null && rows.length > 1) worst.worst = true;
  return rows;
}

const startOf = (turn: CallTurn): number | null => turn.startAtMs ?? turn.atMs;

function rowOf(
  turn: CallTurn,
  latency: TurnLatency,
  committedAtMs: number,
  answer: CallTurn | undefined,
  tools: readonly CallTool[],
): WaterfallRow {
  const waitMs = latency.endOfTurnWaitMs;
  const zeroAtMs = committedAtMs - (waitMs ?? 0);
  // A tool runs somewhere in the model's time: its part lies where the first one began.
  const began = latency.toolsMs > 0 ? tools.find(({ atMs }) => atMs >= committedAtMs) : undefined;
  const before = Math.min(latency.modelMs, began === undefined ? latency.modelMs : began.atMs - committedAtMs);
  const lengths: [Part, number][] = [
    ['wait', waitMs ?? 0],
    ['model', before],
    ['tools', latency.toolsMs],
    ['model', latency.modelMs - before],
    ['ours', latency.ourMs],
    ['queued', latency.queuedMs],
    ['carrier', latency.carrierMs ?? 0],
  ];
  const known = lengths.reduce((sum, [, ms]) => sum + ms, 0);
  // Two clocks on the same stretch: the sum that was measured as one, and the moment at which the answer began to sound.
  const soundAtMs = answer?.soundAtMs ?? null;
  const passedMs = soundAtMs === null ? 0 : soundAtMs - zeroAtMs + (latency.carrierMs ?? 0);
  const measuredMs = (latency.voiceToVoiceMs ?? latency.answerMs + latency.queuedMs + (latency.carrierMs ?? 0)) - known;
  const missing = Math.max(measuredMs, passedMs - known);
  // Each part is rounded by itself.
  lengths.push(['unattributed', missing > ROUNDING_MS ? missing : 0]);
  const parts: WaterfallRow['parts'] = [];
  let atMs = 0;
  for (const [part, ms] of lengths) {
    if (ms > 0) parts.push({ part, fromMs: atMs, ms });
    atMs += Math.max(0, ms);
  }
  return {
    turn: turn.turn,
    zeroAtMs,
    said: turn.said,
    parts,
    tools: toolsWithin(tools, zeroAtMs, zeroAtMs + atMs),
    totalMs: atMs,
    voiceToVoiceMs: latency.voiceToVoiceMs,
    oursMs: latency.ourMs,
    latency,
    worst: false,
  };
}

/** Four rounded parts can be so far from their rounded sum. */
const ROUNDING_MS = 3;

function toolsWithin(tools: readonly CallTool[], fromMs: number, toMs: number): WaterfallRow['tools'] {
  const found: WaterfallRow['tools'] = [];
  for (const { name, atMs, durationMs } of tools) {
    if (atMs > toMs) break;
    if (atMs + (durationMs ?? 0) >= fromMs) found.push({ name, fromMs: atMs - fromMs, ms: durationMs ?? 0 });
  }
  return found;
}

export interface Spread {
  count: number;
  p50: number;
  p95: number;
  worst: number;
}

/** Percentiles by nearest rank; null for none. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value): value is number => value !== null).toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  return {
    count: sorted.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    worst: sorted.at(-1) as number,
  };
}

/** Nearest rank: a value that was measured, never one between two. `sorted`: upwards, not empty. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
