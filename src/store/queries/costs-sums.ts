// Sums of lines: dollars by kind and by state, tokens that were cached. Whole numbers only. Pure.
import type { Billed, LedgerLine, UnitPrice } from '../../ledger/line.ts';

/** What money was spent on. The first seven are the model's. */
export const COST_KINDS = [
  'textIn',
  'textCached',
  'textOut',
  'audioIn',
  'audioCached',
  'audioOut',
  /** Images, and sessions that are sold by time. */
  'modelOther',
  'transcription',
  'carrier',
  'tools',
] as const;
export type CostKind = (typeof COST_KINDS)[number];

/** Dollars by the price book. When `unpricedLines` is not 0, they are less than the truth. */
export interface Sum {
  nanoUsd: number;
  unpricedLines: number;
}

export interface CostSums {
  /** Calls let in. */
  calls: number;
  /** From the start of their media to their end; of calls that have ended. */
  talkMs: number;
  kinds: Record<CostKind, Sum>;
  /** The model's seven kinds together. */
  model: Sum;
  total: Sum;
  states: Record<LedgerLine['state'], Sum & { lines: number }>;
  /** Lines that were reconciled: how many, what we said, what their sellers say. */
  reconciled: { lines: number; nanoUsd: number; billedNanoUsd: number };
  /** What went into answers, and how much of it the model had in its cache. */
  inputTokens: number;
  cachedTokens: number;
}

/** Lines of one key that share product, kind, state and unit price. */
export interface LineGroup {
  key: string | null;
  product: string;
  what: string;
  state: string;
  unit: string;
  unit_price: string | null;
  lines: number;
  priced: number;
  nano_usd: number | null;
  reconciled: number;
  billed_nano_usd: number | null;
  reconciled_nano_usd: number | null;
  text_fresh: number;
  text_cached: number;
  text_out: number;
  audio_fresh: number;
  audio_cached: number;
  audio_out: number;
  image_fresh: number;
  image_cached: number;
}

const noSum = (): Sum => ({ nanoUsd: 0, unpricedLines: 0 });
const noState = (): Sum & { lines: number } => ({ ...noSum(), lines: 0 });

export const noSums = (): CostSums => ({
  calls: 0,
  talkMs: 0,
  kinds: Object.fromEntries(COST_KINDS.map((kind) => [kind, noSum()])) as CostSums['kinds'],
  model: noSum(),
  total: noSum(),
  states: { estimated: noState(), metered: noState(), billed: noState() },
  reconciled: { lines: 0, nanoUsd: 0, billedNanoUsd: 0 },
  inputTokens: 0,
  cachedTokens: 0,
});

export function addCalls(sums: CostSums, calls: number, talkMs: number): void {
  sums.calls += calls;
  sums.talkMs += talkMs;
}

const KIND_OF: Record<Billed, 'model' | CostKind> = {
  answer: 'model',
  session: 'model',
  transcription: 'transcription',
  leg: 'carrier',
  media_stream: 'carrier',
  recording: 'carrier',
  message: 'carrier',
  machine_detection: 'carrier',
  tool: 'tools',
};

export function addLines(sums: CostSums, group: LineGroup): void {
  const sum: Sum = { nanoUsd: group.nano_usd ?? 0, unpricedLines: group.lines - group.priced };
  add(sums.total, sum);
  const state = sums.states[group.state as LedgerLine['state']];
  add(state, sum);
  state.lines += group.lines;
  sums.reconciled.lines += group.reconciled;
  sums.reconciled.nanoUsd += group.reconciled_nano_usd ?? 0;
  sums.reconciled.billedNanoUsd += group.billed_nano_usd ?? 0;
  const kind = KIND_OF[group.what as Billed];
  if (kind !== 'model') return add(sums.kinds[kind], sum);
  add(sums.model, sum);
  addModel(sums.kinds, group, sum);
  const cached = group.text_cached + group.audio_cached + group.image_cached;
  sums.cachedTokens += cached;
  sums.inputTokens += cached + group.text_fresh + group.audio_fresh + group.image_fresh;
}

/** Prices of tokens are whole, so tokens times price is what the lines say, to the nano-dollar. */
function addModel(kinds: CostSums['kinds'], group: LineGroup, sum: Sum): void {
  const price = group.unit_price === null ? null : (JSON.parse(group.unit_price) as UnitPrice);
  // What has no price, or is not sold by the token, cannot be told apart by kind.
  if (price?.per !== 'token' || group.unit !== 'tokens' || sum.unpricedLines > 0) return add(kinds.modelOther, sum);
  const parts = {
    textIn: group.text_fresh * price.text.fresh,
    textCached: group.text_cached * price.text.cached,
    textOut: group.text_out * price.text.out,
    audioIn: group.audio_fresh * price.audio.fresh,
    audioCached: group.audio_cached * price.audio.cached,
    audioOut: group.audio_out * price.audio.out,
  };
  let rest = sum.nanoUsd;
  for (const [kind, nanoUsd] of Object.entries(parts) as [keyof typeof parts, number][]) {
    kinds[kind].nanoUsd += nanoUsd;
    rest -= nanoUsd;
  }
  kinds.modelOther.nanoUsd += rest;
}

export function addSums(sums: CostSums, more: CostSums): void {
  addCalls(sums, more.calls, more.talkMs);
  for (const kind of COST_KINDS) add(sums.kinds[kind], more.kinds[kind]);
  add(sums.model, more.model);
  add(sums.total, more.total);
  for (const state of ['estimated', 'metered', 'billed'] as const) {
    add(sums.states[state], more.states[state]);
    sums.states[state].lines += more.states[state].lines;
  }
  sums.reconciled.lines += more.reconciled.lines;
  sums.reconciled.nanoUsd += more.reconciled.nanoUsd;
  sums.reconciled.billedNanoUsd += more.reconciled.billedNanoUsd;
  sums.inputTokens += more.inputTokens;
  sums.cachedTokens += more.cachedTokens;
}

function add(sum: Sum, { nanoUsd, unpricedLines }: Sum): void {
  sum.nanoUsd += nanoUsd;
  sum.unpricedLines += unpricedLines;
}
