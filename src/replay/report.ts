// What a finished call looked like, as lines for people: turns, latencies, barge-ins, money. Shared by the demo and by
// `trunkline replay`. Pure.
import { cachedShare, type CacheUse } from '../ledger/cache.ts';
import { doubtText } from '../ledger/doubt.ts';
import { formatUsd } from '../ledger/ledger.ts';
import type { LedgerLine, TokenCount } from '../ledger/line.ts';
import type { TurnLatency } from '../metrics/latency.ts';
import type { CallRecord, Turn } from '../record/call-record.ts';
import type { CheckedStop } from './buffer-check.ts';
import type { FoldResult } from './fold.ts';
import { callTime, type Column, counted, grouped, plainText, seconds, table, wrap } from './text-layout.ts';

type LatencyPart = 'endOfTurnWaitMs' | 'modelMs' | 'toolsMs' | 'ourMs' | 'queuedMs' | 'carrierMs' | 'voiceToVoiceMs';

/** Parts of an answer's latency; those marked `ifAny` are left out where all are next to nothing. */
const PARTS: readonly { title: string; of: LatencyPart; ifAny?: true }[] = [
  { title: 'wait', of: 'endOfTurnWaitMs' },
  { title: 'model', of: 'modelMs' },
  { title: 'tools', of: 'toolsMs', ifAny: true },
  { title: 'us', of: 'ourMs' },
  { title: 'queue', of: 'queuedMs', ifAny: true },
  { title: 'line', of: 'carrierMs', ifAny: true },
  { title: 'voice to voice', of: 'voiceToVoiceMs' },
];

const WORTH_SHOWING_MS = 5;

/** Who said what, how much of it was heard, and how long each answer took (milliseconds). */
export function turnTable({ turns }: Pick<CallRecord, 'turns'>, width: number): string[] {
  const latencies = turns.flatMap((turn) => (turn.who === 'caller' && turn.latency ? [turn.latency] : []));
  const parts = PARTS.filter(({ of, ifAny }) => !ifAny || latencies.some((l) => (l[of] ?? 0) >= WORTH_SHOWING_MS));
  const columns: Column[] = [
    { title: 'at' },
    { title: 'who' },
    { title: 'words heard', shrinks: true },
    { title: 'sound', align: 'right', dropped: 1 },
    ...parts.map(
      ({ title, of }): Column => ({ title, align: 'right', ...(of === 'voiceToVoiceMs' ? {} : { dropped: 2 }) }),
    ),
  ];
  const rows = turns.map((turn) => [
    ...turnCells(turn),
    ...parts.map(({ of }) => (turn.who === 'caller' ? latencyCell(turn.latency, of) : '')),
  ]);
  return table(columns, rows, width);
}

function turnCells(turn: Turn): string[] {
  if (turn.who === 'caller') {
    const { speechStartAtMs, committedAtMs, transcript } = turn;
    return [callTime(speechStartAtMs ?? committedAtMs ?? 0), 'caller', plainText(transcript ?? '(no transcript)'), ''];
  }
  const heard = plainText(turn.heardText);
  const cut = turn.outcome === 'heard' ? heard : `${heard} —`.trim();
  const sound =
    turn.outcome === 'heard'
      ? seconds(turn.heardMs)
      : `${(turn.heardMs / 1000).toFixed(1)} of ${seconds(turn.receivedMs)}`;
  return [callTime(turn.soundAtMs ?? turn.startAtMs), 'agent', turn.heardMs > 0 ? cut : '(not heard)', sound];
}

function latencyCell(latency: TurnLatency | null, part: LatencyPart): string {
  const ms = latency?.[part] ?? null;
  if (ms === null) return latency ? '?' : '';
  return part === 'ourMs' ? ms.toFixed(1) : grouped(ms);
}

/** One line per stop of agent speech that was heard in part. */
export function bargeInLines(
  { turns, stops }: Pick<CallRecord, 'turns' | 'stops'>,
  checked: readonly CheckedStop[],
): string[] {
  return checked.map(({ utterance, ledgerMs, phoneMs }) => {
    const turn = turns.find((t) => t.who === 'agent' && t.utterance === utterance);
    const endMs = turn?.who === 'agent' ? (turn.soundAtMs ?? turn.startAtMs) + ledgerMs : 0;
    const stop = stops.findLast((s) => s.atMs <= endMs + STOP_SLACK_MS);
    const apart = Math.abs(ledgerMs - phoneMs);
    const what = stop?.because === 'our_decision' ? 'stopped' : 'barge-in';
    const difference = apart === 0 ? 'the same' : `${apart} ms apart`;
    return `${what} at ${callTime(stop?.atMs ?? endMs)}: ${grouped(ledgerMs)} ms heard; by the phone's own play buffer ${grouped(phoneMs)} ms (${difference})`;
  });
}

/** An utterance is stopped at most this long after the sound that the ledger counts. */
const STOP_SLACK_MS = 50;

/** The bill, one row per billed event in the order of their times, the sum last; then what is odd about it. */
export function costTable({ cost, when }: Pick<CallRecord, 'cost' | 'when'>, width: number): string[] {
  const zeroMs = when.mediaStartedWallMs ?? when.admittedWallMs;
  const at = ({ atWallMs }: LedgerLine) => callTime(atWallMs - zeroMs);
  const lines = cost.lines.toSorted((a, b) => a.atWallMs - b.atWallMs);
  const rows = lines.map((line) => [
    at(line),
    KIND_NAMES[line.what],
    plainText(line.product),
    quantityText(line),
    line.costNanoUsd === null ? 'no price' : formatUsd(line.costNanoUsd),
    line.state,
  ]);
  const total = cost.unpricedLines > 0 ? 'total, at least' : 'total';
  const columns: Column[] = [
    { title: 'at' },
    { title: 'what' },
    { title: 'sold as', dropped: 2 },
    { title: 'tokens, or time', shrinks: true, dropped: 1 },
    { title: 'cost', align: 'right' },
    { title: 'counted' },
  ];
  const doubts = lines.flatMap((line) =>
    line.doubt === null ? [] : wrap(`${KIND_NAMES[line.what]} at ${at(line)}: ${doubtText(line.doubt)}`, width),
  );
  return [
    ...table(columns, [...rows, ['', total, '', '', formatUsd(cost.totalNanoUsd), '']], width),
    ...doubts,
    ...cacheLines(cost.cache, width),
  ];
}

const KIND_NAMES: Record<LedgerLine['what'], string> = {
  answer: 'answer',
  transcription: 'transcription',
  session: 'model session',
  leg: 'call leg',
  media_stream: 'media stream',
  recording: 'recording',
  message: 'message',
  machine_detection: 'machine check',
  tool: 'tool',
};

function quantityText(line: LedgerLine): string {
  const { quantities: q } = line;
  if (q.unit === 'seconds') return seconds(q.seconds * 1000);
  if (q.unit === 'minutes') return `${grouped(q.minutes)} min begun (${seconds(q.seconds * 1000)})`;
  if (q.unit === 'count') return grouped(q.count);
  const kinds = [q.text, q.audio, q.image];
  const tokens = (of: (count: TokenCount) => number) => kinds.reduce((sum, kind) => sum + of(kind), 0);
  const share = cachedShare(line);
  const cached = share === null || share === 0 ? '' : `, ${percent(share)} cached`;
  return `${grouped(tokens(({ fresh, cached: c }) => fresh + c))} in${cached}; ${grouped(tokens(({ out }) => out))} out`;
}

function cacheLines({ share, breaks, costNanoUsd }: CacheUse, width: number): string[] {
  if (share === null) return [];
  const lost =
    breaks.length === 0
      ? 'nowhere lost'
      : `lost ${counted(breaks.length, 'time')}, which cost ${formatUsd(costNanoUsd)}`;
  return wrap(`cache: served ${percent(share)} of what the model read; ${lost}`, width);
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** What folding a tape came to; more than one line where it differs. */
export function foldText(fold: FoldResult, tookMs: number): string {
  if (!fold.identical) return fold.report ?? 'The replay differs.';
  const length = `${seconds(fold.callMs)} of call in ${Math.max(1, Math.round(tookMs))} ms`;
  return `identical: ${counted(fold.inputs, 'step')}, ${counted(fold.outputs, 'decision')} (${length})`;
}
