// Captions follow the sound: literal events and effects of one call, asked for at chosen moments.
import { expect, test } from 'vitest';
import type { CallEffect, UnaddressedEffect } from '../../src/call/effect.ts';
import type { CallEvent, UnstampedEvent } from '../../src/call/event.ts';
import type { CallFacts } from '../../src/call/feed.ts';
import { terminationOf } from '../../src/call/termination.ts';
import { type Caption, Captions } from '../../src/demo/captions.ts';

const on = { leg: 'l1', session: 's1', epoch: 1 };
const chunk = (ms: number) => ({ payload: '', bytes: ms * 8 });
const settled = (outcome: 'heard' | 'interrupted' | 'unheard', heardMs: number, receivedMs: number, utterance = 'u1') =>
  ({ do: 'note.settled', utterance, outcome, heardMs, sentMs: receivedMs, receivedMs }) as const;

/** A call admitted at 900 whose media started at 1,000. */
function begun() {
  const captions = new Captions({ opening: { atMs: 900 }, agent: { greeting: null } } as unknown as CallFacts);
  const step = (atMs: number, event: UnstampedEvent, ...effects: UnaddressedEffect[]) =>
    captions.stepped({ ...event, atMs, on } as CallEvent, effects.map((e) => ({ ...e, on })) as CallEffect[]);
  step(1_000, { type: 'leg.started' });
  captions.at(1_000);
  return { captions, step };
}

/** Two seconds of sound from 2,000 on, all of it generated at once. */
function speaking(text: string) {
  const call = begun();
  call.step(2_000, { type: 'utterance.text', utterance: 'u1', text });
  call.step(
    2_000,
    { type: 'utterance.audio', utterance: 'u1', chunk: chunk(2_000) },
    { do: 'shelf.put', utterance: 'u1', chunk: chunk(2_000) },
    { do: 'leg.play', utterance: 'u1', fromByte: 0, toByte: 16_000, padBytes: 0, startsAtMs: 2_000 },
  );
  return call;
}

const wordsAt = (captions: Captions, atMs: number) => (captions.at(atMs).growing as { words?: string } | null)?.words;

test('words appear when they sound, not when they were generated', () => {
  const { captions } = speaking('one two three four');
  expect(wordsAt(captions, 1_999)).toBeUndefined();
  expect(wordsAt(captions, 2_000)).toBe('');
  expect(wordsAt(captions, 3_000)).toBe('one two');
  expect(wordsAt(captions, 3_999)).toBe('one two three');
});

test('an utterance heard to its end is complete, once, at the time it began to sound', () => {
  const { captions, step } = speaking('one two');
  step(4_010, { type: 'leg.mark_settled', mark: 'm', outcome: 'played' }, settled('heard', 2_000, 2_000));
  expect(captions.at(4_010).finished).toEqual([{ kind: 'agent', atMs: 1_000, words: 'one two' }]);
  expect(captions.at(4_020)).toEqual({ elapsedMs: 3_020, finished: [], growing: null });
});

test('a barge-in says what was heard and what never was, before the words of the caller', () => {
  const { captions, step } = speaking('one two three four');
  expect(wordsAt(captions, 3_020)).toBe('one two');
  step(
    3_020,
    { type: 'speech.started', audioMs: null },
    { do: 'note.stopped', because: 'caller_spoke', unheardMs: 980 },
    settled('interrupted', 1_020, 2_000),
  );
  const { finished, growing } = captions.at(3_030);
  expect(finished).toEqual<Caption[]>([
    { kind: 'agent', atMs: 1_000, words: 'one two' },
    {
      kind: 'interrupted',
      atMs: 2_020,
      byCaller: true,
      heard: 'one two',
      neverHeard: 'three four',
      heardMs: 1_020,
      wholeMs: 2_000,
    },
  ]);
  expect(growing).toEqual({ kind: 'caller', atMs: 2_020, words: null });
});

test('the answer waits on the screen for the transcript of what it answers, but not for ever', () => {
  const turn = (transcribed: boolean) => {
    const { captions, step } = begun();
    step(2_000, { type: 'speech.started', audioMs: null });
    step(3_000, { type: 'turn.committed', turn: 't1' });
    step(3_100, { type: 'utterance.text', utterance: 'u1', text: 'Yes.' });
    const play = { utterance: 'u1', fromByte: 0, toByte: 800, padBytes: 0, startsAtMs: 3_100 };
    step(3_100, { type: 'answer.started', answer: 'a1' }, { do: 'leg.play', ...play }, settled('heard', 100, 100));
    expect(captions.at(3_150).finished).toEqual([]);
    if (transcribed) step(3_200, { type: 'turn.transcribed', turn: 't1', text: 'Hello?' });
    return captions;
  };
  const answer = { kind: 'agent', atMs: 2_100, words: 'Yes.' };
  expect(turn(true).at(3_250).finished).toEqual([{ kind: 'caller', atMs: 1_000, words: 'Hello?' }, answer]);
  const without = turn(false);
  expect(without.at(4_999).finished).toEqual([]);
  expect(without.at(5_000).finished).toEqual([{ kind: 'caller', atMs: 1_000, words: null }, answer]);
});

test('a tool call is shown with its answer, one of the call itself as such', () => {
  const { captions, step } = begun();
  const called = { type: 'tool.called', name: 'look_up', arguments: '{"a":1}', answer: 'a1' } as const;
  step(2_000, { ...called, toolCall: 'c1' });
  expect(captions.at(2_001).finished).toEqual([]);
  step(2_030, { type: 'tool.settled', toolCall: 'c1', status: 'ok', output: '42' });
  step(
    2_040,
    { ...called, toolCall: 'c2', name: 'end_call' },
    { do: 'session.settle_tool', toolCall: 'c2', output: 'Bye.', quietly: true },
  );
  expect(captions.at(2_050).finished).toMatchObject([
    { kind: 'tool', atMs: 1_000, name: 'look_up', status: 'ok', output: '42', durationMs: 30 },
    { kind: 'tool', atMs: 1_040, name: 'end_call', status: 'built_in', durationMs: 0 },
  ]);
});

test('when the call ends nothing is held back', () => {
  const { captions, step } = speaking('one two three four');
  step(2_400, { type: 'tool.called', toolCall: 'c1', name: 'slow', arguments: '{}', answer: 'a1' });
  const termination = terminationOf('media_lost');
  step(3_000, { type: 'leg.closed', cause: 'socket_lost', detail: '' }, { do: 'call.end', termination });
  expect(captions.at(Number.POSITIVE_INFINITY)).toMatchObject({
    finished: [
      { kind: 'agent', words: 'one two' },
      { kind: 'tool', name: 'slow' },
      { kind: 'ended', termination },
    ],
    growing: null,
  });
});
