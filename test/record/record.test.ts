// The record of a call: what was said and heard, how long things took, what it cost; written once, privately, at the end.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { type AgentUtterance, type CallRecord, loggable, redacted } from '../../src/record/call-record.ts';
import { wordCount } from '../../src/heard-text.ts';
import { createRecorder, readRecord } from '../../src/record/record.ts';
import { shippedPrices } from '../../src/ledger/load-prices.ts';
import { RecordBuilder } from '../../src/record/record-builder.ts';
import {
  AGENT,
  ADMITTED_MS,
  ADMITTED_WALL_MS,
  answer,
  answerEnds,
  answerUsage,
  audio,
  callFacts,
  type Given,
  Story,
  StoryClock,
} from './story.ts';
import fc from '../support/fast-check.ts';

function told(given: Given = {}) {
  const facts = callFacts(given);
  const builder = new RecordBuilder(facts);
  const story: Story = new Story(facts, {
    stepped: (event, effects) => builder.stepped(event, effects),
    played: (startsAtMs) => builder.played(startsAtMs, story.clock.nowMs()),
  });
  story.at(0, { type: 'call.admitted' }).at(100, { type: 'session.ready' }).at(200, { type: 'leg.started' });
  return { story, recordAt: (ms: number): CallRecord => builder.build(ADMITTED_MS + ms) };
}

const utterances = (record: CallRecord) => record.turns.filter((t): t is AgentUtterance => t.who === 'agent');
const callers = (record: CallRecord) => record.turns.flatMap((t) => (t.who === 'caller' ? [t] : []));
const spoke: [number, UnstampedEvent][] = [
  [1_000, { type: 'speech.started', audioMs: 500 }],
  [2_000, { type: 'speech.stopped', audioMs: null }],
  [2_010, { type: 'turn.committed', turn: 't1' }],
];
const hangUp: UnstampedEvent = { type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' };

describe('a whole call', () => {
  test('is recorded in order, in its own time', () => {
    const { story, recordAt } = told();
    for (const [ms, event] of spoke) story.at(ms, event);
    story.at(2_500, ...answer('a1', 'u1', 'Your order left on Monday.', 1_000)).at(2_600, ...answerEnds('a1', 'u1'));
    story.at(2_600, answerUsage('a1'));
    story.at(2_700, { type: 'turn.transcribed', turn: 't1', text: 'where is my order' });
    story.at(3_560, { type: 'leg.mark_settled', mark: story.marks.at(-1) as string, outcome: 'played' });
    story.at(10_000, hangUp);
    const record = recordAt(10_200);
    expect(record).toEqual({
      v: 1,
      callId: 'call-1',
      carrier: 'twilio',
      carrierCallId: 'CA0123456789abcdef0123456789abcdef',
      direction: 'inbound',
      from: { kind: 'pstn', value: '+14155550142' },
      to: { kind: 'pstn', value: '+14155550199' },
      attestation: null,
      sipHeaders: {},
      agent: { name: 'clinic', file: 'clinic.yaml', hash: 'a'.repeat(64) },
      model: { name: 'gpt-realtime-2.1', voice: 'marin', transcription: 'whisper-1' },
      when: {
        admittedWallMs: ADMITTED_WALL_MS,
        mediaStartedWallMs: ADMITTED_WALL_MS + 200,
        endedWallMs: ADMITTED_WALL_MS + 10_000,
        closedWallMs: ADMITTED_WALL_MS + 10_200,
      },
      durations: { setupMs: 200, mediaMs: 9_800, totalMs: 10_200 },
      turns: [
        {
          who: 'caller',
          turn: 't1',
          speechStartAtMs: 800,
          speechStopAtMs: 1_800,
          committedAtMs: 1_810,
          transcript: 'where is my order',
          latency: {
            turn: 't1',
            endOfTurnWaitMs: 510,
            endOfTurnFrom: 'configured_silence',
            modelMs: 490,
            toolsMs: 0,
            ourMs: 0,
            queuedMs: 0,
            carrierMs: 30,
            answerMs: 490,
            voiceToVoiceMs: 1_030,
          },
        },
        {
          who: 'agent',
          utterance: 'u1',
          answer: 'a1',
          startAtMs: 2_300,
          soundAtMs: 2_300,
          outcome: 'heard',
          heardMs: 1_000,
          sentMs: 1_000,
          receivedMs: 1_000,
          text: 'Your order left on Monday.',
          heardText: 'Your order left on Monday.',
          unheardText: '',
          whole: true,
        },
      ],
      turnsDropped: 0,
      stops: [],
      stopsDropped: 0,
      tools: [],
      toolsDropped: 0,
      notes: [],
      transfers: [],
      handOffs: [],
      guarded: [],
      operated: [],
      troubles: [],
      troublesDropped: 0,
      keysPressed: 0,
      cost: {
        totalNanoUsd: 12_414_400 + 8_500_000 + 4_400_000 + 100_000,
        unpricedLines: 0,
        doubtedLines: 1,
        priceBook: shippedPrices().version,
        cache: { share: 1536 / 1690, breaks: [], costNanoUsd: 0 },
        lines: [
          expect.objectContaining({ source: 'a1', what: 'answer', costNanoUsd: 12_414_400, state: 'metered' }),
          expect.objectContaining({ source: 'l1', what: 'media_stream', costNanoUsd: 4_400_000, state: 'estimated' }),
          // Nobody said what writing it down used.
          expect.objectContaining({
            source: 't1',
            what: 'transcription',
            costNanoUsd: 100_000,
            doubt: 'usage_missing',
          }),
          expect.objectContaining({
            source: 'l1',
            what: 'leg',
            product: 'twilio/inbound_local',
            costNanoUsd: 8_500_000,
          }),
        ],
      },
      audio: { filledMs: { gap: 0, stall: 0 }, underruns: 0, underrunMs: 0 },
      quality: {
        score: 100,
        deductions: [],
        frames: { received: 0, late: 0, filled: 0 },
        underruns: { count: 0, ms: 0 },
        deadAir: { count: 0, beyondMs: 0, longestMs: 500 },
        talkOverMs: 0,
        bargeIns: { count: 0, meanMs: 0, slowestMs: 0 },
        firstWordMs: 2_300,
        answers: { count: 1, meanMs: 500, slowestMs: 500 },
        holds: 0,
        sessions: { opened: 1, fallback: 0, lost: 0, rolledOver: 0 },
        media: { started: true, lost: 0, awayMs: 0 },
        failures: { answers: 0, tools: 0 },
      },
      ignored: {},
      notices: {},
      end: { reason: 'caller_hung_up', by: 'caller', result: 'success', detail: 'stop', next: { do: 'hang_up' } },
    });
  });

  test('that never had media is told from its admission', () => {
    const facts = callFacts();
    const builder = new RecordBuilder(facts);
    const story = new Story(facts, { stepped: (event, effects) => builder.stepped(event, effects) });
    story.at(0, { type: 'call.admitted' }).at(10_000, { type: 'timer.fired', timer: 'media' });
    const record = builder.build(ADMITTED_MS + 10_000);
    expect(record.end.reason).toBe('media_never_started');
    expect(record.durations).toEqual({ setupMs: null, mediaMs: null, totalMs: 10_000 });
    expect(record.cost.lines.map((line) => line.what)).toEqual(['leg']);
  });

  test('whose end was never decided ended by a fault of ours', () => {
    const record = told().recordAt(5_000);
    expect(record.end).toMatchObject({
      reason: 'internal_error',
      by: 'us',
      result: 'failure',
      next: { do: 'hang_up' },
    });
    expect(record.when.endedWallMs).toBeNull();
  });
});

describe('an interrupted answer', () => {
  test('is split at the words that were heard', () => {
    const { story, recordAt } = told();
    story
      .at(1_000, ...answer('a1', 'u1', 'one two three four five six seven eight', 4_000))
      .at(1_100, ...answerEnds('a1', 'u1'));
    story.at(2_900, { type: 'speech.started', audioMs: 2_000 });
    const record = recordAt(3_000);
    expect(utterances(record)).toMatchObject([
      {
        outcome: 'interrupted',
        heardMs: 1_900,
        receivedMs: 4_000,
        heardText: 'one two three',
        unheardText: 'four five six seven eight',
        whole: true,
      },
    ]);
    expect(record.stops).toEqual([{ atMs: 2_700, because: 'caller_spoke', unheardMs: 2_100 }]);
  });

  test('that the model had not finished says so', () => {
    const { story, recordAt } = told();
    story.at(1_000, ...answer('a1', 'u1', 'one two', 1_000)).at(1_500, { type: 'speech.started', audioMs: 2_000 });
    expect(utterances(recordAt(3_000))).toMatchObject([{ outcome: 'interrupted', heardText: 'one', whole: false }]);
  });

  test('whose rest the model never could deliver was not heard as a whole', () => {
    const { story, recordAt } = told({ policy: { maxAheadMs: 1_000 } });
    story.at(1_000, ...answer('a1', 'u1', 'one two three four', 4_000));
    story.at(1_100, { type: 'session.closed', cause: 'lost', detail: '1006', fatal: false, deafMs: 0 });
    for (const mark of story.marks) story.at(2_100, { type: 'leg.mark_settled', mark, outcome: 'played' });
    const [said, apology] = utterances(recordAt(9_000));
    expect(said).toMatchObject({
      outcome: 'interrupted',
      heardMs: 1_000,
      receivedMs: 4_000,
      heardText: 'one',
      unheardText: 'two three four',
    });
    expect(apology).toMatchObject({ utterance: 'clip:apology', answer: null, text: 'I am sorry, please call again.' });
  });

  test('that we stopped ourselves was not a barge-in', () => {
    const { story, recordAt } = told();
    story
      .at(1_000, ...answer('a1', 'u1', 'one two', 4_000))
      .at(2_000, { type: 'call.asked_to_end', reason: 'drained' });
    expect(recordAt(3_000).stops).toMatchObject([{ because: 'our_decision' }]);
  });

  test('never has more words heard than were generated, and none that its sound did not reach', () => {
    const text = fc.array(fc.lorem({ maxCount: 1 }), { minLength: 1, maxLength: 30 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 20, max: 9_000 }),
        fc.integer({ min: 0, max: 12_000 }),
        fc.boolean(),
        (said, ms, after, whole) => {
          const { story, recordAt } = told();
          story.at(1_000, ...answer('a1', 'u1', said, ms));
          if (whole) story.at(1_000, ...answerEnds('a1', 'u1'));
          story.at(1_000 + after, { type: 'speech.started', audioMs: null });
          const [record] = utterances(recordAt(20_000));
          expect(record?.text).toBe(said);
          const [heard, unheard, all] = [record?.heardText, record?.unheardText, said].map((t) => wordCount(t ?? ''));
          expect((heard ?? 0) + (unheard ?? 0)).toBe(all);
          expect(heard).toBeLessThanOrEqual(Math.floor(((all ?? 0) * Math.min(after, ms)) / ms));
        },
      ),
    );
  });
});

describe('a greeting from a clip', () => {
  test('has its words from the agent file', () => {
    const { story, recordAt } = told({
      agent: { greeting: { text: 'Welcome to the clinic.', clip: new Uint8Array(16_000), protected: false } },
      policy: { greeting: { by: 'clip', bytes: 16_000, text: 'Welcome to the clinic.', protected: false } },
    });
    story.at(1_300, { type: 'speech.started', audioMs: 700 });
    expect(utterances(recordAt(3_000))).toMatchObject([
      {
        utterance: 'clip:greeting',
        answer: null,
        startAtMs: 0,
        soundAtMs: 0,
        heardText: 'Welcome to',
        unheardText: 'the clinic.',
      },
    ]);
  });
});

describe('a transcript', () => {
  test('finds its turn, however late it comes', () => {
    const { story, recordAt } = told();
    for (const turn of ['t1', 't2', 't3']) {
      const begin = 1_000 * Number(turn[1]);
      story.at(begin, { type: 'speech.started', audioMs: null }).at(begin + 500, { type: 'turn.committed', turn });
    }
    story.at(5_000, { type: 'turn.transcribed', turn: 't3', text: 'third' }).at(6_000, hangUp);
    story.at(6_100, { type: 'turn.transcribed', turn: 't1', text: 'first' });
    story.at(6_200, { type: 'turn.transcribed', turn: 't9', text: 'of nothing' });
    expect(callers(recordAt(6_500)).map((turn) => turn.transcript)).toEqual(['first', null, 'third']);
  });

  test('belongs to one turn when the caller paused inside it', () => {
    const { story, recordAt } = told();
    story
      .at(1_000, { type: 'speech.started', audioMs: null })
      .at(1_500, { type: 'speech.stopped', audioMs: null })
      .at(1_700, { type: 'speech.started', audioMs: null })
      .at(2_500, { type: 'speech.stopped', audioMs: null })
      .at(2_500, { type: 'turn.committed', turn: 't1' });
    expect(callers(recordAt(3_000))).toMatchObject([{ turn: 't1', speechStartAtMs: 800, speechStopAtMs: 2_300 }]);
  });
});

describe('tool calls', () => {
  const call = (toolCall: string, name: string): UnstampedEvent => ({
    type: 'tool.called',
    toolCall,
    name,
    arguments: '{"n":"A17"}',
    answer: 'a1',
  });

  test('are kept with their status, duration, arguments and output', () => {
    const { story, recordAt } = told();
    story.at(1_000, call('c1', 'lookup'), call('c2', 'slow'));
    story.at(1_400, { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: 'shipped' });
    story
      .at(2_000, hangUp)
      .at(2_001, { type: 'tool.settled', toolCall: 'c2', status: 'aborted', output: 'the call ended' });
    expect(recordAt(3_000).tools).toEqual([
      {
        toolCall: 'c1',
        name: 'lookup',
        atMs: 800,
        status: 'ok',
        durationMs: 400,
        arguments: '{"n":"A17"}',
        output: 'shipped',
      },
      {
        toolCall: 'c2',
        name: 'slow',
        atMs: 800,
        status: 'aborted',
        durationMs: 1_000,
        arguments: '{"n":"A17"}',
        output: null,
      },
    ]);
  });

  test('of the call itself are built in', () => {
    const { story, recordAt } = told();
    story.at(1_000, ...answer('a1', 'u1', 'Goodbye.', 500), call('c1', 'end_call'));
    expect(recordAt(3_000).tools).toMatchObject([{ name: 'end_call', status: 'built_in', durationMs: 0 }]);
  });
});

describe('the bill', () => {
  test('counts usage that comes after the end, and each source once', () => {
    const { story, recordAt } = told();
    story.at(1_000, answerUsage('a1')).at(2_000, hangUp).at(2_300, answerUsage('a1')).at(2_400, answerUsage('a2'));
    const { lines, totalNanoUsd } = recordAt(3_000).cost;
    expect(lines.map((line) => line.source)).toEqual(['a1', 'l1', 'a2', 'l1']);
    expect(totalNanoUsd).toBe(lines.reduce((sum, line) => sum + (line.costNanoUsd ?? 0), 0));
  });

  test('estimates an answer whose session died before it reported anything', () => {
    const { story, recordAt } = told();
    story
      .at(1_000, ...answer('a1', 'u1', 'Your order', 1_990))
      .at(1_200, { type: 'session.closed', cause: 'lost', detail: '1006', fatal: false, deafMs: 0 });
    expect(recordAt(9_000).cost.lines[0]).toMatchObject({
      source: 'a1',
      state: 'estimated',
      quantities: { audio: { fresh: 0, cached: 0, out: 40 } },
      costNanoUsd: 40 * 64_000,
    });
  });

  test('prices a SIP call as SIP', () => {
    const { story, recordAt } = told({ incoming: { from: { kind: 'sip', value: 'sip:a@b.example' } } });
    story.at(61_000, hangUp);
    expect(recordAt(61_000).cost.lines).toMatchObject([
      { what: 'media_stream', costNanoUsd: 8_800_000 },
      { what: 'leg', product: 'twilio/sip', costNanoUsd: 8_000_000 },
    ]);
  });
});

test('keys, fillings, underruns, what was ignored and what was noticed are counted', () => {
  const { story, recordAt } = told();
  for (const digit of ['4', '2']) story.at(1_000, { type: 'leg.digit_pressed', digit });
  const chunk = { payload: '', bytes: 160 };
  story.at(1_100, { type: 'leg.audio', sequence: 1, timestampMs: 0, chunk });
  story.at(
    1_200,
    { type: 'leg.audio', sequence: 2, timestampMs: 120, chunk },
    { type: 'leg.audio', sequence: 2, timestampMs: 120, chunk },
  );
  story.at(1_300, ...answer('a1', 'u1', 'one', 200)).at(1_600, audio('u1', 200));
  story.at(1_700, { type: 'session.noticed', code: 'late_audio', benign: true });
  const record = recordAt(2_000);
  expect(record.keysPressed).toBe(2);
  expect(JSON.stringify(record)).not.toContain('"digit"');
  expect(record.audio).toEqual({ filledMs: { gap: 100, stall: 0 }, underruns: 1, underrunMs: 100 });
  expect(record.ignored).toEqual({ frame_repeated: 1 });
  expect(record.notices).toEqual({ late_audio: 1 });
});

test('a record is bounded: turns, text, names', () => {
  const { story, recordAt } = told();
  story.at(1_000, ...answer('a1', 'u1', 'word '.repeat(3_000), 200), {
    type: 'utterance.text',
    utterance: 'u1',
    text: 'x'.repeat(30_000),
  });
  for (let i = 0; i < 5_100; i++) story.at(2_000 + i, { type: 'turn.committed', turn: `t${i}` });
  for (let i = 0; i < 200; i++) story.at(9_000, { type: 'session.noticed', code: `code_${i}`, benign: true });
  const record = recordAt(10_000);
  expect(utterances(record)[0]?.text).toHaveLength(20_000);
  expect([record.turns.length, record.turnsDropped]).toEqual([5_000, 101]);
  expect(Object.keys(record.notices)).toHaveLength(65);
  expect(record.notices.other).toBe(136);
});

describe('what may be logged', () => {
  test.each([
    [{ kind: 'pstn' as const, value: '+14155550142' }, '…42'],
    [{ kind: 'pstn' as const, value: '42' }, '…'],
    [{ kind: 'sip' as const, value: 'sip:anna@b.example' }, 'sip'],
    [{ kind: 'withheld' as const, value: '' }, 'withheld'],
  ])('of %j is %s', (party, shown) => {
    expect(redacted(party)).toBe(shown);
  });

  test('of a record holds no number, no word and no argument', () => {
    const { story, recordAt } = told({
      agent: { failure: { ...AGENT.failure, forwardTo: '+14155550111' } },
    });
    for (const [ms, event] of spoke) story.at(ms, event);
    story.at(2_100, { type: 'turn.transcribed', turn: 't1', text: 'my secret' });
    story.at(2_500, ...answer('a1', 'u1', 'told openly', 500), {
      type: 'tool.called',
      toolCall: 'c1',
      name: 'lookup',
      arguments: '{"pin":"9999"}',
      answer: 'a1',
    });
    story.at(5_000, hangUp);
    const facts = loggable(recordAt(5_100));
    expect(facts).toMatchObject({
      callerEnding: '…42',
      calledEnding: '…99',
      reason: 'caller_hung_up',
      medianAnswerMs: 490,
      tools: 1,
      cost: '$0.0136',
    });
    const line = JSON.stringify(facts);
    for (const secret of ['4155550', 'secret', 'openly', '9999']) expect(line).not.toContain(secret);
  });
});

describe('the recorder', () => {
  let dataDir: string;
  let warnings: { fields: Record<string, unknown>; message: string }[];
  const recorder = () => {
    const clock = new StoryClock();
    const log = { warn: (fields: object, message: string) => void warnings.push({ fields: { ...fields }, message }) };
    return { clock, ...createRecorder({ dataDir, clock, log }) };
  };
  const play = async ({ clock, onlooker }: ReturnType<typeof recorder>, given: Given = {}) => {
    const facts = callFacts(given);
    const story = new Story(facts, onlooker(facts) ?? {}, clock);
    story.at(0, { type: 'call.admitted' }).at(200, { type: 'leg.started' }).at(1_000, hangUp);
    await story.closed(1_100);
  };

  beforeEach(async () => {
    warnings = [];
    dataDir = await mkdtemp(join(tmpdir(), 'trunkline-record-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  test('writes the record privately and reads it back', async () => {
    const r = recorder();
    const told: CallRecord[] = [];
    r.onRecord((record) => told.push(record));
    await play(r);
    const path = join(dataDir, 'calls', 'call-1', 'record.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(told[0]);
    expect(await readRecord(dataDir, 'call-1')).toEqual(told[0]);
    expect(warnings).toEqual([]);
  });

  test('tells its listeners though one throws and the file cannot be written, and not those who left', async () => {
    const r = recorder();
    const told: string[] = [];
    await writeFile(join(dataDir, 'calls'), 'a file in the way');
    r.onRecord(() => {
      throw new Error('listener');
    });
    r.onRecord((record) => told.push(record.callId));
    r.onRecord(() => told.push('gone'))();
    await play(r);
    expect(told).toEqual(['call-1']);
    expect(warnings.map((w) => w.message)).toEqual([
      'call record could not be written',
      'a listener to call records failed',
    ]);
  });

  test('warns once of a price that nobody knows', async () => {
    const r = recorder();
    for (const callId of ['call-1', 'call-2'])
      await play(r, { callId, incoming: { to: { kind: 'pstn', value: '+442079460000' } } });
    expect(warnings.map((w) => w.fields)).toEqual([{ product: 'twilio/unknown', what: 'leg' }]);
    const record = (await readRecord(dataDir, 'call-2')) as CallRecord;
    expect(record.cost).toMatchObject({ unpricedLines: 1, totalNanoUsd: 4_400_000 });
    expect(loggable(record).cost).toBe('at least $0.0044');
  });

  test.each(['../call-1', 'call-9', '', 'a/b', '..'])('finds no record under %j', async (callId) => {
    await play(recorder());
    expect(await readRecord(dataDir, callId)).toBeNull();
  });
});
