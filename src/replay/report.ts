// What a finished call looked like, as lines for people: turns, latencies, barge-ins, money. Shared by the demo and by
// `trunkline replay`. Pure.
import { formatUsd } from '../ledger/ledger.ts';
import type { LedgerLine, TokenCount } from '../ledger/cost.ts';
import type { TurnLatency } from '../metrics/latency.ts';
import type { CallRecord, Turn } from '../record/call-record.ts';
import type { CheckedStop } from './buffer-check.ts';
import type { FoldResult } from './fold.ts';
import { callTime, type Column, counted, grouped, plainText, seconds, table } from './text-layout.ts';

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

/** The bill by kind of line, the sum last. */
export function costTable({ cost }: Pick<CallRecord, 'cost'>, width: number): string[] {
  const kinds = Map.groupBy(cost.lines, ({ what, model, state }) => `${what} ${model} ${state}`);
  const rows = [...kinds.values()].flatMap((lines) => {
    const [{ what, model, state }] = lines as [LedgerLine];
    const unknown = lines.some((line) => line.costNanoUsd === null);
    const sum = lines.reduce((total, line) => total + (line.costNanoUsd ?? 0), 0);
    const [first = '', ...more] = quantityTexts(lines);
    return [
      [KIND_NAMES[what], plainText(model), first, unknown ? 'no price' : formatUsd(sum), state],
      ...more.map((text) => ['', '', text]),
    ];
  });
  const atLeast = cost.unpricedLines > 0 ? 'at least ' : '';
  return table(
    [
      { title: 'what' },
      { title: 'sold as', dropped: 2 },
      { title: 'how much', shrinks: true, dropped: 1 },
      { title: 'cost', align: 'right' },
      { title: 'counted' },
    ],
    [...rows, ['total', '', '', atLeast + formatUsd(cost.totalNanoUsd), '']],
    width,
  );
}

const KIND_NAMES: Record<LedgerLine['what'], string> = {
  answer: 'answers',
  transcription: 'transcription',
  leg: 'call leg',
  media_stream: 'media stream',
};

function quantityTexts(lines: readonly LedgerLine[]): string[] {
  const tokens = { textIn: 0, audioIn: 0, cached: 0, textOut: 0, audioOut: 0 };
  let secondsUsed = 0;
  let minutes = 0;
  for (const { quantities: q } of lines) {
    if (q.unit === 'tokens') {
      const input = (count: TokenCount) => count.fresh + count.cached;
      tokens.textIn += input(q.text);
      tokens.audioIn += input(q.audio);
      tokens.cached += q.text.cached + q.audio.cached;
      tokens.textOut += q.text.out;
      tokens.audioOut += q.audio.out;
    } else {
      secondsUsed += q.seconds;
      if (q.unit === 'minutes') minutes += q.minutes;
    }
  }
  if (minutes > 0) return [`${grouped(minutes)} min begun (${seconds(secondsUsed * 1000)})`];
  if (secondsUsed > 0) return [`${counted(lines.length, 'turn')}, ${seconds(secondsUsed * 1000)}`];
  const { textIn, audioIn, cached, textOut, audioOut } = tokens;
  return [
    `${lines.length}, tokens in: ${grouped(textIn)} text, ${grouped(audioIn)} audio`,
    ...(cached > 0 ? [`of them cached: ${grouped(cached)}`] : []),
    `tokens out: ${grouped(textOut)} text, ${grouped(audioOut)} audio`,
  ];
}

/** What folding a tape came to; more than one line where it differs. */
export function foldText(fold: FoldResult, tookMs: number): string {
  if (!fold.identical) return fold.report ?? 'The replay differs.';
  const length = `${seconds(fold.callMs)} of call in ${Math.max(1, Math.round(tookMs))} ms`;
  return `identical: ${counted(fold.inputs, 'step')}, ${counted(fold.outputs, 'decision')} (${length})`;
}
