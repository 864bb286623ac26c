// The process at the carrier's end of a measurement: all the callers, on one drift-free beat.
import { setTimeout as sleep } from 'node:timers/promises';
import { type CarrierBooks, DELTA_MS, readerBooks } from './books.ts';
import { answerParent } from './end-process.ts';
import { FrameBeat } from './frame-beat.ts';
import { BenchCall, type Callee } from './phone-end.ts';
import { CLOCK_ORIGIN_MS } from './shared-clock.ts';
import { MAX_LINE } from './stamps.ts';

export interface CallPlan {
  callee: Callee;
  calls: number;
  perSecond: number;
  /** What passes at a real carrier between the TwiML and the media socket, ms. */
  setUpMs: number;
}

export interface SetUpRate {
  /** Calls that were set up to their first frame and hung up again. */
  done: number;
  seconds: number;
  /** What went wrong, first of all. */
  wrong: string[];
  webhookMs: number[];
}

/** What the carrier's end can be asked. */
export interface CarrierProcess {
  /** Sets calls up at a steady rate; they stay. Returns how long each webhook took. */
  connect(plan: CallPlan): Promise<number[]>;
  /** Whether the lateness of frames is noted. */
  measure(on: boolean): void;
  /** By the model's session: how far its audio has come. */
  heard(): Map<number, number>;
  /** No more frames; the lines stay. */
  stopFrames(): void;
  books(): CarrierBooks;
  hangUp(): Promise<void>;
  /** Callers who hang up at their first frame, one after the other on each of `atOnce` lines. */
  setUps(plan: { callee: Callee; atOnce: number; seconds: number }): Promise<SetUpRate>;
  /** By line: when the stream began and when the first audio came (shared clock), null while none has. */
  firsts(): { line: number; startedAtMs: number; firstAudioAtMs: number | null; wrong: string | null }[];
}

/** What the carrier's end knows of a call beside what the call itself does. */
interface Line {
  call: BenchCall;
  arrivedAtMs: number[];
  clears: { atMs: number; next: number }[];
  firstAudioAtMs: number | null;
}

const beat = new FrameBeat();
const lines: Line[] = [];

function newLine(callee: Callee): Line {
  // Only calls that are set up and hung up at once are more than can be told apart, and nobody compares those.
  const call = new BenchCall(lines.length % (MAX_LINE + 1), callee, beat, {
    media({ heard }, atMs) {
      line.firstAudioAtMs ??= atMs;
      const deltas = Math.floor(heard.next / DELTA_MS);
      while (line.arrivedAtMs.length < deltas) line.arrivedAtMs.push(atMs);
    },
    clear: ({ heard }, atMs) => void line.clears.push({ atMs, next: heard.next }),
  });
  const line: Line = { call, arrivedAtMs: [], clears: [], firstAudioAtMs: null };
  lines.push(line);
  return line;
}

async function connect({ call }: Line, setUpMs: number): Promise<void> {
  const stream = await call.dial();
  if (!stream) return;
  if (setUpMs > 0) await sleep(setUpMs);
  await call.open(stream.address);
  if (call.wrong === null) call.start(stream.parameters);
}

answerParent<CarrierProcess>({
  async connect({ callee, calls, perSecond, setUpMs }) {
    const setUps: Promise<void>[] = [];
    const startMs = performance.now();
    for (let number = 0; number < calls; number++) {
      setUps.push(connect(newLine(callee), setUpMs));
      await sleep(Math.max(0, startMs + ((number + 1) * 1_000) / perSecond - performance.now()));
    }
    await Promise.all(setUps);
    return lines.map(({ call }) => call.webhookMs);
  },
  measure(on) {
    beat.measure(on);
    if (on) beat.lateMs = [];
  },
  heard: () =>
    new Map(lines.flatMap(({ call: { heard } }) => (heard.line === null ? [] : [[heard.line, heard.next] as const]))),
  stopFrames() {
    for (const { call } of lines) call.stopFrames();
  },
  books: () => ({
    clockOriginMs: CLOCK_ORIGIN_MS,
    lateMs: Float64Array.from(beat.lateMs),
    calls: lines.map(({ call, arrivedAtMs, clears }) => ({
      number: call.number,
      sentAtMs: Float64Array.from(call.frameSentAtMs),
      heard: readerBooks(call.heard),
      arrivedAtMs: Float64Array.from(arrivedAtMs),
      clears,
      underruns: call.playback.underruns.filter(({ gapMs }) => gapMs < 1_000).length,
      wrong: call.wrong,
    })),
  }),
  async hangUp() {
    await Promise.all(lines.map(({ call }) => call.hangUp()));
  },
  async setUps({ callee, atOnce, seconds }) {
    const rate: SetUpRate = { done: 0, seconds: 0, wrong: [], webhookMs: [] };
    const startMs = performance.now();
    const goOn = (): boolean => performance.now() - startMs < seconds * 1_000 && rate.wrong.length === 0;
    const callers = Array.from({ length: atOnce }, async () => {
      while (goOn()) {
        const line = newLine(callee);
        await connect(line, 0);
        await line.call.hangUp();
        rate.webhookMs.push(line.call.webhookMs);
        if (line.call.wrong === null) rate.done++;
        else rate.wrong.push(line.call.wrong);
      }
    });
    await Promise.all(callers);
    rate.seconds = (performance.now() - startMs) / 1_000;
    return rate;
  },
  firsts: () =>
    lines.map(({ call, firstAudioAtMs }) => ({
      line: call.number,
      startedAtMs: CLOCK_ORIGIN_MS + call.startedAtMs,
      firstAudioAtMs: firstAudioAtMs === null ? null : CLOCK_ORIGIN_MS + firstAudioAtMs,
      wrong: call.wrong,
    })),
});
