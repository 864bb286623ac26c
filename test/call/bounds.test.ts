// What a call does at its bounds: each is reached, and something with a name happens.
import { expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import { MAX_HISTORY } from '../../src/call/history.ts';
import { step } from '../../src/call/machine.ts';
import type { CallPolicy } from '../../src/call/policy.ts';
import { admittedCall, type CallState, type LiveState } from '../../src/call/state.ts';
import { testPolicy } from '../support/virtual-line.ts';

const ON = { leg: 'l1', session: 's1', epoch: 1 };

/** The core alone, with the caller on the line and the session ready. */
class Core {
  state: CallState;
  readonly effects: CallEffect[] = [];
  #atMs = 0;

  constructor(policy: Partial<CallPolicy> = {}) {
    const capabilities = { answersTurns: true, detectsTurns: true };
    this.state = admittedCall({
      callId: 'c1',
      direction: 'inbound',
      on: ON,
      policy: testPolicy(policy),
      capabilities,
      atMs: 0,
    });
    this.takes({ type: 'call.admitted' }, { type: 'session.ready' }, { type: 'leg.started' });
  }

  /** What these events, 20 ms apart, lead to. */
  takes(...events: UnstampedEvent[]): CallEffect[] {
    const caused: CallEffect[] = [];
    for (const event of events) {
      this.#atMs += 20;
      const [state, effects] = step(this.state, { ...event, atMs: this.#atMs, on: this.state.on });
      this.state = state;
      caused.push(...effects);
    }
    this.effects.push(...caused);
    return caused;
  }

  wait(ms: number): void {
    this.#atMs += ms;
  }

  get live(): LiveState {
    if (this.state.phase === 'ended') throw new Error('the call has ended');
    return this.state;
  }
}

const audio = (utterance: string, ms: number): UnstampedEvent => ({
  type: 'utterance.audio',
  utterance,
  chunk: { payload: Buffer.alloc(ms * 8, 0xff).toString('base64'), bytes: ms * 8 },
});
const ignored = (effects: readonly CallEffect[]): string[] =>
  effects.flatMap((effect) => (effect.do === 'note.ignored' ? [effect.what] : []));

test('a shelf that is full ends the utterance there: what is kept is played, the rest is ignored by name', () => {
  const core = new Core({ shelfBytes: 1_000 * 8 });
  core.takes({ type: 'answer.started', answer: 'a1' }, { type: 'utterance.started', utterance: 'u1', answer: 'a1' });
  expect(ignored(core.takes(audio('u1', 600), audio('u1', 600), audio('u1', 200)))).toEqual([
    'shelf_full',
    'audio_of_no_utterance',
  ]);
  const kept = core.effects.flatMap((effect) => (effect.do === 'shelf.put' ? [effect.chunk.bytes] : []));
  expect(kept).toEqual([600 * 8]);
  expect(core.live.playback.tracks).toMatchObject([{ utterance: 'u1', complete: true, sent: 600 * 8 }]);
});

test('of keys that are never told only the newest 64 are', () => {
  const core = new Core();
  for (let i = 0; i < 100; i++) core.takes({ type: 'leg.digit_pressed', digit: String(i % 10) });
  core.wait(1_500);
  const told = core
    .takes({ type: 'timer.fired', timer: 'keypad' })
    .flatMap((effect) => (effect.do === 'session.tell' ? [effect.text] : []));
  const newest = Array.from({ length: 64 }, (_, i) => String((36 + i) % 10)).join(' ');
  expect(told).toEqual([`[The caller pressed keys: ${newest}]`]);
});

test("a gap of more than ten seconds is filled so far; after it the carrier's clock counts from where it is", () => {
  const core = new Core();
  const frame = (sequence: number, timestampMs: number): UnstampedEvent => ({
    type: 'leg.audio',
    sequence,
    timestampMs,
    chunk: { payload: '', bytes: 160 },
  });
  const filled = core
    .takes(frame(1, 0), frame(2, 3_600_000), frame(3, 3_600_020))
    .flatMap((effect) => (effect.do === 'note.filled' ? [effect.ms] : []));
  expect(filled).toEqual([10_000]);
});

test('what a session that takes over is told is bounded, the newest of it', () => {
  const core = new Core();
  for (let i = 0; i < 100; i++)
    core.takes(
      { type: 'speech.started', audioMs: null },
      { type: 'speech.stopped', audioMs: null },
      { type: 'turn.committed', turn: `t${i}` },
      { type: 'turn.transcribed', turn: `t${i}`, text: `${i}`.repeat(3_000) },
    );
  const { history } = core.live;
  expect(history).toHaveLength(MAX_HISTORY);
  expect(history.at(-1)).toEqual({ who: 'caller', turn: 't99', text: '99'.repeat(1_000) });
});
