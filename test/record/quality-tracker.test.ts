// What is measured of a call, from feeds made by hand: each test writes the events and effects that the shell would show.
import { describe, expect, test } from 'vitest';
import type { CallEffect, UnaddressedEffect } from '../../src/call/effect.ts';
import type { CallEvent, UnstampedEvent } from '../../src/call/event.ts';
import type { QualityMeasures } from '../../src/record/quality.ts';
import { QualityTracker } from '../../src/record/quality-tracker.ts';
import { callFacts, type Given } from './story.ts';

const ON = { leg: 'l1', session: 's1', epoch: 1 };

/** A call told by hand; times are milliseconds since the media started. */
class Feed {
  readonly #tracker: QualityTracker;
  #sequence = 0;

  constructor(given: Given = {}, startsAtMs = 0) {
    this.#tracker = new QualityTracker(callFacts(given).opening);
    this.at(startsAtMs, { type: 'leg.started' });
  }

  at(ms: number, event: UnstampedEvent, ...effects: UnaddressedEffect[]): this {
    const stamped: CallEvent = { ...event, atMs: ms, on: ON };
    this.#tracker.stepped(
      stamped,
      effects.map((effect): CallEffect => ({ ...effect, on: ON })),
    );
    return this;
  }

  /** The caller spoke from here to there, and that was a turn. */
  caller(fromMs: number, toMs: number): this {
    return this.at(fromMs, { type: 'speech.started', audioMs: null })
      .at(toMs, { type: 'speech.stopped', audioMs: null })
      .at(toMs, { type: 'turn.committed', turn: `t${toMs}` });
  }

  /** An utterance whose first sound came at `atMs`, to sound from `startsAtMs`. */
  agent(atMs: number, utterance: string, ms: number, startsAtMs = atMs): this {
    return this.at(atMs, audioOf(utterance), play(utterance, ms, startsAtMs));
  }

  /** A frame with its number as timestamp. */
  frame(atMs: number, ...effects: UnaddressedEffect[]): this {
    this.#sequence += 1;
    const chunk = { payload: '', bytes: 160 };
    return this.at(
      atMs,
      { type: 'leg.audio', sequence: this.#sequence, timestampMs: this.#sequence * 20, chunk },
      ...effects,
    );
  }

  ends(ms: number): QualityMeasures {
    const termination = { reason: 'caller_hung_up', by: 'caller', result: 'success', detail: '' } as const;
    this.at(ms, { type: 'leg.closed', cause: 'caller_hung_up', detail: '' }, { do: 'call.end', termination });
    return this.#tracker.measures;
  }
}

const audioOf = (utterance: string): UnstampedEvent => ({
  type: 'utterance.audio',
  utterance,
  chunk: { payload: '', bytes: 0 },
});
const play = (utterance: string, ms: number, startsAtMs: number, fromByte = 0): UnaddressedEffect => ({
  do: 'leg.play',
  utterance,
  fromByte,
  toByte: fromByte + ms * 8,
  padBytes: 0,
  startsAtMs,
});
const clear: UnaddressedEffect = { do: 'leg.clear' };
const timer = (name: Extract<UnstampedEvent, { type: 'timer.fired' }>['timer']): UnstampedEvent => ({
  type: 'timer.fired',
  timer: name,
});
const greeting = (isProtected: boolean): Given => ({
  policy: { greeting: { by: 'clip', bytes: 8_000, text: 'Hello.', protected: isProtected } },
});

test('a call as it should be: quick greeting, quick answers, nothing at once', () => {
  const feed = new Feed(greeting(false)).agent(0, 'clip:greeting', 2_000).caller(3_000, 4_000);
  const measures = feed.agent(4_500, 'u1', 3_000).caller(9_000, 10_000).agent(10_700, 'u2', 1_000).ends(15_000);
  expect(measures).toEqual({
    frames: { received: 0, late: 0, filled: 0 },
    underruns: { count: 0, ms: 0 },
    deadAir: { count: 0, beyondMs: 0, longestMs: 700 },
    talkOverMs: 0,
    bargeIns: { count: 0, meanMs: 0, slowestMs: 0 },
    firstWordMs: 0,
    answers: { count: 2, meanMs: 600, slowestMs: 700 },
    holds: 0,
    sessions: { opened: 1, fallback: 0, lost: 0, rolledOver: 0 },
    media: { started: true, lost: 0, awayMs: 0 },
    failures: { answers: 0, tools: 0 },
  });
});

describe('dead air', () => {
  const deadAir = (feed: Feed, endsMs = 60_000) => feed.ends(endsMs).deadAir;

  test('is what a wait for an answer has beyond two seconds', () => {
    expect(deadAir(new Feed().caller(1_000, 2_000).agent(5_500, 'u1', 1_000))).toEqual({
      count: 1,
      beyondMs: 1_500,
      longestMs: 3_500,
    });
  });

  test('counts to the moment of sound, not of sending', () => {
    expect(deadAir(new Feed().caller(1_000, 2_000).agent(3_000, 'u1', 1_000, 4_500))).toMatchObject({
      beyondMs: 500,
    });
  });

  test('is no silence of the caller', () => {
    const feed = new Feed().caller(1_000, 2_000).agent(2_500, 'u1', 1_000);
    expect(deadAir(feed)).toMatchObject({ count: 0, longestMs: 500 });
  });

  test('begins with the media where the agent greets, and not where it waits for the caller', () => {
    expect(deadAir(new Feed(greeting(false), 100).agent(3_600, 'u1', 1_000))).toMatchObject({ beyondMs: 1_500 });
    expect(deadAir(new Feed().agent(3_600, 'u1', 1_000))).toMatchObject({ count: 0 });
  });

  test('ends when the caller speaks up again, or gives up', () => {
    const feed = new Feed().caller(1_000, 2_000).caller(6_000, 6_500);
    expect(deadAir(feed, 9_500)).toEqual({ count: 2, beyondMs: 2_000 + 1_000, longestMs: 4_000 });
  });

  test('is the time a tool takes after the agent has said that it looks', () => {
    const feed = new Feed().caller(1_000, 2_000).agent(2_500, 'u1', 1_000);
    feed.at(
      2_600,
      { type: 'tool.called', toolCall: 'c1', name: 'look', arguments: '{}', answer: 'a1' },
      { do: 'tool.run', toolCall: 'c1', agent: 'clinic', agreed: false, name: 'look', arguments: '{}' },
    );
    feed.at(
      7_000,
      { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: '' },
      { do: 'session.settle_tool', toolCall: 'c1', output: '', quietly: false },
    );
    // The first words end at 3,500; the answer sounds at 8,000.
    expect(deadAir(feed.agent(8_000, 'u2', 500))).toEqual({ count: 1, beyondMs: 2_500, longestMs: 4_500 });
  });

  test('goes on behind the rest of a long utterance that is sent later', () => {
    const feed = new Feed().caller(1_000, 2_000).agent(2_500, 'u1', 4_000);
    feed.at(
      2_600,
      { type: 'tool.called', toolCall: 'c1', name: 'look', arguments: '{}', answer: 'a1' },
      { do: 'tool.run', toolCall: 'c1', agent: 'clinic', agreed: false, name: 'look', arguments: '{}' },
    );
    feed.at(4_000, timer('pace'), play('u1', 2_000, 6_500, 32_000));
    feed.at(
      9_000,
      { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: '' },
      { do: 'session.settle_tool', toolCall: 'c1', output: '', quietly: false },
    );
    expect(deadAir(feed.agent(11_000, 'u2', 500))).toEqual({ count: 1, beyondMs: 500, longestMs: 2_500 });
  });

  test('is not what follows a backchannel over which the agent spoke on', () => {
    const feed = new Feed().caller(1_000, 2_000).agent(2_500, 'u1', 6_000).caller(4_000, 4_400);
    expect(deadAir(feed, 20_000)).toMatchObject({ count: 0 });
  });

  test('is what follows a turn over a protected greeting, which could not interrupt', () => {
    const feed = new Feed(greeting(true)).agent(0, 'clip:greeting', 3_000).caller(1_000, 2_000);
    expect(deadAir(feed.agent(6_000, 'u1', 500))).toMatchObject({ count: 1, beyondMs: 1_000 });
  });

  test('is cut by "one moment", and counts on after it', () => {
    const feed = new Feed().caller(1_000, 2_000);
    feed.at(3_500, timer('filler'), play('clip:hold#1', 1_000, 3_500), { do: 'note.held' });
    const measures = feed.agent(7_500, 'u1', 1_000).ends(9_000);
    expect(measures.deadAir).toEqual({ count: 1, beyondMs: 1_000, longestMs: 3_000 });
    expect(measures).toMatchObject({ holds: 1, answers: { count: 1, meanMs: 5_500 } });
  });

  test('is a gap of more than two seconds inside an utterance', () => {
    const feed = new Feed().caller(1_000, 2_000).agent(2_500, 'u1', 1_000);
    feed.at(6_000, audioOf('u1'), { do: 'note.underrun', ms: 2_500 }, play('u1', 500, 6_000, 8_000));
    const measures = feed.ends(7_000);
    expect(measures.deadAir).toEqual({ count: 1, beyondMs: 500, longestMs: 2_500 });
    expect(measures.underruns).toEqual({ count: 1, ms: 2_500 });
  });

  test('is the wait for words that we asked for', () => {
    const feed = new Feed().at(20_000, timer('silence'), { do: 'session.speak', say: 'Are you there?' });
    expect(deadAir(feed.agent(23_000, 'u1', 500))).toMatchObject({ count: 1, beyondMs: 1_000 });
  });
});

describe('talking at once', () => {
  test('is the time in which the agent sounds while the caller speaks', () => {
    const feed = new Feed({ policy: { interruptAfterMs: 1_500 } }).agent(1_000, 'u1', 5_000);
    feed.at(2_000, { type: 'speech.started', audioMs: null }).at(3_500, timer('barge_in'), clear);
    feed.at(4_000, { type: 'speech.stopped', audioMs: null });
    expect(feed.ends(6_000)).toMatchObject({
      talkOverMs: 1_500,
      bargeIns: { count: 1, meanMs: 1_500, slowestMs: 1_500 },
    });
  });

  test('is nothing where the agent stops at once', () => {
    const feed = new Feed().agent(1_000, 'u1', 5_000);
    feed.at(2_000, { type: 'speech.started', audioMs: null }, clear).at(3_000, { type: 'speech.stopped', audioMs: 1 });
    expect(feed.ends(9_000)).toMatchObject({ talkOverMs: 0, bargeIns: { count: 1, meanMs: 0, slowestMs: 0 } });
  });

  test('counts an agent that begins while the caller speaks, and only what sounds', () => {
    const feed = new Feed().at(1_000, { type: 'speech.started', audioMs: null });
    feed.agent(1_500, 'u1', 1_000, 2_000).at(2_700, { type: 'speech.stopped', audioMs: null });
    expect(feed.ends(9_000).talkOverMs).toBe(700);
  });

  test('does not count what lies between two utterances', () => {
    const feed = new Feed().agent(1_000, 'u1', 1_000).at(1_500, { type: 'speech.started', audioMs: null });
    feed.agent(4_000, 'u2', 1_000).at(8_000, { type: 'speech.stopped', audioMs: null });
    expect(feed.ends(9_000).talkOverMs).toBe(500 + 1_000);
  });

  test('does not count over what is protected, and nobody was slow to stop', () => {
    const feed = new Feed(greeting(true)).agent(0, 'clip:greeting', 3_000);
    feed.at(1_000, { type: 'speech.started', audioMs: null }).at(3_000, timer('barge_in'), clear);
    expect(feed.ends(5_000)).toMatchObject({ talkOverMs: 0, bargeIns: { count: 0 } });
  });

  test('a clear that we decided is no reaction to the caller', () => {
    const feed = new Feed().agent(1_000, 'u1', 5_000).at(2_000, { type: 'speech.started', audioMs: null });
    feed.at(2_500, { type: 'call.asked_to_end', reason: 'drained' }, clear);
    expect(feed.ends(3_000).bargeIns.count).toBe(0);
  });

  test('ends with a session that will not report the end of the speech', () => {
    const feed = new Feed().agent(1_000, 'u1', 5_000).at(2_000, { type: 'speech.started', audioMs: null });
    feed.at(
      2_400,
      { type: 'session.closed', cause: 'lost', detail: '1006', fatal: false, deafMs: 0 },
      { do: 'session.close' },
      { do: 'session.open', session: 's2', agent: 'clinic', target: 0, afterMs: 0 },
    );
    expect(feed.ends(9_000)).toMatchObject({
      talkOverMs: 400,
      sessions: { opened: 2, fallback: 0, lost: 1, rolledOver: 0 },
    });
  });
});

test("the caller's frames are counted: those that came, the late ones, the missing", () => {
  const feed = new Feed();
  for (let n = 0; n < 10; n++) feed.frame(n * 20);
  feed.frame(200 + 100);
  feed.frame(320, { do: 'session.append_silence', ms: 60 }, { do: 'note.filled', ms: 60, why: 'gap' });
  // Repeated, and of a leg that is gone.
  feed.frame(321, { do: 'note.ignored', what: 'frame_repeated' });
  feed.at(2_000, timer('input'), { do: 'note.filled', ms: 1_000, why: 'stall' });
  expect(feed.ends(3_000).frames).toEqual({ received: 12, late: 2, filled: 53 });
});

test('sessions: a lost one, and one that was prepared and took over', () => {
  const feed = new Feed();
  feed.at(
    1_000,
    { type: 'session.closed', cause: 'lost', detail: '1006', fatal: false, deafMs: 0 },
    { do: 'session.close' },
    { do: 'session.open', session: 's2', agent: 'clinic', target: 0, afterMs: 0 },
  );
  // Told when it is ready: that is no change of sessions.
  feed.at(1_500, { type: 'session.ready' }, { do: 'session.recall', history: [], note: '' });
  feed.at(2_000, timer('rollover'), { do: 'session.open', session: 's3', agent: 'clinic', target: 1, afterMs: 0 });
  feed.at(
    3_000,
    timer('rollover'),
    { do: 'session.close' },
    { do: 'session.recall', history: [], note: '' },
    { do: 'session.append_recent', ms: 300 },
  );
  expect(feed.ends(5_000)).toMatchObject({ sessions: { opened: 3, fallback: 1, lost: 1, rolledOver: 1 } });
});

test('media that was lost under the agent and came back: what the caller waited for the rest is silence', () => {
  const feed = new Feed().agent(1_000, 'u1', 4_000);
  feed.at(2_000, { type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
  feed.at(4_500, { type: 'leg.started' }, { do: 'note.resumed', awayMs: 2_500 }, { do: 'session.speak', say: null });
  expect(feed.agent(5_000, 'u2', 1_000).ends(9_000)).toMatchObject({
    media: { started: true, lost: 1, awayMs: 2_500 },
    deadAir: { count: 1, beyondMs: 1_000, longestMs: 3_000 },
    firstWordMs: 1_000,
  });
});

test('answers and tools that failed are counted', () => {
  const feed = new Feed();
  feed.at(1_000, { type: 'answer.ended', answer: 'a1', status: 'failed', detail: 'server_error' });
  feed.at(2_000, { type: 'answer.ended', answer: 'a2', status: 'completed', detail: '' });
  feed.at(3_000, { type: 'tool.settled', toolCall: 'c1', status: 'timed_out', output: '' });
  feed.at(4_000, { type: 'tool.settled', toolCall: 'c2', status: 'ok', output: '' });
  expect(feed.ends(5_000).failures).toEqual({ answers: 1, tools: 1 });
});

test('nothing counts after the end', () => {
  const feed = new Feed();
  const before = feed.ends(1_000);
  feed.at(9_000, { type: 'speech.started', audioMs: null }).at(9_500, timer('stall'), {
    do: 'session.speak',
    say: null,
  });
  expect(feed.ends(20_000)).toEqual(before);
});

test('a call whose media never came has no first word', () => {
  const tracker = new QualityTracker(callFacts(greeting(false)).opening);
  expect(tracker.measures).toMatchObject({ firstWordMs: null, media: { started: false }, deadAir: { count: 0 } });
});
