// A browser phone without a browser: the page's own code for a call over a socket of `ws`, a caller who speaks from a recording,
// and a loudspeaker that plays in real time. The server under it is the whole product.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { type Cancel, realClock } from '../../../src/clock.ts';
import type { Who } from '../../../src/dashboard/api-route.ts';
import type { Captions } from '../../../src/dashboard/phone/browser-captions.ts';
import { BrowserPhones } from '../../../src/dashboard/phone/browser-phones.ts';
import { type LineSocket, type LineState, PhoneLine } from '../../../src/page/phone/phone-line.ts';
import { PlaybackQueue } from '../../../src/page/phone/playback-queue.ts';
import { SILENCE } from '../../../src/page/mu-law.ts';
import { type E2e, within } from '../../support/e2e.ts';

export const OPERATOR: Who = { scope: 'operator', actor: 'operator:Ada' };
export const GUEST: Who = { scope: 'phone', actor: 'link:Grace' };

export interface BrowserDoorOptions {
  who?: Who;
  captions?: Captions;
  log?: { warn(fields: object, message: string): void };
}

/** The way in to the phones of a server, without log-in: that is another's part. */
export class BrowserDoor {
  readonly phones: BrowserPhones;
  readonly warnings: object[] = [];
  /** Ids of calls that were let in, with who calls. */
  readonly admitted: string[] = [];
  readonly #http = createServer();
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024, perMessageDeflate: false });
  readonly #open = new Set<WebSocket>();

  constructor(e2e: E2e, { who = OPERATOR, captions }: BrowserDoorOptions = {}) {
    const { origin, publicUrl, authToken } = e2e.server;
    this.phones = new BrowserPhones({
      ...{ clock: realClock, server: origin, publicUrl, authToken, accountSid: e2e.config.twilioAccountSid },
      ...(captions ? { captions } : {}),
      admitted: ({ actor }, callId) => void this.admitted.push(`${actor} ${callId}`),
      log: { warn: (fields) => void this.warnings.push(fields) },
    });
    this.#http.on('upgrade', (request, socket, head) =>
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.phones.accept(ws, who)),
    );
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** A socket as a browser opens it. */
  socket(): WebSocket {
    const { port } = this.#http.address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/phone/socket`, { perMessageDeflate: false });
    this.#open.add(socket);
    return socket;
  }

  call(options: Partial<CallerOptions> = {}): BrowserCaller {
    return new BrowserCaller({ socket: this.socket(), to: '+15005550001', ...options });
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.terminate();
    await this.phones.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

export interface CallerOptions {
  socket: WebSocket;
  to: string;
  name?: string;
  /** Answers `say` at once; default it lets the server wait. */
  reads?: boolean;
}

const TICK_MS = 16;
/** Samples. */
const QUANTUM = 128;
const MOST_AT_ONCE = 50;

/** Somebody at a browser: speaks, listens, and remembers what happened. */
export class BrowserCaller {
  readonly line: PhoneLine;
  readonly socket: WebSocket;
  readonly queue = new PlaybackQueue();
  /** Frames of the server, parsed, in order; audio as `media`. */
  readonly received: Record<string, unknown>[] = [];
  /** Marks that came back, and whether a clear brought them. */
  readonly marks: { name: string; by: 'played' | 'cleared' }[] = [];
  /** What had been played of the agent at each clear, in ms. */
  readonly clearedAtMs: number[] = [];
  readonly said: string[] = [];
  closeCode: number | null = null;
  #speech: Uint8Array[] = [];
  #sentSamples = 0;
  #playedSamples = 0;
  #startMs: number | null = null;
  #cancelTick: Cancel = () => {};
  readonly #waiting = new Set<() => void>();

  constructor({ socket, to, name, reads = true }: CallerOptions) {
    this.socket = socket;
    const mark = (names: string[], by: 'played' | 'cleared'): void => {
      for (const one of names) {
        this.marks.push({ name: one, by });
        this.line.markReturned(one);
      }
    };
    this.line = new PhoneLine({
      socket: socket as unknown as LineSocket,
      to,
      ...(name === undefined ? {} : { name }),
      playback: {
        append: (bytes) => this.#now(() => this.queue.append(bytes)),
        mark: (one) => this.#now(() => mark(this.queue.mark(one), 'played')),
        clear: () =>
          this.#now(() => {
            this.clearedAtMs.push(this.playedMs);
            mark(this.queue.clear(), 'cleared');
          }),
      },
      nowMs: () => realClock.nowMs(),
      changed: (state) => {
        if (state.phase === 'connected' && this.#startMs === null) this.#tick();
        this.#look();
      },
      say: (text, said) => {
        this.said.push(text);
        if (reads) said();
      },
    });
    socket.on('message', (data) => {
      this.received.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>);
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#cancelTick();
      this.#look();
    });
  }

  get state(): LineState {
    return this.line.state;
  }

  /** Ms of the agent's voice played so far. */
  get playedMs(): number {
    return this.queue.playedSamples / 8;
  }

  get bytesReceived(): number {
    return this.received.reduce((sum, { media }) => {
      const { payload = '' } = (media ?? {}) as { payload?: string };
      return sum + Buffer.from(payload, 'base64').length;
    }, 0);
  }

  count(event: string): number {
    return this.received.filter((message) => message['event'] === event).length;
  }

  say(bytes: Uint8Array): void {
    this.#speech.push(bytes);
  }

  /** Resolves when this holds; it is looked at whenever something came, was played, or ended. */
  until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!holds()) return;
      this.#waiting.delete(look);
      resolve();
    };
    this.#waiting.add(look);
    look();
    return within(ms, `${what}; ${JSON.stringify({ ...this.state, entries: this.state.entries.size })}`, promise);
  }

  connected(): Promise<void> {
    return this.until('a stream', () => this.state.phase === 'connected');
  }

  ended(ms?: number): Promise<void> {
    return this.until('the end', () => this.state.phase === 'ended', ms);
  }

  /** The connection is lost without a word. */
  vanish(): void {
    this.socket.terminate();
  }

  get callSid(): string {
    const ringing = this.received.find(({ event }) => event === 'ringing');
    return String(ringing?.['callSid']);
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  /** A loudspeaker does not wait for a process that is late: what is due has been played before anything is ordered. */
  #now(order: () => void): void {
    this.#advance();
    order();
  }

  #tick(): void {
    this.#startMs ??= realClock.nowMs();
    this.#advance();
    this.#look();
    if (this.closeCode === null) this.#cancelTick = realClock.at(realClock.nowMs() + TICK_MS, () => this.#tick());
  }

  /** Real time: what has passed since the start is played and spoken, in pieces as uneven as a browser's. */
  #advance(): void {
    if (this.#startMs === null) return;
    const due = Math.floor((realClock.nowMs() - this.#startMs) * 8);
    while (this.#playedSamples < due) {
      const size = Math.min(QUANTUM, due - this.#playedSamples);
      this.#playedSamples += size;
      for (const name of this.queue.play(new Float32Array(size))) {
        this.marks.push({ name, by: 'played' });
        this.line.markReturned(name);
      }
    }
    // After a stall the rest follows with the next turn: a socket takes no more at once, and what it does not take is lost.
    for (let i = 0; i < MOST_AT_ONCE && this.#sentSamples < due; i++) {
      const size = Math.min(QUANTUM, due - this.#sentSamples);
      this.line.frame(this.#speak(size), this.#sentSamples);
      this.#sentSamples += size;
    }
  }

  #speak(size: number): Uint8Array {
    const line = new Uint8Array(size).fill(SILENCE);
    let filled = 0;
    while (filled < size && this.#speech.length > 0) {
      const clip = this.#speech[0] as Uint8Array;
      const part = clip.subarray(0, size - filled);
      line.set(part, filled);
      filled += part.length;
      if (part.length === clip.length) this.#speech.shift();
      else this.#speech[0] = clip.subarray(part.length);
    }
    return line;
  }
}
