// Figures for tape, recorder, recording and fold, on this machine: `node test/tape/measure.ts [minutes of call, default 60]`.
// Prints one JSON line per figure.
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Onlooker, OnlookerFactory } from '../../src/call/feed.ts';
import { createLogger } from '../../src/log.ts';
import { foldTape } from '../../src/replay/fold.ts';
import { recordingOnlooker } from '../../src/tape/recording.ts';
import { tapeRecorder } from '../../src/tape/recorder.ts';
import { parseTape } from '../../src/tape/tape.ts';
import { tapeText } from '../../bench/tape-text.ts';
import { StagedCall, stagedFacts } from './staged-call.ts';

const say = (what: string, figures: object): void => console.log(JSON.stringify({ what, ...figures }));
const round = (n: number): number => Math.round(n * 100) / 100;

const BATCH = 50;

/** A frame as the feed tells it. Time inside the onlooker. */
async function frameCost(name: string, make: OnlookerFactory, batches: number): Promise<void> {
  const facts = stagedFacts(true);
  const { on } = facts.opening;
  const onlooker = make(facts) as Onlooker;
  const frame = Buffer.alloc(160, 7);
  let atMs = facts.opening.atMs;
  let sequence = 0;
  onlooker.input?.(atMs, { from: 'call', event: { type: 'leg.started' } });
  let insideMs = 0;
  for (let batch = 0; batch < batches; batch++) {
    const told = Array.from({ length: BATCH }, () => {
      atMs = Math.round((atMs + 20.000_123) * 1e6) / 1e6;
      sequence++;
      const chunk = { payload: frame.toString('base64'), bytes: 160 };
      const event = { type: 'leg.audio', sequence, timestampMs: sequence * 20, chunk } as const;
      return { stamped: { ...event, atMs, on } };
    });
    const startMs = performance.now();
    for (const t of told) {
      onlooker.frame?.(t.stamped);
    }
    insideMs += performance.now() - startMs;
    // The disk gets its turn: a call's time goes slower.
    await setTimeout(2);
  }
  await onlooker.closed?.(atMs);
  const frames = batches * BATCH;
  say(name, { frames, nsPerFrame: Math.round((insideMs * 1e6) / frames) });
}

/** The processor time of one flush as CallFile does it: 560 bytes, written alone. */
async function flushCost(folder: string): Promise<void> {
  const handle = await open(join(folder, 'flush'), 'wx');
  const text = 'a'.repeat(560);
  const times = 20_000;
  const cpu = process.cpuUsage();
  for (let i = 0; i < times; i++) await handle.write(Buffer.from(text), 0, 560, i * 560);
  const used = process.cpuUsage(cpu);
  await handle.close();
  say('one flush of 560 bytes', { cpuMicros: round((used.user + used.system) / times) });
}

async function hourOfCall(minutes: number): Promise<string> {
  let text = '';
  const staged = new StagedCall(stagedFacts(), [tapeText((lines) => void (text += lines))]);
  staged.begin();
  await staged.run(4_000);
  for (let turn = 0; staged.clock.nowMs() < 123_456 + minutes * 60_000; turn++) {
    // Answers of two to eleven seconds; the caller interrupts every third, a tool runs every fifth.
    if (turn % 5 === 4) staged.answers.push({ seconds: 0, tool: { name: 'find_slot', arguments: '{"day":"Monday"}' } });
    staged.answers.push({ seconds: 2 + (turn % 10) });
    staged.callerSpeaks(1.5, 'And what about the other one, please?');
    await staged.run(turn % 3 === 2 ? 5_000 : 16_000);
  }
  staged.hangsUp();
  await staged.runUntilClosed(5_000);
  return text;
}

const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-measure-'));
try {
  const log = createLogger({ level: 'error' });
  const more = { dataDir, log };
  const named =
    (make: OnlookerFactory, id: string): OnlookerFactory =>
    (call) =>
      make({ ...call, opening: { ...call.opening, callId: id } });
  await frameCost('recorder, warm-up', named(tapeRecorder(more), 'a'), 400);
  await frameCost('recorder', named(tapeRecorder(more), 'b'), 2_000);
  await frameCost('recording, warm-up', named(recordingOnlooker(more), 'c'), 400);
  await frameCost('recording', named(recordingOnlooker(more), 'd'), 2_000);
  await flushCost(dataDir);

  const minutes = Number(process.argv[2] ?? 60);
  let startMs = performance.now();
  const text = await hourOfCall(minutes);
  say('played in virtual time', {
    minutes,
    seconds: round((performance.now() - startMs) / 1_000),
    tapeMiB: round(text.length / 2 ** 20),
  });
  const flat = Buffer.from(text).toString();
  startMs = performance.now();
  const tape = parseTape(flat);
  say('parsed', { seconds: round((performance.now() - startMs) / 1_000), lines: tape.entries.length + 1 });
  startMs = performance.now();
  const { identical, inputs, outputs, report } = foldTape(tape);
  say('folded', { seconds: round((performance.now() - startMs) / 1_000), identical, inputs, outputs, report });
  say('memory', { rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20) });
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
