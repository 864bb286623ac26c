// Listening in, without a browser: frames as they come over the socket, and what is heard of them and when.
import { describe, expect, test } from 'vitest';
import { JitterBuffer } from '../../../src/page/live/jitter-buffer.ts';
import { readFrame, readOrder } from '../../../src/page/live/listen-frame.ts';
import fc from '../../support/fast-check.ts';

const RATE = 8_000;
const QUANTUM = 128;
const FRAME_MS = 20;
const LOUD = 0x80;

/** A frame of 20 ms of one byte. */
const frame = (byte: number): Uint8Array => new Uint8Array(160).fill(byte);

/** Plays: the frames come when they come, the audio thread asks for what is next. Gives both sides as they were heard. */
function play(
  buffer: JitterBuffer,
  events: readonly { atMs: number; run(nowS: number): void }[],
  untilMs: number,
  rate = RATE,
): { caller: Float32Array; agent: Float32Array; placesMs: (number | null)[] } {
  const waiting = events.toSorted((a, b) => a.atMs - b.atMs);
  const quanta = Math.ceil((untilMs * rate) / 1_000 / QUANTUM);
  const [caller, agent] = [new Float32Array(quanta * QUANTUM), new Float32Array(quanta * QUANTUM)];
  const placesMs: (number | null)[] = [];
  let next = 0;
  for (let at = 0; at < quanta * QUANTUM; at += QUANTUM) {
    const nowS = at / rate;
    for (; next < waiting.length; next += 1) {
      const event = waiting[next];
      if (event === undefined || event.atMs > nowS * 1_000) break;
      event.run(nowS);
    }
    buffer.read(caller.subarray(at, at + QUANTUM), agent.subarray(at, at + QUANTUM), rate, nowS);
    placesMs.push(buffer.placeMs);
  }
  return { caller, agent, placesMs };
}

/** The caller's frames `count` x 20 ms, each told as beginning when it arrived, as the hub does; `lateMs` by number. */
const callerFrames = (buffer: JitterBuffer, count: number, byte: number, lateMs: (n: number) => number, fromMs = 0) =>
  Array.from({ length: count }, (_, n) => {
    const arrivesMs = fromMs + n * FRAME_MS + lateMs(n);
    return { atMs: arrivesMs, run: (nowS: number) => buffer.write('caller', Math.round(arrivesMs), frame(byte), nowS) };
  });

const heardMs = (samples: Float32Array): number => samples.filter((sample) => sample !== 0).length / (RATE / 1_000);
const firstMs = (samples: Float32Array): number => samples.findIndex((sample) => sample !== 0) / (RATE / 1_000);

/** Silences inside what was heard, in samples each. */
function gaps(samples: Float32Array): number[] {
  const text = Array.from(samples, (sample) => (sample === 0 ? '0' : '1')).join('');
  return text
    .replace(/^0+|0+$/g, '')
    .split(/1+/)
    .filter((zeros) => zeros !== '')
    .map((zeros) => zeros.length);
}

describe('the time line', () => {
  test('even frames are heard whole, once, at most 100 ms late', () => {
    const buffer = new JitterBuffer();
    const { caller } = play(
      buffer,
      callerFrames(buffer, 100, LOUD, () => 0),
      3_000,
    );
    expect(heardMs(caller)).toBeCloseTo(2_000, -1);
    expect(gaps(caller)).toEqual([]);
    expect(firstMs(caller)).toBeLessThan(100);
    expect(buffer.late).toBe(0);
  });

  test('jitter up to 200 ms is heard only where it is worse than any before, and the delay stays at 300 ms at most', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 200, maxLength: 200 }), (jitter) => {
        const buffer = new JitterBuffer();
        // A network delivers in order.
        let last = 0;
        const late = jitter.map((ms, n) => {
          last = Math.max(last, n * FRAME_MS + ms);
          return last - n * FRAME_MS;
        });
        const { caller } = play(
          buffer,
          callerFrames(buffer, 200, LOUD, (n) => late[n] ?? 0),
          5_000,
        );
        const settled = caller.slice(RATE * 1.5, RATE * 3.8);
        // A frame later than any before it is missed by what it is later; what stays late looks like missing audio, once.
        const worseMs = Math.max(...late) - Math.max(...late.slice(0, 60));
        expect(gaps(settled).reduce((sum, gap) => sum + gap, 0) / 8).toBeLessThan(worseMs + 150);
        expect(buffer.delayMs).toBeLessThanOrEqual(300);
      }),
      { numRuns: 12 },
    );
  });

  test('a burst behind a stall is heard as one piece', () => {
    const buffer = new JitterBuffer();
    const stall = (n: number): number => (n >= 50 && n < 55 ? (55 - n) * FRAME_MS : 0);
    const { caller } = play(buffer, callerFrames(buffer, 120, LOUD, stall), 3_500);
    // The stall is longer than the delay was: one gap where it was, none of a frame on top of another.
    expect(gaps(caller).length).toBeLessThanOrEqual(2);
    expect(heardMs(caller)).toBeGreaterThan(2_250);
  });

  test('what is missing is a pause in both: the sides stay in step', () => {
    const buffer = new JitterBuffer();
    const before = callerFrames(buffer, 50, LOUD, () => 0);
    const after = callerFrames(buffer, 150, LOUD, () => 0, 1_200);
    const answer = { atMs: 3_500, run: (nowS: number) => buffer.write('agent', 3_500, frame(LOUD), nowS) };
    const heard = play(buffer, [...before, ...after, answer], 5_000);
    // The agent's frame at 3.5 s is heard with what the caller said at 3.5 s: the caller's end at 4.2 s comes 0.7 s after it.
    const lastMs = heard.caller.findLastIndex((sample) => sample !== 0) / 8;
    expect(lastMs - firstMs(heard.agent)).toBeGreaterThan(650);
    expect(lastMs - firstMs(heard.agent)).toBeLessThan(750);
    expect(gaps(heard.caller).reduce((sum, gap) => sum + gap, 0) / 8).toBeGreaterThan(150);
  });

  test("the agent's words wait for their time, although they come seconds before it", () => {
    const buffer = new JitterBuffer();
    const agent = Array.from({ length: 100 }, (_, n) => ({
      atMs: 1_000,
      run: (nowS: number) => buffer.write('agent', 1_000 + n * FRAME_MS, frame(LOUD), nowS),
    }));
    const heard = play(buffer, [...callerFrames(buffer, 200, 0xff, () => 0), ...agent], 4_000);
    expect(heardMs(heard.agent)).toBeCloseTo(2_000, -1);
    expect(gaps(heard.agent)).toEqual([]);
    expect(firstMs(heard.agent)).toBeGreaterThan(1_000);
    expect(firstMs(heard.agent)).toBeLessThan(1_120);
    expect(heard.caller.every((sample) => sample === 0)).toBe(true);
  });

  test('what is cleared is not heard', () => {
    const buffer = new JitterBuffer();
    const agent = Array.from({ length: 150 }, (_, n) => ({
      atMs: 500,
      run: (nowS: number) => buffer.write('agent', 500 + n * FRAME_MS, frame(LOUD), nowS),
    }));
    const cleared = { atMs: 1_500, run: () => buffer.clear(1_500) };
    const again = { atMs: 2_500, run: (nowS: number) => buffer.write('agent', 2_500, frame(LOUD), nowS) };
    const heard = play(buffer, [...callerFrames(buffer, 200, 0xff, () => 0), ...agent, cleared, again], 4_000);
    expect(heardMs(heard.agent.slice(0, RATE * 2.2))).toBeCloseTo(1_000, -1);
    expect(heardMs(heard.agent.slice(RATE * 2.2))).toBeCloseTo(FRAME_MS, 0);
  });

  test('both sides stay in step when the clocks of the two machines drift', () => {
    const buffer = new JitterBuffer();
    // The server is 0.1 % faster: 60 ms in a minute.
    const drift = callerFrames(buffer, 3_000, LOUD, (n) => -n * FRAME_MS * 0.001);
    const { caller, placesMs } = play(buffer, drift, 60_000);
    const behindMs = 59_000 - (placesMs[Math.floor((59_000 * RATE) / 1_000 / QUANTUM)] ?? 0);
    expect(behindMs).toBeLessThan(200);
    expect(gaps(caller.slice(RATE))).toEqual([]);
  });

  test('at another rate of the browser the pitch and the length are the same', () => {
    const buffer = new JitterBuffer();
    const { caller } = play(
      buffer,
      callerFrames(buffer, 100, LOUD, () => 0),
      3_000,
      48_000,
    );
    expect(caller.filter((sample) => sample !== 0).length / 48).toBeCloseTo(2_000, -2);
  });
});

describe('what nobody should send', () => {
  test('a frame of another time does not silence the rest', () => {
    const buffer = new JitterBuffer();
    const odd = { atMs: 1_005, run: (nowS: number) => buffer.write('caller', 4_000_000_000, frame(LOUD), nowS) };
    const { caller } = play(buffer, [...callerFrames(buffer, 150, LOUD, () => 0), odd], 3_500);
    expect(heardMs(caller.slice(RATE * 1.5))).toBeGreaterThan(1_400);
  });

  test('whatever comes, what is heard is bounded, finite and silent in the end', () => {
    const event = fc.oneof(
      fc.record({
        side: fc.constantFrom('caller' as const, 'agent' as const),
        startMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 0xff_ff_ff_ff })),
        bytes: fc.integer({ min: 1, max: 4_000 }),
      }),
      fc.record({ clearMs: fc.double({ noNaN: true, min: -1e9, max: 1e12 }) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2_000 }), event), { maxLength: 60 }), (given) => {
        const buffer = new JitterBuffer();
        const events = given.map(([atMs, what]) => ({
          atMs,
          run(nowS: number) {
            if ('clearMs' in what) buffer.clear(what.clearMs);
            else buffer.write(what.side, what.startMs, new Uint8Array(what.bytes).fill(LOUD), nowS);
          },
        }));
        const { caller, agent } = play(buffer, events, 22_000);
        for (const side of [caller, agent]) expect(side.every((sample) => Math.abs(sample) <= 1)).toBe(true);
        expect(caller.slice(-RATE).every((sample) => sample === 0)).toBe(true);
        expect(agent.slice(-RATE).every((sample) => sample === 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('messages that are not frames or orders are not read', () => {
    const bytes = (...values: number[]): ArrayBuffer => Uint8Array.from(values).buffer;
    expect(readFrame(bytes(0, 0, 0, 3, 232, 0xff, 0x80))).toEqual({
      side: 'caller',
      startMs: 1_000,
      audio: Uint8Array.of(0xff, 0x80),
    });
    expect(readFrame(bytes(1, 255, 255, 255, 255, 1))?.startMs).toBe(0xff_ff_ff_ff);
    for (const bad of [bytes(), bytes(0, 0, 0, 0, 0), bytes(2, 0, 0, 0, 0, 1), new ArrayBuffer(100_000)])
      expect(readFrame(bad)).toBeNull();
    expect(readOrder('{"event":"cleared","atMs":12}')).toEqual({ event: 'cleared', atMs: 12 });
    expect(readOrder('{"event":"gone"}')).toEqual({ event: 'gone' });
    for (const bad of [
      '',
      'null',
      '[]',
      '1',
      '{"event":"cleared"}',
      '{"event":"cleared","atMs":"1"}',
      '{"event":"other"}',
    ])
      expect(readOrder(bad)).toBeNull();
  });
});
