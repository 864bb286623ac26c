// Warm transfer: a person is rung up while the caller stays with the agent, hears what it is about, and takes the call by a key;
// then both are in one room. Whatever the person does instead, the caller is with the agent, which knows.
import { describe, expect, test, vi } from 'vitest';
import type { PersonScript } from '../../src/phone/person-script.ts';
import type { Script } from '../../src/simulator/script.ts';
import { type E2eOptions, withE2e } from '../support/e2e.ts';
import {
  answered,
  asksFirst,
  calls,
  DESK,
  errandAgent,
  farewell,
  madeCalls,
  NIGHT_DESK,
  ordersAbout,
  outputsOf,
  says,
  secondStream,
  speaksAfter,
  stagesOf,
  target,
  verbsOf,
} from '../support/errands.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 30 });

const SUMMARY = 'Ms. Weber asks about her bill of June.';
/** People ring, listen and talk so many times faster than spoken. */
const PACE = 5;

const agent = errandAgent({ transfer: { reception: target('warm', DESK, 8) } });
const script: Script = {
  fallback: farewell,
  turns: [calls('transfer_to', { target: 'reception', summary: 'The model in its own words.' }, 400), farewell],
  afterTool: { transfer_to: says(700) },
  outOfBand: [{ contains: 'colleague', answer: { items: [{ text: SUMMARY }] } }],
};
const withPerson = (person: PersonScript, more: Partial<E2eOptions> = {}): E2eOptions => ({
  ...{ agent, simulator: { script } },
  rest: { pace: PACE, people: () => person },
  ...more,
});
/** In ms of the person's own time. */
const slowly = (ms: number): number => ms * PACE;

describe.concurrent('a person who takes the call', () => {
  test('hears the summary, meets the caller in one room, and the call is handed over', { timeout: 40_000 }, () =>
    withE2e(withPerson({ presses: '1', talkMs: slowly(9_500) }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const person = await e2e.api.person();
      const session = await e2e.session();
      expect(person.params).toMatchObject({ To: DESK, From: '+15005550001', Timeout: '8' });
      const met = await phone.once('together', { withinMs: 15_000 });
      expect(met).toMatchObject({ party: DESK, callSid: person.callSid });
      expect(met.room).not.toContain(DESK);
      const record = await e2e.record(phone.callSid).catch(() => null);
      const result = await phone.ended;
      const left = await person.ended;
      const [heard = ''] = left.announced.filter(({ verb }) => verb === 'Say').map(({ about }) => about);
      expect(heard).toBe(SUMMARY);
      expect(left).toMatchObject({ endedBy: 'person', warnings: [], stays: [{ room: met.room }] });
      expect(result.stays).toMatchObject([{ room: met.room, with: [{ party: DESK }] }]);
      // Nobody tears them apart: the talk ends when the person hangs up.
      expect(left.talkedMs).toBeGreaterThan(9_300);
      expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Hangup']);
      expect(result).toMatchObject({ endedBy: 'server', callStatus: 'completed', warnings: [], unplayedBytes: 0 });
      expect(ordersAbout(e2e, phone)).toEqual(['redirect']);
      expect(madeCalls(e2e)).toHaveLength(1);
      expect(session.closed).toBeDefined();
      const end = record ?? (await e2e.record(phone.callSid));
      expect(end.end).toMatchObject({ reason: 'transferred', result: 'success' });
      expect(stagesOf(end)).toEqual(['reception begun: warm', 'reception taken']);
    }),
  );

  test('presses the key when asked for the second time', { timeout: 40_000 }, () =>
    withE2e(withPerson({ ringMs: 500, presses: ['', '1'], talkMs: Number.POSITIVE_INFINITY }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      await phone.once('together', { withinMs: 15_000 });
      phone.hangUp();
      const result = await phone.ended;
      expect(result.stays).toHaveLength(1);
      expect(await (await e2e.api.person()).ended).toMatchObject({ endedBy: 'server', callStatus: 'completed' });
      expect(madeCalls(e2e)).toHaveLength(1);
    }),
  );

  test('does not cut off what the agent is saying to the caller meanwhile', { timeout: 40_000 }, () => {
    const chat: Script = { ...script, turns: [script.turns[0]!, says(3_000), farewell] };
    return withE2e(
      withPerson(
        { ringMs: slowly(2_200), presses: '1', pressAfterMs: slowly(300) },
        { agent: errandAgent({ transfer: { reception: target('warm') } }), simulator: { script: chat } },
      ),
      async (e2e) => {
        const phone = e2e.call({ ...asksFirst(speaksAfter(0)), verbPace: PACE });
        await phone.once('together', { withinMs: 15_000 });
        phone.hangUp();
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        const answers = record.turns.flatMap((turn) => (turn.who === 'agent' && turn.answer !== null ? [turn] : []));
        expect(answers).toMatchObject([
          { outcome: 'heard', heardMs: 400 },
          { outcome: 'heard', heardMs: 3_000 },
        ]);
        expect(result.unplayedBytes).toBe(0);
        expect(stagesOf(record).slice(0, 2)).toEqual(['reception begun: warm', 'reception taken']);
      },
    );
  });

  // Twilio's documentation says answered; completed is seen, too.
  test.for(['answered', 'completed'] as const)(
    'and leaves at once (%s): the caller is back with the agent, which speaks first',
    { timeout: 40_000 },
    (conferenceDialStatus) =>
      withE2e(withPerson({ ringMs: 500, presses: '1', talkMs: slowly(1_000) }), async (e2e) => {
        const phone = e2e.call({ ...asksFirst(speaksAfter(1_000)), verbPace: PACE, conferenceDialStatus });
        await secondStream(phone);
        const result = await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(verbsOf(result)).toEqual(['Connect', 'Dial', 'Connect', 'Hangup']);
        expect(stagesOf(record)).toEqual(['reception begun: warm', 'reception taken', 'reception missed: left']);
        expect(record.end.reason).toBe('agent_goodbye');
        expect(e2e.simulator.sessions).toHaveLength(1);
        expect(outputsOf(await e2e.session())[0]).toContain('the connection ended at once');
        const back = result.streams[1]?.fromMs ?? Number.NaN;
        const first = result.heard.find(({ atMs }) => atMs >= back);
        expect((first?.atMs ?? Number.NaN) - back).toBeLessThan(1_500);
      }),
  );

  test('two at once, for two callers: rooms and people are not mixed up', { timeout: 40_000 }, () => {
    const two = errandAgent({ transfer: { reception: target('warm', DESK), nights: target('warm', NIGHT_DESK) } });
    const of = (n: number): Script => ({
      turns: [calls('transfer_to', { target: n === 1 ? 'reception' : 'nights' }, 200)],
      outOfBand: { items: [{ text: `Caller ${n}.` }] },
    });
    const people = () => ({ ringMs: slowly(600), presses: '1', talkMs: Number.POSITIVE_INFINITY });
    return withE2e({ agent: two, simulator: (n) => ({ script: of(n) }), rest: { pace: PACE, people } }, async (e2e) => {
      const first = e2e.call({ ...asksFirst(), from: '+15005550021', verbPace: PACE });
      await e2e.session(0);
      const second = e2e.call({ ...asksFirst(), from: '+15005550022', verbPace: PACE });
      const [one, other] = await Promise.all([
        first.once('together', { withinMs: 15_000 }),
        second.once('together', { withinMs: 15_000 }),
      ]);
      expect([one.party, other.party]).toEqual([DESK, NIGHT_DESK]);
      expect(one.room).not.toBe(other.room);
      first.hangUp();
      second.hangUp();
      const results = await Promise.all([first.ended, second.ended]);
      expect(results.map(({ stays }) => stays.map((stay) => stay.with.map(({ party }) => party)))).toEqual([
        [[DESK]],
        [[NIGHT_DESK]],
      ]);
      const people = await Promise.all(e2e.api.people.map(({ ended }) => ended));
      const told = people.map(({ to, announced, stays }) => [
        to,
        announced[0]?.about,
        stays.flatMap((stay) => stay.with.map(({ party }) => party)),
      ]);
      expect(told).toEqual([
        [DESK, 'Caller 1.', ['+15005550021']],
        [NIGHT_DESK, 'Caller 2.', ['+15005550022']],
      ]);
    });
  });
});

describe.concurrent('a person who does not take the call', () => {
  test.for<{ what: string; person: PersonScript; why: string; words: string }>([
    { what: 'declines', person: { presses: '2' }, why: 'declined', words: 'declined' },
    { what: 'presses another key', person: { presses: '7' }, why: 'declined', words: 'declined' },
    { what: 'is on the line', person: { answers: 'busy' }, why: 'busy', words: 'busy' },
    { what: 'does not answer', person: { answers: 'no_answer' }, why: 'no_answer', words: 'nobody answered' },
    { what: 'cannot be reached', person: { answers: 'failed' }, why: 'failed', words: 'could not be reached' },
    { what: 'hangs up', person: { hangsUp: 'during_whisper' }, why: 'declined', words: 'declined' },
    { what: 'is a mailbox', person: { ringMs: 200 }, why: 'declined', words: 'declined' },
  ])('$what: the caller never left, and the agent says so', { timeout: 40_000 }, ({ person: does, why, words }) =>
    withE2e(withPerson({ ringMs: 1_000, ...does }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const person = await e2e.api.person();
      await person.ended;
      await answered(await e2e.session(), 2);
      phone.say((speaksAfter(0).action as { say: Uint8Array }).say);
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(verbsOf(result)).toEqual(['Connect', 'Hangup']);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(stagesOf(record)).toEqual(['reception begun: warm', `reception missed: ${why}`]);
      expect(outputsOf(await e2e.session())[0]).toContain(words);
      expect(e2e.api.people).toHaveLength(1);
      expect(ordersAbout(e2e, phone)).toEqual([]);
    }),
  );

  test('because nobody can be called from here: the agent is told so', { timeout: 30_000 }, () =>
    withE2e({ agent, simulator: { script } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(1_000)));
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(outputsOf(await e2e.session())[0]).toContain('people cannot be called from here');
      expect(stagesOf(record)).toEqual(['reception begun: warm', 'reception missed: unavailable']);
      expect(record.end.reason).toBe('agent_goodbye');
    }),
  );
});

describe.concurrent('a caller who hangs up', () => {
  test('while it rings: the person is rung no more', { timeout: 30_000 }, () =>
    withE2e(withPerson({ answers: 'no_answer' }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const person = await e2e.api.person();
      phone.hangUp();
      await phone.ended;
      expect(await person.ended).toMatchObject({ callStatus: 'canceled', endedBy: 'server' });
      const record = await e2e.record(phone.callSid);
      expect(record.end).toMatchObject({ reason: 'caller_hung_up' });
      expect(stagesOf(record)).toEqual(['reception begun: warm', 'reception revoked: the call ends']);
    }),
  );

  test(
    'while the person listens: their call ends, and a key that comes too late meets nobody',
    { timeout: 30_000 },
    () =>
      withE2e(withPerson({ ringMs: 200, presses: '1', pressAfterMs: slowly(3_000) }), async (e2e) => {
        const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
        const person = await e2e.api.person();
        await person.once('verb', { where: ({ name }) => name === 'Gather' });
        phone.hangUp();
        await phone.ended;
        expect(await person.ended).toMatchObject({ callStatus: 'completed', endedBy: 'server', stays: [] });
      }),
  );

  test('while both are on the way into the room: nobody stays there', { timeout: 30_000 }, () =>
    withE2e(withPerson({ ringMs: 200, presses: '1', talkMs: Number.POSITIVE_INFINITY }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const person = await e2e.api.person();
      await person.once('key');
      phone.hangUp();
      await phone.ended;
      expect(await person.ended).toMatchObject({ callStatus: 'completed', endedBy: 'server' });
    }),
  );
});

describe.concurrent('a warm transfer', () => {
  const takes: PersonScript = { ringMs: 1_000, presses: '1', talkMs: Number.POSITIVE_INFINITY };

  test('that one person declined goes to the next, in a room of its own', { timeout: 40_000 }, () => {
    const desks = errandAgent({ transfer: { reception: target('warm', DESK), nights: target('warm', NIGHT_DESK) } });
    const tries: Script = {
      ...script,
      afterTool: {
        transfer_to: [{ when: { output: 'declined' }, answer: calls('transfer_to', { target: 'nights' }, 300) }],
      },
    };
    const people = (to: string): PersonScript => (to === DESK ? { ringMs: 500, presses: '2' } : takes);
    return withE2e({ agent: desks, simulator: { script: tries }, rest: { pace: PACE, people } }, async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      expect(await phone.once('together', { withinMs: 15_000 })).toMatchObject({ party: NIGHT_DESK });
      phone.hangUp();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      const steps = ['reception begun: warm', 'reception missed: declined', 'nights begun: warm', 'nights taken'];
      expect(stagesOf(record).slice(0, 4)).toEqual(steps);
      expect(madeCalls(e2e)).toHaveLength(2);
    });
  });

  test('is not undone by a process that drains: the two stay together', { timeout: 40_000 }, () =>
    withE2e(withPerson({ ...takes, talkMs: slowly(4_500) }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      await phone.once('together', { withinMs: 15_000 });
      e2e.server.calls.endAll('drained');
      const record = await e2e.record(phone.callSid);
      const result = await phone.ended;
      expect(result.stays[0]?.endedBy).toBe('conference_ended');
      expect((await (await e2e.api.person()).ended).talkedMs).toBeGreaterThan(4_400);
      expect(ordersAbout(e2e, phone)).toEqual(['redirect']);
      expect(record.end.reason).toBe('transferred');
    }),
  );

  test('that rings while the process is asked to end is called off', { timeout: 40_000 }, () =>
    withE2e(withPerson({ answers: 'no_answer' }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const person = await e2e.api.person();
      e2e.server.calls.endAll('drained');
      expect(await person.ended).toMatchObject({ callStatus: 'canceled' });
      await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('drained');
    }),
  );

  test.for(['while it rings', 'in the room'])('outlives the loss of the model %s', { timeout: 40_000 }, (when) => {
    const second: Script = { ...script, greeting: says(700), turns: [farewell] };
    const person = when === 'in the room' ? { ...takes, talkMs: slowly(2_500) } : { ...takes, ringMs: slowly(1_400) };
    const simulator: E2eOptions['simulator'] = (n) => ({ script: n === 1 ? script : second });
    return withE2e(withPerson(person, { simulator }), async (e2e) => {
      const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
      const session = await e2e.session();
      const ringing = await e2e.api.person();
      if (when === 'while it rings') session.drop();
      expect(await phone.once('together', { withinMs: 15_000 })).toMatchObject({ callSid: ringing.callSid });
      if (when === 'in the room') {
        session.drop();
        await secondStream(phone);
        await phone.once('firstAudio');
      }
      phone.hangUp();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(stagesOf(record).slice(0, 2)).toEqual(['reception begun: warm', 'reception taken']);
      expect(madeCalls(e2e)).toHaveLength(1);
    });
  });

  test.for(['while it rings', 'when the key is pressed'])(
    'outlives the loss of the media %s',
    { timeout: 40_000 },
    (when) =>
      withE2e(withPerson({ ...takes, ringMs: slowly(when === 'while it rings' ? 1_500 : 200) }), async (e2e) => {
        const phone = e2e.call({ ...asksFirst(), verbPace: PACE });
        const person = await e2e.api.person();
        if (when !== 'while it rings') await person.once('key');
        phone.dropSocket();
        expect(await phone.once('together', { withinMs: 15_000 })).toMatchObject({ callSid: person.callSid });
        phone.hangUp();
        const result = await phone.ended;
        // The order may overtake the carrier's question after the loss.
        expect(verbsOf(result).join(' ')).toMatch(/^Connect (Connect )?Dial$/);
        expect(result.stays).toHaveLength(1);
        expect(madeCalls(e2e)).toHaveLength(1);
      }),
  );
});
