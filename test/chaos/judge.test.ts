// The judge of chaos: a good call passes, and each thing that must not be is found.
import { expect, test } from 'vitest';
import { judge, type JudgedCall } from '../../src/chaos/judge.ts';
import { aCall, CLIPS, type Sounding } from './a-call.ts';

const NEVER_STILL = { between: (_fromMs: number, _toMs: number): number => 0 };
const verdictOf = (call: JudgedCall, stalls = NEVER_STILL) => judge(call, CLIPS, stalls);
/** An answer so long after the caller's last word (at 3,500). */
const answeredAfter = (ms: number): Sounding[] => [
  { name: 'words', atMs: 200 },
  { name: 'farewell', atMs: 3_500 + ms },
];
const failed = (reason: 'model_lost' | 'internal_error' | 'media_lost'): JudgedCall['record'] => ({
  end: { reason, by: 'model', result: 'failure', detail: '' },
});

test('a good call passes', () => {
  expect(verdictOf(aCall({}))).toMatchObject({
    ...{ control: true, hurt: false, stuck: false, unnamed: false, overlong: false },
    ...{ violations: [], outcome: 'unnoticed', reason: 'agent_goodbye' },
  });
});

test('two seconds of silence pass, more does not', () => {
  const call = (ms: number) => aCall({ faults: ['closed_1011'], lengthMs: 12_000, soundings: answeredAfter(ms) });
  expect(verdictOf(call(2_000)).violations).toEqual([]);
  const late = verdictOf(call(2_300));
  expect(late.overlong).toBe(true);
  expect(late.violations).toMatchObject([
    expect.stringMatching(/^2\d{3} ms of silence unexplained .* allowed 2000\)$/),
  ]);
});

test('what only a timeout can see may take four seconds, but no more', () => {
  const call = (ms: number) => aCall({ faults: ['frozen'], lengthMs: 12_000, soundings: answeredAfter(ms) });
  expect(verdictOf(call(3_900)).violations).toEqual([]);
  expect(verdictOf(call(4_300)).overlong).toBe(true);
});

test('a dead socket may take two seconds more where nothing was said on it, but no more', () => {
  const call = (ms: number) =>
    aCall({ faults: ['stops_reading', 'tool_hangs_unannounced'], lengthMs: 14_000, soundings: answeredAfter(ms) });
  expect(verdictOf(call(5_900)).violations).toEqual([]);
  expect(verdictOf(call(6_300)).overlong).toBe(true);
  const alone = aCall({ faults: ['stops_reading', 'stolen_cpu'], lengthMs: 14_000, soundings: answeredAfter(4_300) });
  expect(verdictOf(alone).overlong).toBe(true);
});

test('the time in which the process stood still is nobody’s silence', () => {
  const call = aCall({ faults: ['closed_1011'], lengthMs: 12_000, soundings: answeredAfter(2_800) });
  const asked: [number, number][] = [];
  const stalls = {
    between(fromMs: number, toMs: number) {
      asked.push([fromMs, toMs]);
      return fromMs > 13_000 ? 900 : 0;
    },
  };
  const { overlong, longestUnexplainedMs } = verdictOf(call, stalls);
  expect(overlong).toBe(false);
  expect(longestUnexplainedMs).toBeLessThan(2_000);
  // By the clock, which was at 10,000 when the call's sound began.
  expect(asked.some(([fromMs]) => fromMs === 13_500)).toBe(true);
});

test('a process that stood still for long is no witness of what was heard, but of how the call ended', () => {
  const stalls = { between: (fromMs: number, toMs: number) => (fromMs === 9_500 && toMs === 16_000 ? 2_100 : 0) };
  const late = aCall({
    lengthMs: 12_000,
    soundings: answeredAfter(2_800),
    call: { sessions: [{ model: 'a' }, { model: 'a' }] },
  });
  expect(verdictOf(late, stalls)).toMatchObject({ soundJudged: false, overlong: false, hurt: false, violations: [] });
  expect(verdictOf(aCall({ rest: { ends: 2 } }), stalls)).toMatchObject({ unnamed: true, hurt: true });
  expect(verdictOf(late)).toMatchObject({ soundJudged: true, overlong: true, hurt: true });
});

test('a silence that another one hides is still found', () => {
  const call = aCall({
    faults: ['closed_1011'],
    lengthMs: 12_000,
    soundings: answeredAfter(2_500).with(0, { name: 'words', atMs: 2_900 - 1_400 }),
  });
  // The first silence (from the start) falls into a stall, the second, which is as long, does not.
  const stalls = { between: (fromMs: number) => (fromMs === 10_000 ? 5_000 : 0) };
  expect(verdictOf(call, stalls).overlong).toBe(true);
});

test.each<[string, Partial<JudgedCall>]>([
  ['no record', { record: null, records: 0 }],
  ['no end told of', { ends: 0 }],
  ['two ends', { ends: 2 }],
  ['two records', { records: 2 }],
])('an end without a name: %s', (_what, rest) => {
  const { unnamed, violations } = verdictOf(aCall({ faults: ['mute'], rest }));
  expect(unnamed).toBe(true);
  expect(violations.some((text) => text.startsWith('ends:'))).toBe(true);
});

test('a call that the phone had to end is stuck', () => {
  expect(verdictOf(aCall({ faults: ['mute'], result: { timedOut: true } }))).toMatchObject({
    stuck: true,
    violations: ['the call never ended'],
  });
});

test('sockets that had to be given up are stuck, except where nobody had a turn meanwhile', () => {
  const call = aCall({ faults: ['mute'], rest: { log: ['{"msg":"sockets of the call did not go in time"}'] } });
  expect(verdictOf(call)).toMatchObject({ stuck: true });
  const stoodStill = { between: (fromMs: number) => (fromMs === 13_000 ? 400 : 0) };
  expect(verdictOf(call, stoodStill)).toMatchObject({ stuck: false });
});

test('what the sweep finds is stuck', () => {
  expect(verdictOf(aCall({ faults: ['mute'], rest: { log: ['{"msg":"left over"}'] } }))).toMatchObject({ stuck: true });
});

test('an end as internal_error must not be', () => {
  const { violations } = verdictOf(aCall({ faults: ['tool_throws'], rest: { record: failed('internal_error') } }));
  expect(violations).toContain('the call ended as internal_error');
});

test('a call that was not let in must not be', () => {
  const call = aCall({ faults: ['port_closed'], call: { callId: null }, rest: { record: null, records: 0, ends: 0 } });
  expect(verdictOf(call)).toMatchObject({
    ...{ outcome: 'refused', unnamed: false },
    violations: ['the call was not let in'],
  });
});

test('where the model’s circuit is open the ladder comes first, and something must be heard', () => {
  const refused = { call: { callId: null }, rest: { record: null, records: 0, ends: 0 }, soundings: [], said: [] };
  const announced = [{ verb: 'Say', about: 'Sorry.', atMs: 0, durationMs: 1_000 }];
  const told = aCall({ faults: ['circuit_open'], lengthMs: 1_000, ...refused, result: { announced } });
  expect(verdictOf(told)).toMatchObject({ outcome: 'apology', violations: [], unnamed: false });
  const mute = aCall({ faults: ['circuit_open'], lengthMs: 1_000, ...refused });
  expect(verdictOf(mute)).toMatchObject({ outcome: 'refused', violations: ['the call was not let in'] });
});

test('an agent that breaks off for good has cut the caller off, unless nothing of ours could reach the caller', () => {
  const soundings: Sounding[] = [
    { name: 'words', atMs: 200 },
    { name: 'farewell', atMs: 4_000, forMs: 600 },
  ];
  const rest = { record: failed('media_lost') };
  const cut = verdictOf(aCall({ faults: ['closed_1011'], lengthMs: 5_000, soundings, rest }));
  expect(cut).toMatchObject({ outcome: 'cut off', violations: [expect.stringContaining('cut off')] });
  const gone = verdictOf(aCall({ faults: ['half_open'], lengthMs: 5_000, soundings, rest }));
  expect(gone).toMatchObject({ outcome: 'cut off', violations: [] });
});

test.each<[string, Parameters<typeof aCall>[0]]>([
  ['a failure', { rest: { record: failed('model_lost') } }],
  [
    'a filler',
    {
      soundings: [
        { name: 'words', atMs: 200 },
        { name: 'hold', atMs: 4_000 },
      ],
    },
  ],
  ['a silence', { lengthMs: 12_000, soundings: answeredAfter(2_500) }],
  ['a second session', { call: { sessions: [{ model: 'chaos-1' }, { model: 'chaos-1' }] } }],
  ['a second stream', { result: { streams: [1, 2].map((n) => ({ streamSid: `MZ${n}`, fromMs: 0, toMs: 1 })) } }],
  ['what the carrier warns of', { result: { warnings: [{ code: 31921, reason: 'closed' }] } }],
])('a control is hurt by %s', (_what, change) => {
  const verdict = verdictOf(aCall(change));
  expect(verdict.hurt).toBe(true);
  expect(verdict.violations).toHaveLength(1);
});

test('a call that a fault struck is no control, whatever becomes of it', () => {
  expect(verdictOf(aCall({ faults: ['mute'], call: { sessions: [{ model: 'a' }, { model: 'a' }] } }))).toMatchObject({
    ...{ control: false, hurt: false, outcome: 'recovered', violations: [] },
  });
});

test.each<[string, Parameters<typeof aCall>[0]]>([
  ['forward', { result: { verbs: [{ name: 'Dial', attributes: {}, children: [], text: '', about: '' }] } }],
  ['voicemail', { result: { verbs: [{ name: 'Record', attributes: {}, children: [], text: '', about: '' }] } }],
  ['apology', { soundings: [{ name: 'apology', atMs: 200 }], said: [] }],
  ['apology', { result: { announced: [{ verb: 'Say', about: 'Sorry.', atMs: 6_000, durationMs: 1_000 }] } }],
  ['hung up', { faults: ['stop_without_close'] }],
  ['resumed', { result: { streams: [1, 2].map((n) => ({ streamSid: `MZ${n}`, fromMs: 0, toMs: 1 })) } }],
  [
    'filler, recovered',
    {
      soundings: [
        { name: 'words', atMs: 200 },
        { name: 'hold', atMs: 4_000 },
      ],
    },
  ],
  ['recovered', { call: { sessions: [{ model: 'chaos-1-fallback' }] } }],
])('the outcome "%s" is told from what was heard', (outcome, change) => {
  expect(verdictOf(aCall({ faults: ['mute'], ...change })).outcome).toBe(outcome);
});
