// Asks a seller for its reports, politely: one request at a time, no sooner than it says, a bounded number of tries. What
// cannot be had ends with a sentence that says what to do; credentials and bodies are in none of them.
import type { z } from 'zod';
import { TrunklineError } from '../errors.ts';

export interface ReaderOptions {
  /** As sentences name it: `OpenAI`. */
  seller: string;
  /** Root of the API, without a slash at the end. */
  baseUrl: string;
  authorization: string;
  /** What to do when the seller refuses: which key, which permission. */
  refused: string;
  wait: (ms: number) => Promise<void>;
  wallMs: () => number;
  /** Told of every request, and of every wait. */
  progress: (text: string) => void;
}

const MAX_TRIES = 6;
const TRY_MS = 60_000;
/** Before the n-th repetition at least this times 2 to the n. */
const BACK_OFF_MS = 500;
/** Who asks for more is asked again another day. */
const MAX_WAIT_MS = 300_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

type Answer =
  | { kind: 'ok'; text: string }
  | { kind: 'missing' }
  | { kind: 'later'; why: string; afterMs: number }
  | { kind: 'never'; why: string };

export class ReportReader {
  readonly #options: ReaderOptions;
  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /**
   * One page, checked; null where there is no such thing (404).
   * @throws TrunklineError TRK_REPORT
   */
  async page<T>(path: string, query: URLSearchParams, schema: z.ZodType<T>, what: string): Promise<T | null> {
    const { seller, wait, progress } = this.#options;
    progress(`${seller}: ${what}`);
    for (let tries = 1; ; tries++) {
      const answer = await this.#ask(path, query);
      if (answer.kind === 'ok') return this.#checked(answer.text, schema, what);
      if (answer.kind === 'missing') return null;
      if (answer.kind === 'never') throw this.#fault(what, answer.why);
      const ms = Math.max(answer.afterMs, BACK_OFF_MS * 2 ** tries);
      if (tries === MAX_TRIES) throw this.#fault(what, `${answer.why}, ${MAX_TRIES} times; try again later`);
      if (ms > MAX_WAIT_MS)
        throw this.#fault(what, `${answer.why}; it asks to come back in ${Math.ceil(ms / 60_000)} minutes`);
      progress(`${seller}: ${answer.why}; waiting for ${Math.ceil(ms / 1_000)} s`);
      await wait(ms);
    }
  }

  async #ask(path: string, query: URLSearchParams): Promise<Answer> {
    const { baseUrl, authorization, refused, wallMs } = this.#options;
    try {
      const response = await fetch(query.size > 0 ? `${baseUrl}${path}?${query.toString()}` : `${baseUrl}${path}`, {
        headers: { authorization, accept: 'application/json', 'user-agent': 'trunkline' },
        // The key goes nowhere but to the configured host.
        redirect: 'manual',
        signal: AbortSignal.timeout(TRY_MS),
      });
      const { status } = response;
      if (status === 200) return { kind: 'ok', text: await bounded(response) };
      await response.body?.cancel();
      if (status === 404) return { kind: 'missing' };
      const why = `it answers with HTTP ${status}`;
      if (status === 401 || status === 403) return { kind: 'never', why: `${why}: ${refused}` };
      const afterMs = retryAfter(response.headers.get('retry-after'), wallMs());
      return status === 429 || status >= 500 ? { kind: 'later', why, afterMs } : { kind: 'never', why };
    } catch (error) {
      if (error instanceof TooLong) return { kind: 'never', why: 'its answer is longer than any report' };
      return { kind: 'later', why: failureOf(error), afterMs: 0 };
    }
  }

  #checked<T>(text: string, schema: z.ZodType<T>, what: string): T {
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch {
      const found = text.trimStart().startsWith('<') ? 'a web page' : 'other text';
      throw this.#fault(what, `expected JSON (found ${found}); is the base URL right?`);
    }
    const checked = schema.safeParse(data);
    if (checked.success) return checked.data;
    const faults = checked.error.issues.slice(0, 3).map(({ path, message }) => {
      const found = path.reduce<unknown>(
        (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
        data,
      );
      return `${path.join('.')}: ${message} (found ${shown(found)})`;
    });
    throw this.#fault(what, `the report is not usable, nothing of it was taken: ${faults.join('; ')}`);
  }

  #fault(what: string, why: string): TrunklineError {
    return new TrunklineError('TRK_REPORT', `${this.#options.seller}: ${what}: ${why}`);
  }
}

class TooLong extends Error {}

async function bounded(response: Response): Promise<string> {
  let text = '';
  let bytes = 0;
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    bytes += (part as Uint8Array).length;
    if (bytes > MAX_BODY_BYTES) throw new TooLong();
    text += decoder.decode(part as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

/** Seconds or a date (RFC 9110 10.2.3), as milliseconds from now; 0 for none, or one that cannot be read. */
function retryAfter(given: string | null, wallMs: number): number {
  if (given === null) return 0;
  if (/^\d{1,9}$/.test(given)) return Number(given) * 1_000;
  const atMs = Date.parse(given);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - wallMs);
}

/** The word of Node for it, such as ECONNREFUSED: never a sentence, which may hold an address. */
function failureOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  if (name === 'TimeoutError') return 'it does not answer';
  const code = (cause as { code?: unknown } | undefined)?.code;
  return `it cannot be reached (${typeof code === 'string' ? code : 'network'})`;
}

/** A value of a report, fit for a sentence. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  const text = JSON.stringify(value as string | number | boolean | null);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
