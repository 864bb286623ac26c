// One media stream of the phone: the socket, the frames going out, the play buffer and its marks. It owns the socket,
// both directions of the network and every timer of the stream, and lets go of all of them when the stream is closed.
import { WebSocket } from 'ws';
import { BYTES_PER_MS, bytesToMs, FRAME_MS, SILENCE_BYTE } from '../audio/mulaw.ts';
import type { Cancel, Clock } from '../clock.ts';
import { CallerLine, type IdleSound, type Utterance } from './caller-line.ts';
import { CallerScript } from './caller-script.ts';
import type { CallerTrack } from './caller-track.ts';
import { FrameTimer } from './frame-timer.ts';
import { Link } from './network.ts';
import type { PhoneFeed } from './phone-events.ts';
import { overlay, PlaybackBuffer } from './playback-buffer.ts';
import { seededRandom } from './seeded-random.ts';
import { readServerMessage } from './server-message.ts';
import { frameTimestampMs, StreamMessages } from './stream-messages.ts';

/** The network between carrier and server; nothing given means loopback. */
export interface NetworkOptions {
  /** One-way delay of caller audio, ms. */
  toServerMs?: number;
  /** One-way delay of agent audio, ms. */
  fromServerMs?: number;
  /** Every message is late by a further 0 to this many ms, in order. */
  jitterMs?: number;
  /** Seed of jitter and of the first timestamp. Default 1. */
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
  track: CallerTrack;
  network: NetworkOptions;
  idle: IdleSound;
  keepAudio: boolean;
  /** False leaves the server waiting for `start` after `connected`. */
  sendStart: boolean;
  /** Hang up this many ms after the last step of the track; undefined stays on the line. */
  hangUpAfterTrackMs: number | undefined;
  warn(code: number, reason: string): void;
  /** The caller wants to hang up: the track says so. */
  onHangUp(): void;
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
  streamMs = 0;
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
  readonly #line: CallerLine;
  readonly #script: CallerScript;
  // Frame 0 holds the sound from here on; captured streams never began at 0.
  readonly #firstTimestampMs: number;
  readonly #sent: { atMs: number; bytes: Buffer }[] = [];
  #lastFrame: { timestampMs: number; bytes: Buffer } | undefined;
  // Clock time of `connected`; undefined until the socket is open.
  #startMs: number | undefined;
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
    const { toServerMs = 0, fromServerMs = 0, jitterMs = 0, seed = 1 } = options.network;
    this.#toServer = new Link(this.#clock, { delayMs: toServerMs, jitterMs, seed });
    this.#fromServer = new Link(this.#clock, { delayMs: fromServerMs, jitterMs, seed: seed + 1 });
    this.#firstTimestampMs = 57 + Math.floor(seededRandom(seed + 2)() * 99);
    this.#messages = new StreamMessages(options.ids);
    this.#line = new CallerLine(options.idle);
    this.#script = new CallerScript(options.track);
    this.playback = new PlaybackBuffer({ keepAudio: options.keepAudio });
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#socket = this.#connect();
  }

  get streamSid(): string {
    return this.#options.ids.streamSid;
  }

  /** Ms since the start of the stream; 0 before it. */
  get nowMs(): number {
    return this.#sinceStart(this.#clock.nowMs());
  }

  /** What the caller said, in stream time. */
  get said(): Utterance[] {
    const shift = this.#firstTimestampMs;
    return this.#line.said.map(({ atMs, endMs }) => ({ atMs: atMs + shift, endMs: endMs + shift }));
  }

  /** Says a clip from the next frame on, or after the clip being said. Times are ms of the stream. */
  say(bytes: Uint8Array, atMs?: number): Utterance {
    const shift = this.#firstTimestampMs;
    const { atMs: startMs, endMs } = this.#line.say(bytes, atMs === undefined ? undefined : atMs - shift);
    return { atMs: startMs + shift, endMs: endMs + shift };
  }

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
    if (!this.#end('phone')) return;
    if (this.#socket.readyState === WebSocket.OPEN) this.#send(this.#messages.stop());
    this.#toServer.send(() => {
      this.#socket.close(1000);
      this.#cancelKill = this.#clock.at(this.#clock.nowMs() + CLOSE_LIMIT_MS, () => this.#socket.terminate());
    });
  }

  /** Loses the connection without a word; the server sees 1006. */
  drop(): void {
    this.#end('network');
    this.#socket.terminate();
  }

  /** The caller's line as sent, `streamMs` long; frames that were never sent are silent. */
  callerAudio(): Buffer {
    const line = Buffer.alloc(Math.round(this.streamMs * BYTES_PER_MS), SILENCE_BYTE);
    for (const { atMs, bytes } of this.#sent) overlay(line, bytes, Math.round(atMs * BYTES_PER_MS));
    return line;
  }

  /** The agent as the caller heard it, `streamMs` long. */
  agentAudio(): Buffer {
    return this.playback.render(0, this.streamMs);
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
      this.#fromServer.send((atMs) => this.#receive(data as Buffer, isBinary, this.#sinceStart(atMs)));
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
    this.#startMs = startMs;
    this.#send(this.#messages.connected());
    if (!this.#options.sendStart) return;
    this.#send(this.#messages.start(this.#options.customParameters));
    // A frame can only be sent when its 20 ms are over.
    const firstFrameMs = startMs + this.#firstTimestampMs + FRAME_MS;
    this.#frames = new FrameTimer(this.#clock, firstFrameMs, (index, lateMs) => this.#frame(index, lateMs));
    this.#feed.emit('streaming', { callSid: this.#options.ids.callSid, streamSid: this.#options.ids.streamSid });
  }

  #frame(index: number, lateMs: number): void {
    this.#performTrack();
    if (this.#endedBy) return;
    const bytes = this.#line.takeFrame();
    if (this.#framesToSkip > 0) {
      this.#framesToSkip--;
      return;
    }
    const timestampMs = frameTimestampMs(this.#firstTimestampMs, index);
    this.#lastFrame = { timestampMs, bytes };
    this.#send(this.#messages.media(timestampMs, bytes));
    this.framesSent++;
    if (lateMs > FRAME_MS) this.framesLate++;
    if (this.#options.keepAudio) this.#sent.push({ atMs: this.#firstTimestampMs + index * FRAME_MS, bytes });
  }

  // Performs what is due by the end of the frame being filled.
  #performTrack(): void {
    const shift = this.#firstTimestampMs;
    const untilMs = this.#line.nowMs + FRAME_MS + shift;
    for (;;) {
      const due = this.#script.takeDue({
        nowMs: untilMs,
        untilMs,
        saidUntilMs: this.#line.saidUntilMs + shift,
        spurt: this.playback.talkSpurt(untilMs),
        heardMs: bytesToMs(this.playback.playedBytes(untilMs)),
      });
      if (!due) break;
      if ('say' in due.action) this.say(due.action.say, due.atMs);
      else if ('press' in due.action) this.press(due.action.press);
      else return this.#options.onHangUp();
    }
    const { hangUpAfterTrackMs } = this.#options;
    if (hangUpAfterTrackMs === undefined || !this.#script.done) return;
    if (this.#line.saidUntilMs + shift + hangUpAfterTrackMs <= untilMs) this.#options.onHangUp();
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
    const clear = { atMs, droppedBytes, playedBytesTotal };
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
    if (dueMs === undefined || this.#startMs === undefined) return;
    this.#cancelEcho = this.#clock.at(this.#startMs + dueMs, () => this.#echoDue(this.nowMs));
  }

  #send(text: string): void {
    this.#toServer.send(() => this.#write(text));
  }

  #write(data: string | Buffer): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  #sinceStart(clockMs: number): number {
    return this.#startMs === undefined ? 0 : clockMs - this.#startMs;
  }

  // The stream stops here for the caller: no more frames, and what was queued is never heard. Only the first call counts.
  #end(by: StreamEnd['by']): boolean {
    if (this.#endedBy) return false;
    this.#endedBy = by;
    this.#frames?.stop();
    this.#cancelEcho?.();
    this.streamMs = this.nowMs;
    this.unplayedBytes = this.playback.clear(this.streamMs).droppedBytes;
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
