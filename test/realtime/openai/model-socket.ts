// A model's WebSocket on loopback, as small as it can be: it notes what it gets and says what the test tells it to.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, type Socket, createServer as createTcpServer } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface ModelSocket {
  baseUrl: string;
  /** What the client sent, as text, in order. */
  readonly received: string[];
  /** Resolves with the `n`th message (from 1) once it is there. */
  message(n: number): Promise<string>;
  /** The connection, once the handshake is done. */
  readonly socket: Promise<WebSocket>;
  readonly request: Promise<IncomingMessage>;
  /** Resolves with the close code that the client's side of the socket ended with. */
  readonly closed: Promise<number>;
  stop(): Promise<void>;
}

export async function modelSocket(): Promise<ModelSocket> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  const received: string[] = [];
  const waiting: (() => void)[] = [];
  const connection = new Promise<[WebSocket, IncomingMessage]>((resolve) =>
    server.once('connection', (socket, request) => {
      socket.on('message', (data: Buffer) => {
        received.push(data.toString('utf8'));
        for (const look of waiting) look();
      });
      resolve([socket, request]);
    }),
  );
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    received,
    message: (n) =>
      new Promise((resolve) => {
        const look = (): void => void (received.length >= n && resolve(received[n - 1] as string));
        waiting.push(look);
        look();
      }),
    socket: connection.then(([socket]) => socket),
    request: connection.then(([, request]) => request),
    closed: connection.then(([socket]) => new Promise<number>((resolve) => void socket.once('close', resolve))),
    stop: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate();
        server.close(() => resolve());
      }),
  };
}

/** An HTTP server that answers every handshake with `status`. */
export async function refusingServer(status: number, headers: Record<string, string> = {}): Promise<[string, Server]> {
  const server = createServer((_, reply) => reply.writeHead(status, headers).end('{"error":{"message":"no"}}'));
  return [await listen(server), server];
}

/** A TCP server that takes the connection and never says a word; the sockets are the caller's to end. */
export async function muteServer(): Promise<[string, Server, Socket[]]> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  }) as Server;
  return [await listen(server), server, sockets];
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}
