// What the model was told of a stop, against what the phone had played: the messages count, not what the call noted.
import { describe, expect, test } from 'vitest';
import type { CallEffect, SettledUtterance, UnaddressedEffect } from '../../src/call/effect.ts';
import type { CallEvent } from '../../src/call/event.ts';
import { BufferCheck } from '../../src/replay/buffer-check.ts';

const on = { leg: 'l1', session: 's1', epoch: 1 };
const SECOND = 8_000;

const step = (check: BufferCheck, event: object, ...effects: UnaddressedEffect[]) =>
  check.stepped({ atMs: 0, on, ...event } as CallEvent, effects.map((effect) => ({ ...effect, on })) as CallEffect[]);

/** The model begins an item, and two seconds of it go to the carrier. */
function speak(check: BufferCheck, utterance: string, itemId: string): void {
  check.input(0, { from: 'session', session: 's1', input: { kind: 'message', message: { type: 'audio', itemId } } });
  step(check, { type: 'utterance.started', utterance, answer: 'r1' });
  check.input(0, { from: 'call', event: { type: 'call.admitted' } });
  step(
    check,
    { type: 'call.admitted' },
    { do: 'leg.play', utterance, fromByte: 0, toByte: 2 * SECOND, padBytes: 0, startsAtMs: 0 },
  );
}

const settled = (utterance: string, outcome: SettledUtterance['outcome'], heardMs: number): UnaddressedEffect => ({
  ...{ do: 'note.settled', utterance, outcome, heardMs, sentMs: 2_000, receivedMs: 2_000 },
});

const stop = (check: BufferCheck, ...notes: UnaddressedEffect[]) =>
  step(check, { type: 'speech.started' }, { do: 'leg.clear' }, ...notes);

const truncate = (item_id: string, audio_end_ms: number) => ({
  ...{ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms },
});

const playedSeconds = (...seconds: number[]) => ({
  clears: seconds.map((s) => ({ atMs: 0, droppedBytes: 1, playedBytesTotal: s * SECOND })),
});

describe('a stop is checked by the message that went to the model', () => {
  test.each([
    ['as the call noted it', [truncate('i1', 500)], 500],
    ['otherwise than the call noted it', [truncate('i1', 1_900)], 1_900],
    ['about another item', [truncate('i9', 500)], 2_000],
    ['never: then the model takes all it made as heard', [], 2_000],
    ['as deleted', [{ type: 'conversation.item.delete', item_id: 'i1' }], 0],
  ])('%s', (_, messages, ledgerMs) => {
    const check = new BufferCheck();
    speak(check, 'u1', 'i1');
    stop(check, settled('u1', 'interrupted', 500));
    for (const message of messages) check.sent(0, message);
    expect(check.against(playedSeconds(0.5))).toEqual([{ clear: 0, utterance: 'u1', ledgerMs, phoneMs: 500 }]);
  });

  test('each utterance by its own item, whatever the order of the messages', () => {
    const check = new BufferCheck();
    speak(check, 'u1', 'i1');
    speak(check, 'u2', 'i2');
    speak(check, 'u3', 'i3');
    stop(check, settled('u1', 'heard', 2_000), settled('u2', 'interrupted', 500), settled('u3', 'unheard', 0));
    check.sent(0, { type: 'conversation.item.delete', item_id: 'i3' });
    check.sent(0, truncate('i2', 500));
    // What both sides agree on, heard whole or not at all, was not cut.
    expect(check.against(playedSeconds(2.5))).toEqual([{ clear: 0, utterance: 'u2', ledgerMs: 500, phoneMs: 500 }]);
  });

  test('also where nothing was heard, and the model was not told', () => {
    const check = new BufferCheck();
    speak(check, 'u1', 'i1');
    stop(check, settled('u1', 'unheard', 0));
    expect(check.against(playedSeconds(0))).toEqual([{ clear: 0, utterance: 'u1', ledgerMs: 2_000, phoneMs: 0 }]);
  });

  test('and a stop that cut nothing in part is known all the same', () => {
    const check = new BufferCheck();
    speak(check, 'u1', 'i1');
    stop(check, settled('u1', 'interrupted', 1_000));
    check.sent(0, truncate('i1', 1_000));
    speak(check, 'u2', 'i2');
    stop(check, settled('u2', 'unheard', 0));
    check.sent(0, { type: 'conversation.item.delete', item_id: 'i2' });
    expect(check.against(playedSeconds(1, 1))).toEqual([
      { clear: 0, utterance: 'u1', ledgerMs: 1_000, phoneMs: 1_000 },
      { clear: 1, utterance: 'u2', ledgerMs: 0, phoneMs: 0 },
    ]);
  });

  test('of a model that was lost before the stop, what the call noted', () => {
    const check = new BufferCheck();
    speak(check, 'u1', 'i1');
    step(check, { type: 'session.closed', cause: 'lost', detail: '' });
    stop(check, settled('u1', 'interrupted', 480));
    expect(check.against(playedSeconds(0.5))).toEqual([{ clear: 0, utterance: 'u1', ledgerMs: 480, phoneMs: 500 }]);
  });

  test('of a clip, which is no item of the model, what the call noted', () => {
    const check = new BufferCheck();
    step(
      check,
      { type: 'call.admitted' },
      { do: 'leg.play', utterance: 'notice', fromByte: 0, toByte: SECOND, padBytes: 0, startsAtMs: 0 },
    );
    stop(check, settled('notice', 'interrupted', 480));
    expect(check.against(playedSeconds(0.5))).toEqual([{ clear: 0, utterance: 'notice', ledgerMs: 480, phoneMs: 500 }]);
  });
});
