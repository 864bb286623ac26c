// The phone: a faithful carrier with a recorded caller. It places one call against a Trunkline server, follows the
// TwiML it is given, streams the caller's audio and judges what comes back. It shares nothing with the server but the
// facts of mu-law, so that it cannot agree with the server's bugs.
import { writeWav } from '../audio/wav.ts';
import { type Cancel, type Clock, realClock } from '../clock.ts';
import { type CallIdentity, callParams, completedParams, newSid, streamParams } from './call-params.ts';
import type { Utterance } from './caller-line.ts';
import { silentCaller } from './caller-track.ts';
import { type PhoneEvents, PhoneFeed, type WaitOptions } from './phone-events.ts';
import type { CallUpdate, PhoneOptions } from './phone-options.ts';
import type { HttpExchange, PhoneResult, PhoneWarning } from './phone-result.ts';
import { PhoneStream, type StreamEnd } from './phone-stream.ts';
import { Origin, type Reply } from './signed-request.ts';
import { customParameters, streamAddress } from './stream-element.ts';
import { readTwiml, type TwimlElement, TwimlError } from './twiml-reader.ts';

interface TwimlDocument {
  verbs: TwimlElement[];
  /** Where it came from: the base of relative URLs. */
  url: string;
}

const DEFAULT_MAX_MS = 300_000;
/** A call that is sent from document to document is cut off here. */
const MAX_DOCUMENTS = 20;
/** Listing stops here, so that a flood of faults cannot fill the memory. */
const MAX_WARNINGS = 200;

/** Places a call and returns at once; `ended` resolves when it is over. */
export const placeCall = (options: PhoneOptions): PhoneCall => new PhoneCall(options);

/** One call. Owns its requests, its stream and the timer that bounds it. */
export class PhoneCall {
  readonly callSid: string;
  /** Verbs carried out so far, in order. */
  readonly verbs: TwimlElement[] = [];
  /** Faults found so far. */
  readonly warnings: PhoneWarning[] = [];
  /** Resolves when the call is over and nothing of it is left running. Never rejects because of the server. */
  readonly ended: Promise<PhoneResult>;

  readonly #options: PhoneOptions;
  readonly #clock: Clock;
  readonly #feed: PhoneFeed;
  readonly #call: CallIdentity;
  readonly #origin: Origin;
  readonly #socketOrigin: Origin;
  readonly #http: HttpExchange[] = [];
  readonly #callbacks: Promise<unknown>[] = [];
  readonly #hangUp = new AbortController();
  readonly #placedMs: number;
  #cancelLimit: Cancel | undefined;
  #stream: PhoneStream | undefined;
  #update: CallUpdate | undefined;
  #callStatus = 'ringing';
  #endedBy: 'caller' | 'server' = 'server';
  #timedOut = false;
  // The last verb is done: hanging up changes nothing any more.
  #settled = false;
  #webhookMs = 0;

  constructor(options: PhoneOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#feed = new PhoneFeed(this.#clock);
    this.#call = {
      callSid: options.callSid ?? newSid('CA'),
      accountSid: options.accountSid ?? newSid('AC'),
      from: options.from ?? '+15005550006',
      to: options.to ?? '+15005550001',
    };
    this.callSid = this.#call.callSid;
    const { server, publicUrl = server, authToken, sign = 'good', signSocket = sign } = options;
    const origin = { clock: this.#clock, server, publicUrl, authToken };
    this.#origin = new Origin({ ...origin, sign });
    this.#socketOrigin = new Origin({ ...origin, sign: signSocket });
    this.#placedMs = this.#clock.nowMs();
    this.#cancelLimit = this.#clock.at(this.#placedMs + (options.maxMs ?? DEFAULT_MAX_MS), () => {
      this.#timedOut = true;
      this.hangUp();
    });
    this.ended = this.#run();
  }

  /** Ms since the start of the stream; 0 before it. */
  get nowMs(): number {
    return this.#stream?.nowMs ?? 0;
  }

  /** Reports each event of this name until cancelled. */
  on<N extends keyof PhoneEvents>(name: N, listener: (event: PhoneEvents[N]) => void): Cancel {
    return this.#feed.on(name, listener);
  }

  /** Waits for an event; rejects at its deadline (10 s) or when the call ends without it. */
  once<N extends keyof PhoneEvents>(name: N, options: WaitOptions<N> = {}): Promise<PhoneEvents[N]> {
    return this.#feed.once(name, options);
  }

  /** Says PCMU bytes from the next frame on; answers when they will be on the line (ms of the stream). */
  say(bytes: Uint8Array): Utterance {
    return this.#streaming().say(bytes);
  }

  /** Presses one key. */
  press(digit: string): void {
    this.#streaming().press(digit);
  }

  /** The caller hangs up, whatever the call is doing. */
  hangUp(): void {
    this.#finish('caller');
  }

  /** The server ended the call by REST (`Status=completed`): the stream gets `stop`, the call is over. */
  complete(): void {
    this.#finish('server');
  }

  /** The server sent new TwiML by REST: the stream gets `stop`, the call goes on with it. */
  update(update: CallUpdate): void {
    this.#update = update;
    this.#streaming().stop();
  }

  /** Sends anything down the stream: strings as text frames, buffers as binary ones. */
  sendRaw(data: string | Buffer): void {
    this.#streaming().sendRaw(data);
  }

  /** Loses the next `count` frames. */
  skipFrames(count: number): void {
    this.#streaming().skipFrames(count);
  }

  /** Holds frames back for `ms`, then sends them in a burst. */
  pauseFrames(ms: number): void {
    this.#streaming().pauseFrames(ms);
  }

  /** Sends the last frame again. */
  duplicateFrame(): void {
    this.#streaming().duplicateFrame();
  }

  /** Loses the media stream's connection (1006); the call goes on as the TwiML says. */
  dropSocket(): void {
    this.#streaming().drop();
  }

  /** Both sides of the last stream as a WAV: left the caller as sent, right the agent as heard. */
  stereoWav(): Buffer {
    return writeWav([this.#stream?.callerAudio() ?? Buffer.alloc(0), this.#stream?.agentAudio() ?? Buffer.alloc(0)]);
  }

  #streaming(): PhoneStream {
    if (!this.#stream) throw new Error('the call has no media stream yet: await once("streaming")');
    return this.#stream;
  }

  async #run(): Promise<PhoneResult> {
    const answer = await this.#answer();
    if (this.#callStatus === 'ringing') this.#callStatus = this.#over ? 'no-answer' : 'in-progress';
    const answeredMs = this.#clock.nowMs();
    let document = answer;
    for (let i = 0; document && !this.#over; i++) {
      if (i === MAX_DOCUMENTS) {
        this.#warn(11215, 'too many redirects');
        break;
      }
      document = await this.#follow(document);
    }
    this.#settled = true;
    this.#cancelLimit?.();
    if (this.#callStatus === 'in-progress') this.#callStatus = 'completed';
    await this.#sendCompleted(this.#clock.nowMs() - answeredMs);
    await Promise.all(this.#callbacks);
    const result = this.#result();
    this.#feed.emit('ended', result);
    return result;
  }

  get #over(): boolean {
    return this.#hangUp.signal.aborted;
  }

  #finish(by: 'caller' | 'server'): void {
    if (this.#over || this.#settled) return;
    this.#endedBy = by;
    this.#hangUp.abort();
    this.#stream?.stop();
  }

  /** Asks the voice webhook what to do with the call. */
  async #answer(): Promise<TwimlDocument | undefined> {
    const headers = { 'I-Twilio-Idempotency-Token': crypto.randomUUID() };
    const url = this.#origin.resolve(this.#options.voicePath ?? '/voice');
    if (this.#options.retryWebhook) await this.#ask(url, {}, { headers });
    const document = await this.#fetchTwiml(url, {}, { headers });
    this.#webhookMs = this.#http.at(-1)?.ms ?? 0;
    return document;
  }

  /** Carries out one document; returns the next one, or nothing when the call has come to its end. */
  async #follow(document: TwimlDocument): Promise<TwimlDocument | undefined> {
    for (const verb of document.verbs) {
      if (this.#over) return undefined;
      this.verbs.push(verb);
      this.#feed.emit('verb', verb);
      const url = (target: string) => this.#origin.resolve(target, document.url);
      const action = verb.attributes['action'];
      const method = { method: verb.attributes['method'] ?? 'POST' };
      switch (verb.name) {
        case 'Hangup':
          return undefined;
        case 'Reject':
          this.#callStatus = verb.attributes['reason'] === 'busy' ? 'busy' : 'no-answer';
          return undefined;
        case 'Redirect':
          return this.#fetchTwiml(url(verb.text), {}, method);
        case 'Connect':
          await this.#connect(verb, document.url);
          if (this.#over) return undefined;
          if (this.#update) return this.#takeUpdate(document.url);
          if (action) return this.#fetchTwiml(url(action), {}, method);
          break;
        case 'Dial':
          if (action) return this.#fetchTwiml(url(action), this.#dialParams(), method);
          break;
        // Say, Play, Pause and the rest take no time here: that they were asked for is all there is to judge.
        default:
          break;
      }
    }
    return undefined;
  }

  /** Runs the stream of a Connect until it is over. */
  async #connect(verb: TwimlElement, base: string): Promise<void> {
    const element = verb.children.find((child) => child.name === 'Stream');
    const address = element && streamAddress(element, base, this.#origin, (code, reason) => this.#warn(code, reason));
    if (!element || !address) return;
    const { attributes } = element;
    const streamSid = newSid('MZ');
    const ids = { ...this.#call, callSid: this.#options.startCallSid ?? this.callSid, streamSid };
    const linger = this.#options.hangupAfterTrack ?? false;
    const stream = new PhoneStream({
      clock: this.#clock,
      feed: this.#feed,
      address: this.#socketOrigin.listening(address).href.replace(/^http/, 'ws'),
      headers: this.#socketOrigin.headers(address.href, {}),
      ids,
      customParameters: customParameters(element),
      track: this.#options.track ?? silentCaller,
      network: this.#options.network ?? {},
      idle: this.#options.idle ?? 'noise',
      keepAudio: this.#options.keepAudio ?? true,
      sendStart: this.#options.sendStart ?? true,
      hangUpAfterTrackMs: linger === false ? undefined : Number(linger === true ? 0 : linger),
      warn: (code, reason) => this.#warn(code, reason),
      onHangUp: () => this.hangUp(),
    });
    this.#stream = stream;
    this.#feed.expectStream();
    const stopTelling = this.#tellStreamStatus(attributes, streamSid);
    const startMs = this.#clock.nowMs();
    const end = await stream.closed;
    stopTelling(end);
    this.#http.push({ path: address.pathname, status: end.upgradeStatus, ms: this.#clock.nowMs() - startMs });
  }

  /** Sends the stream's status callbacks if the TwiML asked for them; call the result when the stream is over. */
  #tellStreamStatus(attributes: Record<string, string>, streamSid: string): (end: StreamEnd) => void {
    const callback = attributes['statusCallback'];
    if (!callback) return () => {};
    const tell = (event: 'stream-started' | 'stream-stopped' | 'stream-error', error?: string) => {
      const stream = { streamSid, name: attributes['name'] ?? '', event, ...(error ? { error } : {}) };
      const params = streamParams(this.#call, stream, this.#clock.wallMs());
      this.#callbacks.push(
        this.#post(this.#origin.resolve(callback), params, { method: attributes['statusCallbackMethod'] ?? 'POST' }),
      );
    };
    const cancel = this.#feed.on('streaming', () => tell('stream-started'));
    return (end) => {
      cancel();
      if (end.upgradeStatus === 101) tell('stream-stopped');
      else tell('stream-error', '31920');
    };
  }

  #takeUpdate(base: string): Promise<TwimlDocument | undefined> {
    const update = this.#update;
    this.#update = undefined;
    if (!update) return Promise.resolve(undefined);
    if ('url' in update) return this.#fetchTwiml(this.#origin.resolve(update.url, base), {}, {});
    return Promise.resolve(this.#read(update.twiml, 'text/xml', base));
  }

  #dialParams(): Record<string, string> {
    const status = this.#options.dialStatus ?? 'completed';
    const duration = status === 'completed' ? { DialCallDuration: '10' } : {};
    return { DialCallSid: newSid('CA'), DialCallStatus: status, ...duration };
  }

  async #sendCompleted(durationMs: number): Promise<void> {
    const url = this.#origin.resolve(this.#options.statusPath ?? '/voice/status');
    const params = { ...this.#params(), ...completedParams(durationMs, this.#clock.wallMs()) };
    await this.#post(url, params, {});
  }

  async #fetchTwiml(
    url: URL,
    params: Record<string, string>,
    options: { method?: string; headers?: Record<string, string> },
  ): Promise<TwimlDocument | undefined> {
    const reply = await this.#ask(url, params, options);
    if (this.#over) return undefined;
    if (reply.status >= 200 && reply.status < 300) return this.#read(reply.body, reply.contentType, url.href);
    this.#warn(reply.status === 0 ? 11205 : 11200, `${url.pathname} answered ${reply.status}`);
    return undefined;
  }

  #read(body: string, contentType: string, url: string): TwimlDocument | undefined {
    try {
      return { verbs: readTwiml(body, contentType), url };
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      this.#warn(error.code, error.message);
      return undefined;
    }
  }

  /** A request of the call itself, given up when the caller hangs up. */
  #ask(
    url: URL,
    params: Record<string, string>,
    options: { method?: string; headers?: Record<string, string> },
  ): Promise<Reply> {
    return this.#post(url, { ...this.#params(), ...params }, { ...options, signal: this.#hangUp.signal });
  }

  async #post(
    url: URL,
    params: Record<string, string>,
    options: { method?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Reply> {
    const reply = await this.#origin.ask(url, params, options);
    this.#http.push({ path: url.pathname, status: reply.status, ms: reply.ms });
    return reply;
  }

  #params(): Record<string, string> {
    return { ...callParams(this.#call, this.#callStatus), ...this.#options.webhookParams };
  }

  #warn(code: number, reason: string): void {
    const warning = { code, reason };
    if (this.warnings.length < MAX_WARNINGS) this.warnings.push(warning);
    this.#feed.emit('warning', warning);
  }

  #result(): PhoneResult {
    const stream = this.#stream;
    return {
      callSid: this.callSid,
      streamSid: stream?.streamSid ?? '',
      callStatus: this.#callStatus,
      verbs: this.verbs,
      warnings: this.warnings,
      endedBy: this.#endedBy,
      timedOut: this.#timedOut,
      webhookMs: this.#webhookMs,
      streamMs: stream?.streamMs ?? 0,
      framesSent: stream?.framesSent ?? 0,
      framesLate: stream?.framesLate ?? 0,
      mediaReceivedBytes: stream?.mediaReceivedBytes ?? 0,
      marksReceived: stream?.marksReceived ?? [],
      clears: stream?.clears ?? [],
      heard: stream?.playback.heard(stream.streamMs) ?? [],
      said: stream?.said ?? [],
      underruns: stream?.playback.underruns ?? [],
      unplayedBytes: stream?.unplayedBytes ?? 0,
      firstAudioAtMs: stream?.firstAudioAtMs,
      http: this.#http,
    };
  }
}
