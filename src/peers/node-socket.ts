// How one process of ours talks to another: HTTP over the other's Unix socket, one connection per request, and media
// connections spliced onto it byte for byte.
import { type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** A request as it is passed on. */
export interface Question {
  method: 'GET' | 'POST';
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What the other process answered. */
export interface NodeAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** `gone`: nobody listens there, the request was not seen. `silent`: somebody does, but gave no answer. */
export type NodeFailure = 'gone' | 'silent';

/** Headers of one connection, not of the request; the body is printed anew. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'expect',
  'te',
]);
/** What the system says where no process listens. */
const NOBODY = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']);
/** TwiML has at most 64 KiB; nothing else is passed on. */
const MAX_ANSWER_BYTES = 1024 * 1024;

const GATEWAY_TIMEOUT = 'HTTP/1.1 504 Gateway Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** Asks the process behind a socket. Never rejects. */
export function askNode(socketPath: string, question: Question, withinMs: number): Promise<NodeAnswer | NodeFailure> {
  const { promise, resolve } = Promise.withResolvers<NodeAnswer | NodeFailure>();
  const headers: IncomingHttpHeaders = { 'content-length': `${Buffer.byteLength(question.body)}`, host: 'node' };
  for (const [name, value] of Object.entries(question.headers)) if (!HOP_BY_HOP.has(name)) headers[name] = value;
  const { method, path } = question;
  const request = httpRequest({ socketPath, method, path, headers, agent: false });
  const timer = setTimeout(() => request.destroy(), withinMs);
  request.on('error', ({ code = '' }: NodeJS.ErrnoException) => resolve(NOBODY.has(code) ? 'gone' : 'silent'));
  // Also after an answer that was cut off; once answered it changes nothing.
  request.on('close', () => {
    clearTimeout(timer);
    resolve('silent');
  });
  request.on('response', (response) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    response.on('error', () => {});
    response.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > MAX_ANSWER_BYTES) request.destroy();
      else parts.push(part);
    });
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 500,
        contentType: response.headers['content-type'] ?? '',
        body: Buffer.concat(parts).toString('utf8'),
      }),
    );
  });
  request.end(question.body);
  return promise;
}

/** A connection that runs through this process to another. */
export interface Splice {
  /** Resolves when both sides are gone. */
  closed: Promise<void>;
  /** Cuts it. */
  cut(): void;
}

/**
 * Joins an upgrade request, as Node gave it, to the process behind a socket: that process sees the very request and is the
 * one to accept or refuse it, in time; else the connection is answered here, and closed. Null when nobody listens there; it is
 * then untouched.
 */
export function spliceUpgrade(
  socketPath: string,
  request: IncomingMessage,
  carrier: Duplex,
  head: Buffer,
  answerWithinMs: number,
): Promise<Splice | null> {
  const { promise, resolve } = Promise.withResolvers<Splice | null>();
  const node = connect(socketPath);
  const refused = (): void => resolve(null);
  node.once('error', refused);
  node.once('connect', () => {
    node.removeListener('error', refused);
    const ends = [carrier, node];
    const cut = (): void => {
      for (const end of ends) end.destroy();
    };
    const closed = Promise.all(
      ends.map((end) => {
        end.on('error', cut);
        return new Promise<void>((gone) => (end.destroyed ? gone() : void end.once('close', gone)));
      }),
    ).then(() => {});
    for (const end of ends) end.once('close', cut);
    // It listens, but may stand still: the kernel takes connections for it all the same.
    const late = setTimeout(() => {
      node.unpipe(carrier);
      carrier.end(GATEWAY_TIMEOUT, cut);
    }, answerWithinMs);
    for (const sign of ['data', 'close']) node.once(sign, () => clearTimeout(late));
    // Gone before there was anybody to hear of it.
    if (carrier.destroyed) cut();
    node.write(printRequest(request));
    if (head.length > 0) node.write(head);
    // Each side's end is the other's; a close frame on its way is not cut off.
    carrier.pipe(node);
    node.pipe(carrier);
    resolve({ closed, cut });
  });
  return promise;
}

/** The head of a request as it came; header lines keep their order and spelling. */
function printRequest({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
