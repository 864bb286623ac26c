// One call of a browser phone. It is the carrier of its caller: asks the voice webhook with a signature, follows the TwiML that
// it gets, joins the browser to the media socket, and tells the end. What holds the signing token is here; the browser only
// ever sees the media-stream protocol. Owns its requests, its stream and its timers, and lets go of all when it is over.
import { newSid } from '../../phone/call-params.ts';
import type { TwimlElement } from '../../phone/twiml-reader.ts';
import { BrowserCaptions, type BrowserCaptionsOptions } from './browser-captions.ts';
import { BrowserRequests, type BrowserRequestsOptions, readVerbs, type TwimlDocument } from './browser-requests.ts';
import { BrowserStream } from './browser-stream.ts';
import type { CannotDo, PhoneEnd } from './phone-messages.ts';

export interface BrowserCallOptions extends BrowserCaptionsOptions, Omit<BrowserRequestsOptions, 'callSid' | 'status'> {
  /** A frame of the media stream. */
  relay: (data: Buffer) => void;
  /** The call has an id of ours. */
  admitted: (callId: string) => void;
}

/** A call that is sent from document to document is cut off here. */
const MAX_DOCUMENTS = 50;
/** How long a sentence may take when the browser does not say that it was said: 70 ms a letter, and a breath. */
const SAY_MS_PER_LETTER = 70;
const SAY_BREATH_MS = 600;
const MAX_SAY_MS = 30_000;
const MAX_PAUSE_MS = 30_000;
const MAX_GATHER_MS = 30_000;
const MAX_DIGITS = 32;

export class BrowserCall {
  readonly callSid = newSid('CA');
  /** Resolves when the call is over and the server has been told. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves a moment later: when the last words have been written down too. */
  readonly done: Promise<void>;
  readonly #options: BrowserCallOptions;
  readonly #requests: BrowserRequests;
  readonly #captions: BrowserCaptions;
  readonly #over = new AbortController();
  /** Aborted when an order takes the call elsewhere. */
  #takeOver = new AbortController();
  #ordered: string | null = null;
  #status = 'ringing';
  #end: { by: 'caller' | 'server'; why: PhoneEnd } = { by: 'server', why: 'completed' };
  #stream: BrowserStream | null = null;
  #callId = '';
  #said: () => void = () => {};
  #keyed: (digit: string) => void = () => {};

  constructor(options: BrowserCallOptions) {
    this.#options = options;
    this.#requests = new BrowserRequests({ ...options, callSid: this.callSid, status: () => this.#status });
    this.#captions = new BrowserCaptions(options);
    this.ended = this.#run();
    this.done = this.ended.then(() => this.#captions.lastWords());
  }

  /** A frame of the media stream from the browser. */
  take(text: string, event: string, digit: string): void {
    if (digit !== '') this.#keyed(digit);
    this.#stream?.send(text, event);
    // The caller's side of the stream is over by nothing but the caller.
    if (event === 'stop') this.hangUp('hung_up');
  }

  /** The browser has read a sentence aloud, or cannot. */
  said(): void {
    this.#said();
  }

  /** The caller hangs up; `protocol` and `stopped` are this server's own doing. */
  hangUp(why: 'hung_up' | 'protocol' | 'stopped'): void {
    this.#finish(why === 'stopped' ? 'server' : 'caller', why);
  }

  /** An order of the server: the call is over. */
  complete(): void {
    this.#finish('server', 'completed');
  }

  /** An order of the server: whatever runs is cut off, and the call goes on with this document. */
  update(document: string): void {
    if (this.#over.signal.aborted) return;
    this.#ordered = document;
    this.#takeOver.abort();
    this.#stream?.stop(this.#ids);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #finish(by: 'caller' | 'server', why: PhoneEnd): void {
    if (this.#over.signal.aborted) return;
    this.#end = { by, why };
    this.#over.abort();
    this.#stream?.stop(this.#ids);
  }

  async #run(): Promise<void> {
    // Whoever made it knows it before anything happens.
    await Promise.resolve();
    const { clock, tell, fault } = this.#options;
    let answeredMs = clock.nowMs();
    try {
      tell({ event: 'ringing', callSid: this.callSid });
      const answer = await this.#requests.document(this.#cut, '/voice');
      answeredMs = clock.nowMs();
      if (!this.isOver) this.#status = 'in-progress';
      await this.#follow(answer);
    } catch (error) {
      // A caller who hangs up cuts off what is under way.
      if (!this.isOver) fault(error);
      this.#finish('server', 'failed');
    }
    this.#finish('server', 'completed');
    tell({ event: 'ended', ...this.#end });
    // A caller who hangs up while it rings is not there to hear who answers.
    if (this.#status === 'ringing') this.#status = 'no-answer';
    if (this.#status === 'in-progress') this.#status = 'completed';
    await this.#requests.tellEnd(clock.nowMs() - answeredMs).catch(fault);
  }

  /** Carries out document after document until nothing more is said. */
  async #follow(first: TwimlDocument): Promise<void> {
    let document: TwimlDocument | null = first;
    for (let i = 0; document !== null && !this.isOver; i++) {
      if (i === MAX_DOCUMENTS) throw new Error('the call was sent from document to document without an end');
      const next: TwimlDocument | null = await this.#carryOutAll(document, i === 0).catch((error: unknown) => {
        // What was under way when an order came is no fault.
        if (this.#ordered === null && !this.isOver) throw error;
        return null;
      });
      document = (await this.#takeOrder(document.url)) ?? next;
    }
  }

  async #takeOrder(url: string): Promise<TwimlDocument | null> {
    const document = this.#ordered;
    if (document === null) return null;
    this.#ordered = null;
    this.#takeOver = new AbortController();
    return { verbs: await readVerbs(document, 'text/xml'), url };
  }

  async #carryOutAll({ verbs, url }: TwimlDocument, first: boolean): Promise<TwimlDocument | null> {
    for (const [i, verb] of verbs.entries()) {
      if (this.#cut.aborted) return null;
      if (verb.name === 'Hangup') return null;
      if (verb.name === 'Reject') {
        const busy = verb.attributes['reason'] === 'busy';
        // Only as the very first verb: a call that was answered is merely hung up.
        if (first && i === 0) {
          this.#status = busy ? 'busy' : 'no-answer';
          this.#finish('server', busy ? 'busy' : 'rejected');
        }
        return null;
      }
      const then = await this.#carryOut(verb, url);
      if (then !== null)
        return this.#cut.aborted ? null : this.#requests.document(this.#cut, then.to, then.params, url);
    }
    return null;
  }

  /** Carries out one verb; what is asked after it, or null: the next verb follows. */
  async #carryOut(verb: TwimlElement, base: string): Promise<{ to: string; params: Record<string, string> } | null> {
    const { action = '' } = verb.attributes;
    const then = (params: Record<string, string>, to = action) => (to === '' ? null : { to, params });
    switch (verb.name) {
      case 'Connect':
        await this.#connect(verb, base);
        return then({});
      case 'Redirect':
        return then({}, verb.text);
      case 'Say':
        await this.#say(verb.text);
        return null;
      case 'Pause':
        await this.#wait(Math.min(MAX_PAUSE_MS, 1_000 * secondsOf(verb.attributes['length'], 1)));
        return null;
      case 'Gather': {
        const digits = await this.#gather(verb);
        return digits === '' ? null : then({ Digits: digits }, action === '' ? base : action);
      }
      case 'Dial':
        this.#cannotDial(verb);
        return then({ DialCallSid: newSid('CA'), DialCallStatus: 'failed' });
      case 'Record':
        this.#cannot('record', 'The agent would now take a message; a browser cannot leave one.');
        return null;
      case 'Play':
        this.#cannot('play', 'A recording would be played now; a browser phone does not play it.');
        return null;
      default:
        this.#cannot(
          'other',
          `The call would now go on with ${verb.name.slice(0, 40)}; a browser cannot follow there.`,
        );
        return null;
    }
  }

  /** Joins the browser to the media socket until either side ends it. */
  async #connect(verb: TwimlElement, base: string): Promise<void> {
    const { origin, clock, tell, relay } = this.#options;
    const element = verb.children.find(({ name }) => name === 'Stream');
    const given = element?.attributes['url'] ?? '';
    if (element === undefined || !URL.canParse(given, base)) throw new Error('a Connect without a usable Stream');
    const url = origin.resolve(given, base);
    if (!origin.owns(url)) throw new Error('a Stream to somewhere else');
    const customParameters = Object.fromEntries(
      element.children.map(({ attributes }) => [attributes['name'] ?? '', attributes['value'] ?? '']),
    );
    const stream = new BrowserStream({
      clock,
      address: origin.listening(url).href.replace(/^http/, 'ws'),
      headers: { 'User-Agent': 'Trunkline.Phone/1.0', ...origin.headers(url.href, {}) },
      opened: ({ streamSid }) => {
        tell({ event: 'stream', callId: this.#callId, ...this.#ids, streamSid, customParameters });
        if (this.#callId !== '') this.#captions.begin(this.#callId);
      },
      toBrowser: relay,
    });
    this.#know(customParameters['callId'] ?? '');
    this.#stream = stream;
    const end = await stream.over;
    this.#stream = null;
    if (this.isOver) return;
    tell({ event: 'stream_over' });
    if (end === 'refused' || end === 'stalled')
      void this.#requests.tellStreamFailed(element, base, stream.streamSid, end);
  }

  #know(callId: string): void {
    if (this.#callId !== '' || callId === '') return;
    this.#callId = callId;
    this.#options.admitted(callId);
  }

  /** Lets the browser read a sentence aloud, and waits for as long as that may take. */
  async #say(text: string): Promise<void> {
    if (text === '') return;
    this.#options.tell({ event: 'say', text });
    const ms = Math.min(MAX_SAY_MS, SAY_BREATH_MS + SAY_MS_PER_LETTER * text.length);
    await this.#wait(ms, (early) => (this.#said = early));
    this.#said = () => {};
  }

  /** Keys pressed while prompts are read and after them; empty when nothing was pressed. */
  async #gather(verb: TwimlElement): Promise<string> {
    const { numDigits, timeout, finishOnKey = '#' } = verb.attributes;
    const wanted = Math.min(MAX_DIGITS, secondsOf(numDigits, MAX_DIGITS));
    const limitMs = Math.min(MAX_GATHER_MS, 1_000 * secondsOf(timeout, 5));
    let digits = '';
    let complete = false;
    let pressed = (): void => {};
    this.#keyed = (digit) => {
      if (complete) return;
      if (finishOnKey.includes(digit)) complete = true;
      else digits += digit;
      complete ||= digits.length >= wanted;
      pressed();
    };
    for (const prompt of verb.children)
      if (prompt.name === 'Say' && digits === '' && !complete) {
        const asked = this.#say(prompt.text);
        pressed = () => this.#said();
        await asked;
      }
    while (!complete && !this.#cut.aborted) {
      const before = digits;
      await this.#wait(limitMs, (early) => (pressed = early));
      if (digits === before) break;
    }
    this.#keyed = () => {};
    return digits;
  }

  #cannotDial({ text, children }: TwimlElement): void {
    const { isOperator } = this.#options;
    if (children.some(({ name }) => name === 'Conference'))
      return this.#cannot('conference', 'You would now wait for a person; a browser cannot follow there.');
    const to = [text, ...children.map((noun) => noun.text)].filter((one) => one !== '').join(', ');
    const whom = isOperator && to !== '' ? to.slice(0, 200) : 'a person';
    return this.#cannot('dial', `The agent would now connect you to ${whom}; a browser cannot follow there.`);
  }

  #cannot(what: CannotDo, text: string): void {
    this.#options.tell({ event: 'cannot', what, text });
  }

  /** Waits; cut short by an order, by the end of the call, or by whoever gets `early`. */
  async #wait(ms: number, early: (end: () => void) => void = () => {}): Promise<void> {
    const { clock } = this.#options;
    const cut = this.#cut;
    if (cut.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const cancel = clock.at(clock.nowMs() + ms, end);
    cut.addEventListener('abort', end);
    early(end);
    await promise;
    cancel();
    cut.removeEventListener('abort', end);
  }

  /** Aborted when what is under way has no use any more. */
  get #cut(): AbortSignal {
    return AbortSignal.any([this.#over.signal, this.#takeOver.signal]);
  }

  get #ids(): { accountSid: string; callSid: string } {
    return { accountSid: this.#options.accountSid, callSid: this.callSid };
  }
}

const secondsOf = (given: string | undefined, standard: number): number =>
  given !== undefined && /^\d{1,6}$/.test(given) ? Number(given) : standard;
