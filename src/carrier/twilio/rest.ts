// Orders about a live call by Twilio's REST API: send it to other TwiML, or end it. The second way when the first is
// broken (a media socket that was lost, a question that never came), so every try is bounded and nothing is ever thrown.
// Facts: Twilio's "Call resource: update a call" and error 20429, as of 2026-11.
import type { Clock } from '../../clock.ts';
import type { CarrierControl, ControlOutcome } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import type { MediaLog } from './media-socket.ts';
import { parsePublicUrl } from './public-url.ts';
import { loadTwiml, twimlUrls } from './twiml.ts';

export interface TwilioControlOptions {
  /** Root of the REST API, without a slash at the end. */
  baseUrl: string;
  accountSid: string;
  /** The account's auth token: the same that proves the signatures. */
  authToken: string;
  /** The origin that Twilio reaches. */
  publicUrl: string;
  clock: Clock;
  log: Pick<MediaLog, 'warn'>;
  counters: Pick<TwilioCounters, 'ordered'>;
  /** 0 to 1, for the jitter of retries. Default `Math.random`. */
  random?: () => number;
}

/** One try; Twilio itself answers in a tenth of a second. */
const TRY_MS = 3_000;
const MAX_TRIES = 3;
/** Before the n-th repetition at most this times 2 to the n, drawn anew each time (full jitter). */
const BACK_OFF_MS = 250;
/** A caller who is off the air does not wait for longer: the order has failed. */
const MAX_RETRY_AFTER_MS = 5_000;
/** Documented for `Twiml` when a call is created, and taken to hold for updates. */
const MAX_TWIML_LENGTH = 4_000;
/** An error's body is some 200 bytes. */
const MAX_BODY_LENGTH = 16_384;
const API_VERSION = '2010-04-01';
/** "Call is not in-progress. Cannot redirect." */
const NOT_IN_PROGRESS = 21220;

/** Orders under one account. @throws TrunklineError TRK_CONFIG for a bad URL or TwiML document */
export function twilioControl(options: TwilioControlOptions): CarrierControl {
  const urls = twimlUrls(parsePublicUrl(options.publicUrl));
  const twiml = loadTwiml(urls);
  return {
    redirect(carrierCallId, next, unwanted) {
      const document = twiml.next(next);
      // A document that is too long is asked for by Twilio itself, as after the media: what follows was stored before.
      const update = document.length <= MAX_TWIML_LENGTH ? { Twiml: document } : { Url: urls.next, Method: 'POST' };
      return new Order(options, 'redirect', carrierCallId, update, unwanted).carryOut();
    },
    hangUp: (carrierCallId, unwanted) =>
      new Order(options, 'hang_up', carrierCallId, { Status: 'completed' }, unwanted).carryOut(),
  };
}

/** An answer of the API; `status` is 0 where there was none, and `failure` then says why. */
interface Answer {
  status: number;
  /** Twilio's own error number. */
  code: number | null;
  retryAfterMs: number;
  failure: string | null;
}

/** One update of one call, with its repetitions. Only what may pass by itself is tried again: no answer, 429, 5xx. */
class Order {
  readonly #options: TwilioControlOptions;
  readonly #name: string;
  readonly #url: string;
  readonly #body: string;
  readonly #unwanted: AbortSignal;

  constructor(
    options: TwilioControlOptions,
    name: 'redirect' | 'hang_up',
    callSid: string,
    update: Record<string, string>,
    unwanted: AbortSignal = new AbortController().signal,
  ) {
    const { baseUrl, accountSid } = options;
    this.#options = options;
    this.#name = name;
    this.#url = `${baseUrl}/${API_VERSION}/Accounts/${accountSid}/Calls/${encodeURIComponent(callSid)}.json`;
    this.#body = new URLSearchParams(update).toString();
    this.#unwanted = unwanted;
  }

  async carryOut(): Promise<ControlOutcome> {
    for (let tries = 1; ; tries++) {
      const answer = await this.#ask();
      const outcome = outcomeOf(answer);
      const again = outcome === 'again' && tries < MAX_TRIES && answer.retryAfterMs <= MAX_RETRY_AFTER_MS;
      if (again) await this.#pause(answer.retryAfterMs, tries);
      // Whoever gave the order has changed their mind: neither a success nor a failure of anybody.
      if (this.#unwanted.aborted) return 'failed';
      if (!again) return this.#settle(outcome === 'again' ? 'failed' : outcome, answer, tries);
    }
  }

  #settle(outcome: ControlOutcome, { status, code, failure }: Answer, tries: number): ControlOutcome {
    const { counters, log } = this.#options;
    const order = this.#name;
    counters.ordered(order, outcome);
    if (outcome === 'failed') log.warn({ order, status, code, failure, tries }, 'Twilio did not take an order');
    return outcome;
  }

  async #ask(): Promise<Answer> {
    const { accountSid, authToken, clock } = this.#options;
    const late = new AbortController();
    const cancel = clock.at(clock.nowMs() + TRY_MS, () => late.abort());
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
          'user-agent': 'trunkline',
        },
        body: this.#body,
        // The token goes nowhere but to the configured host.
        redirect: 'manual',
        signal: AbortSignal.any([late.signal, this.#unwanted]),
      });
      const retryAfterMs = retryAfter(response.headers.get('retry-after'), clock.wallMs());
      return { status: response.status, code: await errorCode(response), retryAfterMs, failure: null };
    } catch (error) {
      return { status: 0, code: null, retryAfterMs: 0, failure: late.signal.aborted ? 'timeout' : failureOf(error) };
    } finally {
      cancel();
    }
  }

  #pause(atLeastMs: number, tries: number): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    const ms = Math.max(atLeastMs, random() * BACK_OFF_MS * 2 ** tries);
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.at(clock.nowMs() + ms, resolve);
    this.#unwanted.addEventListener('abort', () => resolve(), { once: true });
    return promise.finally(cancel);
  }
}

function outcomeOf({ status, code }: Answer): ControlOutcome | 'again' {
  if (status >= 200 && status < 300) return 'done';
  if (status === 404 || code === NOT_IN_PROGRESS) return 'gone';
  return status === 0 || status === 429 || status >= 500 ? 'again' : 'failed';
}

/** Twilio's error number in a refusal; the words beside it are not ours to keep. */
async function errorCode({ ok, body }: Response): Promise<number | null> {
  if (ok || body === null) {
    await body?.cancel();
    return null;
  }
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of body) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (text.length > MAX_BODY_LENGTH) return null;
  }
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === 'number' ? code : null;
  } catch {
    return null;
  }
}

/** Seconds or a date (RFC 9110 10.2.3), as milliseconds from now; 0 for none, or one that cannot be read. */
function retryAfter(given: string | null, wallMs: number): number {
  if (given === null) return 0;
  if (/^\d{1,9}$/.test(given)) return Number(given) * 1_000;
  const atMs = Date.parse(given);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - wallMs);
}

/** The word of Node or OpenSSL for it, such as ECONNREFUSED: never a sentence, which may hold an address. */
function failureOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'network';
}
