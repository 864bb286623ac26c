// What the calls of a run came to, as lines for people: one call in full, many calls in a table. Pure.
import { formatUsd } from '../ledger/ledger.ts';
import { callFolder } from '../tape/call-file.ts';
import type { CallResult } from './call-result.ts';
import { verdictLine } from './expect.ts';
import { isGood, type PlacedCall } from './replay-calls.ts';
import { bargeInLines, turnTable } from './report.ts';
import { callTime, type Column, counted, grouped, plainText, seconds, table } from './text-layout.ts';

/** The report of one call. */
export function callLines(placed: PlacedCall, columns: number): string[] {
  const { result, record, stops, verdicts, dataDir } = placed;
  const judged = verdicts.filter(({ where }) => where !== null);
  const passed = judged.filter(({ ok }) => ok).length;
  const inner = [
    ...(record ? turnTable(record, columns - 2) : soundTable(result, columns - 2)),
    ...(record ? bargeInLines(record, stops) : []),
    ...failedLines(placed),
    ...(result.warnings.some(({ reason }) => reason.endsWith(' answered 403')) ? [WRONG_TOKEN] : []),
    ...(judged.length > 0 ? [`${passed} of ${counted(judged.length, 'expectation')} met`] : []),
    ...(record && dataDir !== null ? [`kept in ${callFolder(dataDir, record.callId)}`] : []),
  ];
  return ['', headLine(placed), ...inner.map((line) => `  ${line}`)];
}

const WRONG_TOKEN = 'The server takes the signature for a forged one: look at --auth-token and --public-url.';

/** Who could be heard when, where no record tells of words. */
function soundTable({ callerSpoke, agentSpoke, announced }: CallResult, width: number): string[] {
  const sounds = [
    ...callerSpoke.map((span) => ({ ...span, who: 'caller' })),
    ...agentSpoke.map((span) => ({ ...span, who: 'agent' })),
    ...announced.map(({ verb, ...span }) => ({ ...span, who: `carrier, ${verb}` })),
  ].toSorted((a, b) => a.fromMs - b.fromMs);
  if (sounds.length === 0) return [];
  const rows = sounds.map(({ fromMs, toMs, who }) => [callTime(fromMs), plainText(who), seconds(toMs - fromMs)]);
  return table([{ title: 'at' }, { title: 'who' }, { title: 'sound', align: 'right' }], rows, width);
}

/** Of a call among many only what is wrong with it; nothing for a good one, or one that is not judged. */
export function shortLines(placed: PlacedCall): string[] {
  if (isGood(placed) || placed.interrupted) return [];
  return [headLine(placed), ...failedLines(placed).map((line) => `  ${line}`)];
}

function headLine({ input, nth, result, interrupted }: PlacedCall): string {
  const { end, durationMs, firstSoundMs, bargeIns, webhookMs } = result;
  const ended = end.reason === null ? `ended by the ${end.by}` : `${end.reason}, by ${end.by}`;
  const how = interrupted ? 'hung up, because the run was given up' : ended;
  const sound = firstSoundMs === null ? 'no sound' : `first sound after ${grouped(firstSoundMs)} ms`;
  const stopped = bargeIns.filter(({ stopMs }) => stopMs !== null).length;
  const stops = stopped === 0 ? '' : `, ${counted(stopped, 'barge-in')}`;
  const name = nth === 1 ? input.path : `${input.path} (caller ${nth})`;
  return `${plainText(name)}: ${seconds(durationMs)}, ${how}; webhook ${webhookMs} ms, ${sound}${stops}`;
}

const failedLines = ({ verdicts }: PlacedCall): string[] =>
  verdicts.filter(({ ok }) => !ok).map((verdict) => `FAILED ${plainText(verdictLine(verdict))}`);

/**
 * All calls of a run: one row per file, the sum below; then how they ended and what was not met how often.
 * @param asked how many were to be placed
 */
export function summaryLines(calls: readonly PlacedCall[], asked: number, columns: number): string[] {
  const byFile = [...Map.groupBy(calls, ({ input }) => input).entries()];
  const rows = byFile.map(([input, ofFile]) => summaryRow(input.path, ofFile));
  if (byFile.length > 1) rows.push(summaryRow('all', calls));
  const ends = Map.groupBy(calls, endOf);
  const sorted = [...ends].toSorted(([, a], [, b]) => b.length - a.length);
  const unmet = Map.groupBy(
    calls.flatMap(({ verdicts }) => verdicts.filter(({ ok }) => !ok)),
    ({ where, what }) => (where === null ? what : `${where}: ${what}`),
  );
  const late = calls.filter(({ result }) => result.framesLate > result.framesSent / 100).length;
  return [
    '',
    ...table(COLUMNS, rows, columns),
    ...(calls.length === 0 ? [] : [`ended: ${sorted.map(([end, { length }]) => `${length} ${end}`).join(', ')}`]),
    ...(calls.length === asked ? [] : [`never placed: ${asked - calls.length}`]),
    ...[...unmet].map(([what, { length }]) => `FAILED in ${counted(length, 'call')}: ${what}`),
    ...(late > 0
      ? [`${counted(late, 'call')} with more than 1 % of the caller’s frames late: this machine was busy`]
      : []),
  ];
}

const COLUMNS: readonly Column[] = [
  { title: 'file', shrinks: true },
  { title: 'good', align: 'right' },
  { title: 'answer p50', align: 'right', dropped: 3 },
  { title: 'p95', align: 'right' },
  { title: 'worst', align: 'right' },
  { title: 'dead air', align: 'right', dropped: 1 },
  { title: 'stops in', align: 'right', dropped: 1 },
  { title: 'cost', align: 'right', dropped: 2 },
];

function summaryRow(name: string, calls: readonly PlacedCall[]): string[] {
  const results = calls.map(({ result }) => result);
  const answers = results.flatMap((result) => result.answers.map(({ ms }) => ms)).toSorted((a, b) => a - b);
  const deadAir = results.flatMap((result) =>
    result.deadAir.filter(({ waitingFor }) => waitingFor === 'agent').map(({ fromMs, toMs }) => toMs - fromMs),
  );
  const stops = results.flatMap(({ bargeIns }) => bargeIns.flatMap(({ stopMs }) => stopMs ?? []));
  const costs = results.flatMap(({ costUsd }) => costUsd ?? []);
  const ms = (value: number | undefined) => (value === undefined ? '-' : grouped(value));
  return [
    shortPath(plainText(name)),
    `${calls.filter(isGood).length}/${calls.filter(({ interrupted }) => !interrupted).length}`,
    ms(share(answers, 0.5)),
    ms(share(answers, 0.95)),
    ms(answers.at(-1)),
    deadAir.length === 0 ? '-' : seconds(Math.max(...deadAir)),
    stops.length === 0 ? '-' : grouped(Math.max(...stops)),
    costs.length === 0 ? '-' : formatUsd(Math.round(costs.reduce((sum, usd) => sum + usd, 0) * 1e9)),
  ];
}

/** The end of a path tells files apart. */
const shortPath = (path: string): string =>
  path.length <= PATH_COLUMNS ? path : `…${path.slice(path.length - PATH_COLUMNS + 1)}`;
const PATH_COLUMNS = 20;

function endOf({ result: { end }, interrupted }: PlacedCall): string {
  if (interrupted) return 'given up';
  if (end.callStatus !== 'completed') return end.callStatus;
  return end.reason ?? `by the ${end.by}`;
}

/** The smallest of ascending values that is not below so many of them. */
const share = (ascending: readonly number[], part: number): number | undefined =>
  ascending[Math.max(0, Math.ceil(ascending.length * part) - 1)];
