// Rapid connects and hang-ups, in every way a caller can leave, against a server process of its own: afterwards nothing of
// them may be left, neither calls nor sessions nor sockets nor timers, and the heap must not have grown with them.
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameBeat } from './frame-beat.ts';
import type { Inside } from './inside.ts';
import { ModelEnd } from './model-end.ts';
import { spreadOf } from './percentiles.ts';
import { BenchCall } from './phone-end.ts';
import { type Bench, runBench, shown } from './report.ts';
import { StampWriter } from './stamps.ts';
import { Subject } from './subject.ts';
import { trunkline } from './subjects.ts';

const AT_ONCE = 10;
/** What is loaded and compiled by the first calls is no leak. */
const WARM_UP = 50;
const TALK_MS = 120;
/** Longer than any deadline of the server after a call: late usage, closing handshakes, give-up. */
const SETTLE_MS = 2_500;
const IDLE_WITHIN_MS = 15_000;

/** How a caller leaves; each is given a call that has not been dialled. */
const WAYS: { name: string; reason: string; go(call: BenchCall): Promise<void> }[] = [
  {
    name: 'hangs up while talking',
    reason: 'caller_hung_up',
    async go(call) {
      await call.connect();
      await sleep(TALK_MS);
      await call.hangUp();
    },
  },
  {
    name: 'hangs up as soon as the stream starts',
    reason: 'caller_hung_up',
    async go(call) {
      await call.connect();
      await call.hangUp();
    },
  },
  {
    name: 'loses the connection while talking',
    reason: 'caller_hung_up',
    async go(call) {
      await call.connect();
      await sleep(TALK_MS);
      await call.drop();
    },
  },
  {
    name: 'hangs up between the webhook and the media',
    reason: 'caller_hung_up',
    async go(call) {
      await call.dial();
      await call.tellCompleted();
    },
  },
  {
    name: 'opens the media and goes before it starts',
    reason: 'media_never_started',
    async go(call) {
      const stream = await call.dial();
      if (!stream) return;
      await call.open(stream.address);
      await call.drop();
    },
  },
];

interface Sample {
  cycles: number;
  live: number;
  created: number;
  closed: number;
  sockets: number;
  descriptors: number;
  timers: number;
  connections: number;
  heapKib: number;
  rssKib: number;
}

await runBench('churn', 'Rapid connects and hang-ups', measure);

async function measure(bench: Bench): Promise<void> {
  const cycles = bench.number('cycles', 500, 50);
  const steps = bench.short ? 1 : 5;
  const model = await ModelEnd.start({
    ready() {},
    asked: (session, metadata) =>
      void session.speak({ stamps: new StampWriter(0), ms: 4_000, deltaMs: 200, pace: 5 }, metadata),
  });
  const subject = await Subject.start(trunkline, {
    modelOrigin: model.origin,
    maxCalls: AT_ONCE * 20,
    probe: 'inside.ts',
  });
  const beat = new FrameBeat();
  const wrong: string[] = [];
  const webhookMs: number[] = [];
  let number = 0;

  async function run(count: number): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const way = WAYS[number % WAYS.length] as (typeof WAYS)[number];
        const call = new BenchCall(number++ % 16_000, subject, beat);
        await way.go(call);
        webhookMs.push(call.webhookMs);
        if (call.wrong !== null) wrong.push(`${way.name}: ${call.wrong}`);
        bench.say(`${number} cycles`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async function sample(): Promise<Sample> {
    bench.say(`${number} cycles, waiting for the server to be idle`);
    await subject.idle(IDLE_WITHIN_MS);
    await sleep(SETTLE_MS);
    const metrics = await subject.scrape();
    // The scrape's own connection goes, and with it the timer of Node's cached Date header (up to a second).
    await sleep(1_200);
    // The runtime's own timers come and go; one that is left is there each time.
    const looks = [];
    for (let look = 0; look < 3; look++) {
      looks.push(await subject.look<Inside>());
      await sleep(150);
    }
    const inside = {
      timers: Math.min(...looks.map(({ timers }) => timers)),
      connections: Math.min(...looks.map(({ connections }) => connections)),
      heapBytes: Math.min(...looks.map(({ heapBytes }) => heapBytes)),
    };
    const { open, sockets } = subject.descriptors();
    return {
      cycles: number,
      live: metrics.sum('trunkline_calls_live'),
      created: metrics.sum('trunkline_sessions_created_total'),
      closed: metrics.sum('trunkline_sessions_closed_total'),
      sockets,
      descriptors: open,
      timers: inside.timers,
      connections: inside.connections,
      heapKib: inside.heapBytes / 1_024,
      rssKib: subject.memoryKib().rssKib,
    };
  }

  try {
    await run(bench.short ? 10 : WARM_UP);
    const first = await sample();
    const samples = [first];
    const startMs = performance.now();
    let busyMs = 0;
    for (let step = 0; step < steps; step++) {
      const stepMs = performance.now();
      await run(Math.round(cycles / steps));
      busyMs += performance.now() - stepMs;
      samples.push(await sample());
    }
    const last = samples.at(-1) as Sample;
    const reasons = (await subject.scrape()).by('trunkline_sessions_closed_total', 'reason');

    bench.table(
      `The server at rest, ${AT_ONCE} callers at a time in between; each leaves in one of ${WAYS.length} ways`,
      ['cycles', 'live', 'created', 'closed', 'sockets', 'descriptors', 'timers', 'TCP handles', 'heap KiB', 'RSS MiB'],
      samples.map((s) => [
        `${s.cycles}`,
        `${s.live}`,
        `${s.created}`,
        `${s.closed}`,
        `${s.sockets}`,
        `${s.descriptors}`,
        `${s.timers}`,
        `${s.connections}`,
        shown(s.heapKib, 0),
        shown(s.rssKib / 1_024, 0),
      ]),
    );
    const done = last.cycles - first.cycles;
    const webhooks = spreadOf(webhookMs.slice(first.cycles));
    const perCycle = (last.heapKib - first.heapKib) / done;
    bench.remark(
      `${shown(done / (busyMs / 1_000), 0)} cycles a second; whole run ${shown((performance.now() - startMs) / 1_000, 0)} s.`,
    );
    bench.remark(
      `Webhook to TwiML: p50 ${shown(webhooks.p50, 1)}, p99 ${shown(webhooks.p99, 1)}, max ${shown(webhooks.max, 1)} ms (aim 50).`,
    );
    bench.remark(`Heap growth per cycle, after collections: ${shown(perCycle)} KiB.`);
    bench.remark(
      `Ends: ${Object.entries(reasons)
        .map(([reason, n]) => `${reason} ${n}`)
        .join(', ')}.`,
    );
    bench.figures('webhook_ms', webhooks);
    for (const key of ['live', 'sockets', 'descriptors', 'timers', 'connections', 'heapKib', 'rssKib'] as const) {
      bench.figure(`${key}_before`, first[key]);
      bench.figure(`${key}_after`, last[key]);
    }
    bench.figure('cycles', done);
    bench.figure('heap_kib_per_cycle', perCycle);

    bench.fault(last.live !== 0, `${last.live} calls still live`);
    bench.fault(last.created !== last.closed, `${last.created} sessions created, ${last.closed} closed`);
    bench.fault(last.created !== last.cycles, `${last.cycles} cycles made ${last.created} sessions`);
    for (const what of ['sockets', 'descriptors', 'timers', 'connections'] as const)
      bench.fault(last[what] > first[what], `${what}: ${first[what]} before, ${last[what]} after`);
    // Twice what a growing table of the runtime may take; a call that stays costs tens of KiB.
    bench.fault(!bench.short && perCycle > 4, `the heap grew by ${shown(perCycle, 1)} KiB per cycle`);
    const open = model.sessions.filter((session) => !session.closed).length;
    bench.fault(open > 0, `${open} model sessions were left open`);
    bench.fault(wrong.length > 0, `${wrong.length} cycles went wrong, the first: ${wrong[0]}`);
    // The ways take turns, so each reason is known in advance.
    const expected: Record<string, number> = {};
    for (let i = 0; i < last.cycles; i++) {
      const { reason } = WAYS[i % WAYS.length] as (typeof WAYS)[number];
      expected[reason] = (expected[reason] ?? 0) + 1;
    }
    for (const reason of new Set([...Object.keys(reasons), ...Object.keys(expected)]))
      bench.fault(
        reasons[reason] !== expected[reason],
        `${reason}: ${expected[reason] ?? 0} ends expected, ${reasons[reason] ?? 0} found`,
      );
  } finally {
    bench.say('stopping the server');
    beat.stop();
    const orderly = await subject.stop();
    bench.fault(!orderly, 'the server did not stop in good order on SIGTERM');
    await model.close();
  }
}
