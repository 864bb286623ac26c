// Digits of a sensitive field, keyed in with tones that can be heard, while an operator has everything open that the page has: what
// it shows of the live call, what it lets hear, and what it finds of the call afterwards is as silent as what is kept.
import { once } from 'node:events';
import { join } from 'node:path';
import { readWav } from '../../src/audio/wav.ts';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Agent } from '../../src/agent/agent.ts';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import type { Script } from '../../src/simulator/script.ts';
import { type E2e, withE2e } from '../support/e2e.ts';
import { asksFirst, calls, errandAgent, farewell, says, speaksAfter } from '../support/errands.ts';
import { findTones } from '../support/tone-detector.ts';

/** So long that no clock, id or sum holds it by chance. */
const PIN = '7391826405';
/** However it is spelt. */
const SPELT = new RegExp(PIN.split('').join(`[\\s,.;:_/"'\\\\-]{0,4}`));
const KEY_MS = 220;

function keypad(sensitive: boolean): Partial<Agent> {
  return errandAgent({
    keypad: {
      card_pin: { ...{ what: 'the number on the card', min: 4, max: 12, endKey: '#' }, timeoutMs: 2_000, sensitive },
    },
    tools: [
      {
        name: 'check_card',
        description: 'Checks a card.',
        parameters: { type: 'object', properties: { pin: { type: 'string' } }, required: ['pin'] },
        policy: { effect: 'reads', digits: ['card_pin'] },
        run: ({ pin }: Record<string, unknown>) => ({ echo: `card ${String(pin)}`, list: String(pin).split('') }),
      },
    ],
  });
}

const script: Script = {
  fallback: farewell,
  turns: [calls('collect_digits', { field: 'card_pin' }, 500), farewell],
  afterTool: {
    collect_digits: calls('check_card', { pin: 'digits:card_pin' }),
    check_card: says(600),
  },
};

const pressed: CallerStep[] = `${PIN}#`.split('').map((press, i) => ({
  cue: i === 0 ? { after: 'agent_silent', forMs: 200, minHeardMs: 400 } : { after: 'previous', waitMs: KEY_MS },
  action: { press },
}));

/** Everything that the page gets of one call while it is live. */
class Watching {
  readonly texts: Record<string, string> = {};
  readonly #sound: Buffer[][] = [[], []];
  readonly #over: Promise<unknown>[] = [];
  readonly #e2e: E2e;
  readonly #callId: string;

  constructor(e2e: E2e, callId: string) {
    [this.#e2e, this.#callId] = [e2e, callId];
  }

  async begin(): Promise<void> {
    const { origin, adminToken } = this.#e2e.server;
    const headers = { authorization: `Bearer ${adminToken}` };
    const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/live/calls/${this.#callId}/listen`, { headers });
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.#sound[data[0] as number]?.push(data.subarray(5));
    });
    this.#over.push(once(socket, 'close'));
    await once(socket, 'open');
    const url = `${origin}/api/live/calls/${this.#callId}/events`;
    const stream = await fetch(url, { headers: { ...headers, connection: 'close' } });
    this.#over.push(
      stream.text().then((text) => {
        this.texts['live stream of the call'] = text;
      }),
    );
    const ends = new AbortController();
    const grid = await fetch(`${origin}/api/live/events`, { headers, signal: ends.signal });
    const reader = (grid.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const reads = async (): Promise<void> => {
      for (let gone = false; !gone; gone = text.includes(`"gone":["${this.#callId}"`)) {
        const { value = '', done } = await reader.read();
        text += value;
        if (done) break;
      }
      ends.abort();
      this.texts['grid'] = text;
    };
    this.#over.push(reads());
  }

  /** Resolves when the call is over for all of it. */
  async over(): Promise<{ caller: Buffer; agent: Buffer }> {
    await Promise.all(this.#over);
    const [caller = [], agent = []] = this.#sound;
    return { caller: Buffer.concat(caller), agent: Buffer.concat(agent) };
  }
}

const tonesIn = (pcmu: Uint8Array): string =>
  findTones(pcmu)
    .map(({ digit }) => digit)
    .join('');

async function watched(sensitive: boolean) {
  const found: { spelt: string[]; tones: Record<string, string>; words: string; stream: string } = {
    ...{ spelt: [], tones: {}, words: '', stream: '' },
  };
  const options = { agent: keypad(sensitive), simulator: { script }, database: true };
  await withE2e(options, async (e2e) => {
    const phone = e2e.call(asksFirst(...pressed, speaksAfter(500, 300, 5_000)));
    await e2e.session();
    const callId = e2e.callId(phone.callSid);
    const watching = new Watching(e2e, callId);
    await watching.begin();
    await phone.ended;
    const record = await e2e.record(phone.callSid);
    expect(record.end.reason).toBe('agent_goodbye');
    expect(tonesIn(phone.callerAudio())).toBe(`${PIN}#`);
    const sound = await watching.over();
    const ask = async (path: string): Promise<Response> => {
      const headers = { authorization: `Bearer ${e2e.server.adminToken}`, connection: 'close' };
      const answer = await fetch(e2e.server.origin + path, { headers });
      expect(answer.status, path).toBe(200);
      return answer;
    };
    const { texts } = watching;
    for (const path of ['record', 'tape', 'events?limit=500', 'levels', 'bill', 'agent'].map((one) =>
      join(callId, one),
    ))
      if (!path.endsWith('agent')) texts[path] = await (await ask(`/api/calls/${path}`)).text();
    for (const path of [`/api/calls/${callId}`, '/api/calls.csv', '/api/calls.json', '/api/audit'])
      texts[path] = await (await ask(path)).text();
    found.words = await (await ask(`/api/calls?words=${PIN}`)).text();
    found.spelt = Object.entries(texts)
      .filter(([, text]) => SPELT.test(text))
      .map(([where]) => where);
    found.stream = texts['live stream of the call'] ?? '';
    const file = Buffer.from(await (await ask(`/api/calls/${callId}/audio`)).arrayBuffer());
    const [caller, agent] = readWav(file).channels as [Uint8Array, Uint8Array];
    for (const [where, heard] of Object.entries({ ...sound, recordedCaller: caller, recordedAgent: agent })) {
      expect(heard.length, where).toBeGreaterThan(5_000);
      found.tones[where] = tonesIn(heard);
    }
  });
  return found;
}

test('of a sensitive field nothing is shown, streamed, found or heard', { timeout: 60_000 }, async () => {
  const { spelt, tones, words, stream } = await watched(true);
  expect(stream).toContain('event: gone');
  expect(stream).toContain('check_card');
  expect(spelt).toEqual([]);
  expect(tones).toEqual({ caller: '', agent: '', recordedCaller: '', recordedAgent: '' });
  expect(JSON.parse(words)).toMatchObject({ calls: [], count: 0 });
});

test('of another field it would be found', { timeout: 60_000 }, async () => {
  const { spelt, tones } = await watched(false);
  expect(spelt).toContain('live stream of the call');
  expect(tones).toMatchObject({ caller: `${PIN}#`, recordedCaller: `${PIN}#` });
});
