// The model's end of a measurement: a Realtime server, with TLS or without, whose sessions the measurement directs.
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { ModelSession, type SessionHooks } from './model-session.ts';

export interface ModelEndOptions extends SessionHooks {
  /** Speaks TLS with this certificate; null or absent: plain. */
  tls?: { certPem: string; keyPem: string } | null;
  /** How long a session's opening handshake takes on top of the wire, ms. */
  handshakeMs?: number;
}

export class ModelEnd {
  readonly sessions: ModelSession[] = [];
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #scheme: string;

  private constructor(options: ModelEndOptions) {
    const { tls = null, handshakeMs = 0 } = options;
    this.#scheme = tls ? 'https' : 'http';
    this.#server = tls ? createTlsServer({ cert: tls.certPem, key: tls.keyPem }) : createServer();
    this.#server.on('request', (_request, response) => response.writeHead(426).end());
    this.#server.on('upgrade', (request, socket, head) => {
      // A client that gives up during the handshake is no fault of the measurement.
      socket.on('error', () => socket.destroy());
      setTimeout(() => {
        this.#sockets.handleUpgrade(request, socket, head, (open) => {
          this.sessions.push(new ModelSession(open, this.sessions.length, options));
        });
      }, handshakeMs);
    });
  }

  static async start(options: ModelEndOptions): Promise<ModelEnd> {
    const end = new ModelEnd(options);
    await new Promise<void>((resolve) => end.#server.listen(0, '127.0.0.1', resolve));
    return end;
  }

  get origin(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
