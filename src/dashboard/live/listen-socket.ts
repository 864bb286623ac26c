// Listening in: what both sides of a live call sound like, over a WebSocket to the page. A listener who does not keep up
// misses frames, it never has them wait here. Each socket is one line of the audit.
//
// Binary: one byte for the side (0 caller, 1 agent), four bytes for its start in milliseconds since the media started, most
// significant first, then PCMU. Text: {"event":"cleared","atMs":…}, what the agent was still to say is not heard;
// {"event":"gone"}, the call is over.
import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/store.ts';
import type { Who } from '../api-route.ts';

/** What a listener is told; `payload` is PCMU in base64, as it comes from both sides. */
export interface ListenSink {
  frame(side: 'caller' | 'agent', atMs: number, payload: string): void;
  cleared(atMs: number): void;
  gone(): void;
}

export interface ListenOptions {
  live: {
    /** Gives what ends it; null: there is no such call, or too many listen already. */
    listen(callId: string, sink: ListenSink): (() => void) | null;
    /** Null: there is no such call. */
    one(callId: string): object | null;
  };
  store: Pick<Store, 'append'>;
  clock: Pick<Clock, 'wallMs'>;
}

/** The part of a WebSocket that is used. */
export interface ListenerSocket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(data: Buffer | string): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'close' | 'error', told: () => void): unknown;
}

/** Sixteen seconds of both sides. */
export const MOST_BUFFERED_BYTES = 256 * 1024;
/** A socket that takes not even what is told in text is given up. */
const HOPELESS_BYTES = 2 * MOST_BUFFERED_BYTES;
const HEAD_BYTES = 5;
const OPEN = 1;
/** Close codes of WebSockets. */
const NORMAL = 1000;
const TRY_LATER = 1013;
const SIDES = { caller: 0, agent: 1 };
const MOST_MS = 0xff_ff_ff_ff;

export type ListenSocket = (socket: ListenerSocket, who: Who, callId: string) => void;

export function listenSocket({ live, store, clock }: ListenOptions): ListenSocket {
  return (socket, who, callId) => {
    let ends: (() => void) | null = null;
    let over = false;
    const end = (): void => {
      over = true;
      ends?.();
      ends = null;
    };
    socket.on('close', end);
    // A fault of a socket is followed by its close.
    socket.on('error', end);
    const isOpen = (): boolean => !over && socket.readyState === OPEN;
    const tell = (event: object): void => {
      if (!isOpen()) return;
      if (socket.bufferedAmount > HOPELESS_BYTES) socket.terminate();
      else socket.send(JSON.stringify(event));
    };
    const gone = (): void => {
      tell({ event: 'gone' });
      end();
      socket.close(NORMAL, 'the call is over');
    };
    const begun = live.listen(callId, {
      frame(side, atMs, payload) {
        if (isOpen() && socket.bufferedAmount <= MOST_BUFFERED_BYTES) socket.send(framed(side, atMs, payload));
      },
      cleared: (atMs) => tell({ event: 'cleared', atMs: Math.round(atMs) }),
      gone,
    });
    if (begun === null) {
      if (live.one(callId) === null) return gone();
      end();
      return socket.close(TRY_LATER, 'too many listen to this call');
    }
    store.append({
      ...{ type: 'audited', atWallMs: clock.wallMs(), actor: who.actor },
      ...{ action: 'listened', subject: callId, note: '' },
    });
    if (over) begun();
    else ends = begun;
  };
}

function framed(side: 'caller' | 'agent', atMs: number, payload: string): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + Math.ceil((payload.length * 3) / 4));
  frame[0] = SIDES[side];
  frame.writeUInt32BE(Math.min(MOST_MS, Math.max(0, Math.round(atMs))), 1);
  const bytes = frame.write(payload, HEAD_BYTES, 'base64');
  return frame.subarray(0, HEAD_BYTES + bytes);
}
