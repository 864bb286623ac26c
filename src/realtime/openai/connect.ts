// The WebSocket to the Realtime API: one text frame per event, compression off, redirects not followed (the key would
// leak), a deadline on the handshake, ping and pong while it lives.
import { WebSocket } from 'ws';
import { explain, isRetryable } from '../close-codes.ts';

/** What a connected socket reports. `open` once, then `message`s, `closed` exactly once. */
export interface WireEvents {
  open(): void;
  message(text: string): void;
  /** A message that was not taken: binary, or larger than we read. */
  skipped(why: 'binary' | 'oversize'): void;
  closed(why: WireClosed): void;
}

export interface WireClosed {
  cause: 'unreachable' | 'refused' | 'lost';
  /** Status or close code in words; no server text that could carry call content. */
  detail: string;
  /** Another socket may fare better. */
  retry: boolean;
  /** Not before so many milliseconds, where the server said so. */
  retryAfterMs?: number | undefined;
  /** How long the peer had said nothing, neither message nor pong. */
  silentMs?: number | undefined;
}

/** A socket to the model as the session needs it. Owned by its session. */
export interface Wire {
  /** One text message, as text or as its bytes in UTF-8. */
  send(message: string | Buffer): void;
  close(): void;
}

export interface ConnectOptions {
  /** API root, e.g. https://api.openai.com/v1 */
  baseUrl: string;
  model: string;
  apiKey: string;
  handshakeMs: number;
  /** Default 1,000 and 4,000. */
  pingEveryMs?: number;
  lostAfterMs?: number;
}

/** Read but not parsed beyond this: nothing a call needs is that large. */
const MAX_PARSED_BYTES = 1024 * 1024;
/** A frame larger than this closes the socket (ws, 1009). The API allows 15 MiB of audio in one event. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;
/** Caller audio waiting in the socket: about 30 s. More means the peer does not read. */
const MAX_BUFFERED_BYTES = 512 * 1024;
export const PING_EVERY_MS = 1_000;
/** A peer that sent neither pong nor message for this long is gone, whatever TCP still hopes. */
const LOST_AFTER_MS = 4_000;
const AS_TEXT = { binary: false } as const;
/** Long enough for the close frame's answer, then the socket is cut. */
const CLOSE_WITHIN_MS = 400;

/** Why a socket is gone, in words, and whether another may fare better. */
const explained = (cause: WireClosed['cause'], code: string): WireClosed => ({
  cause,
  detail: explain(code),
  retry: isRetryable(code),
});

/** `Retry-After` in milliseconds, from seconds or a date; undefined where it says nothing. */
export function retryAfter(value: string | undefined, wallMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,6}$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - wallMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** The Realtime URL under an API root: that root with the ws or wss scheme and `/realtime?model=…`. */
export function realtimeUrl(baseUrl: string, model: string): string {
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/realtime`);
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:';
  url.searchParams.set('model', model);
  return url.href;
}

/** Opens the socket; everything that happens to it arrives at `events`. Never throws. */
export function connectWire(options: ConnectOptions, events: WireEvents): Wire {
  const socket = new WebSocket(realtimeUrl(options.baseUrl, options.model), {
    headers: { authorization: `Bearer ${options.apiKey}` },
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: options.handshakeMs,
    maxPayload: MAX_FRAME_BYTES,
  });
  let opened = false;
  let over = false;
  let lastSignMs = 0;
  /** For so long of the silence since then this process stood still, and could neither ask nor hear. */
  let stoodStillMs = 0;
  /** Why we cut the socket, if we did. */
  let cutBecause: string | undefined;
  let ping: NodeJS.Timeout | undefined;
  let cut: NodeJS.Timeout | undefined;

  const finish = (why: WireClosed): void => {
    if (over) return;
    over = true;
    clearInterval(ping);
    events.closed(opened ? { ...why, silentMs: performance.now() - lastSignMs } : why);
  };
  const signCame = (): void => {
    lastSignMs = performance.now();
    stoodStillMs = 0;
  };
  const terminateSoon = (): void => {
    cut ??= setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS);
  };

  socket.on('open', () => {
    opened = true;
    const { pingEveryMs = PING_EVERY_MS, lostAfterMs = LOST_AFTER_MS } = options;
    let askedAtMs = performance.now();
    signCame();
    socket.on('pong', signCame);
    const isLost = (): boolean => performance.now() - lastSignMs - stoodStillMs > lostAfterMs;
    const cutIfLost = (): void => {
      if (!isLost()) return;
      finish(explained('lost', 'no pong'));
      socket.terminate();
    };
    ping = setInterval(() => {
      const nowMs = performance.now();
      stoodStillMs += Math.max(0, nowMs - askedAtMs - pingEveryMs);
      askedAtMs = nowMs;
      // Timers come before the sockets in each turn of the event loop: a pong may lie ready.
      if (isLost()) setImmediate(cutIfLost);
      else socket.ping();
    }, pingEveryMs);
    ping.unref();
    events.open();
  });
  socket.on('message', (data: Buffer, isBinary) => {
    if (over) return;
    signCame();
    if (isBinary) return events.skipped('binary');
    if (data.length > MAX_PARSED_BYTES) return events.skipped('oversize');
    events.message(data.toString('utf8'));
  });
  socket.on('unexpected-response', (request, response) => {
    const { statusCode = 0, headers } = response;
    const retryAfterMs = retryAfter(headers['retry-after'], Date.now());
    finish({ ...explained('refused', `HTTP ${statusCode}`), retryAfterMs });
    response.resume();
    request.destroy();
    socket.terminate();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    finish(explained(opened ? 'lost' : 'unreachable', error.code ?? error.name));
    // After a fault in the stream ws waits half a minute for the peer.
    terminateSoon();
  });
  socket.on('close', (code) => {
    clearTimeout(cut);
    finish(explained(opened ? 'lost' : 'unreachable', cutBecause ?? `close ${code}`));
  });

  return {
    send(message) {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        // Reported when the socket has closed: nobody is told of a loss in the middle of sending.
        cutBecause = 'does not read';
        return socket.terminate();
      }
      // As bytes: `ws` masks them into one buffer with the header, which is one write and one TLS record instead of two.
      socket.send(typeof message === 'string' ? Buffer.from(message) : message, AS_TEXT);
    },
    close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
      socket.close(1000);
      terminateSoon();
    },
  };
}
