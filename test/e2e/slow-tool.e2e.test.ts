// A tool that takes six seconds while the caller interrupts at any moment: the agent falls silent as fast as without a tool, the
// filler stops, and what the tool found is said once.
import { describe, expect, test, vi } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { realClock } from '../../src/clock.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import { seededRandom } from '../../src/phone/seeded-random.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { Script } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import { type E2e, interruption, warmUp, withE2e, within } from '../support/e2e.ts';
import { asksFirst, calls, errandAgent, says, speaksAfter, farewell } from '../support/errands.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 30 });

const TOOL_MS = 6_000;
const CALLS = 10;
/** Loud, and unlike anything that anybody says. */
const MUSIC = new Uint8Array(16_000).fill(0x15);

const inMs = (ms: number): Promise<void> =>
  new Promise((resolve) => void realClock.at(realClock.nowMs() + ms, resolve));

/** An agent with a tool that takes its time; `running` is told of each run. */
function slowly(ms: number, running: (callId: string) => void = () => {}) {
  return errandAgent({
    recording: null,
    filler: { afterMs: 100, say: null, music: MUSIC, musicAfterMs: 200 },
    tools: [
      {
        name: 'trace_order',
        description: 'Traces an order.',
        parameters: { type: 'object', properties: {}, additionalProperties: false },
        policy: { effect: 'reads' },
        async run(_args: unknown, { callId }) {
          running(callId);
          await inMs(ms);
          return { found: 'in Rotterdam' };
        },
      } satisfies Agent['tools'][number],
    ],
  });
}

const FOUND = 'It is in Rotterdam.';
const found = { items: [{ stampedMs: 900, transcript: FOUND }] };

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

/** How long after the model noticed the caller the queued speech is gone; null where none was sounding. */
async function stopsAfterMs(phone: PhoneCall, session: SimulatedSession, say: () => void): Promise<number | null> {
  let noticedMs = Number.NaN;
  const noticed = session.next('speech_started').then(() => void (noticedMs = realClock.nowMs()));
  const cleared = phone.once('clear', { withinMs: 2_000 }).then(
    () => realClock.nowMs(),
    () => null,
  );
  say();
  await within(5_000, 'the caller to be noticed', noticed);
  const clearedMs = await cleared;
  return clearedMs === null ? null : clearedMs - noticedMs;
}

describe.concurrent('a caller who interrupts', () => {
  test('is heard as soon during a slow tool as during speech', { timeout: 40_000 }, async () => {
    await warmUp();
    const random = seededRandom(6);
    // Before the tool is through: nobody can say then whose answer is the tool's.
    const moments = Array.from({ length: CALLS }, (_, i) => 300 + ((i + random()) / CALLS) * 4_000);
    const running = new Map<string, PromiseWithResolvers<void>>();
    const runs = (callId: string) => {
      const known = running.get(callId) ?? Promise.withResolvers<void>();
      running.set(callId, known);
      return known;
    };
    const slow: Script = {
      turns: [calls('trace_order', {}, 900), says(300), farewell],
      afterTool: { trace_order: found },
    };
    const speech: Script = { turns: [says(8_000), says(300), farewell] };
    const measure = async (e2e: E2e, { phone, session }: Line, momentMs: number, script: Script) => {
      if (script === slow) await within(6_000, 'the tool', runs(e2e.callId(phone.callSid)).promise);
      else await within(6_000, 'the answer', session.next('response'));
      await inMs(momentMs);
      const ms = await stopsAfterMs(phone, session, () => void phone.say(interruption()));
      if (script === slow) await saidIn(session, FOUND);
      await inMs(1_300);
      phone.hangUp();
      await phone.ended;
      // Where nothing was stopped there was nothing to stop: the moment fell between two pieces of filler.
      if (ms === null) expect(soundsThen(await e2e.record(phone.callSid))).toBe(false);
      if (script === slow) {
        const said = session.items.filter(({ transcript }) => transcript === FOUND);
        expect(said).toHaveLength(1);
        expect(session.clientEvents.filter(({ event }) => JSON.stringify(event).includes('Rotterdam'))).toHaveLength(1);
        const heard = readStamps(Buffer.concat((await phone.ended).heard.map(({ bytes }) => bytes)));
        expect(heard.get(said[0]?.stamp as number)?.heardMs).toBe(900);
      }
      return ms;
    };
    const all = (script: Script) =>
      withE2e({ agent: slowly(TOOL_MS, (callId) => runs(callId).resolve()), simulator: { script } }, async (e2e) => {
        const measured: Promise<number | null>[] = [];
        for (const ms of moments) {
          // One after the other: so it is known whose session is whose.
          const phone = e2e.call({ ...asksFirst(), from: `+1500555${1_000 + measured.length}` });
          const line = { phone, session: await e2e.session(measured.length) };
          measured.push(measure(e2e, line, ms, script));
        }
        return Promise.all(measured);
      });
    const [during, without] = await Promise.all([all(slow), all(speech)]);
    const known = (values: (number | null)[]): number[] => values.filter((ms) => ms !== null);
    expect(known(without)).toHaveLength(CALLS);
    expect(known(during).length).toBeGreaterThanOrEqual(CALLS / 2);
    expect(median(known(during))).toBeLessThan(2 * median(known(without)) + 20);
  });
});

describe.concurrent('hold sound', () => {
  test('goes round while a tool runs, and gives way to what it found', { timeout: 40_000 }, () => {
    const script: Script = { turns: [calls('trace_order', {}, 300), farewell], afterTool: { trace_order: found } };
    return withE2e({ agent: slowly(7_500), simulator: { script } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(7_500)));
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      const turns = record.turns.flatMap((turn) => (turn.who === 'agent' ? [turn] : []));
      const music = turns.filter(({ utterance }) => utterance.startsWith('clip:music'));
      // Twice round and a part of it: two seconds each, without a gap that could be heard as a broken line.
      expect(music.length).toBeGreaterThanOrEqual(3);
      expect(music.at(-1)?.outcome).not.toBe('heard');
      const bytes = Buffer.concat(result.heard.map((stretch) => stretch.bytes));
      const musicMs = bytes.filter((byte) => byte === MUSIC[0]).length / 8;
      expect(musicMs).toBeGreaterThan(4_500);
      const [first, ...rest] = music.map(({ soundAtMs }) => soundAtMs as number);
      const gaps = rest.map((atMs, i) => atMs - (i === 0 ? (first as number) : (rest[i - 1] as number)) - 2_000);
      for (const gap of gaps.slice(0, -1)) expect(Math.abs(gap)).toBeLessThan(60);
      // The answer is said at once and whole, and nothing of the sound is left behind it.
      const answer = turns.find(({ text }) => text === FOUND);
      expect(answer).toMatchObject({ outcome: 'heard', heardMs: 900 });
      const after = result.heard.filter(({ atMs }) => atMs > (answer?.soundAtMs ?? 0) + 200);
      expect(after.some((stretch) => stretch.bytes.includes(Buffer.from(MUSIC.subarray(0, 400))))).toBe(false);
    });
  });
});

interface Line {
  phone: PhoneCall;
  session: SimulatedSession;
}

/** Whether the agent was sounding when the caller interrupted. */
function soundsThen({ turns }: CallRecord): boolean {
  const [, interrupts] = turns.filter((turn) => turn.who === 'caller');
  const atMs = interrupts?.speechStartAtMs ?? Number.NaN;
  return turns.some(
    (turn) =>
      turn.who === 'agent' &&
      turn.soundAtMs !== null &&
      turn.soundAtMs < atMs &&
      atMs < turn.soundAtMs + turn.heardMs - 60,
  );
}

async function saidIn(session: SimulatedSession, text: string): Promise<void> {
  if (session.items.some((item) => item.transcript === text)) return;
  const done = session.next('response_done', () => session.items.some((item) => item.transcript === text));
  await within(12_000, 'what the tool found', done);
}
