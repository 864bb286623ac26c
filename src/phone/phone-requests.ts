// The carrier's HTTP requests about one call: TwiML with its redirects, retries and fallback, audio files, callbacks.
// Every exchange is listed; what goes wrong becomes the warning that the carrier's debugger would show.
import type { HttpExchange } from './phone-result.ts';
import type { Origin, Reply } from './signed-request.ts';
import { readTwiml, type TwimlElement, TwimlError } from './twiml-reader.ts';

export interface TwimlDocument {
  verbs: TwimlElement[];
  /** Where it came from: the base of relative URLs. */
  url: string;
}

/** What answers when the server's own answer cannot be used: another path of it, or a document kept at the carrier. */
export type Fallback = { path: string } | { twiml: string };

export interface PhoneRequestsOptions {
  origin: Origin;
  /** Parameters of every request about the call. */
  params(): Record<string, string>;
  fallback: Fallback | undefined;
  warn(code: number, reason: string): void;
  exchanged(exchange: HttpExchange): void;
}

export interface Ask {
  params?: Record<string, string>;
  /** Default POST. */
  method?: string;
  /** Equal for two requests of which one repeats the other. Default: a fresh one. */
  token?: string;
  signal: AbortSignal;
}

/** A file that was asked for; null when it could not be had. */
export type FetchedFile = { bytes: Buffer; contentType: string } | null;

const MAX_REDIRECTS = 10;
/** The carrier repeats a request once when it could not connect, and for no other reason unless told. */
const CONNECT_RETRIES = 1;
/** Why a document was not had, as the fallback URL is told. */
interface Fault {
  code: number;
  reason: string;
}

export class PhoneRequests {
  readonly #options: PhoneRequestsOptions;

  constructor(options: PhoneRequestsOptions) {
    this.#options = options;
  }

  /** The document at a URL, else that of the fallback; undefined when neither can be had, or the call moved on. */
  async twiml(url: URL, ask: Ask): Promise<TwimlDocument | undefined> {
    const document = await this.#document(url, ask);
    if (ask.signal.aborted) return undefined;
    if (!('code' in document)) return document;
    const { fallback } = this.#options;
    this.#options.warn(document.code, document.reason);
    if (!fallback) return undefined;
    const second = await this.#fallback(fallback, url, document, ask);
    if (ask.signal.aborted) return undefined;
    if (!('code' in second)) return second;
    this.#options.warn(second.code, second.reason);
    return undefined;
  }

  /** A document that came by itself, such as that of a REST update. */
  read(body: string, contentType: string, url: string): TwimlDocument | undefined {
    const document = parse(body, contentType, url);
    if (!('code' in document)) return document;
    this.#options.warn(document.code, document.reason);
    return undefined;
  }

  /** An audio file, by GET. Unsigned: whether the carrier signs these is not documented, so nobody may depend on it. */
  async file(url: URL, signal: AbortSignal): Promise<FetchedFile> {
    const reply = await this.#exchange(url, {}, { method: 'GET', signal, unsigned: true });
    if (signal.aborted) return null;
    if (reply.status >= 200 && reply.status < 300) return { bytes: reply.bytes, contentType: reply.contentType };
    const { code, reason } = httpFault(url, reply);
    this.#options.warn(code, reason);
    return null;
  }

  /** A callback; what it is answered with changes nothing. */
  async callback(url: URL, params: Record<string, string>, method = 'POST'): Promise<void> {
    if (this.#options.origin.owns(url)) await this.#exchange(url, params, { method });
    else this.#options.warn(11210, `the callback names ${url.host}, which is not the public host`);
  }

  /** Tells a URL of a document something about the call; the call is over and the answer changes nothing. */
  tell(url: URL, params: Record<string, string>, method?: string): Promise<void> {
    return this.callback(url, { ...this.#options.params(), ...params }, method);
  }

  /** Asks without using the answer, as the carrier does when the first answer got lost on the way. */
  async askInVain(url: URL, token: string, signal: AbortSignal): Promise<void> {
    await this.#exchange(url, this.#options.params(), { signal, token });
  }

  #fallback(fallback: Fallback, failed: URL, fault: Fault, ask: Ask): Promise<TwimlDocument | Fault> {
    if ('twiml' in fallback) return Promise.resolve(parse(fallback.twiml, 'text/xml', failed.href));
    const params = { ...ask.params, ErrorCode: `${fault.code}`, ErrorUrl: failed.href };
    return this.#document(this.#options.origin.resolve(fallback.path), { params, signal: ask.signal });
  }

  async #document(first: URL, { params, method = 'POST', signal, token }: Ask) {
    let url = first;
    let way = method;
    for (let i = 0; i <= MAX_REDIRECTS; i++) {
      if (!this.#options.origin.owns(url))
        return { code: 11210, reason: `the URL names ${url.host}, which is not the public host` };
      const sent = { ...this.#options.params(), ...params };
      const reply = await this.#exchange(url, sent, { method: way, signal, ...(token ? { token } : {}) });
      const { status, location } = reply;
      if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url.href)) {
        url = this.#options.origin.resolve(location, url.href);
        // As browsers do: only these two keep the method.
        if (status !== 307 && status !== 308) way = 'GET';
      } else if (status >= 200 && status < 300) return parse(reply.body, reply.contentType, url.href);
      else return httpFault(url, reply);
    }
    return { code: 11215, reason: 'too many HTTP redirects' };
  }

  /** One request and, where no connection came about, its retry. Both carry the same idempotency token. */
  async #exchange(
    url: URL,
    params: Record<string, string>,
    options: { method?: string; signal?: AbortSignal; token?: string; unsigned?: boolean },
  ): Promise<Reply> {
    const { token = crypto.randomUUID(), ...rest } = options;
    const headers = { 'I-Twilio-Idempotency-Token': token };
    for (let tried = 0; ; tried++) {
      const reply = await this.#options.origin.ask(url, params, { ...rest, headers });
      this.#options.exchanged({ path: url.pathname, status: reply.status, ms: reply.ms });
      if (reply.failure !== 'connect' || tried === CONNECT_RETRIES || options.signal?.aborted) return reply;
    }
  }
}

function parse(body: string, contentType: string, url: string): TwimlDocument | Fault {
  try {
    return { verbs: readTwiml(body, contentType, url), url };
  } catch (error) {
    if (!(error instanceof TwimlError)) throw error;
    return { code: error.code, reason: error.message };
  }
}

const httpFault = (url: URL, { status, failure }: Reply): Fault => ({
  code: failure === 'connect' ? 11205 : 11200,
  reason: status === 0 ? `${url.pathname}: no answer (${failure})` : `${url.pathname} answered ${status}`,
});
