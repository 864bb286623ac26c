// The log of a call: what is in it, in which order, and what must never be.
import { afterEach, expect, test } from 'vitest';
import { placeCall } from '../../src/phone/phone.ts';
import { PhoneLog } from '../../src/phone/phone-log.ts';
import { connectTo, type ServerSide, type StandIn, standIn } from './stand-in-server.ts';
import { voice } from '../replay/synthetic-line.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
let server: StandIn;
afterEach(() => server.close());

interface Line {
  atMs: number;
  event: string;
  [field: string]: unknown;
}

async function logged(twiml: Record<string, string>, act: (stream: ServerSide) => Promise<void> = async () => {}) {
  server = await standIn({ twiml });
  const track = { steps: [{ cue: { atMs: 200 }, action: { say: voice(100) } }] } as const;
  const phone = placeCall({ server: server.url, authToken: TOKEN, maxMs: 10_000, track, verbPace: 100 });
  const log = new PhoneLog(phone);
  if (twiml['/voice']?.includes('Stream')) {
    const stream = await server.stream;
    await phone.once('streaming');
    await stream.received('start');
    await act(stream);
  }
  const result = await phone.ended;
  const text = log.text();
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return { result, text, lines, phone };
}

const only = (lines: Line[], event: string) => lines.filter((line) => line.event === event);

test('tells a call from its placing to its end, media by stretches', async () => {
  const { lines, result, text } = await logged(
    {
      '/voice': connectTo('/media/secret-token', { action: '/next' }),
      '/next': '<Response><Say>Bye then</Say></Response>',
    },
    async (stream) => {
      stream.media(voice(100));
      stream.media(voice(300));
      stream.mark('m1');
      stream.media(voice(2_000));
      await stream.received('mark');
      stream.clear();
      stream.media(voice(40));
      stream.socket.send('nonsense');
      await stream.received('media', 12);
      stream.socket.close(1000);
    },
  );
  expect(lines.map(({ atMs }) => atMs)).toEqual(lines.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  expect(only(lines, 'placed')).toMatchObject([{ callSid: result.callSid, from: '+15005550006' }]);
  expect(lines[0]?.atMs).toBeLessThanOrEqual(0);
  expect(only(lines, 'http').map(({ path, status }) => [path, status])).toEqual([
    ['/voice', 200],
    ['/media/…', 101],
    ['/next', 200],
    ['/voice/status', 204],
  ]);
  expect(only(lines, 'verb').map(({ name, about }) => [name, about])).toEqual([
    ['Connect', 'Stream'],
    ['Say', 'Bye then'],
  ]);
  expect(only(lines, 'start')).toMatchObject([{ streamSid: result.streamSid }]);
  // One stretch until the clear, one after it.
  expect(only(lines, 'media').map(({ messages, bytes }) => [messages, bytes])).toEqual([
    [3, 19_200],
    [1, 320],
  ]);
  expect(only(lines, 'sound')).toHaveLength(1);
  expect(only(lines, 'mark')).toMatchObject([{ name: 'm1' }]);
  expect(only(lines, 'echo')).toMatchObject([{ name: 'm1' }]);
  expect(only(lines, 'clear')).toMatchObject([result.clears[0] && { droppedBytes: result.clears[0].droppedBytes }]);
  expect(only(lines, 'said')).toMatchObject([{ atMs: 200, durationMs: 100 }]);
  expect(only(lines, 'warning')).toMatchObject([{ code: 31951 }]);
  expect(only(lines, 'close')).toMatchObject([{ by: 'server', code: 1000 }]);
  expect(only(lines, 'announced')).toMatchObject([{ verb: 'Say', about: 'Bye then' }]);
  expect(lines.at(-1)).toMatchObject({ event: 'end', by: 'server', callStatus: 'completed' });
  expect(text).not.toContain('secret-token');
  // Neither frames nor anything that could be sound.
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(200);
});

test('of a call without a stream counts from the answer', async () => {
  const { lines } = await logged({ '/voice': '<Response><Pause length="5"/><Reject/></Response>' });
  expect(lines.map(({ event }) => event)).toEqual(['placed', 'http', 'verb', 'verb', 'http', 'end']);
  expect(lines[1]?.atMs).toBeLessThanOrEqual(0);
  expect(lines[3]?.atMs).toBeGreaterThanOrEqual(49);
});
