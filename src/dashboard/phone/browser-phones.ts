// The browser phones of this process: takes their sockets, bounds what comes over them, and knows each call by the carrier's id of
// it, so that orders about it (see browser-control.ts) find it. One socket is one call.
import type { WebSocket } from 'ws';
import type { Cancel, Clock } from '../../clock.ts';
import { ownPhoneProof } from '../../carrier/twilio/signature.ts';
import { newSid } from '../../phone/call-params.ts';
import { Origin } from '../../phone/signed-request.ts';
import type { Who } from '../api-route.ts';
import { BrowserCall } from './browser-call.ts';
import type { Captions } from './browser-captions.ts';
import { type PhoneMessage, readPhoneFrame } from './phone-messages.ts';

export interface BrowserPhonesOptions {
  clock: Clock;
  /** Where this server listens, e.g. http://127.0.0.1:3000 */
  server: string;
  /** The origin that signatures are checked against. */
  publicUrl: string;
  /** What signs webhooks. */
  authToken: string;
  /** The carrier account that webhooks must name; null: any. */
  accountSid: string | null;
  /** Default: there are none. */
  captions?: Captions;
  /** Somebody calls, by the call's id. Default: nobody is told. */
  admitted?: (who: Who, callId: string) => void;
  log: { warn(fields: object, message: string): void };
}

/** Phone calls in this process at a time: people who try an agent, not its callers. */
export const MAX_PHONE_CALLS = 20;
/** Sockets may be a few more: they are told so. */
const MAX_SOCKETS = 40;
/** From the open socket to `dial`. */
const DIAL_WITHIN_MS = 15_000;
/** A browser sends 50 frames a second; a tab that was held up sends what it has at once. As the media socket allows. */
const FRAMES_PER_SECOND = 400;
const FRAME_BURST = 2_000;
/** A frame of 20 ms has some 400 bytes, `start` some 1,500. */
const MAX_FRAME_BYTES = 8 * 1024;
/** Bytes cost more than frames: what is sent is parsed here and at the media socket, on the thread of every call's sound. */
const BYTES_PER_SECOND = 80 * 1024;
const BYTE_BURST = 1024 * 1024;
/** Frames that say nothing and are ignored before the socket is given up. */
const MAX_GARBAGE = 100;
/** Half a minute of audio that the browser has not read. */
const MAX_BUFFERED_BYTES = 256 * 1024;
/** A browser that streams is never silent for so long; then it is asked, and must answer. */
const LOOK_EVERY_MS = 4_000;
const SILENT_MS = 12_000;
/** Orders about calls that are over are answered without asking the carrier. */
const MAX_PAST = 1_000;
const POLICY = 1008;
const INTERNAL = 1011;
const TRY_LATER = 1013;
const GOING_AWAY = 1001;

export class BrowserPhones {
  readonly #options: BrowserPhonesOptions;
  readonly #origin: Origin;
  readonly #accountSid: string;
  readonly #calls = new Map<string, BrowserCall>();
  readonly #past = new Set<string>();
  readonly #sockets = new Set<WebSocket>();
  #closed = false;

  constructor(options: BrowserPhonesOptions) {
    const { clock, server, publicUrl, authToken, accountSid } = options;
    this.#options = options;
    this.#origin = new Origin({ clock, server, publicUrl, authToken, sign: 'good' });
    this.#accountSid = accountSid ?? newSid('AC');
  }

  /** Phone calls now. */
  get live(): number {
    return this.#calls.size;
  }

  /** The call behind a carrier's id; `over`: it was one of a browser here; null: it is none. */
  find(callSid: string): BrowserCall | 'over' | null {
    return this.#calls.get(callSid) ?? (this.#past.has(callSid) ? 'over' : null);
  }

  /** Takes the socket of somebody who may use the phone. */
  readonly accept = (socket: WebSocket, who: Who): void => {
    // A fault of the protocol: `ws` closes by itself, and tells so here.
    socket.on('error', () => {});
    if (this.#closed || this.#sockets.size >= MAX_SOCKETS) return socket.close(TRY_LATER);
    this.#sockets.add(socket);
    const line = new SocketLine({
      socket,
      clock: this.#options.clock,
      dial: (to, name, say) => this.#dial(who, to, name, say),
      fault: (err) => this.#options.log.warn({ err }, 'a browser phone sent what made a fault'),
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      line.gone();
    });
  };

  /** The server is being stopped: ends what there is, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    const ended = [...this.#calls.values()].map((call) => {
      call.hangUp('stopped');
      return call.ended;
    });
    await Promise.all(ended);
    // Whoever does not answer is cut by what let the sockets in.
    for (const socket of this.#sockets) socket.close(GOING_AWAY);
  }

  #dial(who: Who, to: string, name: string | undefined, say: Saying): BrowserCall | null {
    if (this.#closed || this.#calls.size >= MAX_PHONE_CALLS) {
      say.tell({ event: 'ended', by: 'server', why: this.#closed ? 'stopped' : 'full' });
      return null;
    }
    const { clock, captions = () => null, admitted = () => {}, log } = this.#options;
    const call = new BrowserCall({
      ...{ clock, captions, to: addressOf(to), from: `client:${callerName(who, name)}` },
      origin: this.#origin,
      proofOf: (callSid) => ownPhoneProof(this.#options.authToken, callSid),
      accountSid: this.#accountSid,
      isOperator: who.scope === 'operator',
      ...say,
      admitted: (callId) => admitted(who, callId),
      fault: (err) => log.warn({ err }, 'a call of a browser phone failed'),
    });
    this.#calls.set(call.callSid, call);
    void call.ended.then(() => {
      this.#calls.delete(call.callSid);
      this.#past.add(call.callSid);
      if (this.#past.size > MAX_PAST) this.#past.delete(this.#past.values().next().value as string);
    });
    return call;
  }
}

/** What a call says to its browser. */
interface Saying {
  tell: (message: PhoneMessage) => void;
  relay: (data: Buffer) => void;
}

interface SocketLineOptions {
  socket: WebSocket;
  clock: Clock;
  /** Places the call of this socket; null: it was told why there is none. */
  dial: (to: string, name: string | undefined, say: Saying) => BrowserCall | null;
  fault: (error: unknown) => void;
}

/** One socket: bounds what comes and what waits, and finds out when the other side is gone. Owns two timers. */
class SocketLine {
  readonly #options: SocketLineOptions;
  #call: BrowserCall | null = null;
  #dialled = false;
  #tokens = FRAME_BURST;
  #bytes = BYTE_BURST;
  #heardAtMs: number;
  #garbage = 0;
  /** What still comes until the socket is closed is not looked at. */
  #broken = false;
  #cancelDial: Cancel;
  #cancelLook: Cancel = () => {};

  constructor(options: SocketLineOptions) {
    const { socket, clock } = options;
    this.#options = options;
    this.#heardAtMs = clock.nowMs();
    this.#cancelDial = clock.at(this.#heardAtMs + DIAL_WITHIN_MS, () => socket.close(POLICY, 'nothing was dialled'));
    socket.on('message', (data, isBinary) => this.#guarded(data as Buffer, isBinary));
    socket.on('ping', () => this.#withinRate(0));
    socket.on('pong', () => this.#withinRate(0));
    this.#look();
  }

  /** The socket is closed: the caller hung up, if nobody has before. */
  gone(): void {
    this.#cancelDial();
    this.#cancelLook();
    this.#call?.hangUp('hung_up');
  }

  /** What one browser sends must not end the process with everybody else's calls. */
  #guarded(data: Buffer, isBinary: boolean): void {
    try {
      this.#take(data, isBinary);
    } catch (err) {
      this.#options.fault(err);
      this.#refuse('a fault of Trunkline', INTERNAL);
    }
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (!this.#withinRate(data.length)) return;
    if (data.length > MAX_FRAME_BYTES) return this.#refuse('a frame is too large');
    const text = isBinary ? '' : data.toString();
    const frame = readPhoneFrame(text);
    if (frame.kind === 'stream') {
      if (this.#call !== null) return this.#call.take(text, frame.event, frame.digit);
    } else if (frame.kind === 'ours') {
      const { message } = frame;
      if (message.event === 'said') return this.#call?.said();
      if (message.event === 'hang_up') {
        if (this.#call !== null) return this.#call.hangUp('hung_up');
        return this.#options.socket.close(1000);
      }
      if (!this.#dialled) return this.#dial(message.to, message.name);
    }
    if (++this.#garbage > MAX_GARBAGE) this.#refuse('too much that says nothing');
  }

  #dial(to: string, name: string | undefined): void {
    this.#dialled = true;
    this.#cancelDial();
    const { socket, dial } = this.#options;
    this.#call = dial(to, name, {
      tell: (message) => this.#send(JSON.stringify(message)),
      relay: (data) => this.#send(data),
    });
    if (this.#call === null) return socket.close(1000);
    // The last word has been said by then.
    void this.#call.done.then(() => socket.close(1000));
  }

  #send(data: string | Buffer): void {
    const { socket } = this.#options;
    if (socket.readyState !== socket.OPEN) return;
    // It does not read: a caller who hears nothing is gone.
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) return socket.terminate();
    socket.send(data, { binary: false });
  }

  /** Token buckets over everything that comes. False when this one broke one of them, which ends the socket. */
  #withinRate(bytes: number): boolean {
    if (this.#broken) return false;
    const nowMs = this.#options.clock.nowMs();
    const seconds = (nowMs - this.#heardAtMs) / 1000;
    this.#tokens = Math.min(FRAME_BURST, this.#tokens + seconds * FRAMES_PER_SECOND) - 1;
    this.#bytes = Math.min(BYTE_BURST, this.#bytes + seconds * BYTES_PER_SECOND) - bytes;
    this.#heardAtMs = nowMs;
    if (this.#tokens >= 0 && this.#bytes >= 0) return true;
    this.#refuse(this.#tokens < 0 ? 'too many frames' : 'too many bytes');
    return false;
  }

  #refuse(why: string, code = POLICY): void {
    this.#broken = true;
    this.#call?.hangUp('protocol');
    this.#options.socket.close(code, why);
  }

  /** A network that fails without a word leaves a socket open: it is found by what does not come. */
  #look(): void {
    const { clock, socket } = this.#options;
    this.#cancelLook = clock.at(clock.nowMs() + LOOK_EVERY_MS, () => {
      const silentMs = clock.nowMs() - this.#heardAtMs;
      if (silentMs > SILENT_MS) return socket.terminate();
      if (silentMs > LOOK_EVERY_MS / 2 && socket.readyState === socket.OPEN) socket.ping();
      return this.#look();
    });
  }
}

/**
 * Under which name somebody calls. An operator may call by any, so that lists of an agent file can be tried; whoever came by
 * a link calls as a guest by the link's own name, and can pass for nobody else.
 */
function callerName(who: Who, name: string | undefined): string {
  if (who.scope === 'operator') return wordOf(name ?? '') || 'browser';
  return `guest-${wordOf(who.actor.replace(/^link:?/, '')) || 'phone'}`;
}

/** What a softphone may be called: letters, digits, underscore, and what stands between them. */
const wordOf = (name: string): string =>
  name
    .trim()
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);

/** A number as it is, any other word that an agent answers as the SIP address that brings it there. */
function addressOf(to: string): string {
  const digits = to.replace(/[\s().-]/g, '');
  if (/^\+?\d+$/.test(digits)) return digits.startsWith('+') ? digits : `+${digits}`;
  return `sip:${encodeURIComponent(to.trim())}@browser.invalid`;
}
