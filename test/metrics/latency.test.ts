// Whose time an answer took: the parts of a turn's latency, from the events and effects of a call.
import { describe, expect, test } from 'vitest';
import { LatencyTracker, type TurnLatency } from '../../src/metrics/latency.ts';
import { answer, answerEnds, audio, callFacts, type Given, Story } from '../record/story.ts';

/** A call whose latencies are collected. */
function told(given: Given & { silenceMs?: number | null } = {}) {
  const measured: TurnLatency[] = [];
  const facts = callFacts(given);
  const tracker = new LatencyTracker({
    answersTurns: facts.opening.capabilities.answersTurns,
    silenceMs: given.silenceMs === undefined ? 500 : given.silenceMs,
    measured: (latency) => measured.push(latency),
  });
  const story: Story = new Story(facts, {
    stepped: (event, effects) => tracker.stepped(event, effects),
    played: (startsAtMs) => tracker.played(startsAtMs, story.clock.nowMs()),
    closed: () => tracker.finish(),
  });
  story.at(0, { type: 'call.admitted' });
  story.at(100, { type: 'session.ready' });
  story.at(200, { type: 'leg.started' });
  return { story, measured };
}

/** The caller speaks from the media's start for a second, then is silent; the model reports it at 1,750 ms. */
const spoken = (story: Story) =>
  story
    .frames(220, 40)
    .at(1_010, { type: 'speech.started', audioMs: 0 })
    .frames(1_020, 36)
    .at(1_750, { type: 'speech.stopped', audioMs: 1_500 })
    .at(1_760, { type: 'turn.committed', turn: 't1' });

const MARK = (story: Story, n: number) =>
  ({ type: 'leg.mark_settled', mark: story.marks[n] as string, outcome: 'played' }) as const;

describe('an answered turn', () => {
  test('is split into waiting for its end, the model, our own time, the queue and the carrier', async () => {
    const { story, measured } = told();
    story.sendingTakesMs = 0.25;
    spoken(story).at(2_400, ...answer('a1', 'u1', 'It left on Monday.', 1_000));
    story.at(2_500, ...answerEnds('a1', 'u1'));
    expect(measured).toEqual([]);
    // Expected to sound until 3,400; the mark of the end is 60 ms late.
    story.at(3_460, MARK(story, -1 + story.marks.length));
    expect(measured).toEqual([
      {
        turn: 't1',
        // 1,500 ms of audio less the 500 ms of silence: the frame that ended there came in at 200 + 1,000.
        endOfTurnWaitMs: 560,
        endOfTurnFrom: 'input_clock',
        modelMs: 640,
        toolsMs: 0,
        ourMs: 0.25,
        queuedMs: 0,
        carrierMs: 30,
        answerMs: 640,
        voiceToVoiceMs: 560 + 640 + 30,
      },
    ]);
    await story.closed(4_000);
    expect(measured).toHaveLength(1);
  });

  test('is measured when it is interrupted before any mark came back, with the carrier unknown', () => {
    const { story, measured } = told();
    spoken(story)
      .at(2_400, ...answer('a1', 'u1', 'It left', 4_000))
      .at(2_900, { type: 'speech.started', audioMs: 2_000 });
    expect(measured).toMatchObject([{ turn: 't1', modelMs: 640, carrierMs: null, voiceToVoiceMs: 1_200 }]);
  });

  test('leaves the time of its tools to the tools', async () => {
    const { story, measured } = told();
    spoken(story)
      .at(2_000, { type: 'answer.started', answer: 'a1' })
      .at(2_100, { type: 'tool.called', toolCall: 'c1', name: 'lookup', arguments: '{}', answer: 'a1' })
      .at(2_100, { type: 'answer.ended', answer: 'a1', status: 'completed', detail: '' })
      .at(2_900, { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: 'done' })
      .at(3_300, ...answer('a2', 'u1', 'It left.', 500));
    await story.closed(4_000);
    expect(measured).toMatchObject([{ modelMs: 3_300 - 1_760 - 800, toolsMs: 800, answerMs: 1_540 }]);
  });

  test('falls back to the configured silence when the model names no position', async () => {
    const { story, measured } = told();
    story
      .at(1_000, { type: 'speech.started', audioMs: null })
      .at(1_750, { type: 'speech.stopped', audioMs: null })
      .at(1_760, { type: 'turn.committed', turn: 't1' })
      .at(2_000, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(3_000);
    expect(measured).toMatchObject([{ endOfTurnWaitMs: 510, endOfTurnFrom: 'configured_silence' }]);
  });

  test.each([
    ['beyond what was sent', 99_000],
    ['before the beginning', 100],
  ])('falls back too when the position is %s', async (_, audioMs) => {
    const { story, measured } = told();
    story
      .frames(220, 20)
      .at(1_750, { type: 'speech.stopped', audioMs })
      .at(1_760, { type: 'turn.committed', turn: 't1' });
    story.at(2_000, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(3_000);
    expect(measured).toMatchObject([{ endOfTurnWaitMs: 510, endOfTurnFrom: 'configured_silence' }]);
  });

  test('finds the position in audio that was sent long ago no more', async () => {
    const { story, measured } = told();
    story
      .frames(220, 400)
      .at(8_300, { type: 'speech.stopped', audioMs: 1_000 })
      .at(8_300, { type: 'turn.committed', turn: 't1' });
    story.at(8_400, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(9_000);
    expect(measured).toMatchObject([{ endOfTurnFrom: 'configured_silence', endOfTurnWaitMs: 500 }]);
  });

  test('counts silence that we filled in as audio of the input clock', async () => {
    const { story, measured } = told();
    const chunk = { payload: '', bytes: 160 };
    story
      .at(220, { type: 'leg.audio', sequence: 1, timestampMs: 0, chunk })
      // 980 ms are missing: filled up to the frame's own time.
      .at(1_220, { type: 'leg.audio', sequence: 2, timestampMs: 1_000, chunk })
      .at(1_300, { type: 'speech.stopped', audioMs: 1_020 })
      .at(1_300, { type: 'turn.committed', turn: 't1' })
      .at(1_400, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(2_000);
    // Position 520 lies 480 ms before the end of the fill, which came in at 1,220.
    expect(measured).toMatchObject([{ endOfTurnFrom: 'input_clock', endOfTurnWaitMs: 1_300 - (1_220 - 480) }]);
  });

  test('has no end-of-turn wait where nobody can know when the caller stopped', async () => {
    const { story, measured } = told({ silenceMs: null });
    spoken(story).at(2_400, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(3_000);
    expect(measured).toMatchObject([
      { endOfTurnWaitMs: null, endOfTurnFrom: null, voiceToVoiceMs: null, modelMs: 640 },
    ]);
  });

  test('that waits behind audio still playing says so', async () => {
    const { story, measured } = told({ policy: { interruptAfterMs: 100_000 } });
    story.at(300, ...answer('a0', 'u0', 'Welcome to the clinic.', 3_000)).at(400, ...answerEnds('a0', 'u0'));
    spoken(story).at(2_400, ...answer('a1', 'u1', 'Yes.', 200));
    await story.closed(5_000);
    expect(measured).toMatchObject([{ queuedMs: 900, answerMs: 640 }]);
  });
});

describe('a turn is not measured', () => {
  test('when the answer to it was stopped before it sounded', async () => {
    const { story, measured } = told();
    spoken(story)
      .at(2_000, { type: 'answer.started', answer: 'a1' })
      .at(2_100, { type: 'speech.started', audioMs: 1_800 })
      .at(2_500, audio('u1', 200));
    await story.closed(3_000);
    expect(measured).toEqual([]);
  });

  test('by the sound of an answer that was already running', async () => {
    const { story, measured } = told({ policy: { interruptAfterMs: 100_000 } });
    story.at(300, ...answer('a0', 'u0', 'Welcome', 100));
    spoken(story).at(2_400, audio('u0', 500));
    await story.closed(3_000);
    expect(measured).toEqual([]);
  });

  test('by a silence prompt that comes long after it', async () => {
    const { story, measured } = told({ answersTurns: false, policy: { interruptAfterMs: 100_000 } });
    story.at(300, ...answer('a0', 'u0', 'Welcome to the clinic.', 3_000)).at(400, ...answerEnds('a0', 'u0'));
    // A backchannel while the agent speaks: the core asks for no answer.
    spoken(story).at(2_400, ...answer('a1', 'u1', 'Are you there?', 200));
    await story.closed(3_000);
    expect(measured).toEqual([]);
  });
});

test('the quickest mark is the round trip, and one that returns early is none', async () => {
  const { story, measured } = told();
  story
    .at(300, ...answer('a0', 'u0', 'Welcome', 500))
    .at(310, ...answerEnds('a0', 'u0'))
    .at(780, MARK(story, 0));
  spoken(story)
    .at(2_400, ...answer('a1', 'u1', 'Yes.', 200))
    .at(2_410, ...answerEnds('a1', 'u1'));
  story.at(2_700, MARK(story, story.marks.length - 1));
  expect(measured).toMatchObject([{ carrierMs: 0 }]);
});
