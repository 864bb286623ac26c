// One media stream of a browser phone: a signed socket to this server's own media route. Text frames pass through it as they
// are, in both directions; what they say is between the browser and the server. Owns the socket and one timer.
import { WebSocket } from 'ws';
import type { Cancel, Clock } from '../../clock.ts';
import { newSid } from '../../phone/call-params.ts';

export interface BrowserStreamOptions {
  clock: Clock;
  /** Of the listening server, with the token. */
  address: string;
  headers: Record<string, string>;
  /** The socket is open: the browser may speak. */
  opened: (stream: BrowserStream) => void;
  /** A frame for the browser. */
  toBrowser: (data: Buffer) => void;
}

/** `refused`: there never was a stream; `stalled`: the server does not read what the browser sends. */
export type StreamEnd = 'stopped' | 'server_closed' | 'refused' | 'stalled';

const UPGRADE_LIMIT_MS = 5_000;
/** The server gets this long to answer our close frame. */
const CLOSE_LIMIT_MS = 1_000;
/** The server sends frames of at most a second of audio. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Half a minute of audio that the server, in this very process, has not read. */
const MAX_BUFFERED_BYTES = 256 * 1024;

export class BrowserStream {
  readonly streamSid = newSid('MZ');
  /** Resolves once: when the stream is over for the call. The socket may take a moment longer. */
  readonly over: Promise<StreamEnd>;
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  #settle: (end: StreamEnd) => void = () => {};
  #open = false;
  #ended = false;
  #stopTold = false;
  #cancelKill: Cancel = () => {};

  constructor({ clock, address, headers, opened, toBrowser }: BrowserStreamOptions) {
    this.#clock = clock;
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const socket = new WebSocket(address, {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: UPGRADE_LIMIT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#socket = socket;
    socket.on('open', () => {
      if (this.#ended) return socket.close(1000);
      this.#open = true;
      return opened(this);
    });
    socket.on('message', (data, isBinary) => {
      if (!this.#ended && !isBinary) toBrowser(data as Buffer);
    });
    // Whatever it was, `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#cancelKill();
      this.#end(this.#open ? 'server_closed' : 'refused');
    });
  }

  /** Passes a frame of the browser on; what comes before the socket is open, or after the end, is nothing that anybody asked for. */
  send(text: string, event: string): void {
    if (!this.#open || this.#ended) return;
    if (event === 'stop') this.#stopTold = true;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#end('stalled');
      this.#socket.terminate();
    } else this.#socket.send(text);
  }

  /** Ends it in good order, as a carrier does: `stop`, unless the browser has said so, then the closing handshake. */
  stop(ids: { accountSid: string; callSid: string }): void {
    if (this.#ended) return;
    const { streamSid } = this;
    if (this.#open && !this.#stopTold) this.#socket.send(JSON.stringify({ event: 'stop', streamSid, stop: ids }));
    this.#end('stopped');
    if (this.#open) this.#socket.close(1000);
    else this.#socket.terminate();
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#cancelKill = this.#clock.at(this.#clock.nowMs() + CLOSE_LIMIT_MS, () => this.#socket.terminate());
  }

  #end(end: StreamEnd): void {
    this.#ended = true;
    this.#settle(end);
  }
}
