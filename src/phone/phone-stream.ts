// One media stream of the phone: the socket, the frames going out, what comes in, and how it ends, well or badly. It owns
// the socket, both directions of the network and every timer of the stream, and lets go of all of them when it is gone.
import { WebSocket } from 'ws';
import { BYTES_PER_MS, bytesToMs, FRAME_BYTES, FRAME_MS } from '../audio/mulaw.ts';
import type { Cancel, Clock } from '../clock.ts';
import { FrameTimer } from './frame-timer.ts';
import { Link } from './network.ts';
import type { PhoneFeed } from './phone-events.ts';
import { armFaults, DuplicateSocket, lossesOf, type StreamFault } from './phone-faults.ts';
import { overlay } from './playback-buffer.ts';
import { seededRandom } from './seeded-random.ts';
import { readServerMessage } from './server-message.ts';
import { frameTimestampMs, StreamMessages } from './stream-messages.ts';
import type { PhoneStreamOptions, StreamEnd } from './stream-options.ts';
import { StreamPlayback } from './stream-playback.ts';

/** The other side gets this long to finish the closing handshake. */
const CLOSE_LIMIT_MS = 2_000;
const UPGRADE_LIMIT_MS = 5_000;
/** What a stale socket says: the loudest sample there is, so that it cannot be missed where it must not be heard. */
const STALE_FRAME = Buffer.alloc(FRAME_BYTES, 0x80);
const DEFAULT_STALE_MS = 2_000;
/** The phone refuses larger messages; the carrier's own limit is not documented. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

export class PhoneStream {
  readonly playback: StreamPlayback;
  /** Resolves when the carrier is done with the stream, and the call goes on. */
  readonly closed: Promise<StreamEnd>;
  /** Resolves when nothing of it is left running: later than `closed` only where a fault keeps the socket alive. */
  readonly gone: Promise<void>;
  framesSent = 0;
  framesLate = 0;
  /** Clock time that counts as 0; undefined while the first stream of a call is not open. */
  zeroMs: number | undefined;
  /** When the socket was open, and when the stream was over; 0 until then. */
  startMs = 0;
  endMs = 0;

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
  readonly #duplicates: DuplicateSocket[] = [];
  #lastFrame: { index: number; timestampMs: number; bytes: Buffer } | undefined;
  #disarm: Cancel = () => {};
  #frames: FrameTimer | undefined;
  #framesToSkip = 0;
  #reads = true;
  #cancelKill: Cancel | undefined;
  /** Which half of a good end the carrier leaves out. */
  #leavesOut: 'stop' | 'close' | undefined;
  #endedBy: StreamEnd['by'] | undefined;
  #told = false;
  #upgradeStatus = 0;
  #settle: (end: StreamEnd) => void = () => {};
  #vanish: () => void = () => {};

  constructor(options: PhoneStreamOptions) {
    const { clock, feed, keepAudio, playedBytesBefore } = options;
    this.#options = options;
    this.#clock = clock;
    this.#feed = feed;
    this.zeroMs = options.zeroMs;
    const { toServerMs = 0, fromServerMs = 0, seed = 1, ...rest } = options.network;
    this.#toServer = new Link(clock, { ...rest, delayMs: toServerMs, seed });
    this.#fromServer = new Link(clock, { ...rest, delayMs: fromServerMs, seed: seed + 1 });
    this.#firstTimestampMs = 57 + Math.floor(seededRandom(seed + 2)() * 99);
    this.#messages = new StreamMessages(options.ids);
    this.playback = new StreamPlayback({
      ...{ clock, feed, keepAudio, playedBytesBefore },
      zeroMs: () => this.zeroMs,
      echo: (name) => this.#echo(name),
    });
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.gone = new Promise((resolve) => {
      this.#vanish = resolve;
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

  /** Whether frames are going out. */
  get live(): boolean {
    return this.#frames !== undefined && !this.#endedBy;
  }

  /** Presses one key: the message alone, its tone is on the caller's line or is not. */
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

  /** Ends the stream in good order: `stop`, then the closing handshake; or with what a fault leaves of it. */
  stop(): void {
    // Of a loss that nobody has noticed yet, no closing handshake is left.
    if (!this.#end('phone')) return this.#endedBy === 'network' ? this.#socket.terminate() : undefined;
    if (this.#socket.readyState === WebSocket.OPEN && this.#leavesOut !== 'stop') this.#send(this.#messages.stop());
    this.#toServer.send(() => {
      if (this.#leavesOut !== 'close') this.#socket.close(1000);
      this.#killAfter(CLOSE_LIMIT_MS);
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
    for (const { atMs, bytes } of this.playback.buffer.heard(this.endMs))
      overlay(line, bytes, Math.round(atMs * BYTES_PER_MS));
  }

  #connect(): WebSocket {
    const { address } = this.#options;
    const socket = new WebSocket(address, {
      headers: this.#headers(),
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

  #headers(): Record<string, string> {
    return { 'User-Agent': 'Twilio.TmeWs/1.0', ...this.#options.headers };
  }

  #opened(): void {
    this.#upgradeStatus = 101;
    if (this.#endedBy) return;
    const startMs = this.#clock.nowMs();
    this.zeroMs ??= startMs;
    this.startMs = this.#inCall(startMs);
    const faults = [...this.#options.faults, ...lossesOf(this.#options.network)];
    const armed = { faults, zeroMs: this.zeroMs, startMs: this.startMs };
    this.#disarm = armFaults(this.#clock, armed, (fault) => this.strike(fault));
    this.#send(this.#messages.connected());
    if (!this.#options.sendStart) return;
    this.#send(this.#messages.start(this.#options.customParameters));
    this.#options.caller.beginFrames(this.startMs + this.#firstTimestampMs);
    // A frame can only be sent when its 20 ms are over.
    const firstFrameMs = startMs + this.#firstTimestampMs + FRAME_MS;
    this.#frames = new FrameTimer(this.#clock, firstFrameMs, (index, lateMs) => this.#frame(index, lateMs));
    this.#feed.emit('streaming', { callSid: this.#options.ids.callSid, streamSid: this.#options.ids.streamSid });
  }

  /** Lets a fault happen now. */
  strike(fault: StreamFault): void {
    switch (fault.kind) {
      case 'socket_lost':
        return this.drop();
      case 'half_open':
        this.#lose();
        this.#socket.pause();
        if (fault.noticedAfterMs !== undefined) this.#killAfter(fault.noticedAfterMs);
        return;
      case 'stops_reading':
        this.#reads = false;
        return this.#socket.pause();
      case 'stop_without_close':
        this.#leavesOut = 'close';
        return this.#options.hangUp();
      case 'close_without_stop':
        this.#leavesOut = 'stop';
        return this.#options.hangUp();
      case 'duplicate_socket':
        return this.#openDuplicate();
      case 'stale_socket':
        return this.#goStale(fault.forMs ?? DEFAULT_STALE_MS);
      case 'update':
        return this.#options.update(fault.update);
      default:
        fault satisfies never;
    }
  }

  #openDuplicate(): void {
    const { address, ids, customParameters, duplicated } = this.#options;
    const messages = new StreamMessages(ids);
    const greeting = [messages.connected(), messages.start(customParameters)];
    const duplicate = new DuplicateSocket(address, this.#headers(), greeting);
    this.#duplicates.push(duplicate);
    void duplicate.gone.then(duplicated);
  }

  /** For the carrier the stream is over; its socket goes on for a while. */
  #goStale(forMs: number): void {
    const lastIndex = this.#lastFrame?.index ?? 0;
    this.#lose();
    this.#tellEnd(1006);
    this.#frames = new FrameTimer(this.#clock, this.#clock.nowMs(), (index) => {
      const timestampMs = frameTimestampMs(this.#firstTimestampMs, lastIndex + 1 + index);
      this.#send(this.#messages.media(timestampMs, STALE_FRAME));
    });
    this.#killAfter(forMs);
  }

  #killAfter(ms: number): void {
    this.#cancelKill?.();
    this.#cancelKill = this.#clock.at(this.#clock.nowMs() + ms, () => this.#socket.terminate());
  }

  #lose(): void {
    if (this.#end('network') && this.#upgradeStatus === 101) this.#options.warn(31903, 'the media socket was lost');
  }

  #frame(index: number, lateMs: number): void {
    const { caller, keepAudio, playedBytesBefore } = this.#options;
    const { buffer } = this.playback;
    const untilMs = caller.frameEndMs;
    const heardBytes = playedBytesBefore + buffer.playedBytes(untilMs);
    caller.perform({ spurt: buffer.talkSpurt(untilMs), heardMs: bytesToMs(heardBytes) });
    if (this.#endedBy) return;
    const bytes = caller.takeFrame();
    if (this.#framesToSkip > 0) {
      this.#framesToSkip--;
      return;
    }
    const timestampMs = frameTimestampMs(this.#firstTimestampMs, index);
    this.#lastFrame = { index, timestampMs, bytes };
    this.#send(this.#messages.media(timestampMs, bytes));
    this.framesSent++;
    if (lateMs > FRAME_MS) this.framesLate++;
    if (keepAudio) this.#sent.push({ atMs: this.startMs + this.#firstTimestampMs + index * FRAME_MS, bytes });
  }

  #receive(data: Buffer, binary: boolean, atMs: number): void {
    // A paused socket gives up what it holds when it is closed.
    if (this.#endedBy || !this.#reads) return;
    const message = readServerMessage(data, binary, this.#options.ids.streamSid);
    if ('code' in message) this.#options.warn(message.code, message.reason);
    else this.playback.take(message, atMs);
  }

  #echo(name: string): void {
    this.#send(this.#messages.mark(name));
    this.#feed.emit('echo', { atMs: this.nowMs, name });
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
    this.#disarm();
    this.endMs = this.nowMs;
    this.playback.end(this.endMs);
    return true;
  }

  #closed(code: number): void {
    this.#end('server');
    this.#frames?.stop();
    this.#cancelKill?.();
    this.#toServer.close();
    this.#fromServer.close();
    this.#tellEnd(code);
    for (const duplicate of this.#duplicates) duplicate.close();
    void Promise.all(this.#duplicates.map(({ gone }) => gone)).then(() => this.#vanish());
  }

  #tellEnd(code: number): void {
    if (this.#told) return;
    this.#told = true;
    const by = this.#endedBy ?? 'server';
    this.#feed.emit('closed', { by, code });
    this.#settle({ by, code, upgradeStatus: this.#upgradeStatus });
  }
}
