// The carrier's end of a measurement: many light calls over one beat. Each follows the whole contract (signed webhook,
// TwiML, signed upgrade, frames, play buffer, marks, clear, status callback) but keeps nothing it does not need; the
// faithful phone is src/phone/phone.ts.
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { FRAME_MS } from '../src/audio/mulaw.ts';
import { type Cancel, realClock } from '../src/clock.ts';
import { callParams, completedParams, newSid } from '../src/phone/call-params.ts';
import { PlaybackBuffer } from '../src/phone/playback-buffer.ts';
import { Origin } from '../src/phone/signed-request.ts';
import { customParameters, streamAddress } from '../src/phone/stream-element.ts';
import { StreamMessages } from '../src/phone/stream-messages.ts';
import { readTwiml } from '../src/phone/twiml-reader.ts';
import type { FrameBeat } from './frame-beat.ts';
import { StampReader, StampWriter } from './stamps.ts';

/** Whom the calls go to. */
export interface Callee {
  origin: string;
  /** Signs every request; null: nothing is signed. */
  authToken: string | null;
  /** The voice webhook, the media stream where no webhook names it, the status callback; null: not there. */
  paths: { voice: string | null; media: string | null; status: string | null };
}

export interface CallHooks {
  /** Agent audio came and was read into `call.heard`. */
  media?(call: BenchCall, atMs: number): void;
  /** The server stopped the agent; the buffer is cleared, `playedBytesTotal` was played until then. */
  clear?(call: BenchCall, atMs: number, playedBytesTotal: number): void;
}

const FIRST_TIMESTAMP_MS = 80;
const CLOSE_WITHIN_MS = 2_000;

/** One call. Owns its socket, its place on the beat and the timer of its marks. */
export class BenchCall {
  readonly number: number;
  /** The agent's stamped audio. */
  readonly heard = new StampReader();
  readonly playback = new PlaybackBuffer({ keepAudio: false });
  /** When each frame was handed to the socket, by frame. */
  readonly frameSentAtMs: number[] = [];
  webhookMs = Number.NaN;
  /** When the stream began. */
  startedAtMs = 0;
  /** What went wrong, by the first thing that did; null while nothing has. */
  wrong: string | null = null;
  readonly #paths: Callee['paths'];
  readonly #publicUrl: string;
  readonly #beat: FrameBeat;
  readonly #hooks: CallHooks;
  readonly #origin: Origin;
  readonly #identity = { callSid: newSid('CA'), accountSid: newSid('AC'), from: '+15005550006', to: '+15005550001' };
  readonly #stamps: StampWriter;
  #socket: WebSocket | null = null;
  #messages: StreamMessages | null = null;
  #stopFrames: () => void = () => {};
  #cancelEcho: Cancel | undefined;
  #hungUp = false;
  #closed: Promise<unknown> = Promise.resolve();

  constructor(number: number, callee: Callee, beat: FrameBeat, hooks: CallHooks = {}) {
    this.number = number;
    this.#paths = callee.paths;
    this.#publicUrl = callee.origin;
    this.#beat = beat;
    this.#hooks = hooks;
    this.#stamps = new StampWriter(number);
    const { origin, authToken } = callee;
    this.#origin = new Origin({
      clock: realClock,
      server: origin,
      publicUrl: origin,
      authToken: authToken ?? '',
      sign: authToken === null ? 'none' : 'good',
    });
  }

  get framesSent(): number {
    return this.frameSentAtMs.length;
  }

  /** Asks the voice webhook; the media stream's address and parameters, or null with `wrong` set. */
  async dial(): Promise<{ address: URL; parameters: Record<string, string> } | null> {
    const { voice, media } = this.#paths;
    if (voice === null) return { address: this.#origin.resolve(media ?? '/'), parameters: {} };
    const headers = { 'I-Twilio-Idempotency-Token': randomUUID() };
    const params = callParams(this.#identity, 'ringing');
    const reply = await this.#origin.ask(this.#origin.resolve(voice), params, { headers });
    this.webhookMs = reply.ms;
    if (reply.status !== 200) return this.#failed(`the webhook was answered with ${reply.status}`);
    const connect = readTwiml(reply.body, reply.contentType).find((verb) => verb.name === 'Connect');
    const stream = connect?.children.find((child) => child.name === 'Stream');
    const address =
      stream && streamAddress(stream, this.#publicUrl, this.#origin, (_code, why) => void this.#failed(why));
    if (!stream || !address) return this.#failed('the TwiML names no stream');
    return { address, parameters: customParameters(stream) };
  }

  /** Opens the media stream; resolves when it is open, or failed. */
  async open(address: URL): Promise<void> {
    const streamSid = newSid('MZ');
    const { callSid, accountSid } = this.#identity;
    this.#messages = new StreamMessages({ accountSid, callSid, streamSid });
    // TLS towards the carrier is the business of a proxy in front, or of nobody on one machine.
    const socket = new WebSocket(address.href.replace(/^(?:https?|wss?):/, 'ws:'), {
      headers: { 'User-Agent': 'Twilio.TmeWs/1.0', ...this.#origin.headers(address.href, {}) },
      perMessageDeflate: false,
      handshakeTimeout: 5_000,
    });
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#receive(data, performance.now()));
    socket.on('error', (error) => void this.#failed(error.message));
    this.#closed = new Promise((resolve) => {
      socket.on('close', (code) => {
        this.#stopFrames();
        this.#cancelEcho?.();
        if (!this.#hungUp) this.#failed(`the server closed the media with ${code}`);
        resolve(code);
      });
    });
    await new Promise((resolve) => {
      socket.once('open', resolve);
      socket.once('close', resolve);
    });
  }

  /** Begins the stream: `connected`, `start`, and a frame every 20 ms. */
  start(parameters: Record<string, string>): void {
    this.startedAtMs = performance.now();
    this.#write((messages) => messages.connected());
    this.#write((messages) => messages.start(parameters));
    this.#stopFrames = this.#beat.add(this.number, () => this.#frame());
  }

  /** The whole way from the webhook to the first frame. */
  async connect(): Promise<void> {
    const stream = await this.dial();
    if (!stream) return;
    await this.open(stream.address);
    if (this.wrong === null) this.start(stream.parameters);
  }

  /** No more frames, but the line stays. */
  stopFrames(): void {
    this.#stopFrames();
  }

  /** The caller hangs up: `stop`, the closing handshake, the status callback. */
  async hangUp(): Promise<void> {
    this.#hungUp = true;
    this.#stopFrames();
    this.#write((messages) => messages.stop());
    this.#socket?.close(1000);
    const timer = setTimeout(() => this.#socket?.terminate(), CLOSE_WITHIN_MS);
    await this.#closed;
    clearTimeout(timer);
    await this.tellCompleted();
  }

  /** The connection is lost without a word. */
  async drop(): Promise<void> {
    this.#hungUp = true;
    this.#stopFrames();
    this.#socket?.terminate();
    await this.#closed;
    await this.tellCompleted();
  }

  /** The carrier's last status callback. */
  async tellCompleted(): Promise<void> {
    if (this.#paths.status === null) return;
    const params = { ...callParams(this.#identity, 'completed'), ...completedParams(1_000, Date.now()) };
    const { status } = await this.#origin.ask(this.#origin.resolve(this.#paths.status), params);
    if (status < 200 || status > 299) this.#failed(`the status callback was answered with ${status}`);
  }

  #frame(): void {
    const index = this.frameSentAtMs.length;
    const bytes = this.#stamps.take(FRAME_MS);
    this.#write((messages) => {
      const text = messages.media(FIRST_TIMESTAMP_MS + index * FRAME_MS, bytes);
      this.frameSentAtMs.push(performance.now());
      return text;
    });
  }

  #receive(data: Buffer, atMs: number): void {
    const message = JSON.parse(data.toString()) as {
      event: string;
      media?: { payload: string };
      mark?: { name: string };
    };
    const streamMs = atMs - this.startedAtMs;
    this.#echoDue(streamMs);
    if (message.event === 'media' && message.media) {
      const bytes = Buffer.from(message.media.payload, 'base64');
      this.playback.push(streamMs, bytes);
      this.heard.read(bytes);
      this.#hooks.media?.(this, atMs);
    } else if (message.event === 'mark' && message.mark) {
      this.playback.mark(streamMs, message.mark.name);
      this.#echoDue(streamMs);
    } else if (message.event === 'clear') {
      const { marks, playedBytesTotal } = this.playback.clear(streamMs);
      this.#hooks.clear?.(this, atMs, playedBytesTotal);
      for (const name of marks) this.#write((messages) => messages.mark(name));
      this.#armEcho();
    } else {
      this.#failed(`a message of kind ${message.event}`);
    }
  }

  #echoDue(streamMs: number): void {
    for (const name of this.playback.takeDueMarks(streamMs)) this.#write((messages) => messages.mark(name));
    this.#armEcho();
  }

  #armEcho(): void {
    this.#cancelEcho?.();
    this.#cancelEcho = undefined;
    const dueMs = this.playback.nextMarkDueMs;
    if (dueMs === undefined) return;
    this.#cancelEcho = realClock.at(this.startedAtMs + dueMs, () =>
      this.#echoDue(performance.now() - this.startedAtMs),
    );
  }

  #write(print: (messages: StreamMessages) => string): void {
    if (this.#socket?.readyState === WebSocket.OPEN && this.#messages) this.#socket.send(print(this.#messages));
  }

  #failed(why: string): null {
    this.wrong ??= why;
    return null;
  }
}
