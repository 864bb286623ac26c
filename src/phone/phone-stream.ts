// One media stream of the phone: the socket, the frames going out, the play buffer and its marks. It owns the socket,
// both directions of the network and every timer of the stream, and lets go of all of them when the stream is closed.
import { WebSocket } from 'ws';
import { BYTES_PER_MS, bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { Cancel, Clock } from '../clock.ts';
import { FrameTimer } from './frame-timer.ts';
import { Link } from './network.ts';
import type { PhoneCaller } from './phone-caller.ts';
import type { PhoneFeed } from './phone-events.ts';
import { overlay, PlaybackBuffer } from './playback-buffer.ts';
import { seededRandom } from './seeded-random.ts';
import { readServerMessage } from './server-message.ts';
import { frameTimestampMs, StreamMessages } from './stream-messages.ts';

/** The network between carrier and server; nothing given means loopback. Everything is the same for the same seed. */
export interface NetworkOptions {
  /** One-way delay of caller audio, ms. */
  toServerMs?: number;
  /** One-way delay of agent audio, ms. */
  fromServerMs?: number;
  /** Every message is late by a further 0 to this many ms, in order. */
  jitterMs?: number;
  /** Now and then each direction holds everything back for so many ms and then delivers it together. Default 0: never. */
  burstMs?: number;
  /** Mean time from one such hold to the next, ms. Default 2000. */
  burstEveryMs?: number;
  /** Times of the call at which the media socket is lost (1006); the call goes on as its TwiML says. */
  loseSocketAtMs?: readonly number[];
  /** For so long nothing passes and neither side notices that the socket was lost. Default 0; tens of seconds happen. */
  lossNoticedAfterMs?: number;
  /** Seed of jitter, of bursts and of the first timestamp. Default 1. */
  seed?: number;
}

export interface PhoneStreamOptions {
  clock: Clock;
  feed: PhoneFeed;
  /** Where the socket is opened, and the headers of the upgrade. */
  address: string;
  headers: Record<string, string>;
  ids: { accountSid: string; callSid: string; streamSid: string };
  customParameters: Record<string, string>;
  caller: PhoneCaller;
  /** Clock time that counts as 0: the start of the call's first stream. Undefined: this is the first. */
  zeroMs: number | undefined;
  /** What earlier streams of the call had played. */
  playedBytesBefore: number;
  network: NetworkOptions;
  keepAudio: boolean;
  /** False leaves the server waiting for `start` after `connected`. */
  sendStart: boolean;
  warn(code: number, reason: string): void;
}

/** How a stream ended. `upgradeStatus` is the HTTP answer to the upgrade: 101 when the stream came to be. */
export interface StreamEnd {
  by: 'phone' | 'server' | 'network';
  code: number;
  upgradeStatus: number;
}

/** The other side gets this long to finish the closing handshake. */
const CLOSE_LIMIT_MS = 2_000;
const UPGRADE_LIMIT_MS = 5_000;
/** The phone refuses larger messages; the carrier's own limit is not documented. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

export class PhoneStream {
  readonly playback: PlaybackBuffer;
  /** Resolves when the socket is gone and nothing of the stream is left running. */
  readonly closed: Promise<StreamEnd>;
  framesSent = 0;
  framesLate = 0;
  mediaReceivedBytes = 0;
  unplayedBytes = 0;
  /** Clock time that counts as 0; undefined while the first stream of a call is not open. */
  zeroMs: number | undefined;
  /** When the socket was open, and when the stream was over; 0 until then. */
  startMs = 0;
  endMs = 0;
  firstAudioAtMs: number | undefined;
  readonly marksReceived: string[] = [];
  readonly clears: { atMs: number; droppedBytes: number; playedBytesTotal: number }[] = [];

  readonly #options: PhoneStreamOptions;
  readonly #clock: Clock;
  readonly #feed: PhoneFeed;
  readonly #socket: WebSocket;
  readonly #toServer: Link;
  readonly #fromServer: Link;
  readonly #messages: StreamMessages;
  // Frame 0 holds the sound from here on; captured streams never began at 0.
  readonly #firstTimestampMs: number;
  readonly #sent: { atMs: number; bytes: Buffer }[] = [];
  #lastFrame: { timestampMs: number; bytes: Buffer } | undefined;
  readonly #losses: Cancel[] = [];
  #frames: FrameTimer | undefined;
  #framesToSkip = 0;
  #cancelEcho: Cancel | undefined;
  #cancelKill: Cancel | undefined;
  #endedBy: StreamEnd['by'] | undefined;
  #upgradeStatus = 0;
  #settle: (end: StreamEnd) => void = () => {};

  constructor(options: PhoneStreamOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#feed = options.feed;
    this.zeroMs = options.zeroMs;
    const { toServerMs = 0, fromServerMs = 0, seed = 1, ...rest } = options.network;
    this.#toServer = new Link(this.#clock, { ...rest, delayMs: toServerMs, seed });
    this.#fromServer = new Link(this.#clock, { ...rest, delayMs: fromServerMs, seed: seed + 1 });
    this.#firstTimestampMs = 57 + Math.floor(seededRandom(seed + 2)() * 99);
    this.#messages = new StreamMessages(options.ids);
    // The result tells of the whole call: what is forgotten would be missing from it as silence.
    this.playback = new PlaybackBuffer({ keepAudio: options.keepAudio, maxHistoryBytes: Number.POSITIVE_INFINITY });
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#socket = this.#connect();
  }

  get streamSid(): string {
    return this.#options.ids.streamSid;
  }

  /** Ms since the start of the call's first stream; 0 before it. */
  get nowMs(): number {
    return this.#inCall(this.#clock.nowMs());
  }

  /** Presses one key. Whether its tone can also be heard is documented nowhere: here it cannot. */
  press(digit: string): void {
    this.#send(this.#messages.dtmf(digit));
  }

  /** Sends anything, unjudged: strings as text frames, buffers as binary ones. */
  sendRaw(data: string | Buffer): void {
    this.#toServer.send(() => this.#write(data));
  }

  /** Loses the next `count` frames: their time passes, nothing is sent. */
  skipFrames(count: number): void {
    this.#framesToSkip += count;
  }

  /** Sends no frames for `ms`, then all of them in a burst. */
  pauseFrames(ms: number): void {
    this.#frames?.hold(ms);
  }

  /** Sends the last frame again, with the same chunk number and timestamp. */
  duplicateFrame(): void {
    const last = this.#lastFrame;
    if (last) this.#send(this.#messages.media(last.timestampMs, last.bytes, true));
  }

  /** Ends the stream in good order: `stop`, then the closing handshake. */
  stop(): void {
    // Of a loss that nobody has noticed yet, no closing handshake is left.
    if (!this.#end('phone')) return this.#endedBy === 'network' ? this.#socket.terminate() : undefined;
    if (this.#socket.readyState === WebSocket.OPEN) this.#send(this.#messages.stop());
    this.#toServer.send(() => {
      this.#socket.close(1000);
      this.#cancelKill = this.#clock.at(this.#clock.nowMs() + CLOSE_LIMIT_MS, () => this.#socket.terminate());
    });
  }

  /** Loses the connection without a word; the server sees 1006, the carrier's debugger a broken pipe. */
  drop(): void {
    this.#lose();
    this.#socket.terminate();
  }

  /** Lays what was sent on the caller's line, where 0 is the start of the call's first stream. */
  layCaller(line: Buffer): void {
    for (const { atMs, bytes } of this.#sent) overlay(line, bytes, Math.round(atMs * BYTES_PER_MS));
  }

  /** Lays what was heard of the agent on a line, likewise. */
  layAgent(line: Buffer): void {
    for (const { atMs, bytes } of this.playback.heard(this.endMs))
      overlay(line, bytes, Math.round(atMs * BYTES_PER_MS));
  }

  #connect(): WebSocket {
    const { address, headers } = this.#options;
    const socket = new WebSocket(address, {
      headers: { 'User-Agent': 'Twilio.TmeWs/1.0', ...headers },
      perMessageDeflate: false,
      handshakeTimeout: UPGRADE_LIMIT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    socket.on('open', () => this.#opened());
    socket.on('message', (data, isBinary) => {
      this.#fromServer.send((atMs) => this.#receive(data as Buffer, isBinary, this.#inCall(atMs)));
    });
    socket.on('unexpected-response', (request, response) => {
      this.#upgradeStatus = response.statusCode ?? 0;
      this.#options.warn(31920, `the upgrade was answered with ${this.#upgradeStatus}`);
      request.destroy();
      this.#closed(1006);
    });
    socket.on('error', (error) => {
      if (this.#endedBy) return;
      if (this.#upgradeStatus === 101) this.#options.warn(31924, `WebSocket protocol error: ${error.message}`);
      else if (this.#upgradeStatus === 0) this.#options.warn(31901, `no answer to the upgrade: ${error.message}`);
    });
    // A close of the server travels like everything else it sent; our own is over at once.
    socket.on('close', (code) => {
      if (this.#endedBy) this.#closed(code);
      else this.#fromServer.send(() => this.#closed(code));
    });
    return socket;
  }

  #opened(): void {
    this.#upgradeStatus = 101;
    if (this.#endedBy) return;
    const startMs = this.#clock.nowMs();
    this.zeroMs ??= startMs;
    this.startMs = this.#inCall(startMs);
    this.#armLosses(this.zeroMs);
    this.#send(this.#messages.connected());
    if (!this.#options.sendStart) return;
    this.#send(this.#messages.start(this.#options.customParameters));
    this.#options.caller.beginFrames(this.startMs + this.#firstTimestampMs);
    // A frame can only be sent when its 20 ms are over.
    const firstFrameMs = startMs + this.#firstTimestampMs + FRAME_MS;
    this.#frames = new FrameTimer(this.#clock, firstFrameMs, (index, lateMs) => this.#frame(index, lateMs));
    this.#feed.emit('streaming', { callSid: this.#options.ids.callSid, streamSid: this.#options.ids.streamSid });
  }

  #armLosses(zeroMs: number): void {
    for (const atMs of this.#options.network.loseSocketAtMs ?? [])
      if (atMs >= this.startMs) this.#losses.push(this.#clock.at(zeroMs + atMs, () => this.#loseUnnoticed()));
  }

  #loseUnnoticed(): void {
    const { lossNoticedAfterMs = 0 } = this.#options.network;
    this.#lose();
    const noticedMs = this.#clock.nowMs() + lossNoticedAfterMs;
    if (lossNoticedAfterMs > 0) this.#cancelKill = this.#clock.at(noticedMs, () => this.#socket.terminate());
    else this.#socket.terminate();
  }

  #lose(): void {
    if (this.#end('network') && this.#upgradeStatus === 101) this.#options.warn(31903, 'the media socket was lost');
  }

  #frame(index: number, lateMs: number): void {
    const { caller, keepAudio, playedBytesBefore } = this.#options;
    const untilMs = caller.frameEndMs;
    const heardBytes = playedBytesBefore + this.playback.playedBytes(untilMs);
    caller.perform({ spurt: this.playback.talkSpurt(untilMs), heardMs: bytesToMs(heardBytes) });
    if (this.#endedBy) return;
    const bytes = caller.takeFrame();
    if (this.#framesToSkip > 0) {
      this.#framesToSkip--;
      return;
    }
    const timestampMs = frameTimestampMs(this.#firstTimestampMs, index);
    this.#lastFrame = { timestampMs, bytes };
    this.#send(this.#messages.media(timestampMs, bytes));
    this.framesSent++;
    if (lateMs > FRAME_MS) this.framesLate++;
    if (keepAudio) this.#sent.push({ atMs: this.startMs + this.#firstTimestampMs + index * FRAME_MS, bytes });
  }

  #receive(data: Buffer, binary: boolean, atMs: number): void {
    if (this.#endedBy) return;
    const message = readServerMessage(data, binary, this.#options.ids.streamSid);
    if ('code' in message) return this.#options.warn(message.code, message.reason);
    // Marks that fell due before this message must go back first, even if their timer is late.
    this.#echoDue(atMs);
    switch (message.event) {
      case 'media':
        return this.#play(atMs, message.bytes);
      case 'mark':
        this.marksReceived.push(message.name);
        this.playback.mark(atMs, message.name);
        this.#feed.emit('mark', { atMs, name: message.name });
        return this.#echoDue(atMs);
      case 'clear':
        return this.#clear(atMs);
      default:
        message satisfies never;
    }
  }

  #play(atMs: number, bytes: Buffer): void {
    this.mediaReceivedBytes += bytes.length;
    this.playback.push(atMs, bytes);
    this.#feed.emit('media', { atMs, bytes });
    if (this.firstAudioAtMs !== undefined) return;
    this.firstAudioAtMs = atMs;
    this.#feed.emit('firstAudio', { atMs });
  }

  #clear(atMs: number): void {
    const { marks, droppedBytes, playedBytesTotal } = this.playback.clear(atMs);
    const clear = { atMs, droppedBytes, playedBytesTotal: this.#options.playedBytesBefore + playedBytesTotal };
    this.clears.push(clear);
    this.#feed.emit('clear', clear);
    for (const name of marks) this.#echo(name);
    this.#armEcho();
  }

  #echoDue(atMs: number): void {
    for (const name of this.playback.takeDueMarks(atMs)) this.#echo(name);
    this.#armEcho();
  }

  #echo(name: string): void {
    this.#send(this.#messages.mark(name));
    this.#feed.emit('echo', { atMs: this.nowMs, name });
  }

  #armEcho(): void {
    this.#cancelEcho?.();
    this.#cancelEcho = undefined;
    const dueMs = this.playback.nextMarkDueMs;
    if (dueMs === undefined || this.zeroMs === undefined) return;
    this.#cancelEcho = this.#clock.at(this.zeroMs + dueMs, () => this.#echoDue(this.nowMs));
  }

  #send(text: string): void {
    this.#toServer.send(() => this.#write(text));
  }

  #write(data: string | Buffer): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  #inCall(clockMs: number): number {
    return this.zeroMs === undefined ? 0 : clockMs - this.zeroMs;
  }

  // The stream stops here for the caller: no more frames, and what was queued is never heard. Only the first call counts.
  #end(by: StreamEnd['by']): boolean {
    if (this.#endedBy) return false;
    this.#endedBy = by;
    this.#frames?.stop();
    this.#cancelEcho?.();
    for (const cancel of this.#losses) cancel();
    this.endMs = this.nowMs;
    this.unplayedBytes = this.playback.clear(this.endMs).droppedBytes;
    return true;
  }

  #closed(code: number): void {
    this.#end('server');
    this.#cancelKill?.();
    this.#toServer.close();
    this.#fromServer.close();
    const end = { by: this.#endedBy ?? 'server', code, upgradeStatus: this.#upgradeStatus };
    this.#feed.emit('closed', { by: end.by, code });
    this.#settle(end);
  }
}
