// A call measured from its audio: lines on which who spoke when is known to the millisecond.
import { describe, expect, test } from 'vitest';
import { msToBytes } from '../../src/audio/mulaw.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import { type MeasuredCall, measureCall } from '../../src/replay/call-measure.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import { overlay } from '../../src/phone/playback-buffer.ts';
import { idleLine, voice } from './synthetic-line.ts';

type Stretch = readonly [fromMs: number, toMs: number];

interface Scene {
  lengthMs?: number;
  caller?: readonly Stretch[];
  agent?: readonly Stretch[];
  result?: Partial<PhoneResult>;
  record?: unknown;
  stops?: MeasuredCall['stops'];
}

const DURATION_MS = 12_000;

function line(lengthMs: number, stretches: readonly Stretch[]): Buffer {
  const sound = idleLine(lengthMs);
  for (const [fromMs, toMs] of stretches) overlay(sound, voice(toMs - fromMs), msToBytes(fromMs));
  return sound;
}

function measured({ lengthMs = DURATION_MS, caller = [], agent = [], result = {}, record, stops = [] }: Scene) {
  const seen: PhoneResult = {
    callSid: 'CA1',
    streamSid: 'MZ1',
    streams: [{ streamSid: 'MZ1', fromMs: 0, toMs: lengthMs }],
    callStatus: 'completed',
    verbs: [],
    announced: [],
    warnings: [],
    endedBy: 'server',
    timedOut: false,
    webhookMs: 11.6,
    streamMs: lengthMs,
    framesSent: lengthMs / 20,
    framesLate: 0,
    mediaReceivedBytes: 0,
    marksReceived: [],
    clears: [],
    heard: [],
    said: [],
    keys: [],
    recordings: [],
    dials: [],
    stays: [],
    underruns: [],
    unplayedBytes: 0,
    firstAudioAtMs: undefined,
    http: [],
    ...result,
  };
  return measureCall({
    source: 'caller.wav',
    result: seen,
    callerAudio: line(lengthMs, caller),
    agentAudio: line(lengthMs, agent),
    record: (record as CallRecord | undefined) ?? null,
    stops,
  });
}

const clear = (atMs: number, droppedBytes = 8_000) => ({ atMs, droppedBytes, playedBytesTotal: 0 });
const about = (ms: number) => ({ asymmetricMatch: (value: unknown) => Math.abs(Number(value) - ms) <= 20 });

describe('answers', () => {
  test('count from the end of the caller’s sound to the onset of the agent’s', () => {
    const call = measured({
      caller: [
        [1_000, 2_000],
        [6_000, 7_000],
      ],
      agent: [
        [2_800, 5_000],
        [8_500, 10_000],
      ],
    });
    expect(call.answers).toEqual([
      { callerEndMs: about(2_000), agentStartMs: about(2_800), ms: about(800) },
      { callerEndMs: about(7_000), agentStartMs: about(8_500), ms: about(1_500) },
    ]);
    expect(call.answerP50Ms).toEqual(about(800));
    expect(call.answerP95Ms).toEqual(about(1_500));
    expect(call.bargeIns).toEqual([]);
    expect(call.talkOverMs).toBe(0);
  });

  test('are given to the last of several stretches of caller speech', () => {
    const { answers } = measured({
      caller: [
        [1_000, 2_000],
        [2_640, 3_500],
      ],
      agent: [[4_200, 5_000]],
    });
    expect(answers).toEqual([expect.objectContaining({ callerEndMs: about(3_500), ms: about(700) })]);
  });

  test('are not what follows a pause of an agent who spoke on', () => {
    const { answers, bargeIns } = measured({
      caller: [[2_000, 2_600]],
      agent: [
        [1_000, 6_000],
        [6_600, 8_000],
      ],
    });
    expect(answers).toEqual([]);
    expect(bargeIns).toEqual([{ atMs: about(2_000), stopMs: null, clearMs: null, truncation: null }]);
  });

  test('follow a short interruption, even where the agent fell silent only after it', () => {
    const { answers } = measured({
      caller: [[3_000, 3_300]],
      agent: [
        [1_000, 3_500],
        [4_700, 6_000],
      ],
      result: { clears: [clear(3_490)] },
    });
    expect(answers).toEqual([expect.objectContaining({ callerEndMs: about(3_300), ms: about(1_400) })]);
  });

  test('are none where there are none', () => {
    expect(measured({ caller: [[1_000, 2_000]] })).toMatchObject({ answers: [], answerP50Ms: null, answerP95Ms: null });
  });
});

describe('barge-ins', () => {
  const interrupted: Scene = {
    caller: [[3_000, 4_500]],
    agent: [[1_000, 3_400]],
    result: { clears: [clear(3_390)] },
    stops: [{ clear: 0, utterance: 'u1', ledgerMs: 2_380, phoneMs: 2_390 }],
  };

  test('tell when the agent was silent, when it was cleared, and how well the ledger knew', () => {
    const turns = [
      { who: 'agent', utterance: 'u1', soundAtMs: 1_000, startAtMs: 900, heardText: 'Well', unheardText: 'then' },
    ];
    const record = {
      turns,
      tools: [],
      cost: { totalNanoUsd: 1_500_000 },
      end: { reason: 'goodbye', result: 'success' },
    };
    const call = measured({ ...interrupted, record: { ...record, callId: 'c1' } });
    expect(call.bargeIns).toEqual([
      {
        atMs: about(3_000),
        stopMs: about(400),
        clearMs: about(390),
        truncation: { utterance: 'u1', ledgerMs: 2_380, phoneMs: 2_390, errorMs: -10 },
      },
    ]);
    expect(call).toMatchObject({
      callId: 'c1',
      costUsd: 0.0015,
      tools: [],
      turns: [{ who: 'agent', atMs: 1_000, text: 'Well', unheardText: 'then' }],
    });
    expect(call.end).toEqual({
      by: 'server',
      callStatus: 'completed',
      reason: 'goodbye',
      result: 'success',
      timedOut: false,
    });
    expect(call.talkOverMs).toEqual(about(400));
  });

  test('without a record know a lone truncation all the same', () => {
    expect(measured(interrupted).bargeIns[0]?.truncation?.errorMs).toBe(-10);
  });

  test('keep two clears apart by the time their utterances sounded', () => {
    const turn = (utterance: string, soundAtMs: number) => ({ who: 'agent', utterance, soundAtMs });
    const { bargeIns } = measured({
      caller: [
        [2_000, 3_000],
        [6_000, 7_000],
      ],
      agent: [
        [1_000, 2_300],
        [5_000, 6_350],
      ],
      result: { clears: [clear(2_290), clear(6_340)] },
      record: { turns: [turn('u1', 1_000), turn('u2', 5_000)], tools: [], cost: { totalNanoUsd: 0 }, end: {} },
      stops: [
        { clear: 0, utterance: 'u1', ledgerMs: 1_290, phoneMs: 1_290 },
        { clear: 1, utterance: 'u2', ledgerMs: 1_300, phoneMs: 1_340 },
      ],
    });
    expect(bargeIns.map(({ truncation }) => truncation?.errorMs)).toEqual([0, -40]);
    expect(bargeIns.map(({ stopMs }) => stopMs)).toEqual([about(300), about(350)]);
  });

  test('end with the clear, however soon the agent speaks again', () => {
    const { agentSpoke, bargeIns, answers } = measured({
      caller: [[3_000, 3_250]],
      agent: [
        [1_000, 3_200],
        [3_400, 5_000],
      ],
      result: {
        clears: [clear(3_200)],
        heard: [1_000, 3_400].map((atMs) => ({ atMs, durationMs: 1_600, bytes: Buffer.alloc(0) })),
      },
    });
    expect(agentSpoke).toEqual([
      { fromMs: about(1_000), toMs: about(3_200) },
      { fromMs: about(3_400), toMs: about(5_000) },
    ]);
    expect(bargeIns).toMatchObject([{ stopMs: about(200), clearMs: about(200) }]);
    expect(answers).toMatchObject([{ ms: about(150) }]);
  });

  test('are not the agent’s own end long after a backchannel, nor a clear of its own making', () => {
    const { bargeIns } = measured({
      caller: [[2_000, 2_400]],
      agent: [[1_000, 4_000]],
      result: { clears: [clear(3_990)] },
    });
    expect(bargeIns).toEqual([{ atMs: about(2_000), stopMs: null, clearMs: null, truncation: null }]);
  });

  test('are not a caller who begins just as the agent ends', () => {
    const call = measured({ caller: [[3_000, 3_800]], agent: [[1_000, 3_015]] });
    expect(call.bargeIns).toEqual([]);
  });

  test('into a pause of a talk that was then cleared count', () => {
    const { bargeIns } = measured({
      caller: [[3_000, 4_000]],
      agent: [[1_000, 2_500]],
      result: { clears: [clear(3_350)] },
    });
    expect(bargeIns).toEqual([{ atMs: about(3_000), stopMs: 0, clearMs: about(350), truncation: null }]);
  });
});

describe('dead air', () => {
  test('is silence of both for more than 2 s, from the start to the end, and says who was waited for', () => {
    const { deadAir, firstSoundMs } = measured({
      caller: [[2_500, 3_000]],
      agent: [[6_000, 9_000]],
    });
    expect(firstSoundMs).toEqual(about(6_000));
    expect(deadAir).toEqual([
      { fromMs: 0, toMs: about(2_500), waitingFor: 'agent' },
      { fromMs: about(3_000), toMs: about(6_000), waitingFor: 'agent' },
      { fromMs: about(9_000), toMs: DURATION_MS, waitingFor: 'caller' },
    ]);
  });

  test('is broken by what the carrier itself lets the caller hear', () => {
    const announced = [{ verb: 'Say', about: 'We are closed.', atMs: 500, durationMs: 11_000 }];
    const call = measured({ result: { announced } });
    expect(call).toMatchObject({ deadAir: [], firstSoundMs: 500 });
    expect(call.announced).toEqual([{ verb: 'Say', about: 'We are closed.', fromMs: 500, toMs: 11_500 }]);
  });

  test('is not a pause of under 2 s', () => {
    expect(measured({ lengthMs: 5_000, caller: [[1_900, 2_500]], agent: [[4_000, 5_000]] }).deadAir).toEqual([]);
  });
});

describe('a caller whom the agent spoke over', () => {
  const spokenOver: Scene = { caller: [[2_000, 3_200]], agent: [[1_000, 5_000]] };

  test('still waits for it, and was not answered', () => {
    const { deadAir, unanswered } = measured(spokenOver);
    expect(deadAir).toEqual([{ fromMs: about(5_000), toMs: DURATION_MS, waitingFor: 'agent' }]);
    expect(unanswered).toEqual([{ fromMs: about(2_000), toMs: about(3_200) }]);
  });

  test('was answered where the agent began again', () => {
    const { deadAir, unanswered } = measured({
      ...spokenOver,
      agent: [
        [1_000, 5_000],
        [6_500, 7_500],
      ],
    });
    expect(deadAir).toEqual([{ fromMs: about(7_500), toMs: DURATION_MS, waitingFor: 'caller' }]);
    expect(unanswered).toEqual([]);
  });

  test('with one word wants no answer', () => {
    const { deadAir, unanswered } = measured({ ...spokenOver, caller: [[2_000, 2_600]] });
    expect(deadAir).toMatchObject([{ waitingFor: 'caller' }]);
    expect(unanswered).toEqual([]);
  });
});

describe('unanswered', () => {
  const goodbye: Scene = { lengthMs: 6_000, agent: [[500, 1_500]], caller: [[4_000, 5_200]] };

  test('is a caller who waited in vain, not one who pauses or hangs up', () => {
    const caller: Stretch[] = [
      [2_000, 3_200],
      [4_500, 5_700],
      [9_500, 11_000],
    ];
    const { unanswered } = measured({ caller, agent: [[500, 1_000]], result: { endedBy: 'caller' } });
    expect(unanswered).toEqual([{ fromMs: about(4_500), toMs: about(5_700) }]);
  });

  test('is also a caller on whom the server hung up', () => {
    expect(measured({ ...goodbye, result: { endedBy: 'caller' } }).unanswered).toEqual([]);
    expect(measured({ ...goodbye, result: { endedBy: 'server' } }).unanswered).toHaveLength(1);
  });
});

test('what the phone alone saw stands in the result, in whole milliseconds', () => {
  const call = measured({
    agent: [[1_000, 2_000]],
    caller: [[3_000, 4_000]],
    result: {
      keys: [
        { atMs: 10, digit: '4' },
        { atMs: 20, digit: '#' },
      ],
      underruns: [{ atMs: 1.25, gapMs: 30.75 }],
      unplayedBytes: 804,
      verbs: [{ name: 'Dial', about: '+15005550009', attributes: {}, children: [], text: '' }],
    },
  });
  expect(call).toMatchObject({
    ...{ v: 1, source: 'caller.wav', callSid: 'CA1', callId: null, durationMs: DURATION_MS, webhookMs: 12 },
    ...{ keysPressed: '4#', underruns: [{ atMs: 1, gapMs: 31 }], unplayedMs: 101, tools: null, costUsd: null },
    verbs: [{ name: 'Dial', about: '+15005550009' }],
  });
  expect(call.turns).toEqual([
    { who: 'agent', atMs: about(1_000), text: null, unheardText: '' },
    { who: 'caller', atMs: about(3_000), text: null, unheardText: '' },
  ]);
});
