// The one way out for tools that are declared: HTTP, OpenAPI and MCP connect through here. It resolves names itself and
// connects to exactly the address it has checked, so that no name server can change its mind in between (DNS rebinding);
// it follows no redirect to another origin and reads no more than it was told to.
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Hosts } from './hosts.ts';
import { ToolFailure } from './tool.ts';

/** One request. */
export interface Exchange {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
  /** It must not be carried out twice: it goes on a connection of its own, not on an old one that may just be closing. */
  once?: boolean;
}

/** Its answer, before anybody has read it; whoever has it reads or destroys `body`. */
export interface Reply {
  status: number;
  headers: IncomingMessage['headers'];
  /** Decompressed. */
  body: Readable;
}

/** Every address of a name; the system's resolver, or a test's. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

const MAX_REDIRECTS = 3;
/** Longer than any that a server must understand (RFC 9110 §4.1). */
const MAX_URL_CHARS = 8_000;
export const MAX_REQUEST_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** To one host, over all calls of one agent. Business services answer in tens of milliseconds; the runner bounds what waits. */
const MAX_SOCKETS = 32;
const IDLE_SOCKET_MS = 15_000;

const systemResolve: Resolve = (host) =>
  new Promise((resolve, reject) =>
    systemLookup(host, { all: true, verbatim: true }, (error, addresses) =>
      error ? reject(error) : resolve(addresses),
    ),
  );

/** No address of the name may be connected to. */
class ForbiddenAddress extends Error {}

/** Owns its sockets; `close` ends them all. */
export class OutboundClient {
  readonly #hosts: Hosts;
  readonly #resolve: Resolve;
  readonly #pool = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: 8, timeout: IDLE_SOCKET_MS };
  readonly #plain = new HttpAgent(this.#pool);
  readonly #secure = new HttpsAgent(this.#pool);
  readonly #closed = new AbortController();

  constructor(hosts: Hosts, resolve: Resolve = systemResolve) {
    this.#hosts = hosts;
    this.#resolve = resolve;
  }

  /**
   * Sends a request and waits for the head of its answer. A GET follows redirects within its origin; anything else follows
   * none: repeating a write at another address is not ours to decide, 307 or not.
   * @throws ToolFailure when there is no answer that may be read
   */
  async send(exchange: Exchange): Promise<Reply> {
    let { url } = exchange;
    for (let hops = 0; ; hops += 1) {
      const reply = await this.#once({ ...exchange, url });
      if (!isRedirect(reply.status)) return reply;
      reply.body.destroy();
      if (exchange.method !== 'GET' || hops === MAX_REDIRECTS)
        throw unclear('The service sent us elsewhere instead of answering.');
      const target = reply.headers.location;
      const next = target !== undefined && URL.canParse(target, url.href) ? new URL(target, url.href) : null;
      if (next?.origin !== url.origin || next.username !== '' || next.password !== '')
        throw new ToolFailure('The service sent us to another host, where we do not go.');
      url = next;
    }
  }

  /** Ends every connection; what still waits fails. */
  close(): void {
    this.#closed.abort();
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #once({ method, url, headers, body, signal, once }: Exchange): Promise<Reply> {
    const refusal = this.#hosts.refusal(url);
    if (refusal !== null) throw new ToolFailure('This service is not one that we may connect to.');
    if (url.href.length > MAX_URL_CHARS || (body !== undefined && Buffer.byteLength(body) > MAX_REQUEST_BYTES))
      throw new ToolFailure('The arguments are too long for this service.');
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    if (stop.aborted) throw stopped();
    const secure = url.protocol === 'https:';
    const options = {
      method,
      signal: stop,
      maxHeaderSize: MAX_HEADER_BYTES,
      // What `agent: false` makes closes its socket after this one request.
      agent: once === true ? (false as const) : secure ? this.#secure : this.#plain,
      lookup: this.#lookup(url),
      headers: {
        accept: 'application/json',
        // Small answers gain nothing from compression; what is sent compressed all the same is read within its bound.
        'accept-encoding': 'identity',
        'user-agent': 'trunkline',
        ...headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
    };
    return await new Promise<Reply>((resolve, reject) => {
      let request: ClientRequest;
      try {
        request = secure ? httpsRequest(url, options) : httpRequest(url, options);
      } catch {
        // A header that cannot be sent, for example with a line feed in it; the error would quote it.
        return reject(new ToolFailure('The request to the service could not be written.'));
      }
      request.on('error', (error) => reject(failureOf(error, stop)));
      request.on('upgrade', (_response, socket) => {
        socket.destroy();
        reject(unclear('The service did not answer as agreed.'));
      });
      request.on('response', (response) => {
        const plain = decompressed(response);
        if (plain === null) {
          response.destroy();
          return reject(unclear('The service answered in a form that we cannot read.'));
        }
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: plain });
      });
      request.end(body);
    });
  }

  /** Gives a socket the addresses that were checked, and no others. Node asks nobody for a host that is an address itself. */
  #lookup(url: URL): LookupFunction {
    return (host, options, done) => {
      this.#resolve(host).then(
        (found) => {
          const wanted = found.filter(({ family }) => !options.family || options.family === family);
          const allowed = wanted.filter(({ address }) => this.#hosts.allows(url, address));
          const [first] = allowed;
          if (first === undefined)
            return done(wanted.length === 0 ? new Error('no address') : new ForbiddenAddress(), '', 0);
          if (options.all) done(null, allowed);
          else done(null, first.address, first.family);
        },
        (error: Error) => done(error, '', 0),
      );
    };
  }
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status);

/** A stream that fails while nobody reads it yet would end the process; whoever reads it is told all the same. */
const unheard = (): void => {};

/** The answer's bytes; null where they are packed in a way that nobody asked for. */
function decompressed(response: IncomingMessage): Readable | null {
  response.on('error', unheard);
  const coding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (coding === 'identity' || coding === '') return response;
  const unpack =
    coding === 'gzip' || coding === 'x-gzip'
      ? createGunzip()
      : coding === 'deflate'
        ? createInflate()
        : coding === 'br'
          ? createBrotliDecompress()
          : null;
  if (unpack === null) return null;
  // Either end takes the other along: a service that goes away fails the reader, a reader that has enough ends the connection.
  unpack.on('error', unheard);
  response.on('error', (error) => unpack.destroy(error));
  response.on('close', () => {
    if (!response.complete) unpack.destroy(new Error('closed'));
  });
  unpack.on('close', () => response.destroy());
  return response.pipe(unpack);
}

/** The service has answered, and we do not know what: it may have done what it was asked. */
export const unclear = (message: string): ToolFailure => new ToolFailure(message, { nothingDone: false });

const stopped = () => new ToolFailure('The request was stopped before the service answered.', { passing: true });

/** What happened to a connection, without a word of what the other side or the system said. */
export function failureOf(error: unknown, signal: AbortSignal): ToolFailure {
  if (error instanceof ToolFailure) return error;
  if (signal.aborted) return stopped();
  if (error instanceof ForbiddenAddress) return new ToolFailure('This service is not one that we may connect to.');
  const code = String((error as NodeJS.ErrnoException | null)?.code ?? '');
  if (/^(HPE_|Z_|ERR_BROTLI|ERR__ERROR)/.test(code))
    return unclear('The service answered in a form that we cannot read.');
  if (/CERT|TLS|SSL|SELF_SIGNED/.test(code)) return new ToolFailure('The service could not prove who it is.');
  // Codes that only connecting has: nothing was sent.
  if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(code))
    return new ToolFailure('The service cannot be reached at the moment.', { passing: true, nothingDone: true });
  return new ToolFailure('The service broke off the connection.', { passing: true });
}

/**
 * The whole of an answer's body, as text. It stops reading at `maxBytes`.
 * @throws ToolFailure when there is more, or when it broke off
 */
export async function readBody({ headers, body }: Reply, maxBytes: number, signal: AbortSignal): Promise<string> {
  const tooLarge = () => unclear('The service answered more than we can read: the answer is too large.');
  // Destroying it fails the loop below, however long the service waits with its next byte.
  const abort = () => body.destroy(stopped());
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) throw stopped();
    if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    throw failureOf(error, signal);
  } finally {
    signal.removeEventListener('abort', abort);
    body.destroy();
  }
}
