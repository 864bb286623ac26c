// Streams of events: how they are printed, that they go on behind the last event, and that nobody who does not read costs
// memory.
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { eventStream, MOST_UNREAD_CHARS, type StreamEvent } from '../../src/dashboard/live/sse.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface Told {
  stream: Readable;
  tell: (event: StreamEvent) => void;
  clock: FakeClock;
  unsubscribed: () => number;
}

function following(atOnce: StreamEvent[] = []): Told {
  const clock = new FakeClock();
  let tell: (event: StreamEvent) => void = () => {};
  let unsubscribed = 0;
  const stream = eventStream({
    subscribe(told) {
      tell = told;
      for (const event of atOnce) told(event);
      return () => void (unsubscribed += 1);
    },
    isLast: ({ event }) => event === 'gone',
    clock,
  });
  return { stream, tell: (event) => tell(event), clock, unsubscribed: () => unsubscribed };
}

const readable = (stream: Readable): string => String(stream.read() ?? '');
const closed = (stream: Readable): Promise<void> =>
  new Promise((resolve) => void (stream.closed ? resolve() : stream.once('close', resolve)));

test('an event has its id, its name and one line of data, whatever is in it', async () => {
  const { stream, tell } = following([{ id: 'n.1', event: 'snapshot', data: { calls: [] } }]);
  expect(readable(stream)).toBe('retry: 1000\n\nid: n.1\nevent: snapshot\ndata: {"calls":[]}\n\n');
  tell({ id: 'n.2', event: 'changed', data: { text: 'a\nb\r\n\ndata: c\u2028d' } });
  const text = readable(stream);
  expect(text.split('\n')).toHaveLength(5);
  expect(JSON.parse(text.split('\n')[2]?.slice('data: '.length) ?? '')).toEqual({ text: 'a\nb\r\n\ndata: c\u2028d' });
  stream.destroy();
  await closed(stream);
});

test('a silent stream has a comment every 15 s, and leaves no timer behind', async () => {
  const { stream, clock } = following();
  readable(stream);
  clock.advance(14_999);
  expect(readable(stream)).toBe('');
  clock.advance(1);
  expect(readable(stream)).toBe(':\n\n');
  clock.advance(15_000);
  expect(readable(stream)).toBe(':\n\n');
  stream.destroy();
  await closed(stream);
  expect(clock.pending).toBe(0);
});

test('whoever does not read is dropped, and the memory that it took with it', async () => {
  const { stream, tell, unsubscribed, clock } = following();
  const data = { text: 'x'.repeat(10_000) };
  let told = 0;
  while (!stream.destroyed && told < 1_000) {
    tell({ id: told, event: 'changed', data });
    told += 1;
  }
  expect(told * 10_000).toBeLessThan(MOST_UNREAD_CHARS + 100_000);
  await closed(stream);
  expect([unsubscribed(), clock.pending]).toEqual([1, 0]);
  // Nothing more is taken.
  tell({ id: 'late', event: 'changed', data });
  expect(stream.readableLength).toBeLessThanOrEqual(MOST_UNREAD_CHARS + 20_000);
});

test('a first event longer than what may lie unread is told; behind it the bound holds', async () => {
  const snapshot = { id: 'n.1', event: 'snapshot', data: { words: '\u5b57'.repeat(400_000) } };
  const { stream, tell } = following([snapshot]);
  expect(stream.destroyed).toBe(false);
  expect(Buffer.byteLength(readable(stream))).toBeGreaterThan(MOST_UNREAD_CHARS);
  tell(snapshot);
  expect(stream.destroyed).toBe(false);
  tell({ id: 'n.2', event: 'changed', data: {} });
  expect(stream.destroyed).toBe(true);
  await closed(stream);
});

test('a reader who reads is never dropped', async () => {
  const { stream, tell } = following();
  let chars = 0;
  stream.on('data', (piece: Buffer) => void (chars += piece.length));
  for (let i = 0; i < 1_000; i++) {
    tell({ id: i, event: 'changed', data: { text: 'x'.repeat(10_000) } });
    if (i % 10 === 0) await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  expect(chars).toBeGreaterThan(10_000_000);
  expect(stream.destroyed).toBe(false);
  stream.destroy();
  await closed(stream);
});

test('the last event ends the stream, also where it is the first', async () => {
  for (const atOnce of [true, false]) {
    const gone = { id: 'n.3', event: 'gone', data: { callId: 'c' } };
    const { stream, tell, unsubscribed } = following(atOnce ? [gone] : []);
    let text = '';
    stream.on('data', (piece: Buffer) => void (text += String(piece)));
    if (!atOnce) tell(gone);
    tell({ id: 'n.4', event: 'changed', data: {} });
    await closed(stream);
    expect(text).toContain('event: gone');
    expect(text).not.toContain('n.4');
    expect(unsubscribed()).toBe(1);
  }
});

test('an event that goes to many is printed once', () => {
  let printed = 0;
  const data = { toJSON: () => ({ n: ++printed }) };
  const event = { id: 1, event: 'changed', data };
  const followers = Array.from({ length: 5 }, () => following([event]));
  expect(followers.map(({ stream }) => readable(stream).split('data: ')[1])).toEqual(Array(5).fill('{"n":1}\n\n'));
  for (const { stream } of followers) stream.destroy();
});
