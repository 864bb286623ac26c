// The stereo recording, sample by sample: what the caller said where it belongs, and of the agent what was heard.
import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import type { UnaddressedEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import type { Onlooker } from '../../src/call/feed.ts';
import { createLogger } from '../../src/log.ts';
import { recordingOnlooker } from '../../src/tape/recording.ts';
import { playWholeCall, StagedCall, stagedFacts } from './staged-call.ts';

const facts = stagedFacts(true);
const { callId, on } = facts.opening;
/** The media starts three seconds after the admission. */
const STARTED = facts.opening.atMs + 3_000;
const SILENCE = 0xff;

let dataDir: string;
let file: string;
let logged: string[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trunkline-recording-'));
  file = join(dataDir, 'calls', callId, 'audio.wav');
  logged = [];
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const options = () => ({
  dataDir,
  log: createLogger({ level: 'info', destination: { write: (line: string) => void logged.push(line) } }),
});

const size = async (): Promise<number> => (await stat(file).catch(() => null))?.size ?? 0;

/** Scripts what an onlooker is told; times are milliseconds after `leg.started`. */
class Script {
  readonly onlooker = recordingOnlooker(options())(facts) as Onlooker;
  #sequence = 0;

  start(): this {
    return this.event(0, { type: 'leg.started' });
  }

  event(ms: number, event: UnstampedEvent, effects: UnaddressedEffect[] = []): this {
    this.onlooker.input?.(STARTED + ms, { from: 'call', event });
    return this.step(ms, event, effects);
  }

  step(ms: number, event: UnstampedEvent, effects: UnaddressedEffect[]): this {
    this.onlooker.stepped?.(
      { ...event, atMs: STARTED + ms, on },
      effects.map((e) => ({ ...e, on })),
    );
    return this;
  }

  frame(ms: number, timestampMs: number, value: number, bytes = 160): this {
    return this.frameOf(ms, ++this.#sequence, timestampMs, value, bytes);
  }

  frameOf(ms: number, sequence: number, timestampMs: number, value: number, bytes = 160): this {
    return this.event(ms, { type: 'leg.audio', sequence, timestampMs, chunk: chunk(value, bytes) });
  }

  played(ms: number, ...pieces: [value: number, bytes: number][]): this {
    this.onlooker.played?.(
      STARTED + ms,
      pieces.map(([value, bytes]) => chunk(value, bytes)),
    );
    return this;
  }

  cleared(ms: number): this {
    return this.step(ms, { type: 'speech.started', audioMs: null }, [{ do: 'leg.clear' }]);
  }

  hangUp(ms: number): this {
    return this.event(ms, { type: 'leg.closed', cause: 'caller_hung_up', detail: 'stop' });
  }

  async closed(ms: number): Promise<[caller: Uint8Array, agent: Uint8Array]> {
    await this.onlooker.closed?.(STARTED + ms);
    const { channels } = readWav(readFileSync(file));
    if (channels.length !== 2) throw new Error('not stereo');
    return channels as [Uint8Array, Uint8Array];
  }
}

const chunk = (value: number, bytes: number) => ({ payload: Buffer.alloc(bytes, value).toString('base64'), bytes });

/** Runs of equal samples: [value, samples]. */
function runs(channel: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (const value of channel) {
    const last = found.at(-1);
    if (last?.[0] === value) last[1]++;
    else found.push([value, 1]);
  }
  return found;
}

test("puts the caller left where the carrier's timestamps say and the agent right where it sounds", async () => {
  const [caller, agent] = await new Script()
    .start()
    .frame(30, 500, 1)
    // Late by 7 ms and early by 3: the timestamps count.
    .frame(57, 520, 2)
    .frame(67, 540, 3)
    .played(100.1, [11, 160], [12, 100])
    .hangUp(200)
    .closed(210);
  expect(runs(caller)).toEqual([
    [SILENCE, 240],
    [1, 160],
    [2, 160],
    [3, 160],
    [SILENCE, 880],
  ]);
  expect(runs(agent)).toEqual([
    [SILENCE, 801],
    [11, 160],
    [12, 100],
    [SILENCE, 539],
  ]);
});

test('fills lost frames with silence and hears a repeated one once', async () => {
  const [caller] = await new Script()
    .start()
    .frame(0, 0, 1)
    .frameOf(60, 4, 60, 4)
    .frameOf(61, 3, 40, 3)
    .frameOf(80, 5, 80, 5)
    .hangUp(100)
    .closed(100);
  expect(runs(caller)).toEqual([
    [1, 160],
    [SILENCE, 320],
    [4, 160],
    [5, 160],
  ]);
});

test('takes away what a clear kept from being heard, and what is said next begins there', async () => {
  const [, agent] = await new Script()
    .start()
    .played(100, [11, 8_000], [12, 8_000])
    .cleared(600.5)
    .played(900, [13, 800])
    .hangUp(1_200)
    .closed(1_200);
  expect(runs(agent)).toEqual([
    [SILENCE, 800],
    [11, 4_004],
    [SILENCE, 7_200 - 4_804],
    [13, 800],
    [SILENCE, 1_600],
  ]);
});

test('does not record what a step plays and clears again', async () => {
  const script = new Script().start();
  const play = { do: 'leg.play', utterance: 'u1', fromByte: 0, toByte: 800, padBytes: 0, startsAtMs: 0 } as const;
  script.step(100, { type: 'session.ready' }, [play, { do: 'leg.clear' }, play]);
  script.played(100, [11, 800]).played(100, [12, 800]);
  const [, agent] = await script.hangUp(300).closed(300);
  expect(runs(agent)).toEqual([
    [SILENCE, 800],
    [12, 800],
    [SILENCE, 800],
  ]);
});

test('leaves a gap where the agent ran dry', async () => {
  const [, agent] = await new Script()
    .start()
    .played(100, [11, 800])
    .played(200, [12, 800])
    // An underrun of 150 ms.
    .played(450, [13, 800])
    .hangUp(600)
    .closed(600);
  expect(runs(agent)).toEqual([
    [SILENCE, 800],
    [11, 800],
    [12, 800],
    [SILENCE, 1_200],
    [13, 800],
    [SILENCE, 400],
  ]);
});

test('ends with the call: what was queued then was never heard', async () => {
  const [caller, agent] = await new Script()
    .start()
    .frame(0, 0, 1)
    .frame(20, 20, 2)
    .played(10, [11, 16_000])
    .hangUp(30)
    .frame(40, 40, 3)
    .step(20_000, { type: 'session.ready' }, [])
    .closed(20_000);
  // The caller's last frame is whole; it reaches 10 ms beyond.
  expect(runs(caller)).toEqual([
    [1, 160],
    [2, 160],
  ]);
  expect(runs(agent)).toEqual([
    [SILENCE, 80],
    [11, 160],
    [SILENCE, 80],
  ]);
});

test('records minutes piece by piece without moving a sample', async () => {
  const script = new Script().start();
  const seconds = 95;
  for (let i = 0; i < seconds * 50; i++) {
    // Time goes faster here than the disk may be.
    while (i * 320 - (await size()) > 500_000) await new Promise(setImmediate);
    script.frame(i * 20 + ((i * 7) % 5), i * 20, i % 250);
    // One second of agent in every three, four seconds ahead of what it follows.
    if (i % 150 === 0)
      script.step(i * 20, { type: 'session.ready' }, []).played(i * 20 + 3_000, [(i / 150) % 250, 8_000]);
  }
  const [caller, agent] = await script.hangUp(seconds * 1_000).closed(seconds * 1_000);
  expect(caller).toHaveLength(seconds * 8_000);
  expect(caller.every((value, at) => value === Math.floor(at / 160) % 250)).toBe(true);
  const expected = (at: number) => {
    const second = Math.floor(at / 8_000);
    return second >= 3 && second % 3 === 0 ? (second / 3 - 1) % 250 : SILENCE;
  };
  expect(agent.every((value, at) => value === expected(at))).toBe(true);
});

test('writes a long pause of both as silence', async () => {
  const [caller, agent] = await new Script()
    .start()
    .frame(0, 0, 1)
    .played(0, [11, 160])
    .event(600_000, { type: 'leg.digit_pressed', digit: '1' })
    .played(600_000, [12, 160])
    .hangUp(600_100)
    .closed(600_100);
  expect(runs(caller)).toEqual([
    [1, 160],
    [SILENCE, 600_100 * 8 - 160],
  ]);
  expect(runs(agent)).toEqual([
    [11, 160],
    [SILENCE, 600_000 * 8 - 160],
    [12, 160],
    [SILENCE, 640],
  ]);
});

test('puts frames that a stalled network held back where they belong', async () => {
  const script = new Script().start();
  for (let i = 0; i < 50; i++) script.frame(i * 20, i * 20, 1);
  // Four seconds late, all at once.
  for (let i = 50; i < 250; i++) script.frame(5_000 + i / 100, i * 20, 2);
  const [caller] = await script.frame(5_005, 5_000, 3).hangUp(5_100).closed(5_100);
  expect(runs(caller)).toEqual([
    [1, 8_000],
    [2, 32_000],
    [3, 160],
    [SILENCE, 640],
  ]);
});

test("starts anew where a frame arrives when the carrier's clock jumped, began again or stood still", async () => {
  const jumped = await new Script().start().frame(0, 0, 1).frame(20, 1_000_000, 2).hangUp(60).closed(60);
  expect(runs(jumped[0])).toEqual([
    [1, 160],
    [2, 160],
    [SILENCE, 160],
  ]);
  await rm(join(dataDir, 'calls'), { recursive: true });

  const again = await new Script()
    .start()
    .frame(0, 9_000, 1)
    .frame(500, 0, 2)
    .frame(520, 20, 3)
    .hangUp(540)
    .closed(540);
  expect(runs(again[0])).toEqual([
    [1, 160],
    [SILENCE, 3_840],
    [2, 160],
    [3, 160],
  ]);
  await rm(join(dataDir, 'calls'), { recursive: true });

  const script = new Script().start().frame(0, 0, 1);
  for (let i = 0; i < 100; i++) script.frame(5_000 + i * 20, 20 + i * 20, 2);
  const [still] = await script.hangUp(7_000).closed(7_000);
  // For a second nobody knows whether the frames are late; then they are where they arrive.
  expect(runs(still)).toEqual([
    [1, 160],
    [2, 8_000],
    [SILENCE, 39_840],
    [2, 8_000],
  ]);
});

test('is readable while the call goes on', async () => {
  const script = new Script().start();
  for (let i = 0; i < 50 * 30; i++) script.frame(i * 20, i * 20, 7);
  while ((await size()) < 58 + 20 * 16_000) await new Promise(setImmediate);
  const { durationMs } = readWav(readFileSync(file));
  expect(durationMs).toBeGreaterThanOrEqual(15_000);
  await script.closed(30_000);
});

test('gives up, and says so once, when the disk does not keep up', async () => {
  const script = new Script().start();
  // Two minutes in one go: nothing can be written meanwhile.
  for (let i = 0; i < 50 * 120; i++) script.frame(i * 20, i * 20, 7);
  await script.onlooker.closed?.(STARTED + 120_000);
  expect(logged.map((line) => JSON.parse(line).msg)).toEqual(['recording not written']);
});

test('leaves no file for a call without media, nor for an agent that keeps no audio', async () => {
  const none = recordingOnlooker(options())(facts) as Onlooker;
  none.input?.(STARTED, { from: 'call', event: { type: 'call.admitted' } });
  none.played?.(STARTED, [chunk(1, 160)]);
  await none.closed?.(STARTED + 1_000);
  expect(statSync(join(dataDir, 'calls'), { throwIfNoEntry: false })).toBeUndefined();
  expect(recordingOnlooker(options())(stagedFacts(false))).toBeNull();
});

test("keeps a real call in a private file of the call's length", async () => {
  const ends: number[] = [];
  const watch: Onlooker = {
    input: (atMs, input) => {
      if (input.from === 'call' && /^leg\.(?:started|closed)$/.test(input.event.type)) ends.push(atMs);
    },
  };
  const staged = new StagedCall(facts, [recordingOnlooker(options()), () => watch]);
  await playWholeCall(staged);
  await staged.call.closed;
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { durationMs } = readWav(readFileSync(file));
  const [started, closed] = ends as [number, number];
  // The caller's last frame may reach beyond the end.
  expect(durationMs).toBeGreaterThan(closed - started - 1);
  expect(durationMs).toBeLessThanOrEqual(closed - started + 20);
  expect(logged).toEqual([]);
});

test('goes on where a call goes on whose media was lost: a new clock, new numbers, silence between', async () => {
  const [caller, agent] = await new Script()
    .start()
    .frameOf(20, 1, 157, 1)
    .frameOf(40, 2, 177, 2)
    .played(20, [11, 8_000])
    .event(60, { type: 'leg.closed', cause: 'socket_lost', detail: '1006' })
    // Of a leg that is gone.
    .frameOf(80, 3, 197, 9)
    .event(160, { type: 'leg.started' })
    .frameOf(260, 1, 80, 3)
    .frameOf(280, 2, 100, 4)
    .played(180, [12, 160])
    .hangUp(300)
    .closed(310);
  expect(runs(caller)).toEqual([
    [SILENCE, 160],
    [1, 160],
    [2, 160],
    [SILENCE, 1_600],
    [3, 160],
    [4, 160],
  ]);
  expect(runs(agent)).toEqual([
    [SILENCE, 160],
    [11, 320],
    [SILENCE, 960],
    [12, 160],
    [SILENCE, 800],
  ]);
});

test('takes away what was sent since the last word of a carrier that was lost', async () => {
  const [, agent] = await new Script()
    .start()
    .played(100, [11, 8_000])
    .event(900, { type: 'leg.closed', cause: 'socket_lost', detail: 'no pong', silentMs: 600 })
    .closed(1_000);
  expect(runs(agent)).toEqual([
    [SILENCE, 800],
    [11, 1_600],
  ]);
});

test('goes on after an absence longer than what is kept in memory, and ends where the media went if it does not', async () => {
  const script = new Script().start().frameOf(20, 1, 0, 1);
  script.event(40, { type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
  for (let ms = 1_000; ms < 20_000; ms += 1_000) script.step(ms, { type: 'timer.fired', timer: 'pace' }, []);
  script.event(20_000, { type: 'leg.started' }).frameOf(20_100, 1, 100, 2);
  script.event(20_120, { type: 'leg.closed', cause: 'socket_lost', detail: '1006' });
  for (let ms = 21_000; ms < 30_000; ms += 1_000) script.step(ms, { type: 'timer.fired', timer: 'pace' }, []);
  const [caller] = await script.closed(30_000);
  expect(runs(caller)).toEqual([
    [SILENCE, 160],
    [1, 160],
    [SILENCE, 20_100 * 8 - 320],
    [2, 160],
  ]);
});
