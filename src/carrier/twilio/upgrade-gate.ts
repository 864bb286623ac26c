// Stands between the HTTP server and the websocket plugin. The plugin listens to every upgrade of the server, but ends
// the sockets only of requests that meet its own hooks: an upgrade of any other path would be answered like a plain
// request and then stay open for good, unseen by all of Node's HTTP timeouts.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** How long a socket may take from its upgrade request to the 101; `ws` takes the timeout off when it adopts it. */
const HANDSHAKE_TIMEOUT_MS = 5000;
const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** A token as we make them. A longer one, or one that is no valid escape, would be answered past our hooks and stay open. */
const TOKEN = /^\/([\w.-]{1,100})(?:\?|$)/;

/** Takes a connection away before the plugin sees it; false: the plugin may have it. Never rejects. */
export type TakeAway = (token: string, request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<boolean>;

/** Takes an upgrade of any other path, with all that follows from it; false: nobody has it. Never throws. */
export type TakeOther = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

/** Lets through upgrades of `prefix` and a token; give `server` to the websocket plugin as the server to listen to. */
export function upgradeGate(
  source: Server,
  prefix: string,
  takeAway: TakeAway | null = null,
  others: TakeOther | null = null,
): { server: Server; remove(): void } {
  const gate = new EventEmitter();
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const url = request.url ?? '';
    const token = url.startsWith(prefix) ? TOKEN.exec(url.slice(prefix.length))?.[1] : undefined;
    if (request.method !== 'GET' || token === undefined) {
      if (request.method === 'GET' && others !== null && others(request, socket, head)) return;
      socket.on('error', () => socket.destroy());
      socket.end(NOT_FOUND, () => socket.destroy());
      return;
    }
    if ('setTimeout' in socket && typeof socket.setTimeout === 'function') {
      socket.setTimeout(HANDSHAKE_TIMEOUT_MS);
      socket.once('timeout', () => socket.destroy());
    }
    if (takeAway === null) return void gate.emit('upgrade', request, socket, head);
    // Node has taken its own listener off, and the plugin's comes later.
    const destroy = (): void => void socket.destroy();
    socket.on('error', destroy);
    void takeAway(token, request, socket, head).then((taken) => {
      socket.removeListener('error', destroy);
      if (!taken) return socket.destroyed || gate.emit('upgrade', request, socket, head);
      // The process that got it has a deadline of its own.
      return 'setTimeout' in socket && typeof socket.setTimeout === 'function' && socket.setTimeout(0);
    });
  };
  source.on('upgrade', onUpgrade);
  // The plugin only ever listens to `upgrade` on what it is given, but its type asks for a whole server.
  return { server: gate as Server, remove: () => source.removeListener('upgrade', onUpgrade) };
}
