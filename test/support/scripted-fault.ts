// A fault that a conversation script can have, from its file in test/fixtures/scripts/faults, through the real server: how
// the call ends, that the caller is not left in silence, and that nothing is left behind.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import { measureCall } from '../../src/replay/call-measure.ts';
import { loadScript } from '../../src/simulator/script-file.ts';
import { interruption, question, withE2e } from './e2e.ts';
import { listen, thanks } from './fault-call.ts';

const FOLDER = new URL('../fixtures/scripts/faults/', import.meta.url);

export interface Outcome {
  reason: string;
  /** What the agent was heard to say, in order; other words may stand between. */
  heard: string[];
  /** How often it was heard to say the first of these; a greeting comes once. Default 1. */
  once?: false;
  /**
   * Longest time in which the caller waits for the agent in silence. Default 2.4 s: 2 s are allowed, machines are shared.
   * Where no session can be had, "one moment" comes each 5 s.
   */
  silentMs?: number;
}

export const APOLOGY = 'technical problem';
/** The call goes on as if nothing had been. */
export const WHOLE: Outcome = { reason: 'agent_goodbye', heard: ['please go on', 'sunny today', 'Goodbye'] };
/** The same, with the longer answer. */
export const LONG: Outcome = { reason: 'agent_goodbye', heard: ['please go on', 'I can help with that', 'Goodbye'] };
/** No session can be had: the caller is asked for a moment, each 5 s, until the apology. */
export const REASSURED_MS = 5_600;
/** Interrupts the first answer, so that there is a cancelled one. */
const INTERRUPTED = /^late-deltas/;
/** The caller waits for what never comes instead of speaking up, which would bring the model back. */
const WAITS = /^stall-mid-answer/;

/** Faults of the connection and the session; all others are faults of answers and of what is on the wire. */
const OF_CONNECTIONS = /^(drop|handshake|session|update)-/;
const names = readdirSync(FOLDER).map((file) => file.replace(/\.yaml$/, ''));
export const connectionFaults = names.filter((name) => OF_CONNECTIONS.test(name));
export const answerFaults = names.filter((name) => !OF_CONNECTIONS.test(name));

/** Plays the fault of this file to a caller, who must experience this. */
export async function playFault(name: string, outcome: Outcome): Promise<void> {
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
    expect(Math.max(0, ...owed), 'silence in which the caller waited').toBeLessThan(outcome.silentMs ?? 2_400);
    const words = call.turns.map(({ who, text }) => (who === 'agent' ? text : '')).join(' ');
    expectInOrder(words, outcome.heard);
    const [greeting = ''] = outcome.heard;
    if (outcome.once !== false) expect(words.split(greeting), 'greeted once').toHaveLength(2);
    // By its sound too: that the record says so is not enough.
    expect(listen(result).apologyAtMs !== undefined).toBe(outcome.heard.includes(APOLOGY));
    if (call.end.result === 'failure') expect(record.end.detail, 'says why').not.toBe('');
    // What was sent by hand-made frames stands nowhere in the words either.
    expect(call.tools?.filter(({ status }) => status === 'unsettled')).toEqual([]);
  });
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
    : { cue: silent(1_200, 12_000), action: { say: thanks() } };
  return [
    { cue: silent(500, 8_000), action: { say: question() } },
    ...(WAITS.test(name) ? [] : [second]),
    { cue: silent(6_000, 12_000), action: { hangUp: true } },
  ];
}
