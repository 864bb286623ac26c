// A warm transfer while a new process takes the place of the one that has the call: everything that the carrier asks about the
// person and the caller arrives at the new one, and is answered by the old one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../src/peers/doors.ts';
import { newSid } from '../../src/phone/call-params.ts';
import { startTwilioApi } from '../../src/phone/twilio-api.ts';
import type { Script } from '../../src/simulator/script.ts';
import { interruption, sumOf, within } from '../support/e2e.ts';
import { asksFirst, calls, DESK, farewell, outputsOf, says, verbsOf } from '../support/errands.ts';
import { AUTH_TOKEN, callProcess, withProcesses } from '../support/server-process.ts';

const PACE = 5;
const AGENT = `
name: Desk
answers: ["*"]
instructions: You are a front desk.
greeting: off
turn_taking: { silence_ms: 300 }
transfer:
  reception: { to: "${DESK}", how: warm, ring_seconds: 60, when: The caller asks for a person. }
`;
const script: Script = {
  fallback: farewell,
  turns: [calls('transfer_to', { target: 'reception' }, 300), farewell],
  afterTool: { transfer_to: says(700) },
  outOfBand: { items: [{ text: 'A caller.' }] },
};

/** Only Linux lets two processes share a port. */
describe.skipIf(process.platform !== 'linux')('a warm transfer', () => {
  test('is carried through by the process that has the call, wherever its webhooks arrive', {
    timeout: 40_000,
  }, async () => {
    const agents = await mkdtemp(join(tmpdir(), 'trunkline-agents-'));
    await writeFile(join(agents, 'desk.yaml'), AGENT);
    const accountSid = newSid('AC');
    // Long enough for another process to start.
    const people = () => ({ ringMs: 45_000, presses: '1', talkMs: 1_500 * PACE });
    const api = await startTwilioApi({ accountSid, authToken: AUTH_TOKEN, pace: PACE, people });
    const port = await freePort('127.0.0.1');
    const origin = `http://127.0.0.1:${port}`;
    const env = {
      ...{ PORT: `${port}`, PUBLIC_URL: origin, AGENTS_DIR: agents },
      ...{ TWILIO_ACCOUNT_SID: accountSid, TWILIO_API_BASE_URL: api.origin },
    };
    try {
      await withProcesses(
        async (start, simulator) => {
          const old = start(env);
          await old.ready();
          const phone = callProcess(origin, { ...asksFirst(), accountSid, maxMs: 35_000, verbPace: PACE });
          api.register(phone);
          const person = await api.person();
          const fresh = start(env);
          await fresh.ready();
          old.signal('SIGTERM');
          await old.line('another process has the port');
          expect(person.callStatus).toBe('ringing');

          const met = await phone.once('together', { withinMs: 15_000 });
          expect(met.callSid).toBe(person.callSid);
          const { streamSid: first } = await phone.once('streaming');
          await phone.once('streaming', { where: ({ streamSid }) => streamSid !== first });
          // The agent speaks first, also over a stream that runs through both processes.
          await phone.once('firstAudio');
          phone.say(interruption());
          const result = await phone.ended;
          await person.ended;
          expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Connect', 'Hangup']);
          expect(result.http.filter(({ status }) => status >= 300)).toEqual([]);
          expect(simulator.sessions).toHaveLength(1);
          expect(outputsOf(simulator.sessions[0]!)[0]).toContain('the connection ended at once');
          expect(await within(5_000, 'the end of the old process', old.exit)).toBe(0);
          const metrics = await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text();
          const passed = (what: string) => sumOf(metrics, 'trunkline_passed_on_total', { what });
          // Of the person: the document, the key. Of the caller: what follows the room, and the second stream.
          expect(passed('next')).toBeGreaterThanOrEqual(3);
          expect(passed('status')).toBeGreaterThanOrEqual(2);
          expect(passed('media')).toBe(1);
          const ends = old.lines.filter(({ msg }) => msg === 'call ended').map(({ reason }) => reason);
          expect(ends).toEqual(['agent_goodbye']);
          for (const { lines } of [old, fresh]) expect(JSON.stringify(lines)).not.toMatch(/\+\d{6,}/);
        },
        { script },
      );
    } finally {
      await api.close();
      await rm(agents, { recursive: true });
    }
  });
});
