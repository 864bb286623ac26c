// Calls come and go for minutes or hours: nothing may add up. Looks at the server every few seconds and tells, for the second
// half of the run, whether memory, handles, timers, sessions or descriptors grow beyond their noise. `--minutes 30` is the
// long form.
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../src/phone/seeded-random.ts';
import { FrameBeat } from './frame-beat.ts';
import type { Inside } from './inside.ts';
import { ModelEnd } from './model-end.ts';
import { BenchCall } from './phone-end.ts';
import { type Bench, runBench, shown } from './report.ts';
import { grows, median, type Trend, trendOf } from './slope.ts';
import { MAX_LINE, StampWriter } from './stamps.ts';
import { Subject } from './subject.ts';
import { trunkline } from './subjects.ts';

const MIN_TALK_MS = 500;
const MAX_TALK_MS = 6_000;
const ANSWER_MS = 3_000;
/** An idle server closes its journal's segment after 3 s. */
const SETTLE_MS = 6_000;
/** Looks per half of the run: enough for a slope, few enough that the collections they cause do not become the load. */
const LOOKS = 36;
/** One caller in so many loses the connection, or hangs up before the media, instead of hanging up properly. */
const ROUGH_EVERY = 7;

/** The server remembers so many past calls by their ids, to know replays; until then each takes a little memory. */
const REMEMBERED_CALLS = 8_000;
/** Some 0.2 KiB of the heap were measured, in whole pages of the process more; a call that stays takes tens of KiB. */
const KIB_PER_REMEMBERED_CALL: Partial<Record<Watched, number>> = { heapKib: 0.25, rssKib: 1 };

/** What the server says of a connection that its caller cut. */
const LOST = 'media socket lost';

interface Look {
  atMs: number;
  /** Calls made so far. */
  calls: number;
  live: number;
  rssKib: number;
  heapKib: number;
  timers: number;
  connections: number;
  descriptors: number;
}

const WATCHED = ['rssKib', 'heapKib', 'timers', 'connections', 'descriptors', 'live'] as const;
type Watched = (typeof WATCHED)[number];

const NAMES: Record<Watched, string> = {
  rssKib: 'RSS KiB',
  heapKib: 'heap after a collection KiB',
  timers: 'timers',
  connections: 'TCP handles',
  descriptors: 'descriptors',
  live: 'live calls (sessions)',
};

await runBench('soak', 'Soak: calls come and go', measure);

async function measure(bench: Bench): Promise<void> {
  const minutes = bench.number('minutes', 3, 0.2);
  const calls = bench.number('calls', 30, 5);
  const random = seededRandom(bench.number('seed', 1, 1));
  const model = await ModelEnd.start({
    ready() {},
    asked: (session, metadata) =>
      void session.speak({ stamps: new StampWriter(0), ms: ANSWER_MS, deltaMs: 200, pace: 4 }, metadata),
  });
  const subject = await Subject.start(trunkline, {
    modelOrigin: model.origin,
    maxCalls: calls * 4,
    probe: 'inside.ts',
  });
  const beat = new FrameBeat();
  const wrong: string[] = [];
  let number = 0;
  let drops = 0;
  let over = false;

  async function caller(goesOn: () => boolean): Promise<void> {
    await sleep(random() * MAX_TALK_MS);
    while (!over && goesOn()) {
      const call = new BenchCall(number % (MAX_LINE + 1), subject, beat);
      const rough = number++ % ROUGH_EVERY === 0;
      const early = rough && random() < 0.5;
      if (early) {
        await call.dial();
        await call.tellCompleted();
      } else {
        await call.connect();
        await sleep(MIN_TALK_MS + random() * (MAX_TALK_MS - MIN_TALK_MS));
        if (rough) drops++;
        await (rough ? call.drop() : call.hangUp());
      }
      if (call.wrong !== null) wrong.push(call.wrong);
      // Nothing of the generator may add up either.
      model.sessions.splice(
        0,
        model.sessions.findIndex((session) => !session.closed),
      );
    }
  }

  async function look(startMs: number): Promise<Look> {
    const { timers, connections, heapBytes } = await subject.look<Inside>();
    return {
      atMs: performance.now() - startMs,
      calls: number,
      live: (await subject.scrape()).sum('trunkline_calls_live'),
      rssKib: subject.memoryKib().rssKib,
      heapKib: heapBytes / 1_024,
      timers,
      connections,
      descriptors: subject.descriptors().open,
    };
  }

  try {
    const idle = await look(performance.now());
    const startMs = performance.now();
    const endMs = startMs + minutes * 60_000;
    const halfMs = (startMs + endMs) / 2;
    const callers = Promise.all([
      ...Array.from({ length: calls }, () => caller(() => true)),
      ...Array.from({ length: Math.ceil(calls / 3) }, () => caller(() => performance.now() < halfMs)),
    ]);
    const everyMs = (minutes * 60_000) / (2 * LOOKS);
    const looks: Look[] = [];
    for (let n = 1; performance.now() < endMs; n++) {
      await sleep(Math.max(0, startMs + n * everyMs - performance.now()));
      looks.push(await look(startMs));
      bench.say(`${number} calls, ${shown((performance.now() - startMs) / 60_000, 1)} of ${minutes} minutes`);
    }
    over = true;
    bench.say('waiting for the last calls');
    await callers;
    await subject.idle(15_000);
    await sleep(SETTLE_MS);
    const rest = await look(startMs);
    const metrics = await subject.scrape();
    const half = looks.filter(({ atMs }) => atMs > halfMs - startMs + MAX_TALK_MS);
    report(bench, minutes, calls, number, idle, half, rest);

    const created = metrics.sum('trunkline_sessions_created_total');
    const closed = metrics.sum('trunkline_sessions_closed_total');
    const leftovers = metrics.sum('trunkline_leftovers_total');
    bench.figure('calls', number);
    bench.figure('leftovers_swept', leftovers);
    bench.fault(created !== closed, `${created} sessions created, ${closed} closed`);
    bench.fault(created !== number, `${number} calls made ${created} sessions`);
    bench.fault(leftovers !== 0, `the sweep found ${leftovers} things left over`);
    bench.fault(rest.live !== 0, `${rest.live} calls still live`);
    bench.fault(wrong.length > 0, `${wrong.length} calls went wrong, the first: ${wrong[0]}`);
    const { [LOST]: lost = 0, ...others } = subject.complaints();
    const complaints = Object.entries(others);
    bench.fault(lost > drops, `${lost} media sockets lost, ${drops} cut by their callers`);
    bench.fault(
      complaints.length > 0,
      `the server complained: ${complaints.map(([what, n]) => `${n} x ${what}`).join(', ')}`,
    );
  } finally {
    over = true;
    beat.stop();
    const orderly = await subject.stop();
    bench.fault(!orderly, 'the server did not stop in good order on SIGTERM');
    await model.close();
  }
}

function report(
  bench: Bench,
  minutes: number,
  calls: number,
  made: number,
  idle: Look,
  half: Look[],
  rest: Look,
): void {
  const [from = 0, to = 0] = [half[0]?.calls, half.at(-1)?.calls];
  const remembered = Math.max(0, Math.min(to, REMEMBERED_CALLS) - from);
  const allowed = (what: Watched): number => remembered * (KIB_PER_REMEMBERED_CALL[what] ?? 0);
  const trends = WATCHED.map((what): [Watched, Trend] => [
    what,
    trendOf(half.map((one) => ({ atMs: one.atMs, value: one[what] }))),
  ]);
  bench.table(
    `${calls} callers at a time for ${shown(minutes, 1)} minutes, a third more in the first half; ${made} calls; slopes over the second half, ${half.length} looks`,
    [
      ...['what', 'idle before', 'median of the half', 'slope per hour', 'growth in the half', 'noise', 'by chance'],
      ...['allowed', 'grows', 'at rest afterwards'],
    ],
    trends.map(([what, trend]) => [
      NAMES[what],
      shown(idle[what], 0),
      shown(median(half.map((one) => one[what])), 0),
      shown(trend.perHour, 0),
      shown(trend.growth, 1),
      shown(trend.noise, 1),
      shown(trend.chance),
      shown(allowed(what), 0),
      grows(trend, allowed(what)) ? 'yes' : trend.growth > trend.noise ? 'no' : 'within noise',
      shown(rest[what], 0),
    ]),
  );
  bench.remark(
    'The first half, with more callers, reaches what the process reserves at its most; in the second it should need no more.',
  );
  bench.remark(
    'Slope by Theil and Sen; "grows" is: fewer than 1 % by chance (Mann-Kendall), and more in the half than the noise (1.4826 times the median distance from the line) and what is allowed.',
  );
  bench.remark(
    `Allowed: ${KIB_PER_REMEMBERED_CALL.heapKib} KiB of heap, ${KIB_PER_REMEMBERED_CALL.rssKib} of RSS, for each of the first ${REMEMBERED_CALLS} calls that falls into the half (${remembered}); the ids of so many are remembered, then no more.`,
  );
  for (const [what, trend] of trends) {
    bench.figure(`${what}_per_hour`, trend.perHour);
    bench.figure(`${what}_noise`, trend.noise);
    bench.fault(
      !bench.short && grows(trend, allowed(what)),
      `${NAMES[what]} grows by ${shown(trend.perHour, 0)} an hour`,
    );
  }
  // The connection of the look itself is there at either time.
  for (const what of ['connections', 'descriptors', 'timers'] as const)
    bench.fault(rest[what] > idle[what] + 1, `${NAMES[what]}: ${idle[what]} before, ${rest[what]} at rest afterwards`);
}
