// The page's WebSockets: one place that lets them in, by session and by where the page that opens them came from, bounds them
// and sees that the other side still lives. Who uses one gets it open and need not care.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Cancel, Clock } from '../clock.ts';
import type { Who } from './api-route.ts';
import { type Entrance, isRefusal } from './entrance.ts';
import type { Session } from './sessions.ts';

/** A socket of the page, below `/api`. */
export interface SocketRoute {
  /** With parameters as `:id`. */
  path: string;
  /** Who may: `phone`, also whoever may only use the browser phone. Default `operator`. */
  access?: 'operator' | 'phone';
  open(socket: WebSocket, request: IncomingMessage, who: Who, params: Readonly<Record<string, string>>): void;
}

export interface PageSocketsOptions {
  entrance: Entrance;
  routes: readonly SocketRoute[];
  clock: Clock;
  log: Pick<Logger, 'warn' | 'error'>;
}

export interface PageSockets {
  /** Takes an upgrade below `/api`, and refuses it where it must; false: it is none of ours. */
  take: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
  /** Sockets that are open. */
  readonly size: number;
  /** Closes all and waits, at most a second. */
  close(): Promise<void>;
}

/** In this process. */
export const MAX_SOCKETS = 50;
/** One page opens one or two; whoever has only a link must not take them all. */
export const MAX_SOCKETS_OF_A_SESSION = 8;
const MAX_MESSAGE_BYTES = 64 * 1024;
/** A socket that has not answered when the next ping is due is gone. */
const PING_EVERY_MS = 20_000;
const CLOSE_WITHIN_MS = 1_000;
const GOING_AWAY = 1001;
/** Ours: the session is over. */
const LOGGED_OUT = 4401;

const STATUS = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

interface Open {
  sessionId: string | null;
  answered: boolean;
}

export function pageSockets({ entrance, routes, clock, log }: PageSocketsOptions): PageSockets {
  const upgrades = new WebSocketServer({
    ...{ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES },
    handleProtocols: () => false,
  });
  const sockets = new Map<WebSocket, Open>();
  const matchers = routes.map((route) => ({ route, match: matcher(route.path) }));
  let closing = false;
  let cancelPing: Cancel = () => {};
  const forget = entrance.onLogOut((id) => {
    for (const [socket, { sessionId }] of sockets) if (sessionId === id) dismiss(socket, 'logged out');
  });

  /** Until its other side answers, a socket still says what comes: that is not waited for. */
  function dismiss(socket: WebSocket, why: string): void {
    socket.close(LOGGED_OUT, why);
    const cancel = clock.at(clock.nowMs() + CLOSE_WITHIN_MS, () => socket.terminate());
    socket.once('close', cancel);
  }

  function ping(): void {
    for (const [socket, open] of sockets) {
      if (!open.answered) socket.terminate();
      open.answered = false;
      socket.ping();
    }
    armPing();
  }
  function armPing(): void {
    cancelPing();
    if (sockets.size > 0) cancelPing = clock.at(clock.nowMs() + PING_EVERY_MS, ping);
  }

  function adopt(socket: WebSocket, session: Session | null): void {
    const open = { sessionId: session?.id ?? null, answered: true };
    sockets.set(socket, open);
    if (session !== null) {
      const leftMs = Math.max(0, session.expiresWallMs - clock.wallMs());
      const cancel = clock.at(clock.nowMs() + leftMs, () => dismiss(socket, 'the session is over'));
      socket.once('close', cancel);
    }
    if (sockets.size === 1) armPing();
    socket.on('pong', () => (open.answered = true));
    // `ws` closes by itself after an error; without a listener it would end the process.
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) cancelPing();
    });
  }

  return {
    take(request, socket, head) {
      const [path = ''] = (request.url ?? '').split('?');
      if (!path.startsWith('/api/')) return false;
      const knock = { headers: request.headers, address: request.socket.remoteAddress ?? '' };
      const admitted = entrance.admitSocket(knock);
      if (isRefusal(admitted)) {
        // The origins, because a proxy that hides our own is what an operator would look for.
        if (admitted.status === 403)
          log.warn(
            { origin: cut(request.headers.origin), host: cut(request.headers.host) },
            'socket of another page refused',
          );
        refuse(socket, admitted.status, admitted.headers);
        return true;
      }
      const { who, session } = admitted;
      const found = find(matchers, path);
      if (found === null) refuse(socket, 404);
      else if (found.route.access !== 'phone' && who.scope !== 'operator') refuse(socket, 403);
      else if (closing || !hasRoom(sockets, session?.id ?? null)) refuse(socket, 503, { 'retry-after': '5' });
      else
        upgrades.handleUpgrade(request, socket, head, (opened) => {
          adopt(opened, session);
          try {
            found.route.open(opened, request, who, found.params);
          } catch (err) {
            log.error({ route: found.route.path, err }, 'a socket of the page failed');
            opened.close(1011);
          }
        });
      return true;
    },
    get size() {
      return sockets.size;
    },
    async close() {
      closing = true;
      forget();
      const open = [...sockets.keys()];
      const gone = Promise.all(open.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
      for (const socket of open) socket.close(GOING_AWAY, 'shutting down');
      const late = Promise.withResolvers<void>();
      const cancel = clock.at(clock.nowMs() + CLOSE_WITHIN_MS, () => {
        for (const socket of open) socket.terminate();
        // One whose reader has failed never tells its end: the process must end all the same.
        late.resolve();
      });
      await Promise.race([gone, late.promise]);
      cancel();
      cancelPing();
    },
  };
}

function hasRoom(sockets: ReadonlyMap<WebSocket, Open>, id: string | null): boolean {
  if (sockets.size >= MAX_SOCKETS) return false;
  let own = 0;
  if (id !== null) for (const { sessionId } of sockets.values()) if (sessionId === id) own++;
  return own < MAX_SOCKETS_OF_A_SESSION;
}

type Match = (path: string) => Record<string, string> | null;

function find(matchers: readonly { route: SocketRoute; match: Match }[], path: string) {
  for (const { route, match } of matchers) {
    const params = match(path);
    if (params !== null) return { route, params };
  }
  return null;
}

/** Parameters are ids as we make them: nothing that would have to be unescaped. */
function matcher(path: string): Match {
  const pattern = new RegExp(`^${path.replace(/:(\w+)/g, String.raw`(?<$1>[\w-]{1,100})`)}$`);
  return (given) => {
    const found = pattern.exec(given);
    return found === null ? null : { ...found.groups };
  };
}

function refuse(socket: Duplex, status: number, headers: Readonly<Record<string, string>> = {}): void {
  const lines = Object.entries({ ...headers, connection: 'close', 'content-length': '0', 'cache-control': 'no-store' });
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS[status as keyof typeof STATUS] ?? ''}\r\n${text}\r\n`, () =>
    socket.destroy(),
  );
}

const cut = (text: string | undefined): string | undefined => text?.slice(0, 200);
