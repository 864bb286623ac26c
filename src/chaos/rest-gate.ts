// The way to the carrier's REST API, which is bad for some calls: refused, limited, slow, without an answer, or cut off.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export type RestFault = 'refuses' | 'refuses_once' | 'limits' | 'slow' | 'hangs' | 'down';

const SLOW_MS = 2_000;

/** Owns its listening socket; `close` ends it with everything that hangs. */
export class RestGate {
  readonly #server: Server;
  readonly #behind: string;
  readonly #faultOf: (path: string) => RestFault | undefined;
  readonly #refusedOnce = new Set<string>();

  /** @param faultOf what is wrong with requests of this path, if anything */
  static async start(behind: string, faultOf: (path: string) => RestFault | undefined): Promise<RestGate> {
    const gate = new RestGate(behind, faultOf);
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  private constructor(behind: string, faultOf: (path: string) => RestFault | undefined) {
    this.#behind = behind;
    this.#faultOf = faultOf;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    return closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const refuse = (status: number, code: number): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, status }));
    };
    switch (this.#faultOf(path)) {
      case 'refuses':
        return refuse(500, 20500);
      case 'refuses_once':
        if (this.#refusedOnce.has(path)) break;
        this.#refusedOnce.add(path);
        return refuse(500, 20500);
      case 'limits':
        return refuse(429, 20429);
      case 'hangs':
        return;
      case 'down':
        return void request.socket.destroy();
      case 'slow':
        await sleep(SLOW_MS);
        break;
      default:
    }
    const { authorization = '', 'content-type': type = 'text/plain' } = request.headers;
    const answer = await fetch(this.#behind + path, {
      method: request.method ?? 'GET',
      headers: { authorization, 'content-type': type, connection: 'close' },
      body: request.method === 'GET' ? null : await text(request),
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  }
}
