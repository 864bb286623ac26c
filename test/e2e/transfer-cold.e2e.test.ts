// Cold transfer as the phone drives it: the agent announces it, its media ends, the next TwiML dials the person. Whoever takes
// the call has the caller; where nobody does, the caller is back with the agent, which knows why.
import { describe, expect, test, vi } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { soundSpans } from '../../src/replay/loudness.ts';
import type { Script } from '../../src/simulator/script.ts';
import { withE2e, within } from '../support/e2e.ts';
import {
  asksFirst,
  calls,
  DESK,
  errandAgent,
  farewell,
  ordersAbout,
  outputsOf,
  says,
  speaksAfter,
  stagesOf,
  target,
  verbsOf,
} from '../support/errands.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const agent = errandAgent({ transfer: { reception: target('cold') } });
const script: Script = {
  fallback: farewell,
  turns: [calls('transfer_to', { target: 'reception', summary: 'Wants a person.' }, 600), farewell],
  afterTool: { transfer_to: says(700) },
};
const withCold = { agent, rest: {}, simulator: { script } } as const;

describe.concurrent('a cold transfer', () => {
  test('is dialled when the announcement was heard; the two talk, and then the call ends', { timeout: 30_000 }, () =>
    withE2e(withCold, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: 1, dial: { ringMs: 500, talkMs: 2_500 } });
      const session = await e2e.session();
      const dial = await phone.once('verb', { where: ({ name }) => name === 'Dial' });
      expect(dial.children.map(({ name, text }) => `${name} ${text}`)).toEqual([`Number ${DESK}`]);
      expect(dial.attributes['timeout']).toBe('20');
      // As soon as the person has answered: nobody pays for a model that nobody talks to.
      if (!session.closed) await within(2_000, 'the end of the session', session.next('closed'));
      const record = await e2e.record(phone.callSid);
      expect(e2e.server.calls.live).toBe(0);
      const result = await phone.ended;
      expect(result).toMatchObject({ endedBy: 'server', callStatus: 'completed', unplayedBytes: 0, warnings: [] });
      expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Hangup']);
      expect(result.dials).toMatchObject([{ to: DESK, status: 'completed' }]);
      const [{ answeredAtMs = 0, endMs } = { endMs: 0 }] = result.dials;
      expect(endMs - answeredAtMs).toBeGreaterThanOrEqual(2_400);
      expect(record.end).toMatchObject({ reason: 'transferred', result: 'success' });
      expect(stagesOf(record)).toEqual(['reception begun: cold', 'reception taken']);
      expect(record.turns.filter(({ who }) => who === 'agent')).toMatchObject([{ outcome: 'heard', heardMs: 600 }]);
      expect(ordersAbout(e2e, phone)).toEqual([]);
    }),
  );

  test.for([
    { what: 'busy', dial: { status: 'busy', ringMs: 300 }, why: 'busy', words: 'the line is busy' },
    { what: 'no answer', dial: { status: 'no-answer', ringMs: 2_500 }, why: 'no_answer', words: 'nobody answered' },
    { what: 'failed', dial: { status: 'failed', ringMs: 100 }, why: 'failed', words: 'could not be reached' },
    { what: 'canceled', dial: { status: 'canceled', ringMs: 100 }, why: 'failed', words: 'could not be reached' },
  ] as const)(
    '$what: the caller is back with the agent, which says so first',
    { timeout: 30_000 },
    ({ dial, why, words }) =>
      withE2e(withCold, async (e2e) => {
        const phone = e2e.call({ ...asksFirst(speaksAfter(1_200)), verbPace: 1, dial });
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        const session = await e2e.session();
        expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Connect', 'Hangup']);
        expect(result.streams).toHaveLength(2);
        expect(e2e.simulator.sessions).toHaveLength(1);
        expect(e2e.admitted).toHaveLength(1);
        expect(record.end.reason).toBe('agent_goodbye');
        expect(stagesOf(record)).toEqual(['reception begun: cold', `reception missed: ${why}`]);
        const [told] = outputsOf(session);
        expect(told).toContain(words);
        expect(told).toContain('The caller is with you again');
        // The agent speaks first, and soon.
        const back = result.streams[1]?.fromMs ?? Number.NaN;
        const first = result.heard.find(({ atMs }) => atMs >= back);
        expect((first?.atMs ?? Number.NaN) - back).toBeLessThan(1_500);
        expect(result.said.at(-1)?.atMs).toBeGreaterThan(first?.atMs ?? Number.NaN);
        // Neither too much nor too little was heard: announcement, news, goodbye.
        expect(record.turns.filter(({ who }) => who === 'agent')).toMatchObject([
          { outcome: 'heard', heardMs: 600 },
          { outcome: 'heard', heardMs: 700 },
          { outcome: 'heard', heardMs: 300 },
        ]);
        // The recording goes on where the talk does.
        const file = (await e2e.audioFile(phone.callSid)) as Buffer;
        const sounds = soundSpans(readWav(file).channels[1] as Uint8Array);
        expect(sounds.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)).toBeGreaterThanOrEqual(1_550);
        expect(sounds.at(-1)?.toMs).toBeGreaterThan(back);
        expect(ordersAbout(e2e, phone)).toEqual([]);
      }),
  );

  test('the caller who hangs up while it rings is gone, and the call says so', { timeout: 30_000 }, () =>
    withE2e(withCold, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: 1, dial: { ringMs: 8_000 } });
      await phone.once('verb', { where: ({ name }) => name === 'Dial' });
      await phone.once('http', { where: ({ path }) => path === '/voice/status', withinMs: 500 }).catch(() => {});
      phone.hangUp();
      const result = await phone.ended;
      expect(result.dials).toMatchObject([{ status: 'canceled' }]);
      const record = await e2e.record(phone.callSid);
      expect(record.end).toMatchObject({ reason: 'caller_hung_up', by: 'caller' });
      expect(stagesOf(record)).toEqual(['reception begun: cold', 'reception revoked: the call ends']);
      expect(ordersAbout(e2e, phone)).toEqual([]);
    }),
  );

  test('the caller who speaks into the announcement is not sent away', { timeout: 30_000 }, () => {
    const long: Script = {
      turns: [calls('transfer_to', { target: 'reception' }, 4_000), farewell],
      afterTool: { transfer_to: says(300) },
    };
    return withE2e({ ...withCold, simulator: { script: long } }, async (e2e) => {
      const phone = e2e.call(
        asksFirst({ cue: { after: 'agent_speaking', forMs: 1_000 }, action: speaksAfter(0).action }),
      );
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(verbsOf(result)).toEqual(['Connect', 'Hangup']);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(stagesOf(record)).toEqual(['reception begun: cold', 'reception revoked: the caller spoke']);
      expect(outputsOf(await e2e.session())[0]).toContain('Not transferred');
    });
  });

  test.for([
    { what: 'a number', args: { target: '+4930123456' } },
    { what: 'a number beside a name', args: { target: 'reception', to: '+4930123456', number: '+4930123456' } },
    { what: 'a name of every object', args: { target: 'constructor' } },
    { what: 'nothing', args: {} },
  ])('goes to nobody but those of the agent file, whatever the model says: $what', { timeout: 30_000 }, ({ args }) => {
    const script: Script = { turns: [calls('transfer_to', args, 300)], afterTool: { transfer_to: farewell } };
    return withE2e({ ...withCold, simulator: { script: { ...script, unruly: true } } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: 20, dial: { ringMs: 500, talkMs: 1_000 } });
      const result = await phone.ended;
      for (const { to } of result.dials) expect(to).toBe(DESK);
      expect(result.dials.length).toBe('to' in args ? 1 : 0);
      expect(madeUp(e2e)).toEqual([]);
    });
  });

  test('needs no credentials of the carrier', { timeout: 30_000 }, () =>
    withE2e({ agent, simulator: { script } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: 10, dial: { ringMs: 500, talkMs: 2_000 } });
      const result = await phone.ended;
      expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Hangup']);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('transferred');
    }),
  );
});

/** Anything asked of the carrier that names a number which the model made up. */
const madeUp = (e2e: { api: { requests: readonly { params: Record<string, string> }[] } }) =>
  e2e.api.requests.filter(({ params }) => JSON.stringify(params).includes('4930123456'));
