// The carrier's side of HTTP: form posts signed over the public URL, sent to wherever the server really listens.
import { request as httpRequest } from 'node:http';
import webhooks from 'twilio/lib/webhooks/webhooks.js';
import type { Clock } from '../clock.ts';

/** How requests are signed: rightly, not at all, or with another token. */
export type Signing = 'good' | 'none' | 'wrong';

export interface Reply {
  /** HTTP status; 0 when there was no answer. */
  status: number;
  /** Why there was none: no connection, a connection lost, or later than the carrier waits. */
  failure: 'connect' | 'reset' | 'timeout' | undefined;
  contentType: string;
  /** Where a redirect points to, as it was written. */
  location: string | undefined;
  bytes: Buffer;
  /** The same as UTF-8. */
  body: string;
  ms: number;
}

/** The carrier's limit for any call-related webhook. */
const WEBHOOK_LIMIT_MS = 15_000;
/** Reading stops here: TwiML may have 64 KB, an audio file minutes. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface OriginOptions {
  clock: Clock;
  /** Origin the server listens on, for example http://127.0.0.1:3000. */
  server: string;
  /** Origin the carrier was given; signatures are made over it. */
  publicUrl: string;
  authToken: string;
  sign: Signing;
}

/** Turns public URLs into signed requests to the listening server. */
export class Origin {
  readonly #options: OriginOptions;

  constructor(options: OriginOptions) {
    this.#options = options;
  }

  /** A URL of TwiML made absolute, without the fragment that carries connection overrides. */
  resolve(url: string, base = this.#options.publicUrl): URL {
    const resolved = new URL(url, base);
    resolved.hash = '';
    return resolved;
  }

  /** Whether the public host is the one that this URL names; ws and http are the same door. */
  owns(url: URL): boolean {
    const own = [this.#options.publicUrl, this.#options.server].map((origin) => hostOf(new URL(origin)));
    return own.includes(hostOf(url));
  }

  /** Headers of a request to `url`: signature, and what a proxy in front of the server would add. */
  headers(url: string, params: Record<string, string>, unsigned = false): Record<string, string> {
    const { publicUrl, server, authToken, sign } = this.#options;
    const headers: Record<string, string> = { Host: new URL(publicUrl).host };
    if (publicUrl !== server) headers['X-Forwarded-Proto'] = new URL(publicUrl).protocol.replace(':', '');
    if (sign === 'none' || unsigned) return headers;
    const token = sign === 'good' ? authToken : `${authToken}-not`;
    headers['X-Twilio-Signature'] = webhooks.getExpectedTwilioSignature(token, url, params);
    return headers;
  }

  /** The address on the listening server that answers for a public URL. */
  listening(url: URL): URL {
    const address = new URL(this.#options.server);
    address.pathname = url.pathname;
    address.search = url.search;
    return address;
  }

  /** Posts a form (or asks by GET) as the carrier would. Never throws; `signal` gives up early with status 0. */
  async ask(
    url: URL,
    params: Record<string, string>,
    options: { method?: string; headers?: Record<string, string>; signal?: AbortSignal; unsigned?: boolean } = {},
  ): Promise<Reply> {
    const get = options.method?.toUpperCase() === 'GET';
    const target = new URL(url);
    if (get) for (const [name, value] of Object.entries(params)) target.searchParams.append(name, value);
    const body = get ? '' : new URLSearchParams(params).toString();
    const form = {
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
      'Content-Length': `${Buffer.byteLength(body)}`,
    };
    const headers = {
      'User-Agent': 'TwilioProxy/1.1',
      Accept: '*/*',
      ...(get ? {} : form),
      ...this.headers(target.href, get ? {} : params, options.unsigned),
      ...options.headers,
    };
    const { clock } = this.#options;
    const startMs = clock.nowMs();
    const reply = await exchange(clock, this.listening(target), get ? 'GET' : 'POST', headers, body, options.signal);
    return { ...reply, ms: clock.nowMs() - startMs };
  }
}

// wss and https share port 443, which URL leaves out of `host` for both.
const hostOf = (url: URL): string => url.host.toLowerCase();

function exchange(
  clock: Clock,
  address: URL,
  method: string,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal | undefined,
): Promise<Omit<Reply, 'ms'>> {
  return new Promise((resolve) => {
    // No connection is kept alive, so that nothing of the phone outlives its call.
    const request = httpRequest(address, { method, headers, agent: false, ...(signal ? { signal } : {}) });
    const cancel = clock.at(clock.nowMs() + WEBHOOK_LIMIT_MS, () => {
      late = true;
      request.destroy();
    });
    const settle = (reply: Omit<Reply, 'ms'>) => {
      cancel();
      resolve(reply);
    };
    let connected = false;
    let late = false;
    const failed = () => {
      const failure = late ? 'timeout' : connected ? 'reset' : 'connect';
      settle({ status: 0, failure, contentType: '', location: undefined, bytes: Buffer.alloc(0), body: '' });
    };
    request.on('socket', (socket) => socket.once('connect', () => (connected = true)));
    request.on('error', failed);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size > MAX_BODY_BYTES) request.destroy();
        else parts.push(part);
      });
      response.on('error', failed);
      response.on('end', () => {
        const bytes = Buffer.concat(parts);
        settle({
          status: response.statusCode ?? 0,
          failure: undefined,
          contentType: response.headers['content-type'] ?? '',
          location: response.headers.location,
          bytes,
          body: bytes.toString('utf8'),
        });
      });
      response.on('close', failed);
    });
    request.end(body);
  });
}
