// Every fault that a conversation script can have, from its file, through the real server: how the call ends, that the caller
// is not left in silence, and that nothing is left behind. A fault file without a row here fails.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import { measureCall } from '../../src/replay/call-measure.ts';
import { loadScript } from '../../src/simulator/script-file.ts';
import { interruption, question, recorded, sampleAgent, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const FOLDER = new URL('../fixtures/scripts/faults/', import.meta.url);

interface Outcome {
  reason: string;
  /** What the agent was heard to say, in order; other words may stand between. */
  heard: string[];
  /** Longest time in which the caller waits for the agent in silence. Default 3 s: 2 s are allowed, machines are shared. */
  silentMs?: number;
}

const WHOLE: Outcome = { reason: 'agent_goodbye', heard: ['please go on', 'sunny today', 'Goodbye'] };
const LONG: Outcome = { reason: 'agent_goodbye', heard: ['please go on', 'I can help with that', 'Goodbye'] };
/** The limits after which a model counts as gone are longer: 4 s for a session, 3.5 s for an answer. */
const NO_SESSION = { heard: ['technical problem'], silentMs: 6_000 };
const STALLED = { reason: 'model_stalled', silentMs: 6_000 };
const refused: Outcome = { reason: 'model_refused', heard: ['technical problem'] };
const lost = (...before: string[]): Outcome => ({ reason: 'model_lost', heard: [...before, 'technical problem'] });

const OUTCOMES: Record<string, Outcome> = {
  'arguments-not-json': { reason: 'agent_goodbye', heard: ['please go on', 'One moment', 'anything else', 'Goodbye'] },
  'drop-1008': lost('please go on'),
  'drop-before-greeting': lost(),
  'drop-mid-answer-1001': lost('please go on', 'I can help with that'),
  'drop-mid-answer-1006': lost('please go on', 'I can help with that'),
  'drop-mid-answer-1011': lost('please go on', 'I can help with that'),
  'drop-once': lost('please go on', 'I can help'),
  'failed-insufficient-quota': { reason: 'model_failed', heard: ['please go on', 'technical problem'] },
  'failed-rate-limit': WHOLE,
  'failed-server-error': WHOLE,
  'failed-twice': { reason: 'model_failed', heard: ['please go on', 'technical problem'] },
  'frames-bare': WHOLE,
  'frames-binary': WHOLE,
  'frames-duplicate': WHOLE,
  'frames-huge': WHOLE,
  'frames-malformed-json': WHOLE,
  'frames-not-an-object': WHOLE,
  'frames-nulls': WHOLE,
  'frames-out-of-order': WHOLE,
  'frames-unknown-event': WHOLE,
  'handshake-401': refused,
  'handshake-429': refused,
  'handshake-429-once': refused,
  'handshake-500': refused,
  'handshake-500-once': refused,
  'handshake-503': refused,
  'handshake-503-once': refused,
  'handshake-hangs': { reason: 'model_unreachable', ...NO_SESSION },
  'handshake-slow': WHOLE,
  'incomplete-content-filter': WHOLE,
  'incomplete-max-tokens': WHOLE,
  'late-deltas': LONG,
  'late-deltas-after-done': LONG,
  mute: { ...STALLED, heard: ['technical problem'] },
  'session-expired': lost('please go on'),
  'session-expired-close': lost('please go on'),
  stall: { ...STALLED, heard: ['technical problem'] },
  'stall-mid-answer': { ...STALLED, heard: ['please go on', 'I can help', 'technical problem'] },
  'stall-pause': LONG,
  'transcription-failed': WHOLE,
  'update-never-confirmed': { reason: 'model_unreachable', ...NO_SESSION },
  'update-refused': refused,
  'update-slow': WHOLE,
};

/** Interrupts the first answer, so that there is a cancelled one. */
const INTERRUPTED = /^late-deltas/;
/** The caller waits for what never comes instead of speaking up, which would bring the model back. */
const WAITS = /^stall-mid-answer/;

const { failure } = await sampleAgent();
const names = readdirSync(FOLDER).map((file) => file.replace(/\.yaml$/, ''));

test('every fault file has a row, and every row a file', () => {
  expect(Object.keys(OUTCOMES).toSorted()).toEqual(names.toSorted());
});

describe.concurrent('a scripted fault, through the server', () => {
  test.for(names)('%s', { timeout: 60_000 }, async (name) => {
    const outcome = OUTCOMES[name];
    if (!outcome) throw new Error(`what should become of a call with ${name}.yaml?`);
    const script = await loadScript(fileURLToPath(new URL(`${name}.yaml`, FOLDER)));
    await withE2e({ simulator: script }, async (e2e) => {
      const phone = e2e.call({ track: { steps: stepsFor(name) } });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      const call = measureCall({
        source: name,
        result,
        callerAudio: phone.callerAudio(),
        agentAudio: phone.agentAudio(),
        record,
        stops: [],
      });
      expect(call.end.reason).toBe(outcome.reason);
      expect(call.warnings).toEqual([]);
      const owed = call.deadAir.filter(({ waitingFor }) => waitingFor === 'agent').map((d) => d.toMs - d.fromMs);
      expect(Math.max(0, ...owed), 'silence in which the caller waited').toBeLessThan(outcome.silentMs ?? 3_000);
      expectInOrder(wordsOf(call.turns, result.heard), outcome.heard);
      // What was sent by hand-made frames stands nowhere in the words either.
      expect(call.tools?.filter(({ status }) => status === 'unsettled')).toEqual([]);
    });
  });
});

/** The words of the turns; the recorded apology has none and is known by its sound. */
function wordsOf(turns: readonly { who: string; text: string | null }[], heard: readonly { bytes: Buffer }[]): string {
  const words = turns.filter(({ who }) => who === 'agent').map(({ text }) => text ?? '');
  const apology = Buffer.from(failure.apology.subarray(0, 8_000));
  if (heard.some(({ bytes }) => bytes.includes(apology))) words.push('(the apology:) technical problem');
  return words.join(' ');
}

function expectInOrder(words: string, phrases: readonly string[]): void {
  let from = 0;
  for (const phrase of phrases) {
    const at = words.indexOf(phrase, from);
    expect(at, `"${phrase}" in: ${words}`).toBeGreaterThanOrEqual(0);
    from = at + phrase.length;
  }
}

/** A question once the greeting is over, closing words after the answer; the caller gives up after long silence. */
function stepsFor(name: string): CallerStep[] {
  const silent = (forMs: number, patienceMs: number) => ({ after: 'agent_silent', forMs, patienceMs }) as const;
  const second: CallerStep = INTERRUPTED.test(name)
    ? { cue: { after: 'agent_speaking', forMs: 1_500, patienceMs: 8_000 }, action: { say: interruption() } }
    : { cue: silent(1_200, 12_000), action: { say: recorded('short-closing-words.wav', 180, 1_300) } };
  return [
    { cue: silent(500, 8_000), action: { say: question() } },
    ...(WAITS.test(name) ? [] : [second]),
    { cue: silent(6_000, 12_000), action: { hangUp: true } },
  ];
}
