// People of a caller file: what they do as a script, what became of them in a result, and what is expected of that.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { loadCaller } from '../../src/replay/caller-file.ts';
import { judgeMessages, judgeTransfers } from '../../src/replay/expect-reached.ts';
import { InputError } from '../../src/replay/replay-fault.ts';
import { dialOutcome, ReplayPeople, scriptOf } from '../../src/replay/replay-people.ts';
import { newSid } from '../../src/phone/call-params.ts';
import { placeCall } from '../../src/phone/phone.ts';
import { type StandIn, standIn } from '../phone/stand-in-server.ts';
import type { CallResult, ResultTransfer } from '../../src/replay/call-result.ts';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-people-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(people: string) {
  const path = join(folder, 'caller.yaml');
  writeFileSync(path, `timeline:\n  - hangup: true\npeople:\n${people}`);
  return loadCaller(path).people;
}
const faultOf = (people: string): string => {
  try {
    load(people);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return '';
};

describe('people of a caller file', () => {
  test('become the scripts of those who are called, and the outcomes of a Dial', () => {
    const people = load(
      '  - { to: "+15551230009", answers: yes, after: 4, presses: "1", press_after: 2, talk: 8 }\n' +
        '  - { to: "+15551230008", answers: no_answer }\n' +
        '  - { to: any, answers: busy, after: 1 }\n',
    );
    expect(scriptOf(people, '+15551230009')).toEqual({
      ...{ answers: 'yes', ringMs: 4_000, presses: '1', pressAfterMs: 2_000, talkMs: 8_000 },
    });
    expect(dialOutcome(people, '+15551230009')).toEqual({ status: 'completed', ringMs: 4_000, talkMs: 8_000 });
    expect(dialOutcome(people, '+15551230008')).toEqual({ status: 'no-answer' });
    expect(scriptOf(people, '+49301234567')).toEqual({ answers: 'busy', ringMs: 1_000 });
    expect(scriptOf([], '+49301234567')).toBeUndefined();
    expect(dialOutcome([], '+49301234567')).toEqual({ status: 'completed' });
  });

  test('stand beside whether keys can be heard', () => {
    const path = join(folder, 'tones.yaml');
    writeFileSync(path, 'timeline:\n  - dtmf: "12"\ntones: false\n');
    expect(loadCaller(path)).toMatchObject({ tones: false, people: [] });
    writeFileSync(path, 'timeline:\n  - dtmf: "12"\ntones: loud\n');
    expect(() => loadCaller(path)).toThrow(/tones: expected true or false/);
  });

  test('may hang up, and a bare yes of YAML 1.1 is a yes', () => {
    const [person] = load('  - { to: "+15551230009", answers: true, presses: "1", hangs_up: after_key }\n');
    expect(person && scriptOf([person], '+15551230009')).toEqual({
      answers: 'yes',
      presses: '1',
      hangsUp: 'after_key',
    });
  });

  test.each([
    ['  - { answers: busy }\n', 'people[0].to'],
    ['  - { to: "5551230009" }\n', 'people[0].to'],
    ['  - { to: "+15551230009", answers: maybe }\n', 'people[0].answers'],
    ['  - { to: "+15551230009", pressed: "1" }\n', 'people[0].pressed: no such key'],
    ['  - { to: "+15551230009", presses: "one" }\n', 'people[0].presses'],
    ['  - { to: "+15551230009", answers: busy, presses: "1" }\n', 'people[0].presses: expected only with answers: yes'],
    ['  - { to: "+15551230009", hangs_up: after_key }\n', 'people[0].hangs_up: expected after_key only with presses'],
    ['  - { to: "+15551230009", talk: -1 }\n', 'people[0].talk'],
    [
      '  - { to: "+15551230009" }\n  - { to: "+15551230009" }\n',
      'people[1].to: expected a number that is not listed before',
    ],
    ['  []\n', 'people: expected a list with at least one person'],
  ])('refuses %j and says where', (people, fault) => {
    expect(faultOf(people)).toMatch(/^\S+caller\.yaml:\d+:\d+: /);
    expect(faultOf(people)).toContain(fault);
  });
});

describe('what is expected of transfers and messages', () => {
  const transfer = (to: string, outcome: ResultTransfer['outcome']) => ({ to, outcome, atMs: 0, talkedMs: 0 });
  const result = (more: Partial<CallResult>) => more as CallResult;
  const two = result({ transfers: [transfer('+1555', 'no_answer'), transfer('+1666', 'answered')] });

  test('all of them, in their order', () => {
    const wanted = [{ to: '+1555', outcome: ['busy', 'no_answer'] as ('busy' | 'no_answer')[] }, { to: '+1666' }];
    expect(judgeTransfers({ transfers: wanted }, two).map(({ ok }) => ok)).toEqual([true, true]);
    expect(judgeTransfers({ transfers: wanted.toReversed() }, two).map(({ ok }) => ok)).toEqual([false, false]);
    expect(judgeTransfers({}, two)).toEqual([]);
  });

  test('one more than expected fails, and so does one fewer', () => {
    expect(judgeTransfers({ transfers: [{ to: '+1555' }] }, two)).toMatchObject([
      { ok: true },
      { path: ['transfers'], ok: false, expected: '1 and no more', found: '+1555 no_answer, +1666 answered' },
    ]);
    expect(judgeTransfers({ transfers: [{}, {}, {}] }, two).map(({ ok }) => ok)).toEqual([true, true, false]);
    expect(judgeTransfers({ transfers: 'none' }, two)).toMatchObject([{ ok: false }]);
    expect(judgeTransfers({ transfers: 'none' }, result({ transfers: [] }))).toMatchObject([
      { ok: true, found: 'none' },
    ]);
  });

  test('the words of a message count, and what nobody saw is not met', () => {
    const sent = result({ messages: [{ to: '+1555', from: '+1999', text: 'Your appointment is on\n Monday' }] });
    const judged = (contains: string | string[]) => judgeMessages({ messages: [{ to: '+1555', contains }] }, sent, '?');
    expect(judged(['on monday', '/appoint.*monday/s'])).toMatchObject([{ ok: true }]);
    expect(judged('Tuesday')).toMatchObject([{ ok: false, expected: '+1555 "Tuesday"' }]);
    expect(judgeMessages({ messages: 'none' }, result({ messages: null }), '?')).toMatchObject([
      { ok: false, found: '?' },
    ]);
  });
});

describe('whom a call reached', () => {
  const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
  const DESK = '+15551230009';
  let server: StandIn;
  let double: ReplayPeople;
  afterEach(async () => {
    await double.close();
    await server.close();
  });

  const room = (name: string, attributes = '') =>
    `<Response><Dial><Conference ${attributes}>${name}</Conference></Dial></Response>`;
  async function start() {
    const twiml = {
      '/voice': room('a'),
      '/person': '<Response><Gather numDigits="1" action="/key" timeout="2"><Say>Yes?</Say></Gather></Response>',
      '/key': room('a', 'endConferenceOnExit="true"'),
    };
    server = await standIn({ twiml });
    double = new ReplayPeople(newSid('AC'), TOKEN);
    await double.listen();
  }
  const ask = (path: string, form: Record<string, string>) =>
    fetch(`${double.origin}/2010-04-01/Accounts/${double.accountSid}/${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${double.accountSid}:${TOKEN}`).toString('base64')}` },
      body: new URLSearchParams({ To: DESK, From: '+15005550001', ...form }),
    });
  const call = (from: string, people: string) => {
    const phone = placeCall({
      server: server.url,
      authToken: TOKEN,
      accountSid: double.accountSid,
      from,
      maxMs: 10_000,
    });
    double.add(phone, load(people));
    return phone;
  };

  test('those who were connected with it, those who were only asked, and its messages', async () => {
    await start();
    const fromMs = performance.now();
    const phone = call(
      '+15551110001',
      `  - { to: "${DESK}", after: 0, presses: "1", press_after: 0, talk: 0.2 }\n  - { to: any, answers: busy, after: 0 }\n`,
    );
    await phone.once('waiting');
    await ask('Calls.json', { To: '+15551230008', Url: `${server.url}/person` });
    await ask('Messages.json', { To: '+15551110001', Body: 'See you on Monday' });
    await ask('Calls.json', { Url: `${server.url}/person` });
    const result = await phone.ended;
    const { transfers, messages } = await double.reachedBy(phone, result, fromMs, performance.now());
    expect(transfers).toMatchObject([
      { to: '+15551230008', outcome: 'busy', talkedMs: 0 },
      { to: DESK, outcome: 'answered' },
    ]);
    expect(transfers[1]?.talkedMs).toBeGreaterThanOrEqual(195);
    expect(messages).toEqual([{ to: '+15551110001', from: '+15005550001', text: 'See you on Monday' }]);
  });

  test('who answered and was never connected has refused; another call has its own people', async () => {
    await start();
    const fromMs = performance.now();
    const other = call('+15551110002', '  - { to: any, answers: busy, after: 0 }\n');
    await other.once('waiting');
    other.hangUp();
    const ofOther = await double.reachedBy(other, await other.ended, fromMs, performance.now());
    const phone = call('+15551110001', `  - { to: "${DESK}", after: 0, hangs_up: during_whisper }\n`);
    await phone.once('waiting');
    await ask('Calls.json', { Url: `${server.url}/person` });
    const refused = async () => {
      phone.hangUp();
      return double.reachedBy(phone, await phone.ended, fromMs, performance.now());
    };
    expect(await refused()).toMatchObject({ transfers: [{ to: DESK, outcome: 'refused' }], messages: [] });
    expect(ofOther).toEqual({ transfers: [], messages: [] });
  });
});
