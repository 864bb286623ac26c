// While a tool works the caller is not left in silence, can interrupt at any moment, and is answered once.
import { expect, test } from 'vitest';
import type { ErrandPolicy } from '../../src/call/policy.ts';
import type { VirtualLine } from '../support/virtual-line.ts';
import {
  answered,
  callerSays,
  calls,
  did,
  type ErrandLineOptions,
  foldsTheSame,
  hangUp,
  says,
} from '../support/errand-line.ts';
import fc from '../support/fast-check.ts';

const MUSIC: ErrandPolicy['filler'] = { afterMs: 1_700, say: null, musicBytes: 16_000, musicAfterMs: 1_000 };

/** A tool that takes so long; the call is in it from the moment this returns. */
function working(ms: number, options: ErrandLineOptions = {}): VirtualLine {
  const line: VirtualLine = answered({
    runTool: (_name, settle) =>
      void line.clock.at(line.clock.nowMs() + ms, () => settle({ status: 'ok', output: 'found' })),
    ...options,
    errands: { filler: MUSIC, ...options.errands },
    policy: { holdBytes: 8_000, ...options.policy },
  });
  line.model.plans.push(calls('l1', 'look'));
  callerSays(line, 'look it up');
  line.until(() => did(line, 'tool.run').length > 0);
  return line;
}

const musicOf = (line: VirtualLine) =>
  line.effects.flatMap((e) => (e.do === 'leg.play' && e.utterance.startsWith('clip:music') ? [e] : []));
const playsOf = (line: VirtualLine, prefix: string) =>
  did(line, 'leg.play').filter(({ utterance }) => utterance.startsWith(prefix));

test('a quick tool: nothing fills, the answer is given', () => {
  const line = working(900);
  line.advance(4_000);
  expect(playsOf(line, 'clip:')).toEqual([]);
  expect(line.model.items).toHaveLength(1);
});

test('a slow one: a moment is asked for when the wait is over, then hold sound without a gap, until the agent speaks', () => {
  const line = working(14_000);
  line.advance(16_000);
  const [hold] = playsOf(line, 'clip:hold');
  // From the end of the caller's turn.
  const since = line.events.find((e) => e.type === 'turn.committed')?.atMs ?? 0;
  expect((hold?.startsAtMs ?? 0) - since).toBeGreaterThan(1_600);
  expect((hold?.startsAtMs ?? 0) - since).toBeLessThan(1_800);
  expect(playsOf(line, 'clip:hold')).toHaveLength(1);
  const music = musicOf(line);
  expect(music.length).toBeGreaterThan(3);
  for (let i = 1; i < music.length; i++) {
    const before = music[i - 1]!;
    expect(music[i]!.startsAtMs).toBe(before.startsAtMs + (before.toByte - before.fromByte) / 8);
  }
  // The first sound of the answer takes its place at once.
  const answer = did(line, 'leg.play').find(({ utterance }) => utterance === 'u1')!;
  expect(line.done('leg.clear').map(({ atMs }) => atMs)).toContain(answer.startsAtMs);
  expect(line.heardMs(1)).toBe(1_000);
  line.advance(20_000);
  expect(musicOf(line)).toHaveLength(music.length);
});

test('hold sound goes on without a gap where marks come late and timers later', () => {
  const line = working(12_000, { delayMs: 60, jitterMs: 80 });
  line.advance(11_000);
  const music = musicOf(line);
  expect(music.length).toBeGreaterThan(3);
  for (let i = 1; i < music.length; i++)
    expect(music[i]!.startsAtMs - music[i - 1]!.startsAtMs).toBeLessThanOrEqual(2_001);
  expect(did(line, 'note.underrun')).toEqual([]);
});

test('the model says that it takes a moment, where the agent file says so: once, and not over itself', () => {
  const line = working(9_000, { errands: { filler: { ...MUSIC, say: 'Say that you are looking.' } } });
  line.model.plans.push(says(900), says(700));
  line.advance(14_000);
  expect(did(line, 'session.speak').filter(({ say }) => say === 'Say that you are looking.')).toHaveLength(1);
  expect(line.heardMs(1)).toBe(900);
  expect(line.heardMs(2)).toBe(700);
  expect(line.model.items).toHaveLength(2);
  expect(playsOf(line, 'clip:hold')).toEqual([]);
});

test('no clip and no words: silence, as the agent file wants it', () => {
  const line = working(6_000, { errands: { filler: { ...MUSIC, musicBytes: 0 } }, policy: { holdBytes: 0 } });
  line.advance(8_000);
  expect(playsOf(line, 'clip:')).toEqual([]);
  expect(line.model.items).toHaveLength(1);
});

test('hold sound never plays over speech, and begins again after the caller', () => {
  const line = working(20_000);
  line.until(() => musicOf(line).length > 0, 8_000);
  line.model.speechStarted();
  const at = line.effects.length;
  line.advance(4_000);
  expect(line.effects.slice(at).filter((e) => e.do === 'leg.play')).toEqual([]);
  line.model.plans.push(says(500));
  line.model.speechStopped();
  line.advance(6_000);
  expect(line.effects.slice(at).some((e) => e.do === 'leg.play' && e.utterance.startsWith('clip:music'))).toBe(true);
  hangUp(line);
  line.advance(31_000);
  expect(line.clock.pending).toBe(0);
});

test('keys that we press, and the apology, do not wait behind hold sound', () => {
  const line = working(20_000);
  line.until(() => musicOf(line).length > 0, 8_000);
  line.advance(100);
  line.model.lose();
  const apology = did(line, 'leg.play').find(({ utterance }) => utterance === 'clip:apology');
  expect(apology?.startsAtMs).toBe(line.clock.nowMs());
});

test('a 6 s tool, and the caller interrupts at any moment: stopped in that very step, and answered once after it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 20, max: 4_000 }), fc.integer({ min: 200, max: 900 })), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.constantFrom(null, 'Say that you are looking.'),
      fc.boolean(),
      fc.boolean(),
      (turns, say, interrupts, answers) => {
        const line = working(6_000, { errands: { filler: { ...MUSIC, say } }, interrupts, answers });
        const answer = says(900);
        line.model.plans.push(...Array.from({ length: 8 }, () => answer));
        for (const [waitMs, speakMs] of turns) {
          line.advance(waitMs);
          const before =
            line.call.state.phase === 'talking' ? line.call.state.playback.tracks.some(({ sent }) => sent > 0) : false;
          const at = line.effects.length;
          line.model.speechStarted();
          expect(line.effects.slice(at).some((e) => e.do === 'leg.clear')).toBe(before);
          line.advance(speakMs);
          line.model.speechStopped();
        }
        line.advance(12_000);
        expect(line.faults).toEqual([]);
        expect(did(line, 'tool.run')).toHaveLength(1);
        expect(did(line, 'session.settle_tool')).toHaveLength(1);
        const settledAt = line.effects.find((e) => e.do === 'session.settle_tool')!.atMs;
        // What was heard after the outcome was known: something, to its end, and no two answers to it.
        const heard = line.effects.filter(
          (e) => e.do === 'note.settled' && e.outcome === 'heard' && e.atMs > settledAt && e.utterance.startsWith('u'),
        );
        expect(heard.length).toBeGreaterThan(0);
        const lastTurnAt = Math.max(
          settledAt,
          ...line.events.filter((e) => e.type === 'turn.committed').map(({ atMs }) => atMs),
        );
        const begun = line.events.filter((e) => e.type === 'utterance.started' && e.atMs > lastTurnAt);
        expect(begun.length).toBeLessThanOrEqual(2);
        expect(foldsTheSame(line)).toBe(true);
      },
    ),
    { numRuns: 120 },
  );
});

test.each<[string, number, boolean]>([
  ['finishes after the hang-up', 4_000, true],
  ['never finishes', Number.MAX_SAFE_INTEGER, false],
])('a tool that writes and %s: the call is held for it, no longer than half a minute', async (_what, ms, told) => {
  const inputs: string[] = [];
  let aborted = false;
  const line: VirtualLine = answered({
    runTool: (_name, settle, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      if (ms < 1e9) line.clock.at(line.clock.nowMs() + ms, () => settle({ status: 'ok', output: 'booked' }));
    },
    onlookers: [{ input: (_atMs, input) => void inputs.push(JSON.stringify(input)) }],
  });
  let closed = false;
  void line.call.closed.then(() => (closed = true));
  line.model.plans.push(calls('b1', 'book'));
  callerSays(line);
  line.advance(300);
  hangUp(line);
  const endedAt = line.clock.nowMs();
  expect(aborted).toBe(true);
  expect(line.termination?.reason).toBe('caller_hung_up');
  line.advance(2_000);
  await flush();
  expect([closed, line.call.lingers]).toEqual([false, true]);
  while (!closed && line.clock.nowMs() < endedAt + 40_000) {
    line.advance(250);
    await flush();
  }
  expect(line.clock.nowMs() - endedAt).toBeLessThanOrEqual(30_250);
  expect(line.call.lingers).toBe(false);
  expect(inputs.some((text) => text.includes('booked'))).toBe(told);
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
});

const flush = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve();
};
