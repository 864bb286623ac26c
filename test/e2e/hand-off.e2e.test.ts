// A call that another agent takes over: another session with its own instructions, tools and voice, on the same line, with what
// was said before.
import { describe, expect, test, vi } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import type { Script } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { type E2eOptions, sampleAgent, withE2e } from '../support/e2e.ts';
import { asksFirst, calls, errandAgent, farewell, outputsOf, says, speaksAfter, verbsOf } from '../support/errands.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const FRONT = 'Harbor Clinic';
const BILLING = 'Billing';

const tool = (name: string): Agent['tools'][number] => ({
  name,
  description: name,
  parameters: { type: 'object', properties: {}, additionalProperties: false },
  policy: { effect: 'reads' },
  run: () => ({ done: name }),
});

/** A front desk and a billing desk, each of which may hand over to the other. */
async function desks(): Promise<E2eOptions> {
  const { model } = await sampleAgent();
  const billing = {
    name: BILLING,
    instructions: 'You are the billing desk.',
    tools: [tool('refund')],
    model: { ...model, voice: 'cedar' },
    handOff: [{ agent: FRONT, when: 'It is about something else.' }],
  };
  const agent = errandAgent({
    tools: [tool('opening_hours')],
    sources: [],
    handOff: [{ agent: BILLING, when: 'It is about a bill.' }],
  });
  return { agent, beside: [billing] };
}

const toBilling = calls('hand_off_to', { agent: BILLING, why: 'A refund for June.' }, 500);
const script: Script = {
  turns: [toBilling],
  sessions: [
    {
      match: { instructions: 'billing desk' },
      part: { greeting: says(800), turns: [calls('refund', {}), farewell], afterTool: { refund: says(700) } },
    },
  ],
};

const toolsOf = ({ sessionConfig }: SimulatedSession): string[] =>
  (sessionConfig.tools as { name: string }[]).map(({ name }) => name);
const voiceOf = ({ sessionConfig }: SimulatedSession): unknown =>
  (sessionConfig as unknown as { audio: { output: { voice: string } } }).audio.output.voice;
const given = ({ items }: SimulatedSession): string => JSON.stringify(items.map((item) => item.given));

describe.concurrent('a hand-over to another agent', () => {
  test('goes on in another session, under its instructions, tools and voice', { timeout: 40_000 }, async () => {
    const caller = asksFirst(speaksAfter(1_100), speaksAfter(600));
    await withE2e({ ...(await desks()), simulator: { script } }, async (e2e) => {
      const phone = e2e.call(caller);
      const [front, billing] = [await e2e.session(0), await e2e.session(1)];
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(e2e.simulator.sessions).toHaveLength(2);
      expect(billing.sessionConfig.instructions).toContain('You are the billing desk.');
      expect(toolsOf(billing)).toEqual(expect.arrayContaining(['end_call', 'hand_off_to', 'refund']));
      expect(toolsOf(billing)).not.toContain('opening_hours');
      expect(toolsOf(front)).toContain('opening_hours');
      expect([voiceOf(front) === 'cedar', voiceOf(billing)]).toEqual([false, 'cedar']);
      expect(front.closed).toBeDefined();
      // It knows what was said, and why it has the call.
      expect(given(billing)).toContain('Stamped audio');
      expect(given(billing)).toContain('A refund for June.');
      expect(record.handOffs).toMatchObject([{ agent: BILLING }]);
      expect(record.agent.name).toBe(FRONT);
      expect(record.tools.map(({ name, status }) => `${name} ${status}`)).toEqual([
        'hand_off_to built_in',
        'refund ok',
        'end_call built_in',
      ]);
      expect(record.end.reason).toBe('agent_goodbye');
      const said = record.turns.flatMap((turn) => (turn.who === 'agent' ? [[turn.outcome, turn.heardMs]] : []));
      expect(said).toEqual([500, 800, 700, 300].map((ms) => ['heard', ms]));
      // For the caller it is one call: one stream, and no hole.
      expect(verbsOf(result)).toEqual(['Connect', 'Hangup']);
      const [first, second] = result.heard;
      const holeMs = (second?.atMs ?? 0) - (first?.atMs ?? 0) - (first?.durationMs ?? 0);
      expect(holeMs).toBeLessThan(1_500);
      const tape = await e2e.tape(phone.callSid);
      expect(tape.entries.some(({ text }) => text.includes('"note.handed_off"') && text.includes(BILLING))).toBe(true);
    });
  });

  test('and back again', { timeout: 40_000 }, async () => {
    const there: Script = {
      turns: [toBilling],
      sessions: [
        {
          match: { instructions: 'billing desk' },
          part: { greeting: says(600), turns: [calls('hand_off_to', { agent: FRONT }, 400)] },
        },
        // The third session is the front desk's again: it is known by what it was told.
        {
          match: { tools: ['opening_hours'] },
          part: { turns: [toBilling], greeting: says(500), onText: [{ contains: 'Billing', answer: farewell }] },
        },
      ],
    };
    await withE2e({ ...(await desks()), simulator: { script: there } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(1_000)));
      const third = await e2e.session(2);
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.handOffs.map(({ agent }) => agent)).toEqual([BILLING, FRONT]);
      expect(toolsOf(third)).toContain('opening_hours');
      expect(toolsOf(third)).not.toContain('refund');
      expect(record.end.reason).toBe('agent_goodbye');
    });
  });

  test.for([
    { what: 'an agent that it does not know', args: { agent: 'Night desk' } },
    { what: 'a name of every object', args: { agent: 'constructor' } },
    { what: 'itself', args: { agent: FRONT } },
    { what: 'nobody', args: {} },
  ])('does not happen to $what', { timeout: 40_000 }, async ({ args }) => {
    const wrong: Script = { turns: [calls('hand_off_to', args)], afterTool: { hand_off_to: farewell }, unruly: true };
    await withE2e({ ...(await desks()), simulator: { script: wrong } }, async (e2e) => {
      const phone = e2e.call(asksFirst());
      await phone.ended;
      expect(outputsOf(await e2e.session())[0]).toContain(`must be one of ${BILLING}`);
      expect(e2e.simulator.sessions).toHaveLength(1);
      expect((await e2e.record(phone.callSid)).handOffs).toEqual([]);
    });
  });

  test('whose session cannot be opened at first is tried again, and the caller is told to wait', {
    timeout: 40_000,
  }, async () => {
    const simulator: E2eOptions['simulator'] = (n) =>
      n === 2
        ? { refuse: { status: 503, body: { error: { code: 'server_error', message: 'Try again.' } } } }
        : { script };
    await withE2e({ ...(await desks()), simulator }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(1_100), speaksAfter(600)));
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.handOffs).toMatchObject([{ agent: BILLING }]);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(record.tools.map(({ name }) => name)).toContain('refund');
    });
  });

  test('while the caller speaks waits for the pause', { timeout: 40_000 }, async () => {
    const mute: Script = { ...script, turns: [calls('hand_off_to', { agent: BILLING }, 200), says(300)] };
    const simulator: E2eOptions['simulator'] = (n) => ({ script: mute, ...(n === 2 ? { updateDelayMs: 900 } : {}) });
    await withE2e({ ...(await desks()), simulator }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(100, 100), speaksAfter(500), speaksAfter(500)));
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.handOffs).toHaveLength(1);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(result.said.length).toBeGreaterThanOrEqual(3);
    });
  });
});
