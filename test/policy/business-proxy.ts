// Stands between the product and a business: notes every request that arrives, and may answer in the business's place, change
// what it answers, or let the answer get lost on its way.
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the business sees it. */
export interface Seen {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** What becomes of a request. `answer`: this instead of the business's. `change`: the business's, changed. `lost`: done, and no answer. */
export type Fate =
  | { answer: (response: ServerResponse) => void }
  | { change: (body: unknown) => unknown }
  | { lost: true }
  | null;

export interface BusinessProxy {
  origin: string;
  seen: Seen[];
  /** Asked of every request; default: nothing happens to it. */
  fate: (seen: Seen) => Fate;
  close(): Promise<void>;
}

/** @param target origin of the real business; null: there is none, and what has no other fate is 404 */
export async function startProxy(target: string | null): Promise<BusinessProxy> {
  const proxy: Pick<BusinessProxy, 'seen' | 'fate'> = { seen: [], fate: () => null };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const seen: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      proxy.seen.push(seen);
      passOn(target, seen, proxy.fate(seen), response).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    get seen() {
      return proxy.seen;
    },
    set seen(value) {
      proxy.seen = value;
    },
    get fate() {
      return proxy.fate;
    },
    set fate(value) {
      proxy.fate = value;
    },
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function passOn(target: string | null, seen: Seen, fate: Fate, response: ServerResponse): Promise<void> {
  if (fate !== null && 'answer' in fate) return fate.answer(response);
  if (target === null) return answerJson(404, {})(response);
  const { host: _, connection: _c, 'content-length': _l, ...headers } = seen.headers;
  const answered = await fetch(`${target}${seen.path}`, {
    method: seen.method,
    headers,
    ...(seen.body === '' ? {} : { body: seen.body }),
  });
  const text = await answered.text();
  if (fate !== null && 'lost' in fate) return void response.destroy();
  const type = answered.headers.get('content-type') ?? 'application/json';
  response.writeHead(answered.status, { 'content-type': type });
  response.end(fate === null ? text : JSON.stringify(fate.change(JSON.parse(text) as unknown)));
}

export const answerJson =
  (status: number, value: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
