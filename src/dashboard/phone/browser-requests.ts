// What a browser call asks of this server as its carrier: documents, and the callbacks that tell what became of it. Each request is
// signed, and carries the proof that it comes from the page's own phone.
import { OWN_PHONE_FIELD } from '../../carrier/twilio/signature.ts';
import type { Clock } from '../../clock.ts';
import { callbackTimestamp, completedParams, streamParams } from '../../phone/call-params.ts';
import type { Origin } from '../../phone/signed-request.ts';
import type { TwimlElement } from '../../phone/twiml-reader.ts';
import type { StreamEnd } from './browser-stream.ts';

export interface TwimlDocument {
  verbs: TwimlElement[];
  /** Where it came from: the base of relative addresses. */
  url: string;
}

export interface BrowserRequestsOptions {
  clock: Clock;
  origin: Origin;
  accountSid: string;
  callSid: string;
  /** As a carrier spells them: `client:name`; a number or a SIP address. */
  from: string;
  to: string;
  /** The carrier's word for where the call stands. */
  status: () => string;
  /** What proves that a call is one of the page's phone, by its id. */
  proofOf: (callSid: string) => string;
  fault: (error: unknown) => void;
}

/** The server answers in some 50 ms. A carrier would wait for 15 s. */
const WEBHOOK_LIMIT_MS = 10_000;

export class BrowserRequests {
  readonly #options: BrowserRequestsOptions;

  constructor(options: BrowserRequestsOptions) {
    this.#options = options;
  }

  /**
   * Asks for a document; `base` is that of a relative address, `cut` gives up.
   * @throws when there is none that can be followed
   */
  async document(
    cut: AbortSignal,
    to: string,
    params: Record<string, string> = {},
    base?: string,
  ): Promise<TwimlDocument> {
    const { origin, clock } = this.#options;
    if (!URL.canParse(to, base ?? origin.resolve('/').href)) throw new Error('an address that is none');
    const url = origin.resolve(to, base);
    if (!origin.owns(url)) throw new Error('a document from somewhere else');
    const late = new AbortController();
    const cancel = clock.at(clock.nowMs() + WEBHOOK_LIMIT_MS, () => late.abort());
    const signal = AbortSignal.any([cut, late.signal]);
    const reply = await origin.ask(url, { ...this.#params(), ...params }, { signal });
    cancel();
    if (reply.status !== 200) throw new Error(`${url.pathname} answered ${reply.status}`);
    return { verbs: await readVerbs(reply.body, reply.contentType), url: url.href };
  }

  /** The status callback of the end; the answer changes nothing. */
  async tellEnd(durationMs: number): Promise<void> {
    const { origin, clock } = this.#options;
    const facts = completedParams(Math.max(0, durationMs), clock.wallMs());
    await origin.ask(origin.resolve('/voice/status'), { ...this.#params(), ...facts });
  }

  /** The callback of a stream that could not be opened, or broke, where its document asks for one. Never rejects. */
  async tellStreamFailed(element: TwimlElement, base: string, streamSid: string, end: StreamEnd): Promise<void> {
    const { origin, clock, accountSid, callSid, fault } = this.#options;
    const { statusCallback = '', name = '' } = element.attributes;
    if (!URL.canParse(statusCallback, base)) return;
    const url = origin.resolve(statusCallback, base);
    if (!origin.owns(url)) return;
    const event = { streamSid, name, event: 'stream-error', error: end === 'refused' ? '31920' : '31903' } as const;
    const params = {
      ...streamParams({ accountSid, callSid, from: '', to: '' }, event, clock.wallMs()),
      ...callbackTimestamp(0, clock.wallMs()),
    };
    await origin.ask(url, params).catch(fault);
  }

  /** Parameters of every request about the call, as a carrier sends them for a softphone. */
  #params(): Record<string, string> {
    const { accountSid, callSid, from, to, status, proofOf } = this.#options;
    return {
      AccountSid: accountSid,
      ApiVersion: '2010-04-01',
      [OWN_PHONE_FIELD]: proofOf(callSid),
      CallSid: callSid,
      CallStatus: status(),
      Called: to,
      Caller: from,
      Direction: 'inbound',
      From: from,
      To: to,
    };
  }
}

/** The reader comes with the first call: it takes a moment to load, and most servers never see one. */
export async function readVerbs(document: string, contentType: string): Promise<TwimlElement[]> {
  const { readTwiml } = await import('../../phone/twiml-reader.ts');
  return readTwiml(document, contentType);
}
