// Judges one replayed call: against what was expected of it, and against what every caller expects. Pure.
import type { CallResult } from './call-result.ts';
import type { Expectation } from './expect-file.ts';
import type { Expected } from './expect-schema.ts';
import { judgeMessages, judgeTransfers } from './expect-reached.ts';
import { judgeTools } from './expect-tools.ts';
import { judgeWords, plain } from './expect-words.ts';

/** One thing that was judged. */
export interface Verdict {
  /** What: a key of the expectation, or a thing that goes without saying. */
  what: string;
  /** Where it is written; null for what goes without saying. */
  where: string | null;
  ok: boolean;
  expected: string;
  found: string;
}

/** What one key came to, before it has a place. */
export interface Finding {
  path: PropertyKey[];
  ok: boolean;
  expected: string;
  found: string;
}

/** A failed verdict on one line. */
export const verdictLine = ({ what, where, expected, found }: Verdict): string =>
  `${where === null ? '' : `${where}: `}${what}: expected ${expected}, found ${found}`;

/** Everything that is judged of a call: what goes without saying, then every key of every expectation in its order. */
export function judge(result: CallResult, expectations: readonly Expectation[] = []): Verdict[] {
  const asked = expectations.map(({ expected }) => expected);
  return [...ordinary(result, asked), ...expectations.flatMap((one) => judgeOne(result, one))];
}

function judgeOne(result: CallResult, expectation: Expectation): Verdict[] {
  return JUDGES.flatMap((of) => of(expectation.expected, result)).map(({ path, ...rest }) => ({
    what: nameOf(path),
    where: expectation.where(path),
    ...rest,
  }));
}

const nameOf = (path: readonly PropertyKey[]): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i > 0 ? '.' : ''}${String(step)}`)).join('');

/** What is expected of every call, unless an expectation says something about it. */
function ordinary(result: CallResult, asked: readonly Expected[]): Verdict[] {
  const { end, firstSoundMs, warnings } = result;
  const saidOf = (says: (expected: Expected) => unknown) => asked.some((one) => says(one) !== undefined);
  const answered = end.callStatus === 'completed';
  const rules: [what: string, ok: boolean, expected: string, found: string, waived: boolean][] = [
    ['answered', answered, 'completed', end.callStatus, saidOf(({ end }) => end?.status)],
    [
      'heard',
      firstSoundMs !== null || !answered,
      'the caller to hear something',
      'no sound',
      saidOf((one) => one.first_sound_ms),
    ],
    [
      'ended',
      !end.timedOut,
      'an end before the longest time',
      'a caller who had to be cut off',
      saidOf((one) => one.end?.timed_out),
    ],
    [
      'outcome',
      end.result !== 'failure',
      'no failure',
      `the failure ${end.reason}`,
      saidOf((one) => one.end?.result ?? one.end?.reason),
    ],
    ['carrier', warnings.length === 0, 'no warnings', warningTexts(result), saidOf((one) => one.warnings)],
  ];
  return rules.flatMap(([what, ok, expected, found, waived]) =>
    waived ? [] : [{ what, where: null, ok, expected, found: ok ? expected : found }],
  );
}

const UNKNOWN = 'nothing: there is no record of this call to tell by';
const grouped = (value: number): string =>
  String(Math.round(value * 10_000) / 10_000).replace(/\B(?=(\d{3})+(?!\d))(?<!\..*)/g, ',');
const list = (values: readonly unknown[]): string => (values.length === 0 ? 'none' : values.join(', '));
const warningTexts = ({ warnings }: CallResult): string =>
  list(warnings.map(({ code, reason }) => `${code} ${reason}`));

type Bounds = number | { min?: number | undefined; max?: number | undefined };

/** Judges a number. A lone number is the most; with `exact` it is the number itself. */
function within(
  path: PropertyKey[],
  bounds: Bounds | undefined,
  value: number | null,
  unit: string,
  exact = false,
): Finding[] {
  if (bounds === undefined) return [];
  const { min, max } = typeof bounds === 'number' ? { min: exact ? bounds : undefined, max: bounds } : bounds;
  const texts = [
    ...(min !== undefined && min === max ? [grouped(min)] : []),
    ...(min !== undefined && min !== max ? [`at least ${grouped(min)}`] : []),
    ...(max !== undefined && min !== max ? [`at most ${grouped(max)}`] : []),
  ];
  const ok = value !== null && value >= (min ?? 0) && value <= (max ?? Number.POSITIVE_INFINITY);
  return [{ path, ok, expected: texts.join(', ') + unit, found: value === null ? UNKNOWN : grouped(value) + unit }];
}

function oneOf(path: PropertyKey[], wanted: string | readonly string[] | undefined, value: string | null): Finding[] {
  if (wanted === undefined) return [];
  const all = typeof wanted === 'string' ? [wanted] : wanted;
  return [{ path, ok: value !== null && all.includes(value), expected: all.join(' or '), found: value ?? UNKNOWN }];
}

type Judge = (expected: Expected, result: CallResult) => Finding[];

/** In the order in which a reader of the expectation asks; each answers for one key. */
const JUDGES: readonly Judge[] = [
  ({ end }, { end: was }) => [
    ...oneOf(['end', 'reason'], end?.reason, was.reason),
    ...oneOf(['end', 'by'], end?.by, was.by),
    ...oneOf(['end', 'status'], end?.status, was.callStatus),
    ...oneOf(['end', 'result'], end?.result, was.result),
    ...oneOf(['end', 'timed_out'], end?.timed_out?.toString(), String(was.timedOut)),
  ],
  (e, r) => within(['duration_seconds'], e.duration_seconds, r.durationMs / 1000, ' s'),
  judgeFirstSound,
  (e, r) => within(['turns'], e.turns, r.turns.length, '', true),
  (e, r) => within(['answers'], e.answers, r.answers.length, '', true),
  judgeAnswers,
  judgeUnanswered,
  judgeDeadAir,
  (e, r) => within(['talk_over_ms'], e.talk_over_ms, r.talkOverMs, ' ms'),
  judgeBargeIns,
  (e, r) => judgeWords('heard', e.heard, r, UNKNOWN),
  (e, r) => judgeWords('said', e.said, r, UNKNOWN),
  (e, r) => judgeTools(e, r.tools, UNKNOWN),
  judgeVerbs,
  (e, r) => judgeTransfers(e, r),
  (e, r) => judgeMessages(e, r, UNKNOWN),
  judgeWarnings,
  (e, r) => within(['cost_usd'], e.cost_usd, r.costUsd, ' USD'),
];

function judgeFirstSound({ first_sound_ms: wanted }: Expected, { firstSoundMs }: CallResult): Finding[] {
  const path = ['first_sound_ms'];
  const found = firstSoundMs === null ? 'no sound' : `${grouped(firstSoundMs)} ms`;
  if (wanted === 'none') return [{ path, ok: firstSoundMs === null, expected: 'no sound', found }];
  return within(path, wanted, firstSoundMs, ' ms').map((finding) => ({ ...finding, found }));
}

function judgeAnswers({ answer_ms: wanted }: Expected, { answers, answerP50Ms, answerP95Ms }: CallResult): Finding[] {
  if (wanted === undefined) return [];
  const slowest = answers.toSorted((a, b) => b.ms - a.ms)[0];
  const bounds = typeof wanted === 'number' ? { max: wanted } : wanted;
  const named = (key: string) => (typeof wanted === 'number' ? ['answer_ms'] : ['answer_ms', key]);
  return [
    ...within(named('p50'), bounds.p50, answerP50Ms, ' ms'),
    ...within(named('p95'), bounds.p95, answerP95Ms, ' ms'),
    ...within(named('max'), bounds.max, slowest?.ms ?? null, ' ms').map((finding) => ({
      ...finding,
      found: slowest ? `${finding.found} from ${grouped(slowest.callerEndMs)} ms` : finding.found,
    })),
  ].map((finding) => (answers.length === 0 ? { ...finding, found: 'no answer at all' } : finding));
}

function judgeUnanswered({ unanswered: wanted }: Expected, { unanswered }: CallResult): Finding[] {
  const at = unanswered.map(({ fromMs }) => `${grouped(fromMs)} ms`);
  const from = at.length === 0 ? '' : `, at ${list(at)}`;
  return within(['unanswered'], wanted, unanswered.length, '', true).map((finding) => ({
    ...finding,
    found: finding.found + from,
  }));
}

/** The longest silence that the agent let happen; a caller who thinks is no fault. */
function judgeDeadAir({ dead_air_seconds: wanted }: Expected, { deadAir }: CallResult): Finding[] {
  const ofAgent = deadAir.filter(({ waitingFor }) => waitingFor === 'agent');
  const longest = ofAgent.toSorted((a, b) => b.toMs - b.fromMs - (a.toMs - a.fromMs))[0];
  const ms = longest ? longest.toMs - longest.fromMs : 0;
  const at = longest ? ` from ${grouped(longest.fromMs)} ms` : '';
  return within(['dead_air_seconds'], wanted, ms / 1000, ' s').map((finding) => ({
    ...finding,
    found: finding.found + at,
  }));
}

function judgeBargeIns({ barge_ins: wanted }: Expected, { bargeIns, callId }: CallResult): Finding[] {
  if (wanted === undefined) return [];
  const stopped = bargeIns.filter(({ stopMs }) => stopMs !== null);
  const onlyWhenAsked = wanted.spoken_on === undefined && wanted.count === undefined;
  // Whoever bounds the stop, and not how often it may stay out, wants every barge-in to stop the agent.
  const spokenOn = onlyWhenAsked ? bargeIns.filter(({ stopMs }) => stopMs === null) : [];
  const allStopped = (findings: Finding[]) =>
    spokenOn.length === 0
      ? findings
      : findings.map((finding) => ({
          ...finding,
          ok: false,
          found: `an agent that spoke on at ${list(spokenOn.map(({ atMs }) => `${grouped(atMs)} ms`))}`,
        }));
  // A clear that came tells the model something: not to know what is no small error.
  const untold = stopped.filter(({ clearMs, truncation }) => clearMs !== null && truncation === null);
  const allTold = (findings: Finding[]) =>
    callId === null || untold.length === 0
      ? findings
      : findings.map((finding) => ({
          ...finding,
          ok: false,
          found: `none known of the stop at ${list(untold.map(({ atMs }) => `${grouped(atMs)} ms`))}`,
        }));
  // The slowest, and the furthest off: one that is bad is enough. Without a barge-in there is nothing to be slow.
  const most = (key: string, bounds: Bounds | undefined, values: (number | null)[]) => {
    const known = values.filter((value) => value !== null);
    const findings = within(['barge_ins', key], bounds, known.length === 0 ? null : Math.max(...known), ' ms');
    if (known.length > 0) return findings;
    const none = stopped.length === 0;
    return findings.map((finding) => ({ ...finding, ok: none, found: none ? 'no barge-in' : noneKnown(key) }));
  };
  const noneKnown = (key: string) => (callId === null ? UNKNOWN : `no ${key.replaceAll('_', ' ')} known`);
  return [
    ...within(['barge_ins', 'count'], wanted.count, stopped.length, '', true).map((finding) => ({
      ...finding,
      found:
        stopped.length === 0 ? '0' : `${stopped.length}, at ${list(stopped.map(({ atMs }) => `${grouped(atMs)} ms`))}`,
    })),
    ...allStopped(
      most(
        'stop_ms',
        wanted.stop_ms,
        stopped.map(({ stopMs }) => stopMs),
      ),
    ),
    ...allStopped(
      most(
        'clear_ms',
        wanted.clear_ms,
        stopped.map(({ clearMs }) => clearMs),
      ),
    ),
    ...allTold(
      most(
        'truncation_error_ms',
        wanted.truncation_error_ms,
        stopped.map(({ truncation }) => (truncation === null ? null : Math.abs(truncation.errorMs))),
      ),
    ),
    ...within(['barge_ins', 'spoken_on'], wanted.spoken_on, bargeIns.length - stopped.length, '', true),
  ];
}

function judgeVerbs({ verbs: wanted }: Expected, { verbs }: CallResult): Finding[] {
  if (wanted === undefined) return [];
  const found = list(verbs.map(({ name, about }) => `${name} ${about}`.trim()));
  let from = 0;
  return wanted.map((text, i) => {
    const [name = '', ...about] = text.split(/\s+/);
    const fits = (verb: { name: string; about: string }) =>
      verb.name === name && plain(verb.about).toLowerCase().includes(about.join(' ').toLowerCase());
    const at = verbs.findIndex((verb, index) => index >= from && fits(verb));
    if (at >= 0) from = at + 1;
    return { path: ['verbs', i], ok: at >= 0, expected: i === 0 ? text : `${text}, in this order`, found };
  });
}

function judgeWarnings({ warnings: wanted }: Expected, result: CallResult): Finding[] {
  if (wanted === undefined) return [];
  const found = warningTexts(result);
  const came = result.warnings.map(({ code }) => code);
  if (wanted === 'none') return [{ path: ['warnings'], ok: came.length === 0, expected: 'none', found }];
  const ok = wanted.every((code) => came.includes(code)) && came.every((code) => wanted.includes(code));
  return [{ path: ['warnings'], ok, expected: `${wanted.join(', ')} and no others`, found }];
}
