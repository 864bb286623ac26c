// A call from the page over a socket that does whatever the test wants: what is drawn is true at every step, and nothing that a
// server says can break it.
import { describe, expect, test } from 'vitest';
import type { LiveEntry } from '../../../src/dashboard/schemas/live.ts';
import { type LineSocket, PhoneLine } from '../../../src/page/phone/phone-line.ts';
import { endInWords, isFault } from '../../../src/page/phone/words.ts';

class FakeSocket implements LineSocket {
  readyState = 0;
  bufferedAmount = 0;
  onopen: ((event: never) => unknown) | null = null;
  onmessage: ((event: never) => unknown) | null = null;
  onclose: ((event: never) => unknown) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.({} as never);
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }
  says(message: unknown): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) } as never);
  }
  get events(): unknown[] {
    return this.sent.map(({ event }) => event);
  }
}

function calling() {
  const socket = new FakeSocket();
  const heard: string[] = [];
  let saying: (() => void) | null = null;
  let nowMs = 1_000;
  const line = new PhoneLine({
    ...{ socket, to: '+15005550001', changed: () => {}, nowMs: () => nowMs++ },
    playback: {
      append: (bytes) => heard.push(`${bytes.length}`),
      mark: (name) => heard.push(name),
      clear: () => heard.push('clear'),
    },
    say: (_text, said) => {
      saying = said;
    },
  });
  return { socket, line, heard, said: () => saying?.() };
}

const stream = {
  event: 'stream',
  callId: 'one',
  callSid: 'CA1',
  accountSid: 'AC1',
  streamSid: 'MZ1',
  customParameters: {},
};
const entry = (number: number, text: string): LiveEntry => ({
  ...{ entry: number, atMs: number, kind: 'caller', text, heard: null, unheard: null, tool: null },
});

describe('a call from the page', () => {
  test('dials when the socket is open, streams, hangs up, and hears its last words', () => {
    const { socket, line, heard } = calling();
    line.frame(new Uint8Array(160), 0);
    expect(socket.sent).toEqual([]);
    socket.open();
    socket.says({ event: 'ringing', callSid: 'CA1' });
    expect(line.state.phase).toBe('ringing');
    socket.says(stream);
    expect(line.state).toMatchObject({ phase: 'connected', callId: 'one', connectedAtMs: 1_000 });
    line.frame(new Uint8Array(160), 0);
    line.press('1');
    socket.says({ event: 'mark', streamSid: 'MZ1', mark: { name: 'm' } });
    line.markReturned('m');
    line.hangUp();
    line.hangUp();
    expect(socket.events).toEqual(['dial', 'connected', 'start', 'media', 'dtmf', 'mark', 'stop', 'hang_up']);
    expect(heard).toEqual(['m', 'clear']);
    // The server has the last word, and closes.
    socket.says({ event: 'caption', entries: [entry(0, 'Bye.')] });
    socket.says({ event: 'ended', by: 'server', why: 'failed' });
    socket.close();
    expect(line.state).toMatchObject({ phase: 'ended', end: { by: 'caller', why: 'hung_up' } });
    expect(line.state.entries.get(0)?.text).toBe('Bye.');
  });

  test('what the carrier would do stands behind the line that was the latest then', () => {
    const { socket, line } = calling();
    socket.open();
    socket.says(stream);
    socket.says({ event: 'caption', entries: [entry(0, 'One moment.'), entry(1, 'I connect you.')] });
    socket.says({ event: 'cannot', what: 'transfer', text: 'Nobody can be rung up from here.' });
    socket.says({ event: 'caption', entries: [entry(2, 'You are back.')] });
    expect(line.state.notices).toEqual([{ kind: 'transfer', text: 'Nobody can be rung up from here.', behind: 1 }]);
  });

  test('what operators do to the call is not for the caller', () => {
    const { socket, line } = calling();
    socket.open();
    socket.says(stream);
    const whisper = { ...entry(1, 'Tells the agent: do not trust them'), kind: 'operator' };
    socket.says({ event: 'caption', entries: [entry(0, 'Hello.'), whisper] });
    expect([...line.state.entries.values()].map(({ text }) => text)).toEqual(['Hello.']);
  });

  test('keeps its length over a second stream, and plays nothing of the first one', () => {
    const { socket, line, heard } = calling();
    socket.open();
    socket.says(stream);
    socket.says({ event: 'stream_over' });
    expect(line.state.phase).toBe('between');
    line.frame(new Uint8Array(160), 0);
    socket.says({ ...stream, streamSid: 'MZ2' });
    socket.says({ event: 'media', streamSid: 'MZ1', media: { payload: 'AAAA' } });
    socket.says({ event: 'media', streamSid: 'MZ2', media: { payload: 'AAAA' } });
    expect(line.state).toMatchObject({ phase: 'connected', connectedAtMs: 1_000 });
    expect(heard).toEqual(['clear', '3']);
    expect(socket.events).toEqual(['dial', 'connected', 'start', 'connected', 'start']);
  });

  test('tells a socket that was refused from one that broke', () => {
    const refused = calling();
    refused.socket.close();
    expect(refused.line.state.end).toEqual({ by: 'server', why: 'socket_refused' });
    const broken = calling();
    broken.socket.open();
    broken.socket.close();
    expect(broken.line.state.end).toEqual({ by: 'server', why: 'socket_lost' });
  });

  test('hanging up before the socket is open dials nobody', () => {
    const { socket, line } = calling();
    line.hangUp();
    expect([socket.readyState, socket.sent, line.state.end?.why]).toEqual([3, [], 'hung_up']);
  });

  test('says that a sentence was said, once it was, and not after the end', () => {
    const { socket, line, said } = calling();
    socket.open();
    socket.says({ event: 'say', text: 'We are closed.' });
    expect(line.state.notices).toEqual([{ kind: 'say', text: 'We are closed.', behind: null }]);
    said();
    expect(socket.events).toEqual(['dial', 'said']);
    line.hangUp();
    said();
    expect(socket.events).toEqual(['dial', 'said', 'hang_up']);
  });

  test('what cannot be sent in time is lost, and its time passes', () => {
    const { socket, line } = calling();
    socket.open();
    socket.says(stream);
    line.frame(new Uint8Array(160), 800);
    socket.bufferedAmount = 1_000_000;
    line.frame(new Uint8Array(160), 960);
    socket.bufferedAmount = 0;
    line.frame(new Uint8Array(160), 1_120);
    const times = socket.sent.flatMap(({ media }) => (media as { timestamp?: string } | undefined)?.timestamp ?? []);
    expect(times).toEqual(['0', '40']);
  });

  test('nonsense of a server changes nothing', () => {
    const { socket, line } = calling();
    socket.open();
    for (const message of ['', 'x', '7', 'null', '[]', '{}', '{"event":"later"}', '{"event":"media"}'])
      socket.says(message);
    expect(line.state).toMatchObject({ phase: 'dialling', end: null });
  });

  test('keeps a bounded number of lines and notices', () => {
    const { socket, line } = calling();
    socket.open();
    for (let i = 0; i < 60; i++) {
      const entries = Array.from({ length: 100 }, (_, j) => entry(100 * i + j, 'x'));
      socket.says({ event: 'caption', entries });
      socket.says({ event: 'cannot', what: 'play', text: `${i}` });
    }
    expect(line.state.entries.size).toBe(5_000);
    expect([...line.state.entries.keys()][0]).toBe(1_000);
    expect(line.state.notices).toHaveLength(50);
  });
});

test('every end has words, and says what to do where there is something to do', () => {
  for (const why of [
    'busy',
    'rejected',
    'full',
    'failed',
    'protocol',
    'stopped',
    'socket_refused',
    'socket_lost',
  ] as const) {
    expect(endInWords({ by: 'server', why }).length).toBeGreaterThan(20);
    expect(isFault({ by: 'server', why })).toBe(true);
  }
  expect(isFault({ by: 'caller', why: 'hung_up' })).toBe(false);
});
