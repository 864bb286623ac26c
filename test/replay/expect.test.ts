// Expectations: every key on calls that meet it and that do not, what goes without saying, and files with faults.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { CallResult } from '../../src/replay/call-result.ts';
import { judge, verdictLine } from '../../src/replay/expect.ts';
import { loadExpectation } from '../../src/replay/expect-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'trunkline-expect-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const FILE = join(dir, 'expect.yaml');

function load(yaml: string) {
  writeFileSync(FILE, yaml);
  return loadExpectation(FILE);
}

const GOOD: CallResult = {
  v: 1,
  source: 'a.wav',
  callSid: 'CA1',
  callId: 'c1',
  end: { by: 'caller', callStatus: 'completed', reason: 'caller_hung_up', result: 'success', timedOut: false },
  durationMs: 22_240,
  firstSoundMs: 118,
  turns: [
    { who: 'agent', atMs: 118, text: 'This call is recorded. Thank you', unheardText: 'for calling.' },
    { who: 'caller', atMs: 2_000, text: 'I want  support', unheardText: '' },
    { who: 'agent', atMs: 5_300, text: 'I can help with that.', unheardText: '' },
  ],
  callerSpoke: [{ fromMs: 2_000, toMs: 4_700 }],
  agentSpoke: [],
  announced: [],
  answers: [
    { callerEndMs: 4_700, agentStartMs: 5_300, ms: 600 },
    { callerEndMs: 9_000, agentStartMs: 10_500, ms: 1_500 },
  ],
  answerP50Ms: 600,
  answerP95Ms: 1_500,
  bargeIns: [
    {
      atMs: 2_000,
      stopMs: 140,
      clearMs: 90,
      truncation: { utterance: 'u1', ledgerMs: 1_880, phoneMs: 1_882, errorMs: -2 },
    },
    { atMs: 12_000, stopMs: null, clearMs: null, truncation: null },
  ],
  unanswered: [{ fromMs: 13_000, toMs: 14_000 }],
  deadAir: [
    { fromMs: 6_000, toMs: 8_500, waitingFor: 'agent' },
    { fromMs: 14_000, toMs: 22_000, waitingFor: 'caller' },
  ],
  talkOverMs: 140,
  keysPressed: '',
  tools: [
    {
      name: 'lookup',
      atMs: 1,
      status: 'ok',
      arguments: '{"account":"100019","by":{"who":"caller","n":1}}',
      output: '{"found":true}',
    },
    { name: 'end_call', atMs: 2, status: 'built_in', arguments: '{}', output: null },
  ],
  costUsd: 0.0312,
  verbs: [
    { name: 'Connect', about: '' },
    { name: 'Dial', about: '+15005550009' },
  ],
  transfers: [],
  messages: [],
  warnings: [],
  webhookMs: 12,
  underruns: [],
  unplayedMs: 0,
  framesSent: 1_112,
  framesLate: 0,
};

const remote: CallResult = {
  ...GOOD,
  callId: null,
  end: { ...GOOD.end, reason: null, result: null },
  tools: null,
  costUsd: null,
  turns: GOOD.turns.map((turn) => ({ ...turn, text: null })),
};

/** Lines of what was not met; the file's name cut. */
const failed = (yaml: string, result: Partial<CallResult> = {}): string[] =>
  judge({ ...GOOD, ...result }, [load(yaml)])
    .filter(({ ok }) => !ok)
    .map((verdict) => verdictLine(verdict).replace(`${FILE}:`, ''));

test('a call that is as expected meets every key', () => {
  const expectation = load(`
end: { reason: [agent_goodbye, caller_hung_up], by: caller, status: completed, result: success, timed_out: false }
duration_seconds: { min: 20, max: 25 }
first_sound_ms: 200
turns: 3
answers: { min: 1 }
answer_ms: { p50: 700, p95: 1500, max: 1500 }
unanswered: 1
dead_air_seconds: 2.5
talk_over_ms: 140
barge_ins: { count: 1, stop_ms: 140, clear_ms: 100, truncation_error_ms: 2, spoken_on: 1 }
heard: { contains: [THANK YOU i can, /help\\s+with/], never: goodbye }
said: { contains: want support }
tools:
  - { name: lookup, arguments: { account: /^1000/, by: { n: 1 } }, status: ok, output: found }
  - end_call
other_tools: false
verbs: [Connect, Dial +15005550009]
warnings: none
cost_usd: 0.05
`);
  const verdicts = judge(GOOD, [expectation]);
  expect(verdicts.filter(({ ok }) => !ok)).toEqual([]);
  // Every key that was written is judged, at its place.
  expect(verdicts.filter(({ where }) => where !== null)).toHaveLength(31);
  expect(verdicts.find(({ what }) => what === 'answer_ms.p95')).toEqual({
    what: 'answer_ms.p95',
    where: `${FILE}:7:29`,
    ok: true,
    expected: 'at most 1,500 ms',
    found: '1,500 ms',
  });
});

describe('one line says what was expected, what was found, and where it is written', () => {
  test.each([
    ['end: { reason: agent_goodbye }', '1:16: end.reason: expected agent_goodbye, found caller_hung_up'],
    ['end:\n  by: server', '2:7: end.by: expected server, found caller'],
    ['end: { status: [busy, failed] }', '1:16: end.status: expected busy or failed, found completed'],
    ['end: { timed_out: true }', '1:19: end.timed_out: expected true, found false'],
    ['duration_seconds: { min: 30 }', '1:19: duration_seconds: expected at least 30 s, found 22.24 s'],
    ['first_sound_ms: 100', '1:17: first_sound_ms: expected at most 100 ms, found 118 ms'],
    ['first_sound_ms: none', '1:17: first_sound_ms: expected no sound, found 118 ms'],
    ['turns: 4', '1:8: turns: expected 4, found 3'],
    ['answers: { max: 1 }', '1:10: answers: expected at most 1, found 2'],
    ['answer_ms: 1000', '1:12: answer_ms: expected at most 1,000 ms, found 1,500 ms from 9,000 ms'],
    ['answer_ms: { p50: 500 }', '1:19: answer_ms.p50: expected at most 500 ms, found 600 ms'],
    ['dead_air_seconds: 2', '1:19: dead_air_seconds: expected at most 2 s, found 2.5 s from 6,000 ms'],
    ['talk_over_ms: 100', '1:15: talk_over_ms: expected at most 100 ms, found 140 ms'],
    ['barge_ins: { count: 2 }', '1:21: barge_ins.count: expected 2, found 1, at 2,000 ms'],
    ['barge_ins: { spoken_on: 1, stop_ms: 100 }', '1:37: barge_ins.stop_ms: expected at most 100 ms, found 140 ms'],
    [
      'barge_ins: { stop_ms: 5000 }',
      '1:23: barge_ins.stop_ms: expected at most 5,000 ms, found an agent that spoke on at 12,000 ms',
    ],
    [
      'barge_ins: { clear_ms: 5000 }',
      '1:24: barge_ins.clear_ms: expected at most 5,000 ms, found an agent that spoke on at 12,000 ms',
    ],
    ['unanswered: 0', '1:13: unanswered: expected 0, found 1, at 13,000 ms'],
    ['barge_ins: { truncation_error_ms: 1 }', '1:35: barge_ins.truncation_error_ms: expected at most 1 ms, found 2 ms'],
    ['barge_ins: { spoken_on: 0 }', '1:25: barge_ins.spoken_on: expected 0, found 1'],
    [
      'heard: { contains: goodbye }',
      '1:20: heard.contains: expected "goodbye", found "This call is recorded. Thank you I can help with that."',
    ],
    [
      'heard: { never: [bye, "is RECORDED"] }',
      '1:23: heard.never[1]: expected never "is RECORDED", found "This call is recorded. Thank you I can help with that."',
    ],
    ['said: { contains: "for calling" }', '1:19: said.contains: expected "for calling", found "I want support"'],
    [
      'tools: none',
      '1:8: tools: expected no tool called, found lookup({"account":"100019","by":{"who":"caller","n":1}}), end_call({}) built_in',
    ],
    [
      'tools: [end_call, lookup]',
      '1:19: tools[1]: expected lookup, in this order, found lookup({"account":"100019","by":{"who":"caller","n":1}}), end_call({}) built_in',
    ],
    [
      'tools: [{ name: lookup, arguments: { account: "7" } }]',
      '1:9: tools[0]: expected lookup({"account":"7"}), found lookup({"account":"100019","by":{"who":"caller","n":1}}), end_call({}) built_in',
    ],
    ['tools: [lookup]\nother_tools: false', '2:14: other_tools: expected no other tools, found end_call({}) built_in'],
    ['verbs: [Dial +1555]', '1:9: verbs[0]: expected Dial +1555, found Connect, Dial +15005550009'],
    ['warnings: [31951]', '1:11: warnings: expected 31951 and no others, found none'],
    ['cost_usd: 0.03', '1:11: cost_usd: expected at most 0.03 USD, found 0.0312 USD'],
  ])('%s', (yaml, line) => {
    expect(failed(yaml)).toEqual([line]);
  });

  test('of a long talk only the end, or the place of the words that must not come', () => {
    const text = `${'one two three '.repeat(40)}forbidden words ${'four five six '.repeat(40)}`;
    const [turn] = GOOD.turns;
    const turns = [{ ...(turn as CallResult['turns'][0]), text }];
    const [never = ''] = failed('heard: { never: forbidden }', { turns });
    expect(never).toMatch(/found "….*three forbidden words four.*…"$/);
    const [contains = ''] = failed('heard: { contains: seven }', { turns });
    expect(contains).toMatch(/found "….*five six"$/);
  });
});

test('a regular expression that would take for ever fails, whatever it was to prove', () => {
  const text = `${'a'.repeat(60)}!`;
  const [turn] = GOOD.turns;
  const turns = [{ ...(turn as CallResult['turns'][0]), text }];
  expect(failed('heard: { contains: /^(a+)+$/, never: /^(a+)+$/ }', { turns })).toEqual([
    '1:20: heard.contains: expected "/^(a+)+$/", found a regular expression that had not ended after 250 ms',
    '1:38: heard.never: expected never "/^(a+)+$/", found a regular expression that had not ended after 250 ms',
  ]);
  const tools = [{ name: 'lookup', atMs: 1, status: 'ok', arguments: JSON.stringify({ text }), output: text }];
  expect(failed('tools: [{ name: lookup, output: /^(a+)+$/ }]', { tools })).toHaveLength(1);
  expect(failed('tools: [{ name: lookup, arguments: { text: /^(a+)+$/ } }]', { tools })).toHaveLength(1);
  expect(failed('tools: [{ name: lookup, output: /a!$/, arguments: { text: /^a+!/ } }]', { tools })).toEqual([]);
});

describe('what goes without saying', () => {
  const names = (result: CallResult, yaml?: string) =>
    judge(result, yaml === undefined ? [] : [load(yaml)])
      .filter(({ ok }) => !ok)
      .map(verdictLine);

  test('holds for a good call, also when there is no record', () => {
    expect(names(GOOD)).toEqual([]);
    expect(names(remote)).toEqual([]);
  });

  test.each([
    [{ callStatus: 'busy' as const }, 'answered: expected completed, found busy', 'end: { status: busy }'],
    [
      { timedOut: true },
      'ended: expected an end before the longest time, found a caller who had to be cut off',
      'end: { timed_out: true }',
    ],
    [
      { result: 'failure', reason: 'model_lost' },
      'outcome: expected no failure, found the failure model_lost',
      'end: { reason: model_lost }',
    ],
  ])('an end like %j is a fault, unless it is what was expected', (end, line, yaml) => {
    const result = { ...GOOD, end: { ...GOOD.end, ...end } };
    expect(names(result)).toEqual([line]);
    expect(names(result, yaml)).toEqual([]);
  });

  test('silence and warnings are faults, unless they are what was expected', () => {
    const silent = { ...GOOD, firstSoundMs: null };
    expect(names(silent)).toEqual(['heard: expected the caller to hear something, found no sound']);
    expect(names(silent, 'first_sound_ms: none')).toEqual([]);
    const warned = { ...GOOD, warnings: [{ code: 31_951, reason: 'bad frame' }] };
    expect(names(warned)).toEqual(['carrier: expected no warnings, found 31951 bad frame']);
    expect(names(warned, 'warnings: [31951]')).toEqual([]);
    expect(names(warned, 'warnings: [31951, 31920]')).toHaveLength(1);
  });
});

test('what only a record tells is not met without one', () => {
  const yaml = `
end: { reason: caller_hung_up }
heard: { never: goodbye }
tools: none
cost_usd: 1
barge_ins: { truncation_error_ms: 10 }
`;
  const lines = judge({ ...remote, bargeIns: [{ atMs: 1, stopMs: 5, clearMs: 4, truncation: null }] }, [load(yaml)])
    .filter(({ ok }) => !ok)
    .map(verdictLine);
  expect(lines).toHaveLength(5);
  for (const line of lines) expect(line).toMatch(/found nothing: there is no record of this call to tell by$/);
});

test('a stop of which it is not known what the model was told is no small error', () => {
  const yaml = 'barge_ins: { truncation_error_ms: 100 }';
  const [first] = GOOD.bargeIns;
  const untold = { atMs: 7_000, stopMs: 0, clearMs: 80, truncation: null };
  expect(failed(yaml, { bargeIns: [first as CallResult['bargeIns'][0], untold] })).toEqual([
    '1:35: barge_ins.truncation_error_ms: expected at most 100 ms, found none known of the stop at 7,000 ms',
  ]);
});

test.each(['unsettled', 'aborted'])('a tool that is %s did not run, unless that is what was expected', (status) => {
  const tools = [{ name: 'lookup', atMs: 1, status, arguments: '{}', output: null }];
  expect(failed('tools: [lookup]', { tools })).toHaveLength(1);
  expect(failed('tools: [{ name: lookup }]', { tools })).toHaveLength(1);
  expect(failed(`tools: [{ name: lookup, status: ${status} }]`, { tools })).toEqual([]);
});

test('without an answer no answer was quick, without a barge-in none was slow', () => {
  expect(failed('answer_ms: 1000', { answers: [], answerP50Ms: null, answerP95Ms: null })).toEqual([
    '1:12: answer_ms: expected at most 1,000 ms, found no answer at all',
  ]);
  expect(failed('barge_ins: { stop_ms: 100, truncation_error_ms: 1 }', { bargeIns: [] })).toEqual([]);
});

describe('a file with faults is refused', () => {
  test.each([
    ['answer_m: 3', '1:1: answer_m: no such key; did you mean answer_ms?'],
    ['end: { raeson: drained }', '1:8: end.raeson: no such key; did you mean reason?'],
    [
      'end: { reason: hung_up }',
      /^1:16: end.reason: expected one of .*caller_hung_up.*, or a list of them \(found hung_up\)$/,
    ],
    [
      'answer_ms: quick',
      '1:12: answer_ms: expected a number (the most for every answer), or a mapping with p50, p95, max (found quick)',
    ],
    ['turns: { mni: 1 }', '1:10: turns.mni: no such key; did you mean min?'],
    [
      'turns: {}',
      '1:8: turns: expected a number (exactly so many), or a mapping with min above 0, max or both, min not above max (found a mapping)',
    ],
    ['dead_air_seconds: 1', /^1:19: dead_air_seconds: expected a number of seconds, 2 or more/],
    ['heard: { contains: "/[/" }', /^1:20: heard.contains: expected a regular expression that is valid/],
    ['turns: { min: 3, max: 2 }', /^1:8: turns: expected .*min not above max/],
    ['turns: { min: 0 }', /^1:8: turns: expected .*min above 0/],
    ['first_sound_ms: { min: 3, max: 2 }', /^1:17: first_sound_ms: expected none, a number .*min not above max/],
    ['first_sound_ms: { min: 0 }', /^1:17: first_sound_ms: expected none, a number .*min above 0/],
    ['heard: { contains: /sorry/g }', /^1:20: heard.contains: expected a regular expression without the flags g and y/],
    ['heard: { contains: [a, /(so)?/] }', /^1:24: heard.contains\[1\]: expected .*does not fit an empty text/],
    ['tools: [{ name: a, output: /x*/ }]', /^1:28: tools\[0\].output: expected .*does not fit an empty text/],
    [
      'tools: [{ name: a, arguments: { b: [/x/y] } }]',
      /^1:37: tools\[0\].arguments.b\[0\]: expected .*without the flags/,
    ],
    ['tools: [{ name: a, arguments: { b: "/[/" } }]', /^1:36: tools\[0\].arguments.b: expected .*that is valid/],
    [
      'tools: [{ name: a, arguments: &all { b: *all } }]',
      /^1:41: tools\[0\].arguments.b.b: expected a value that does not contain itself/,
    ],
    ['verbs: [hangup]', /^1:9: verbs\[0\]: expected a verb of TwiML/],
    ['said: { contains: 5 }', /quote it: "5"/],
    ['', '1:1: expected a mapping of keys (found nothing)'],
    ['{}', '1:1: expected at least one key in it; as it is, every call would pass (found a mapping)'],
    [
      'turns: 1\nheard: {}',
      '2:8: heard: expected at least one key in it; as it is, every call would pass (found a mapping)',
    ],
    ['other_tools: true', /^1:14: other_tools: expected false/],
    ['turns: [', /^1:9: not valid YAML/],
  ])('%s', (yaml, text) => {
    const fault = (() => {
      try {
        load(yaml);
        return 'no fault';
      } catch (error) {
        return (error as Error).message.replaceAll(`${FILE}:`, '');
      }
    })();
    if (typeof text === 'string') expect(fault).toBe(text);
    else expect(fault).toMatch(text);
  });

  test('and a missing one is named', () => {
    expect(() => loadExpectation('/nowhere/e.yaml')).toThrow('/nowhere/e.yaml: there is no such file');
  });
});
