// Digits that a caller keys in, with tones that can be heard: the tool gets them. Those of a sensitive field are in nothing
// that is kept, told or sent: every text is searched, and every sound is listened to by a receiver of touch tones.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Agent } from '../../src/agent/agent.ts';
import { readWav } from '../../src/audio/wav.ts';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { Script } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { type E2e, type E2eOptions, withE2e } from '../support/e2e.ts';
import { asksFirst, calls, errandAgent, farewell, outputsOf, says, speaksAfter } from '../support/errands.ts';
import { findTones } from '../support/tone-detector.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

/** So long that no clock, id or sum holds it by chance. */
const PIN = '7391826405';
/** However it is spelt: with blanks, commas, quotes or dashes between, or as a list. */
const SPELT = new RegExp(PIN.split('').join(`[\\s,.;:_/"'\\\\-]{0,4}`));

/** An agent that asks for a number, and a tool that takes it; `got` is what the tool was given. */
function keypad(field: Partial<Agent['keypad'][string]> = {}) {
  const got: unknown[] = [];
  const card_pin: Agent['keypad'][string] = {
    ...{ what: 'the number on the card', min: 4, max: 12, endKey: '#' },
    timeoutMs: 2_000,
    sensitive: true,
  };
  const agent = errandAgent({
    keypad: { card_pin: { ...card_pin, ...field } },
    tools: [
      {
        name: 'check_card',
        description: 'Checks a card.',
        parameters: { type: 'object', properties: { pin: { type: 'string' } }, required: ['pin'] },
        policy: { effect: 'reads', digits: ['card_pin'] },
        run({ pin }: Record<string, unknown>) {
          got.push(pin);
          // A service that answers with what it was given.
          return { ok: true, echo: `card ${String(pin)}`, spaced: String(pin).split('').join(' ') };
        },
      },
    ],
  });
  return { agent, got };
}

const script: Script = {
  fallback: farewell,
  turns: [calls('collect_digits', { field: 'card_pin' }, 500), farewell],
  afterTool: {
    collect_digits: [
      { when: { output: 'keyed in nothing' }, answer: says(400) },
      { when: { output: 'are needed' }, answer: calls('collect_digits', { field: 'card_pin' }, 400) },
      { answer: calls('check_card', { pin: 'digits:card_pin' }) },
    ],
    check_card: says(600),
  },
};

const KEY_MS = 220;
/** One key after the other, as a quick hand does. */
const keys = (digits: string, first: CallerStep['cue']): CallerStep[] =>
  digits
    .split('')
    .map((press, i) => ({ cue: i === 0 ? first : { after: 'previous', waitMs: KEY_MS }, action: { press } }));
const whenAsked = (minHeardMs = 400) => ({ after: 'agent_silent', forMs: 200, minHeardMs }) as const;

/** The caller goes on when the agent has said what the tool found, perhaps while keys were still being pressed. */
const answers = speaksAfter(500, 300, 5_000);

/** What a tape says was pressed. */
const keysOn = (tape: string): string =>
  [...tape.matchAll(/"leg\.digit_pressed","digit":"(.)"/g)].map(([, digit]) => digit).join('');

const tonesIn = (pcmu: Uint8Array): string =>
  findTones(pcmu)
    .map(({ digit }) => digit)
    .join('');

/** Everything that the data folder keeps, as text. */
async function filesOf(folder: string): Promise<[string, string][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Promise.all(files.map(async (file) => [file, await readFile(file, 'latin1')] as [string, string]));
}

/** Every text that anybody gets to see, by where. */
async function textsOf(e2e: E2e, session: SimulatedSession): Promise<[string, string][]> {
  const ask = async (path: string): Promise<[string, string]> => {
    const headers = { authorization: `Bearer ${e2e.server.adminToken}`, connection: 'close' };
    const answer = await fetch(e2e.server.origin + path, { headers });
    expect(answer.status, path).toBe(200);
    return [path, await answer.text()];
  };
  const [{ opening }] = e2e.admitted as [(typeof e2e.admitted)[number]];
  return [
    ...(await filesOf(e2e.config.dataDir)),
    ['log', JSON.stringify(e2e.logLines)],
    ['client events', JSON.stringify(session.clientEvents)],
    ['conversation', JSON.stringify([session.items, session.responses])],
    await ask('/metrics'),
    await ask('/api/calls'),
    await ask(`/api/calls/${opening.callId}`),
    await ask(`/api/calls/${opening.callId}/bill`),
  ];
}

/** Every sound that is kept or was sent, by where. */
async function soundsOf(e2e: E2e, phone: PhoneCall, session: SimulatedSession): Promise<[string, Uint8Array][]> {
  const file = await e2e.audioFile(phone.callSid);
  const [caller, agent] = readWav(file as Buffer).channels;
  return [
    ['recording, caller', caller as Uint8Array],
    ['recording, agent', agent as Uint8Array],
    ['the model', session.heardAudio()],
  ];
}

describe.concurrent('a number that a caller keys in', () => {
  test('of a sensitive field is known to the tool alone', { timeout: 40_000 }, () => {
    const { agent, got } = keypad();
    return withE2e({ agent, simulator: { script }, database: true }, async (e2e) => {
      const phone = e2e.call(asksFirst(...keys(`${PIN}#`, whenAsked()), answers));
      const session = await e2e.session();
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(got).toEqual([PIN]);
      // On the line it was loud and clear.
      expect(tonesIn(phone.callerAudio())).toBe(`${PIN}#`);
      expect(result.keys.map(({ digit }) => digit).join('')).toBe(`${PIN}#`);
      // The words before and after it were heard.
      expect(record.turns.filter(({ who }) => who === 'caller')).toHaveLength(2);
      const texts = await textsOf(e2e, session);
      expect(texts.length).toBeGreaterThan(12);
      const tape = texts.find(([where]) => where.endsWith('tape.jsonl'))?.[1] ?? '';
      expect(tape).toContain('check_card');
      for (const [where, text] of texts) expect(SPELT.test(text), where).toBe(false);
      for (const [where, sound] of await soundsOf(e2e, phone, session)) expect(tonesIn(sound), where).toBe('');
      // A tape only says where in the recording a frame is.
      expect(tape).not.toContain('"payload"');
      expect(keysOn(tape)).toBe(`${'x'.repeat(10)}#`);
      const [asked, checked] = outputsOf(session);
      expect(asked).toContain('keyed in 10 digits. You cannot see them');
      expect(checked).not.toContain('7 3 9');
      expect(checked).toContain('[digits]');
    });
  });

  test('of another field is told, recorded and heard: what looks for it would find it', { timeout: 40_000 }, () => {
    const { agent, got } = keypad({ sensitive: false });
    return withE2e({ agent, simulator: { script }, database: true }, async (e2e) => {
      const phone = e2e.call(asksFirst(...keys(`${PIN}#`, whenAsked()), answers));
      const session = await e2e.session();
      await phone.ended;
      await e2e.record(phone.callSid);
      expect(got).toEqual([PIN]);
      const found = (await textsOf(e2e, session)).filter(([, text]) => SPELT.test(text)).map(([where]) => where);
      expect(found).toEqual(expect.arrayContaining(['client events', 'conversation']));
      const tape = await readFile(join(e2e.config.dataDir, 'calls', e2e.callId(phone.callSid), 'tape.jsonl'), 'utf8');
      expect(keysOn(tape)).toBe(`${PIN}#`);
      const sounds = Object.fromEntries(await soundsOf(e2e, phone, session));
      expect(tonesIn(sounds['recording, caller'] as Uint8Array)).toBe(`${PIN}#`);
      // A model's turn detection would take tones for speech.
      expect(tonesIn(sounds['the model'] as Uint8Array)).toBe('');
      expect((sounds['the model'] as Uint8Array).length).toBeGreaterThan(20_000);
    });
  });

  test.for<{ what: string; field: Partial<Agent['keypad'][string]>; steps: CallerStep[]; gets: string[] }>([
    {
      what: 'while the agent is still asking for it',
      field: {},
      steps: keys(`${PIN}#`, { after: 'agent_speaking', forMs: 150 }),
      gets: [PIN],
    },
    {
      what: 'without an end key, and with digits too many',
      field: { endKey: '', max: 10 },
      steps: keys(`${PIN}7391`, whenAsked()),
      gets: [PIN],
    },
    {
      what: 'and more behind the end key',
      field: {},
      steps: keys(`${PIN}#7391`, whenAsked()),
      gets: [PIN],
    },
    {
      what: 'anew after a star',
      field: {},
      steps: keys(`99*${PIN}#`, whenAsked()),
      gets: [PIN],
    },
    {
      what: 'too few at first',
      field: { min: 10 },
      steps: [...keys('739#', whenAsked()), ...keys(`${PIN}#`, whenAsked(300))],
      gets: [PIN],
    },
    {
      what: 'and leaves out the end key',
      field: {},
      steps: keys(PIN, whenAsked()),
      gets: [PIN],
    },
  ])('$what', { timeout: 40_000 }, ({ field, steps, gets }) => {
    const { agent, got } = keypad(field);
    return withE2e({ agent, simulator: { script } }, async (e2e) => {
      const phone = e2e.call(asksFirst(...steps, answers));
      const session = await e2e.session();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(got).toEqual(gets);
      const files = await filesOf(e2e.config.dataDir);
      for (const [where, text] of files) expect(SPELT.test(text), where).toBe(false);
      expect(SPELT.test(JSON.stringify(e2e.logLines))).toBe(false);
      const [, tape = ''] = files.find(([where]) => where.endsWith('tape.jsonl')) ?? [];
      expect(keysOn(tape)).toMatch(/^x[x*#]+$/);
      expect(SPELT.test(JSON.stringify(session.clientEvents))).toBe(false);
      // Nor any part of it: the model was told of no key.
      expect(JSON.stringify(session.clientEvents)).not.toContain('The caller pressed keys');
      for (const [where, sound] of await soundsOf(e2e, phone, session)) expect(tonesIn(sound), where).toBe('');
    });
  });

  test.for(['the media', 'the model'])(
    'and is as secret when %s is lost in the middle of it',
    { timeout: 40_000 },
    (lost) => {
      const { agent, got } = keypad({ timeoutMs: 4_000 });
      // What a second session is told first is what the caller keyed in.
      const check = { greeting: calls('check_card', { pin: 'digits:card_pin' }), turns: [farewell] };
      const simulator: E2eOptions['simulator'] = (n) => ({ script: n === 1 ? script : { ...script, ...check } });
      return withE2e({ agent, simulator, database: true }, async (e2e) => {
        const phone = e2e.call({ ...asksFirst(...keys(`${PIN}#`, whenAsked()), answers) });
        const first = await e2e.session();
        let pressed = 0;
        phone.on('key', () => {
          if (++pressed !== 4) return;
          if (lost === 'the media') phone.dropSocket();
          else first.drop();
        });
        await phone.ended;
        await e2e.record(phone.callSid);
        const session = e2e.simulator.sessions.at(-1) as SimulatedSession;
        expect(e2e.simulator.sessions).toHaveLength(lost === 'the model' ? 2 : 1);
        // The keys of the moment without a line may be lost; the others are what the tool gets, in order.
        expect(got).toHaveLength(1);
        expect(PIN).toContain(String(got[0]).slice(0, 3));
        if (lost === 'the model') expect(got).toEqual([PIN]);
        const texts = [...(await textsOf(e2e, session)), ...(await textsOf(e2e, first))];
        for (const [where, text] of texts) {
          expect(SPELT.test(text), where).toBe(false);
          expect(text, where).not.toContain('The caller pressed keys');
        }
        expect(keysOn(texts.find(([where]) => where.endsWith('tape.jsonl'))?.[1] ?? '')).toMatch(/^x{6,10}#$/);
        for (const [where, sound] of [...(await soundsOf(e2e, phone, session)), ...(await soundsOf(e2e, phone, first))])
          expect(tonesIn(sound), where).toBe('');
      });
    },
  );

  test('and goes on when nobody waits for it any more: what comes late is as secret', { timeout: 40_000 }, () => {
    const { agent, got } = keypad({ min: 10 });
    const givesUp = { ...script, afterTool: { ...script.afterTool, collect_digits: says(500) } };
    return withE2e({ agent, simulator: { script: givesUp } }, async (e2e) => {
      const late = keys(PIN.slice(4, 7), { after: 'previous', waitMs: 4_500 });
      const phone = e2e.call(asksFirst(...keys(PIN.slice(0, 4), whenAsked()), ...late, answers));
      const session = await e2e.session();
      await phone.ended;
      expect(got).toEqual([]);
      expect(outputsOf(session)[0]).toContain('keyed in 4 digits; at least 10 are needed');
      expect(JSON.stringify(session.clientEvents)).not.toContain('The caller pressed keys');
      const [, tape = ''] = (await filesOf(e2e.config.dataDir)).find(([where]) => where.endsWith('tape.jsonl')) ?? [];
      expect(keysOn(tape)).toBe('x'.repeat(7));
      for (const [where, sound] of await soundsOf(e2e, phone, session)) expect(tonesIn(sound), where).toBe('');
    });
  });

  test('nothing: the agent asks whether help is needed', { timeout: 40_000 }, () => {
    const { agent, got } = keypad();
    return withE2e({ agent, simulator: { script } }, async (e2e) => {
      const phone = e2e.call(asksFirst(speaksAfter(800)));
      const session = await e2e.session();
      await phone.ended;
      expect(got).toEqual([]);
      expect(outputsOf(session)[0]).toContain('keyed in nothing');
      // Who is asked for a number is not asked for a moment.
      const record = await e2e.record(phone.callSid);
      expect(record.turns.map((turn) => (turn.who === 'agent' ? turn.answer : 'caller'))).not.toContain(null);
    });
  });

  test('and hangs up in the middle: what there was of it is nowhere', { timeout: 40_000 }, () => {
    const { agent, got } = keypad();
    return withE2e({ agent, simulator: { script }, database: true }, async (e2e) => {
      const hangsUp: CallerStep = { cue: { after: 'previous', waitMs: 150 }, action: { hangUp: true } };
      const phone = e2e.call(asksFirst(...keys(PIN, whenAsked()), hangsUp));
      const session = await e2e.session();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('caller_hung_up');
      expect(got).toEqual([]);
      const texts = await textsOf(e2e, session);
      for (const [where, text] of texts) expect(SPELT.test(text), where).toBe(false);
      expect(keysOn(texts.find(([where]) => where.endsWith('tape.jsonl'))?.[1] ?? '')).toBe('x'.repeat(10));
      for (const [where, sound] of await soundsOf(e2e, phone, session)) expect(tonesIn(sound), where).toBe('');
    });
  });
});
