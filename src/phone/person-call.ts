// A call that the API made: it rings at a person, who answers or does not, and who then hears what the server says, in the
// same TwiML as a caller does. The double of the API plays the carrier; the person does what the script says.
import { type Cancel, type Clock } from '../clock.ts';
import { type CallIdentity, callbackTimestamp, outboundParams } from './call-params.ts';
import { silentCaller } from './caller-track.ts';
import type { Conferences } from './conferences.ts';
import type { PersonScript } from './person-script.ts';
import { PhoneCaller } from './phone-caller.ts';
import { type PhoneEvents, PhoneFeed, type WaitOptions } from './phone-events.ts';
import { PhoneLine } from './phone-line.ts';
import type { CallUpdate } from './phone-options.ts';
import { PhoneRequests, type TwimlDocument } from './phone-requests.ts';
import type { HttpExchange, PhoneResult, PhoneWarning } from './phone-result.ts';
import type { Origin } from './signed-request.ts';
import type { FollowedVerb } from './verb.ts';
import { VerbFollower } from './verb-follower.ts';

/** What the server asked for when it made the call. */
export interface PlacedLeg {
  /** What the person hears: a document's address, or the document. */
  document: { url: string; method: string } | { twiml: string };
  statusCallback: string | undefined;
  statusCallbackMethod: string;
  /** Of initiated, ringing, answered, completed; the last is told of any end. */
  statusCallbackEvents: readonly string[];
  /** So long it rings at most. */
  timeoutMs: number;
  /** The form of the request. */
  params: Record<string, string>;
}

export interface PersonCallOptions {
  identity: CallIdentity;
  leg: PlacedLeg;
  script: PersonScript;
  /** Where the server's documents are asked for. */
  origin: Origin;
  server: { url: string; publicUrl: string; authToken: string };
  /** The rooms of the account. */
  conferences: Conferences;
  /** How many times faster than spoken ringing, prompts and talk pass. */
  pace: number;
  clock: Clock;
}

/** What became of the call; times are ms since it was made. */
export interface PersonResult {
  callSid: string;
  /** When the call was made, in ms of the clock. */
  madeMs: number;
  from: string;
  to: string;
  callStatus: string;
  /** `server`: ended by REST, or its TwiML was over. */
  endedBy: 'person' | 'server' | 'nobody';
  ringMs: number;
  /** Undefined when nobody answered. */
  answeredAtMs: number | undefined;
  endMs: number;
  /** How long this person was in a conference with somebody. */
  talkedMs: number;
  verbs: FollowedVerb[];
  announced: PhoneResult['announced'];
  keys: PhoneResult['keys'];
  stays: PhoneResult['stays'];
  warnings: PhoneWarning[];
  http: HttpExchange[];
}

const DEFAULT_RING_MS = 2_000;
const DEFAULT_PRESS_AFTER_MS = 1_000;
const DEFAULT_HANGS_UP_AFTER_MS = 500;
const DEFAULT_TALK_MS = 10_000;
const MAX_WARNINGS = 200;
const STATUS_OF = { busy: 'busy', no_answer: 'no-answer', failed: 'failed', yes: 'in-progress' } as const;
/** SIP's word for an end without an answer. */
const SIP_CODES: Record<string, string> = { busy: '486', 'no-answer': '487', failed: '404', canceled: '487' };

/** Owns its requests, its streams where there are any, and its timers; all of them end with it. */
export class PersonCall {
  readonly callSid: string;
  readonly identity: CallIdentity;
  readonly script: PersonScript;
  /** The form of the request that made the call. */
  readonly params: Record<string, string>;
  readonly warnings: PhoneWarning[] = [];
  /** Resolves when the call is over and every callback was sent. Never rejects. */
  readonly ended: Promise<PersonResult>;
  /** In the API's words: queued, ringing, in-progress, completed, busy, no-answer, failed, canceled. */
  callStatus = 'queued';

  readonly #options: PersonCallOptions;
  readonly #feed: PhoneFeed;
  readonly #line = new PhoneLine();
  readonly #requests: PhoneRequests;
  readonly #follower: VerbFollower;
  readonly #over = new AbortController();
  readonly #timers = new Set<Cancel>();
  readonly #http: HttpExchange[] = [];
  readonly #keys: PhoneResult['keys'] = [];
  readonly #later: Promise<unknown>[] = [];
  readonly #madeMs: number;
  #told: Promise<unknown> = Promise.resolve();
  #sequence = 0;
  #gathers = 0;
  #endedBy: PersonResult['endedBy'] = 'server';
  #answeredAtMs: number | undefined;

  constructor(options: PersonCallOptions) {
    const { identity, leg, script, clock } = options;
    this.#options = options;
    this.identity = identity;
    this.callSid = identity.callSid;
    this.script = script;
    this.params = leg.params;
    this.#madeMs = clock.nowMs();
    this.#feed = new PhoneFeed(clock);
    this.#line.answered(this.#madeMs);
    this.#requests = new PhoneRequests({
      origin: options.origin,
      params: () => outboundParams(identity, this.callStatus),
      fallback: undefined,
      warn: (code, reason) => this.#warn(code, reason),
      exchanged: (exchange) => this.#exchanged(exchange),
    });
    this.#follower = this.#newFollower();
    this.#feed.on('verb', ({ name }) => {
      if (name === 'Gather') this.#meetGather();
    });
    this.#feed.on('together', () => this.#talk());
    this.ended = this.#run();
  }

  get verbs(): FollowedVerb[] {
    return this.#follower.verbs;
  }

  on<N extends keyof PhoneEvents>(name: N, listener: (event: PhoneEvents[N]) => void): Cancel {
    return this.#feed.on(name, listener);
  }

  /** Waits for an event; rejects at its deadline (10 s). */
  once<N extends keyof PhoneEvents>(name: N, options: WaitOptions<N> = {}): Promise<PhoneEvents[N]> {
    return this.#feed.once(name, options);
  }

  /** Presses one key, for the Gather that waits. */
  press(digit: string): void {
    const key = { atMs: this.#nowMs, digit };
    this.#keys.push(key);
    this.#feed.emit('key', key);
    this.#line.stream?.press(digit);
  }

  /** The person hangs up, whatever the call is doing; nobody hangs up a call that still rings. */
  hangUp(): void {
    if (this.callStatus === 'in-progress') this.#finish('person');
  }

  /** The server ended the call by REST. One that was not answered is canceled, whichever word was used. */
  complete(): void {
    if (this.#isUnanswered) this.callStatus = 'canceled';
    this.#finish('server');
  }

  /** The server sent new TwiML by REST. */
  update(update: CallUpdate): void {
    if (!this.#over.signal.aborted) this.#follower.update(update);
  }

  /** When it was answered, in ms since it was made. */
  get answeredAtMs(): number | undefined {
    return this.#answeredAtMs;
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs() - this.#madeMs;
  }

  get #isUnanswered(): boolean {
    return this.callStatus === 'queued' || this.callStatus === 'ringing';
  }

  async #run(): Promise<PersonResult> {
    // The answer to the request goes first, as it mostly does.
    await Promise.resolve();
    this.#tell('initiated', 'initiated');
    const status = await this.#ring();
    const ringMs = this.#nowMs;
    if (!this.#over.signal.aborted) {
      this.callStatus = status;
      if (status === 'in-progress') await this.#answer();
      else this.#endedBy = 'nobody';
    }
    this.#over.abort();
    for (const cancel of this.#timers) cancel();
    if (this.callStatus === 'in-progress') this.callStatus = 'completed';
    this.#tell('completed', this.callStatus, this.#finalParams());
    const endMs = this.#nowMs;
    await Promise.all([this.#told, ...this.#later]);
    return this.#result(ringMs, endMs);
  }

  /** Rings as long as the script and the server want. */
  async #ring(): Promise<(typeof STATUS_OF)[keyof typeof STATUS_OF]> {
    const { leg } = this.#options;
    const { answers = 'yes', ringMs } = this.script;
    if (this.#over.signal.aborted) return 'no-answer';
    if (answers !== 'failed') {
      this.callStatus = 'ringing';
      this.#tell('ringing', 'ringing');
    }
    const wantedMs = ringMs ?? (answers === 'no_answer' ? leg.timeoutMs : DEFAULT_RING_MS);
    await this.#pass(Math.min(wantedMs, leg.timeoutMs));
    return wantedMs > leg.timeoutMs ? 'no-answer' : STATUS_OF[answers];
  }

  async #answer(): Promise<void> {
    const { leg, origin } = this.#options;
    this.#answeredAtMs = this.#nowMs;
    this.#tell('answered', 'in-progress');
    const { hangsUp, hangsUpAfterMs = DEFAULT_HANGS_UP_AFTER_MS } = this.script;
    if (hangsUp === 'during_whisper') this.#after(hangsUpAfterMs, () => this.hangUp());
    const { document } = leg;
    const first: TwimlDocument | undefined =
      'twiml' in document
        ? this.#requests.read(document.twiml, 'text/xml', origin.resolve('/').href)
        : await this.#follower.fetch(origin.resolve(document.url), { method: document.method });
    await this.#follower.follow(first);
  }

  /** The nth Gather gets the nth keys. */
  #meetGather(): void {
    const { presses = '', pressAfterMs = DEFAULT_PRESS_AFTER_MS } = this.script;
    const { hangsUp, hangsUpAfterMs = DEFAULT_HANGS_UP_AFTER_MS } = this.script;
    const keys = presses[this.#gathers++] ?? '';
    if (keys === '') return;
    this.#after(pressAfterMs, () => {
      for (const key of keys) this.press(key);
      if (hangsUp === 'after_key') this.#after(hangsUpAfterMs, () => this.hangUp());
    });
  }

  #talk(): void {
    const { talkMs = DEFAULT_TALK_MS } = this.script;
    if (Number.isFinite(talkMs)) this.#after(talkMs, () => this.hangUp());
  }

  #finish(by: 'person' | 'server'): void {
    if (this.#over.signal.aborted) return;
    this.#endedBy = by;
    this.#over.abort();
    this.#line.stream?.stop();
  }

  /** Runs later, in the carrier's time, unless the call is over. */
  #after(ms: number, work: () => void): void {
    const { clock, pace } = this.#options;
    const cancel = clock.at(clock.nowMs() + ms / pace, () => {
      this.#timers.delete(cancel);
      if (!this.#over.signal.aborted) work();
    });
    this.#timers.add(cancel);
  }

  #pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#over.signal.aborted) return resolve();
      this.#over.signal.addEventListener('abort', () => resolve(), { once: true });
      this.#after(ms, resolve);
    });
  }

  /** Tells the status callback what it asked for, one after the other: each goes when the one before was answered. */
  #tell(event: string, callStatus: string, more: Record<string, string> = {}): void {
    const { leg, origin, clock, identity } = this.#options;
    const { statusCallback, statusCallbackEvents, statusCallbackMethod } = leg;
    if (statusCallback === undefined || !statusCallbackEvents.includes(event)) return;
    const params = {
      ...outboundParams(identity, callStatus),
      ...callbackTimestamp(this.#sequence++, clock.wallMs()),
      ...more,
    };
    const url = origin.resolve(statusCallback);
    this.#told = this.#told.then(() => this.#requests.callback(url, params, statusCallbackMethod));
  }

  #finalParams(): Record<string, string> {
    if (this.#answeredAtMs === undefined) {
      const code = SIP_CODES[this.callStatus];
      return { CallDuration: '0', Duration: '0', ...(code === undefined ? {} : { SipResponseCode: code }) };
    }
    const seconds = Math.ceil(((this.#nowMs - this.#answeredAtMs) * this.#options.pace) / 1000);
    return { CallDuration: `${seconds}`, Duration: `${Math.ceil(seconds / 60)}`, SipResponseCode: '200' };
  }

  #newFollower(): VerbFollower {
    const { identity, clock, server, origin, pace } = this.#options;
    const { url, publicUrl, authToken } = server;
    return new VerbFollower({
      call: {
        options: { server: url, publicUrl, authToken, verbPace: pace },
        clock,
        feed: this.#feed,
        line: this.#line,
        caller: new PhoneCaller({
          track: silentCaller,
          idle: 'noise',
          hangUpAfterTrackMs: undefined,
          press: (digit) => this.press(digit),
          hangUp: () => this.hangUp(),
        }),
        identity,
        party: identity.to,
        conferences: () => this.#options.conferences,
        socketOrigin: origin,
        over: this.#over.signal,
        exchanged: (exchange) => this.#exchanged(exchange),
        hangUp: () => this.hangUp(),
        update: (update) => this.update(update),
      },
      requests: this.#requests,
      origin,
      // A call that was made cannot be turned away: it is hung up.
      rejected: () => {},
      later: (work) => void this.#later.push(work),
      warn: (code, reason) => this.#warn(code, reason),
    });
  }

  #exchanged(exchange: HttpExchange): void {
    this.#http.push(exchange);
    this.#feed.emit('http', exchange);
  }

  #warn(code: number, reason: string): void {
    const warning = { code, reason };
    if (this.warnings.length < MAX_WARNINGS) this.warnings.push(warning);
    this.#feed.emit('warning', warning);
  }

  #result(ringMs: number, endMs: number): PersonResult {
    const { from, to } = this.identity;
    const { announced, stays } = this.#line.facts();
    const met = stays.flatMap((stay) => stay.with);
    return {
      ...{ callSid: this.callSid, from, to, callStatus: this.callStatus, endedBy: this.#endedBy },
      ...{ madeMs: this.#madeMs, ringMs, answeredAtMs: this.#answeredAtMs, endMs },
      talkedMs:
        met.length === 0 ? 0 : Math.max(...met.map(({ toMs }) => toMs)) - Math.min(...met.map(({ fromMs }) => fromMs)),
      ...{ verbs: this.verbs, announced, keys: this.#keys, stays, warnings: this.warnings, http: this.#http },
    };
  }
}
