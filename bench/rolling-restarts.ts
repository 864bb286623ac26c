// The server is replaced again and again under calls that come and go: a new process takes the port, the old one drains.
// Nobody may be cut off or turned away, and no frame may be lost, whichever process it reaches.
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../src/phone/seeded-random.ts';
import { FrameBeat } from './frame-beat.ts';
import { ModelEnd } from './model-end.ts';
import { spreadOf } from './percentiles.ts';
import { BenchCall } from './phone-end.ts';
import { type Bench, runBench, shown } from './report.ts';
import { type FleetProcess, ServerFleet } from './server-fleet.ts';
import { StampWriter } from './stamps.ts';

/** Between the TwiML and the media socket: so that switches fall into it. */
const MAX_SET_UP_MS = 400;
const MIN_TALK_MS = 2_000;
const MAX_TALK_MS = 6_000;
const DRAIN_SECONDS = 30;
/** A process that has drained this much later is stuck. */
const GONE_WITHIN_MS = (DRAIN_SECONDS + 30) * 1_000;
/** One answer after the other, as long as the call lasts. */
const ANSWER_MS = 4_000;

interface Row {
  startUpMs: number;
  live: number;
  drainMs: number;
  exitCode: number | null;
  calls: number;
}

/** What became of one call. */
interface Done {
  refused: string | null;
  cut: string | null;
  lostMs: number;
  heardMs: number;
  heardWrongMs: number;
  webhookMs: number;
}

await runBench('rolling-restarts', 'Rolling restarts under calls', measure);

async function measure(bench: Bench): Promise<void> {
  const restarts = bench.number('restarts', 20, 2);
  const calls = bench.number('calls', 50, 10);
  const random = seededRandom(bench.number('seed', 1, 1));
  const model = await ModelEnd.start({
    ready() {},
    asked: (session, metadata) =>
      void session.speak({ stamps: new StampWriter(0), ms: ANSWER_MS, deltaMs: 200, pace: 2 }, metadata),
  });
  const fleet = await ServerFleet.create({
    modelOrigin: model.origin,
    maxCalls: calls * 2,
    drainSeconds: DRAIN_SECONDS,
  });
  const beat = new FrameBeat();
  const done: Done[] = [];
  let number = 0;
  let over = false;

  async function oneCall(): Promise<void> {
    const call = new BenchCall(number++, fleet, beat);
    const stream = await call.dial();
    const result: Done = {
      ...{ refused: call.wrong, cut: null, lostMs: 0, heardMs: 0, heardWrongMs: 0, webhookMs: call.webhookMs },
    };
    if (stream !== null) {
      await sleep(random() * MAX_SET_UP_MS);
      await call.open(stream.address);
      if (call.wrong === null) {
        call.start(stream.parameters);
        await sleep(MIN_TALK_MS + random() * (MAX_TALK_MS - MIN_TALK_MS));
      }
      const { missing, repeated, disordered, strays, foreignBytes } = call.heard;
      result.heardMs = call.heard.next;
      result.heardWrongMs = missing + repeated + disordered + strays + foreignBytes;
      await call.hangUp();
      result.cut = call.wrong;
      const session = model.sessions.find(({ heard }) => heard.line === call.number);
      const arrivedMs = session === undefined ? 0 : session.heard.next - session.heard.missing;
      result.lostMs = call.framesSent * 20 - arrivedMs;
    }
    done.push(result);
  }

  async function caller(): Promise<void> {
    // Not all in step.
    await sleep(random() * MAX_TALK_MS);
    while (!over) await oneCall();
  }

  try {
    let current = await fleet.start();
    const callers = Promise.all(Array.from({ length: calls }, caller));
    await sleep(MAX_TALK_MS);
    const rows: Row[] = [];
    const passed: Record<string, number> = {};
    for (let restart = 0; restart < restarts; restart++) {
      bench.say(`restart ${restart + 1} of ${restarts}, ${done.length} calls done`);
      await addPassedOn(fleet, passed);
      const old = current;
      current = await fleet.start();
      const before = done.length;
      const drainMs = await old.replace(GONE_WITHIN_MS);
      rows.push({
        startUpMs: current.startUpMs,
        live: Number(old.lines().find(({ msg }) => msg === 'draining')?.['live'] ?? 0),
        drainMs,
        exitCode: old.exitCode,
        calls: done.length - before,
      });
    }
    over = true;
    bench.say('waiting for the last calls');
    await callers;
    await sleep(500);
    await addPassedOn(fleet, passed);
    report(bench, rows, done, fleet.processes, passed);
    const open = model.sessions.filter((session) => !session.closed).length;
    bench.fault(open > 0, `${open} model sessions were left open`);
  } finally {
    over = true;
    beat.stop();
    await fleet.stop();
    await model.close();
  }
}

/** What the one process that runs now has passed on; what it passes on later, while it is replaced, is not seen. */
async function addPassedOn(fleet: ServerFleet, total: Record<string, number>): Promise<void> {
  const counts = (await fleet.scrape()).by('trunkline_passed_on_total', 'what');
  for (const [what, n] of Object.entries(counts)) total[what] = (total[what] ?? 0) + n;
}

function report(
  bench: Bench,
  rows: Row[],
  done: Done[],
  processes: readonly FleetProcess[],
  passed: Record<string, number>,
): void {
  bench.table(
    `A new process takes the port, the old one drains; calls of ${MIN_TALK_MS / 1_000} to ${MAX_TALK_MS / 1_000} s come and go`,
    [
      'restart',
      'start-up ms',
      'calls live at SIGTERM',
      'old one gone after s',
      'exit code',
      'calls that ended meanwhile',
    ],
    rows.map(({ startUpMs, live, drainMs, exitCode, calls }, i) => [
      ...[`${i + 1}`, shown(startUpMs, 0), `${live}`, shown(drainMs / 1_000, 1), `${exitCode}`, `${calls}`],
    ]),
  );
  const refused = done.filter((one) => one.refused !== null);
  const cut = done.filter((one) => one.cut !== null);
  const lostMs = done.reduce((sum, one) => sum + one.lostMs, 0);
  const wrongMs = done.reduce((sum, one) => sum + one.heardWrongMs, 0);
  const mute = done.filter((one) => one.refused === null && one.cut === null && one.heardMs === 0).length;
  const webhooks = spreadOf(done.map(({ webhookMs }) => webhookMs));
  const lines = processes.flatMap((process) => process.lines());
  const ended: Record<string, number> = {};
  for (const { msg, reason } of lines)
    if (msg === 'call ended') ended[String(reason)] = (ended[String(reason)] ?? 0) + 1;
  // What looks odd in the environment is said at each start, and is the bench's own choice.
  const complaints = lines.filter(
    ({ level, msg }) => (level === 'warn' || level === 'error' || level === 'fatal') && msg !== 'configuration',
  );
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .map(([what, n]) => `${what} ${n}`)
      .join(', ') || 'none';

  bench.table(
    'All calls',
    [
      'calls',
      'refused',
      'cut',
      'never heard a sound',
      'caller audio lost ms',
      'agent audio lost or repeated ms',
      'webhook p50 ms',
      'max ms',
    ],
    [
      [
        ...[`${done.length}`, `${refused.length}`, `${cut.length}`, `${mute}`, `${lostMs}`, `${wrongMs}`],
        ...[shown(webhooks.p50, 1), shown(webhooks.max, 1)],
      ],
    ],
  );
  bench.remark(`Ends: ${list(ended)}. Passed on to the process that has the call, at least: ${list(passed)}.`);
  bench.figures('webhook_ms', webhooks);
  bench.figure('restarts', rows.length);
  bench.figure('calls', done.length);
  bench.figure('calls_live_at_sigterm_min', Math.min(...rows.map(({ live }) => live)));
  bench.figure('refused', refused.length);
  bench.figure('cut', cut.length);
  bench.figure('caller_audio_lost_ms', lostMs);

  bench.fault(refused.length > 0, `${refused.length} calls were refused, the first: ${refused[0]?.refused}`);
  bench.fault(cut.length > 0, `${cut.length} calls were cut, the first: ${cut[0]?.cut}`);
  bench.fault(mute > 0, `${mute} callers never heard a sound`);
  bench.fault(lostMs !== 0, `${lostMs} ms of callers' audio did not reach the model`);
  bench.fault(wrongMs > 0, `${wrongMs} ms of the agent's audio were lost, repeated or out of order`);
  const badExits = rows.filter(({ exitCode }) => exitCode !== 0).length;
  bench.fault(badExits > 0, `${badExits} processes did not stop in good order`);
  const otherEnds = Object.keys(ended).filter((reason) => reason !== 'caller_hung_up');
  bench.fault(otherEnds.length > 0, `calls ended otherwise: ${list(ended)}`);
  bench.fault(
    complaints.length > 0,
    `the servers complained ${complaints.length} times, first: ${JSON.stringify(complaints[0])}`,
  );
  bench.fault(
    rows.some(({ live }) => live === 0),
    'a restart met no live call: it shows nothing',
  );
}
