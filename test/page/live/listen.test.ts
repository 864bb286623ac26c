// Starting and stopping to listen, without a browser: what was stopped never opens anything behind the next start.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Listening } from '../../../src/page/live/listen.ts';

const sockets: FakeSocket[] = [];
const contexts: FakeContext[] = [];

class FakeSocket {
  onclose: ((event: { code: number }) => void) | null = null;
  closed = false;
  constructor() {
    sockets.push(this);
  }
  close(): void {
    this.closed = true;
  }
}

class FakeContext {
  state = 'suspended';
  readonly loading = Promise.withResolvers<void>();
  readonly audioWorklet = { addModule: () => this.loading.promise };
  constructor() {
    contexts.push(this);
  }
  resume(): Promise<void> {
    return this.state === 'closed' ? Promise.reject(new Error('closed')) : Promise.resolve();
  }
  close(): Promise<void> {
    this.state = 'closed';
    return Promise.resolve();
  }
}

class FakeNode {
  readonly port = { postMessage() {} };
  connect(): void {}
  disconnect(): void {}
}

beforeEach(() => {
  sockets.length = 0;
  contexts.length = 0;
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('AudioWorkletNode', FakeNode);
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('location', { protocol: 'https:', host: 'phones.example' });
});
afterEach(() => vi.unstubAllGlobals());

test('stopped and started again while the audio is being opened: one line, and the old one spoils nothing', async () => {
  const states: string[] = [];
  const listening = new Listening('c1', { state: (state) => void states.push(state), report() {} });
  const first = listening.start();
  listening.stop();
  const second = listening.start();
  contexts[0]?.loading.resolve();
  await first;
  expect(sockets).toHaveLength(0);
  contexts[1]?.loading.resolve();
  await second;
  expect(sockets).toHaveLength(1);
  expect(states).toEqual(['starting', 'off', 'starting']);
  expect(contexts.map(({ state }) => state)).toEqual(['closed', 'suspended']);
});

test('stopped while the audio is being opened: nothing is opened any more, and nothing has failed', async () => {
  const states: string[] = [];
  const listening = new Listening('c1', { state: (state) => void states.push(state), report() {} });
  const started = listening.start();
  listening.stop();
  contexts[0]?.loading.resolve();
  await started;
  expect(sockets).toHaveLength(0);
  expect(states).toEqual(['starting', 'off']);
});
