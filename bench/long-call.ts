// Calls of 62 minutes, sixty times faster: the model's sessions live a minute instead of an hour, and are replaced after
// 55 s. Counts what the caller asked and heard, which frames the sessions got, how long each change took, and what is billed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from '../src/agent/agent.ts';
import { loadAgents } from '../src/agent/load.ts';
import { bytesToMs } from '../src/audio/mulaw.ts';
import { readWav } from '../src/audio/wav.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { type CallerStep, cutClip, readClip } from '../src/phone/caller-track.ts';
import { type PhoneCall, placeCall } from '../src/phone/phone.ts';
import type { CallRecord } from '../src/record/call-record.ts';
import { type Server, startServer } from '../src/server.ts';
import type { Script } from '../src/simulator/script.ts';
import type { SimulatedSession } from '../src/simulator/session.ts';
import { spreadOf } from './percentiles.ts';
import { type Bench, runBench, shown, spreadCells } from './report.ts';

/** A minute of a real call takes a second here. */
const MINUTE_MS = 1_000;
const SESSION_MINUTES = 60;
const ANSWER_MS = 1_500;
const SAID = 'It is sunny today.';
const ROOT = join(import.meta.dirname, '..');

const answer = { callerTranscript: 'What is the weather like?', items: [{ stampedMs: ANSWER_MS, transcript: SAID }] };
/** Any session can go on with any turn. */
const script: Script = { greeting: answer, turns: [], fallback: answer };

/** What one call came to. */
interface Tally {
  asked: number;
  heardWhole: number;
  answers: number;
  /** Sessions that heard something else than one piece of what the caller sent. */
  broken: number;
  gapsMs: number[];
  missingMs: number;
  twiceMs: number;
  linesTwice: number;
  unbilled: number;
  lost: number;
  holds: number;
  reason: string;
}

await runBench('long-call', 'Calls that outlive their sessions', measure);

async function measure(bench: Bench): Promise<void> {
  const calls = bench.number('calls', 20, 4);
  const speed = bench.number('speed', 1, 10);
  const minutes = bench.number('minutes', 62, 140);
  const [sessionMs, callMs] = [(SESSION_MINUTES * MINUTE_MS) / speed, (minutes * MINUTE_MS) / speed];
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-long-call-'));
  const config = readConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    DATA_DIR: dataDir,
    MAX_CALLS_PER_SECOND: '1000',
    MAX_LOOP_DELAY_MS: '0',
  });
  const [sample] = await loadAgents(join(ROOT, 'agents'), config);
  if (!sample) throw new Error('no agent in agents/');
  const agent: Agent = { ...sample, model: { ...sample.model, maxSessionMs: sessionMs } };
  const records: CallRecord[] = [];
  const server = await startServer({
    config,
    agents: [agent],
    log: createLogger({ level: 'silent' }),
    // A session that is not replaced in time ends like a real one. Turns of seconds do not fit into its last moments when
    // these are shorter still.
    simulator: { session: { script, expiresInMs: speed > 1 ? 3 * sessionMs : sessionMs } },
  });
  server.records.onRecord((record) => void records.push(record));
  const audio = watchAudio(server);
  try {
    const running = Array.from({ length: calls }, () => talk(server, callMs));
    const endsMs = performance.now() + callMs;
    const ticking = setInterval(() => bench.say(`${shown((endsMs - performance.now()) / 1_000, 0)} s to go`), 1_000);
    await Promise.all(running.map(({ ended }) => ended));
    clearInterval(ticking);
    await server.drain(5_000);
    const tallies = await Promise.all(running.map((phone) => tallyOf(phone, records, audio)));
    report(bench, tallies, { sessionMs, callMs });
  } finally {
    await server.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A caller who asks the same again and again, a moment after each answer, until the call is as long as it shall be. */
function talk(server: Server, callMs: number): PhoneCall {
  const { origin, publicUrl, authToken } = server;
  const question = cutClip(readClip(join(ROOT, 'test', 'fixtures', 'calls', 'q-weather-short.wav')), 0, 1_300);
  const asks: CallerStep = {
    cue: { after: 'agent_silent', forMs: 1_000, patienceMs: 10_000 },
    action: { say: question },
  };
  const turns = Math.ceil(callMs / (question.length / 8 + ANSWER_MS + 1_500));
  const steps: CallerStep[] = [
    ...Array.from({ length: turns }, () => asks),
    { cue: { after: 'agent_silent', forMs: 1_000, patienceMs: 10_000 }, action: { hangUp: true } },
  ];
  return placeCall({ server: origin, publicUrl, authToken, track: { steps }, maxMs: callMs * 2 });
}

interface Heard {
  session: SimulatedSession;
  firstMs: number;
  lastMs: number;
}

/** When each session got its first and its latest caller audio. */
function watchAudio({ simulator }: Server): Heard[] {
  const all: Heard[] = [];
  simulator?.onSession((session) => {
    let heard: Heard | null = null;
    session.on('audio', () => {
      const nowMs = performance.now();
      if (heard === null) all.push((heard = { session, firstMs: nowMs, lastMs: nowMs }));
      heard.lastMs = nowMs;
    });
  });
  return all;
}

async function tallyOf(phone: PhoneCall, records: readonly CallRecord[], audio: readonly Heard[]): Promise<Tally> {
  const result = await phone.ended;
  const record = records.find(({ carrierCallId }) => carrierCallId === result.callSid);
  if (!record) throw new Error(`no record of ${result.callSid}`);
  const answered = record.turns.filter((turn) => turn.who === 'agent' && turn.answer !== null);
  const [caller = new Uint8Array()] = readWav(phone.stereoWav()).channels;
  const line = Buffer.from(caller);
  const lines = record.cost.lines.filter(({ what }) => what === 'answer');
  const sources = new Set(lines.map(({ source }) => source));
  // Each session answers a turn or more; a bill names its answers.
  const mine = audio
    .filter(({ session }) => session.responses.some(({ id }) => sources.has(id)))
    .map((heard) => ({ ...heard, bytes: heard.session.heardAudio() }))
    .map((heard) => ({ ...heard, at: line.indexOf(heard.bytes) }))
    .sort((a, b) => a.at - b.at);
  let [missing, twice] = [0, 0];
  const gapsMs: number[] = [];
  mine.slice(1).forEach((next, i) => {
    const before = mine[i] as (typeof mine)[number];
    const overlap = before.at + before.bytes.length - next.at;
    missing += Math.max(0, -overlap);
    twice += Math.max(0, overlap);
    gapsMs.push(next.firstMs - before.lastMs);
  });
  const responses = mine.flatMap(({ session }) => session.responses);
  return {
    asked: result.said.length,
    heardWhole: answered.filter((turn) => turn.who === 'agent' && turn.outcome === 'heard').length,
    answers: responses.length,
    broken: mine.filter(({ at }) => at < 0).length,
    gapsMs,
    missingMs: bytesToMs(missing),
    twiceMs: bytesToMs(twice),
    linesTwice: lines.length - sources.size,
    unbilled: responses.filter(({ id, usage }) => usage !== null && !sources.has(id)).length,
    lost: record.quality.sessions.lost,
    holds: record.turns.filter((turn) => turn.who === 'agent' && turn.utterance.startsWith('clip:')).length,
    reason: record.end.reason,
  };
}

function report(
  bench: Bench,
  tallies: readonly Tally[],
  { sessionMs, callMs }: { sessionMs: number; callMs: number },
): void {
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((all, tally) => all + of(tally), 0);
  const gaps = spreadOf(tallies.flatMap(({ gapsMs }) => gapsMs));
  const asked = sum((t) => t.asked);
  const answers = sum((t) => t.answers);
  const whole = sum((t) => t.heardWhole);
  // The greeting is an answer that nobody asked for.
  const expected = asked + tallies.length;
  bench.table(
    `${tallies.length} calls of ${shown(callMs / 1_000, 1)} s, sessions of ${shown(sessionMs / 1_000, 1)} s, replaced after 55/60 of that`,
    ['what', 'count'],
    [
      ['turns asked', String(asked)],
      ['answers made (with the greetings)', `${answers} of ${expected}`],
      ['answers heard whole', `${whole} of ${expected}`],
      ['changes of session', String(gaps.count)],
      ['sessions lost', String(sum((t) => t.lost))],
      ['"one moment" or apology heard', String(sum((t) => t.holds))],
      [
        'caller audio that no session heard',
        `${shown(
          sum((t) => t.missingMs),
          0,
        )} ms`,
      ],
      [
        'caller audio that two sessions heard',
        `${shown(sum((t) => t.twiceMs) / Math.max(1, gaps.count), 0)} ms a change`,
      ],
      ['answers billed twice, answers not billed', `${sum((t) => t.linesTwice)}, ${sum((t) => t.unbilled)}`],
    ],
  );
  bench.table(
    'From the last frame to the old session to the first to the new',
    ['', 'p50', 'p95', 'p99', 'max'],
    [['ms', ...spreadCells(gaps, 1)]],
  );
  bench.figures('change_gap_ms', gaps);
  bench.figure('turns_asked', asked);
  bench.figure('answers_heard_whole', whole);
  bench.fault(gaps.count < tallies.length, `${gaps.count} changes of session in ${tallies.length} calls`);
  bench.fault(answers !== expected, `${answers} answers to ${expected} turns and greetings`);
  bench.fault(whole !== expected, `${whole} answers heard whole of ${expected}`);
  bench.fault(sum((t) => t.missingMs) > 0, 'caller audio was lost at a change');
  bench.fault(sum((t) => t.broken) > 0, 'caller audio was lost within a session');
  bench.fault(sum((t) => t.lost) > 0, 'a session was lost');
  bench.fault(sum((t) => t.holds) > 0, 'a caller noticed');
  bench.fault(sum((t) => t.linesTwice + t.unbilled) > 0, 'the bill is wrong');
  const odd = tallies.filter(({ reason }) => reason !== 'caller_hung_up');
  bench.fault(odd.length > 0, `calls ended as ${odd.map(({ reason }) => reason).join(', ')}`);
  bench.remark('A change is to take 100 ms at most; server, model and callers share one process here.');
}
