// What an agent does beside talking: a text message to the caller, keys towards the other side, a note for the people who work
// here.
import { describe, expect, test, vi } from 'vitest';
import type { ApiRequest, TwilioApiOptions } from '../../src/phone/twilio-api.ts';
import type { Script } from '../../src/simulator/script.ts';
import { withE2e } from '../support/e2e.ts';
import { asksFirst, calls, errandAgent, farewell, outputsOf, says, speaksAfter } from '../support/errands.ts';
import { findTones } from '../support/tone-detector.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

const TEXT = 'Your appointment: Monday at nine.';
const agent = errandAgent({ sms: { from: null, perCall: 1 } });
const script: Script = {
  turns: [calls('send_sms', { text: TEXT }), farewell],
  afterTool: { send_sms: says(500) },
};
const caller = asksFirst(speaksAfter(400));
const sent = (requests: readonly ApiRequest[]) => requests.filter(({ path }) => path.endsWith('/Messages.json'));
const refusing = (status: number, code: number, times: number): NonNullable<TwilioApiOptions['refuse']> => {
  let left = times;
  return ({ path }) => (path.endsWith('/Messages.json') && left-- > 0 ? { status, code, message: 'No.' } : undefined);
};

describe.concurrent('a text message', () => {
  test('goes to the caller, from the number that was called, and its words are kept nowhere', { timeout: 30_000 }, () =>
    withE2e({ agent, simulator: { script }, rest: {} }, async (e2e) => {
      const phone = e2e.call({ ...caller, from: '+15005550077', to: '+15005550001' });
      const message = await e2e.api.message();
      expect(message).toMatchObject({ to: '+15005550077', from: '+15005550001', body: TEXT });
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(e2e.api.messages).toHaveLength(1);
      expect(outputsOf(await e2e.session())[0]).toContain('was sent');
      expect(record.tools[0]).toMatchObject({ name: 'send_sms', status: 'ok' });
      expect(JSON.stringify([record, e2e.logLines])).not.toContain('Monday');
    }),
  );

  test('is never sent to another number, whatever the model says', { timeout: 30_000 }, () => {
    const wrong: Script = {
      turns: [calls('send_sms', { text: TEXT, to: '+4930123456' }), farewell],
      afterTool: { send_sms: says(500) },
      unruly: true,
    };
    return withE2e({ agent, simulator: { script: wrong }, rest: {} }, async (e2e) => {
      const phone = e2e.call(caller);
      await phone.ended;
      expect(e2e.api.messages).toEqual([]);
      expect(sent(e2e.api.requests)).toEqual([]);
      expect((await e2e.record(phone.callSid)).tools[0]?.status).toBe('invalid');
    });
  });

  test('is sent once in a call where the agent file says so', { timeout: 30_000 }, () => {
    const twice: Script = {
      turns: [calls('send_sms', { text: TEXT }), calls('send_sms', { text: 'Once more.' }), farewell],
      afterTool: { send_sms: says(500) },
    };
    return withE2e({ agent, simulator: { script: twice }, rest: {} }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(400), speaksAfter(400)));
      await phone.ended;
      expect(e2e.api.messages.map(({ body }) => body)).toEqual([TEXT]);
      expect((await e2e.record(phone.callSid)).tools.map(({ status }) => status)).toEqual([
        'ok',
        'refused',
        'built_in',
      ]);
    });
  });

  test.for<{ what: string; rest: Partial<TwilioApiOptions>; messages: number; orders: number; told: RegExp }>([
    {
      what: 'is repeated when the API had too much to do',
      rest: { refuse: refusing(429, 20429, 1) },
      ...{ messages: 1, orders: 2, told: /was sent/ },
    },
    {
      what: 'whose answer is lost is not sent again, and the model knows that it may have been sent',
      rest: { faults: { lost: 1, for: /Messages/ } },
      ...{ messages: 1, orders: 1, told: /may|not known|unknown/i },
    },
    {
      what: 'that broke in the API is not sent again',
      rest: { refuse: refusing(500, 20500, 9) },
      ...{ messages: 0, orders: 1, told: /may|not known|unknown/i },
    },
    {
      what: 'is refused by a number that wants none',
      rest: { refuse: refusing(400, 21610, 9) },
      ...{ messages: 0, orders: 1, told: /not sent/ },
    },
  ])('$what', { timeout: 30_000 }, ({ rest, messages, orders, told }) =>
    withE2e({ agent, simulator: { script }, rest }, async (e2e) => {
      const phone = e2e.call(caller);
      await phone.ended;
      expect(e2e.api.messages).toHaveLength(messages);
      expect(sent(e2e.api.requests)).toHaveLength(orders);
      expect(outputsOf(await e2e.session())[0]).toMatch(told);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
    }),
  );

  test('cannot be sent to a caller without a number, nor without credentials of the carrier', {
    timeout: 30_000,
  }, async () => {
    await withE2e({ agent, simulator: { script }, rest: {} }, async (e2e) => {
      const phone = e2e.call({ ...caller, from: '+266696687' });
      await phone.ended;
      expect(outputsOf(await e2e.session())[0]).toContain('shows no number');
      expect(sent(e2e.api.requests)).toEqual([]);
    });
    await withE2e({ agent, simulator: { script } }, async (e2e) => {
      const phone = e2e.call(caller);
      await phone.ended;
      expect(outputsOf(await e2e.session())[0]).toContain('No text message can be sent from here');
    });
  });
});

describe.concurrent('keys towards the other side', () => {
  test('are heard there, in order, with the pauses', { timeout: 30_000 }, () => {
    const keys: Script = { turns: [calls('send_dtmf', { digits: '12w3#0*' }, 300), farewell] };
    return withE2e({ agent: errandAgent({ sendsDtmf: true }), simulator: { script: keys } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(1_200)));
      await phone.ended;
      const tones = findTones(phone.agentAudio());
      expect(tones.map(({ digit }) => digit).join('')).toBe('123#0*');
      for (const { durationMs } of tones) expect(durationMs).toBeGreaterThan(70);
      const [, two, three, hash] = tones.map(({ atMs }) => atMs);
      expect((three as number) - (two as number)).toBeGreaterThan(600);
      expect((hash as number) - (three as number)).toBeLessThan(260);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
    });
  });

  test.for(['', '12+', 'call me', '1'.repeat(33)])('are none of a telephone: %j', { timeout: 30_000 }, (digits) => {
    const keys: Script = {
      turns: [calls('send_dtmf', { digits })],
      afterTool: { send_dtmf: farewell },
      unruly: true,
    };
    return withE2e({ agent: errandAgent({ sendsDtmf: true }), simulator: { script: keys } }, async (e2e) => {
      const phone = e2e.call(asksFirst());
      await phone.ended;
      expect(findTones(phone.agentAudio())).toEqual([]);
      expect(outputsOf(await e2e.session())[0]).toContain('Not done');
    });
  });
});

describe.concurrent('a note', () => {
  test('stands in the record, and nothing of it in the log', { timeout: 30_000 }, () => {
    const notes: Script = {
      turns: [calls('leave_note', { disposition: 'billing', text: 'Call Ms. Weber back.' }), farewell],
      afterTool: { leave_note: says(400) },
    };
    const dispositions = { notes: { dispositions: ['billing', 'other'] } };
    return withE2e({ agent: errandAgent(dispositions), simulator: { script: notes } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(300)));
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.notes).toMatchObject([{ disposition: 'billing', text: 'Call Ms. Weber back.' }]);
      expect(JSON.stringify(e2e.logLines)).not.toContain('Weber');
    });
  });

  test('of another kind than those of the agent file is not taken', { timeout: 30_000 }, () => {
    const notes: Script = {
      turns: [calls('leave_note', { disposition: 'constructor', text: 'x' })],
      afterTool: { leave_note: farewell },
      unruly: true,
    };
    const dispositions = { notes: { dispositions: ['billing', 'other'] } };
    return withE2e({ agent: errandAgent(dispositions), simulator: { script: notes } }, async (e2e) => {
      const phone = e2e.call(asksFirst());
      await phone.ended;
      expect((await e2e.record(phone.callSid)).notes).toEqual([]);
      expect(outputsOf(await e2e.session())[0]).toContain('billing, other');
    });
  });
});
