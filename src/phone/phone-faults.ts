// What goes wrong on the carrier's side of a call, at a time that a test or a storm of faults chooses. Each is something
// that was seen in the field or follows from how sockets fail.
import { WebSocket } from 'ws';
import type { Cancel, Clock } from '../clock.ts';
import type { CallUpdate } from './phone-options.ts';
import type { NetworkOptions } from './stream-options.ts';

/**
 * One fault of a media stream.
 *
 * - `socket_lost`: the connection is gone without a word (1006). The carrier notices at once and asks what follows.
 * - `half_open`: nothing passes any more either way, and the socket looks open. The carrier notices after `noticedAfterMs`
 *   (default: not at all) and goes on as above.
 * - `stops_reading`: the carrier still sends the caller's frames and reads nothing more.
 * - `stop_without_close`: the caller hangs up; `stop` is sent, and the socket is left open for the server to close.
 * - `close_without_stop`: the caller hangs up; the socket is closed in good order, and `stop` never comes.
 * - `duplicate_socket`: somebody opens a second socket at the address of the stream, rightly signed, and starts it.
 * - `stale_socket`: the carrier takes the stream for lost and goes on, but the old socket lives for `forMs` more (default
 *   2000) and delivers frames, of a loud tone that nobody said.
 * - `update`: somebody sends the call to other TwiML by REST; the stream gets `stop`.
 */
export type StreamFault =
  | { kind: 'socket_lost' }
  | { kind: 'half_open'; noticedAfterMs?: number }
  | { kind: 'stops_reading' }
  | { kind: 'stop_without_close' }
  | { kind: 'close_without_stop' }
  | { kind: 'duplicate_socket' }
  | { kind: 'stale_socket'; forMs?: number }
  | { kind: 'update'; update: CallUpdate };

/**
 * A fault and its time: ms of the call, since the start of its first stream. It strikes the stream that runs then, and
 * nothing where none does.
 */
export type PhoneFault = StreamFault & { atMs: number };

/** Every kind, for those who draw one. */
export const PHONE_FAULTS = [
  'socket_lost',
  'half_open',
  'stops_reading',
  'stop_without_close',
  'close_without_stop',
  'duplicate_socket',
  'stale_socket',
  'update',
] as const satisfies readonly StreamFault['kind'][];

/** The losses that the network was asked for, as faults. */
export const lossesOf = ({ loseSocketAtMs = [], lossNoticedAfterMs = 0 }: NetworkOptions): PhoneFault[] =>
  loseSocketAtMs.map((atMs) =>
    lossNoticedAfterMs > 0
      ? { kind: 'half_open', atMs, noticedAfterMs: lossNoticedAfterMs }
      : { kind: 'socket_lost', atMs },
  );

/** Arms the faults of one stream that opened at `startMs` of the call; the result disarms those that have not struck. */
export function armFaults(
  clock: Clock,
  { faults, zeroMs, startMs }: { faults: readonly PhoneFault[]; zeroMs: number; startMs: number },
  strike: (fault: StreamFault) => void,
): Cancel {
  const cancels = faults
    .filter(({ atMs }) => atMs >= startMs)
    .map((fault) => clock.at(zeroMs + fault.atMs, () => strike(fault)));
  return () => {
    for (const cancel of cancels) cancel();
  };
}

/** A second socket at a stream's address. Owns it; `close` ends it, and nothing of it is left after `gone`. */
export class DuplicateSocket {
  /** Resolves with the HTTP status of the upgrade when the socket is gone; 0 when there was no answer. */
  readonly gone: Promise<number>;
  readonly #socket: WebSocket;

  constructor(address: string, headers: Record<string, string>, messages: readonly string[]) {
    const socket = new WebSocket(address, { headers, perMessageDeflate: false, handshakeTimeout: 5_000 });
    this.#socket = socket;
    this.gone = new Promise((resolve) => {
      let status = 0;
      socket.on('open', () => {
        status = 101;
        for (const message of messages) socket.send(message);
      });
      socket.on('unexpected-response', (request, response) => {
        status = response.statusCode ?? 0;
        request.destroy();
        resolve(status);
      });
      socket.on('error', () => resolve(status));
      socket.on('close', () => resolve(status));
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}
