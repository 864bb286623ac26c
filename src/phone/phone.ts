// The phone: a faithful carrier with a recorded caller. It places one call against a Trunkline server, follows the
// TwiML it is given, streams the caller's audio and judges what comes back. It shares nothing with the server but the
// facts of mu-law, so that it cannot agree with the server's bugs.
import { dtmfTones } from '../audio/dtmf.ts';
import { writeWav } from '../audio/wav.ts';
import { type Cancel, type Clock, realClock } from '../clock.ts';
import { type CallIdentity, callParams, completedParams, newSid } from './call-params.ts';
import type { Utterance } from './caller-line.ts';
import { silentCaller } from './caller-track.ts';
import { Conferences } from './conferences.ts';
import { PhoneCaller } from './phone-caller.ts';
import { type PhoneEvents, PhoneFeed, type WaitOptions } from './phone-events.ts';
import type { StreamFault } from './phone-faults.ts';
import { PhoneLine } from './phone-line.ts';
import type { CallUpdate, PhoneOptions } from './phone-options.ts';
import { PhoneRequests, type TwimlDocument } from './phone-requests.ts';
import type { HttpExchange, PhoneResult, PhoneWarning } from './phone-result.ts';
import type { PhoneStream } from './phone-stream.ts';
import { Origin } from './signed-request.ts';
import type { FollowedVerb } from './verb.ts';
import { VerbFollower } from './verb-follower.ts';

const DEFAULT_MAX_MS = 300_000;
/** Listing stops here, so that a flood of faults cannot fill the memory. */
const MAX_WARNINGS = 200;

/** Places a call and returns at once; `ended` resolves when it is over. */
export const placeCall = (options: PhoneOptions): PhoneCall => new PhoneCall(options);

/** One call. Owns its requests, its stream and the timer that bounds it. */
export class PhoneCall {
  readonly callSid: string;
  /** Faults found so far. */
  readonly warnings: PhoneWarning[] = [];
  /** Resolves when the call is over and nothing of it is left running. Never rejects because of the server. */
  readonly ended: Promise<PhoneResult>;

  readonly #options: PhoneOptions;
  readonly #clock: Clock;
  readonly #feed: PhoneFeed;
  readonly #call: CallIdentity;
  readonly #origin: Origin;
  readonly #requests: PhoneRequests;
  readonly #follower: VerbFollower;
  readonly #line = new PhoneLine();
  readonly #caller: PhoneCaller;
  readonly #http: HttpExchange[] = [];
  readonly #keys: PhoneResult['keys'] = [];
  readonly #callbacks: Promise<unknown>[] = [];
  readonly #hangUp = new AbortController();
  #cancelLimit: Cancel | undefined;
  #conferences = new Conferences();
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
    this.#requests = new PhoneRequests({
      origin: this.#origin,
      params: () => this.#params(),
      fallback: options.fallback,
      warn: (code, reason) => this.#warn(code, reason),
      exchanged: (exchange) => this.#exchanged(exchange),
    });
    const linger = options.hangupAfterTrack ?? false;
    this.#caller = new PhoneCaller({
      track: options.track ?? silentCaller,
      idle: options.idle ?? 'noise',
      hangUpAfterTrackMs: linger === false ? undefined : Number(linger === true ? 0 : linger),
      press: (digit) => this.#press(digit, true),
      hangUp: () => this.hangUp(),
    });
    this.#follower = this.#newFollower(new Origin({ ...origin, sign: signSocket }));
    this.#cancelLimit = this.#clock.at(this.#clock.nowMs() + (options.maxMs ?? DEFAULT_MAX_MS), () => {
      this.#timedOut = true;
      this.hangUp();
    });
    this.ended = this.#run();
  }

  /** Verbs carried out so far, in order. */
  get verbs(): FollowedVerb[] {
    return this.#follower.verbs;
  }

  /** Whose call it is, as the carrier's API tells it. */
  get identity(): CallIdentity {
    return this.#call;
  }

  /** The carrier's word for where the call stands: ringing, in-progress, or how it ended. */
  get callStatus(): string {
    return this.#callStatus;
  }

  /** Clock time that counts as 0: see PhoneResult. */
  get zeroMs(): number {
    return this.#line.zeroMs;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Ms since the start of the call's first stream; 0 before it. */
  get nowMs(): number {
    const zeroMs = this.#line.streamZeroMs;
    return zeroMs === undefined ? 0 : this.#clock.nowMs() - zeroMs;
  }

  /** Reports each event of this name until cancelled. */
  on<N extends keyof PhoneEvents>(name: N, listener: (event: PhoneEvents[N]) => void): Cancel {
    return this.#feed.on(name, listener);
  }

  /** Waits for an event; rejects at its deadline (10 s) or when the call ends without it. */
  once<N extends keyof PhoneEvents>(name: N, options: WaitOptions<N> = {}): Promise<PhoneEvents[N]> {
    return this.#feed.once(name, options);
  }

  /** Says PCMU bytes from the next frame on; answers when they will be on the line. */
  say(bytes: Uint8Array): Utterance {
    this.#streaming();
    return this.#caller.say(bytes);
  }

  /** Presses one key: for the stream, or for the Gather that waits. */
  press(digit: string): void {
    this.#press(digit, false);
  }

  /** From now on the call's conferences are these: the API gives all calls of an account the same ones. */
  useConferences(conferences: Conferences): void {
    this.#conferences = conferences;
  }

  /** Where the server listens, and the origin that it is known by. */
  get serverOrigin(): { url: string; publicUrl: string } {
    const { server, publicUrl = server } = this.#options;
    return { url: server, publicUrl };
  }

  /** The caller hangs up, whatever the call is doing. */
  hangUp(): void {
    this.#finish('caller');
  }

  /** The server ended the call by REST: the stream gets `stop`, the call is over. `canceled` is one that still rang. */
  complete(status: 'completed' | 'canceled' = 'completed'): void {
    if (status === 'canceled' && this.#callStatus === 'ringing' && !this.#over) this.#callStatus = 'canceled';
    this.#finish('server');
  }

  /** The server sent new TwiML by REST: whatever runs is cut off (a stream gets `stop`), and the call goes on with it. */
  update(update: CallUpdate): void {
    if (this.#over || this.#settled) return;
    this.#follower.update(update);
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

  /** Lets a fault of the carrier's side happen to the stream that runs now. */
  strike(fault: StreamFault): void {
    this.#streaming().strike(fault);
  }

  /** Loses the media stream's connection (1006); the call goes on as the TwiML says. */
  dropSocket(): void {
    this.#streaming().drop();
  }

  /** The caller's line as sent, in PCMU, over the whole call: from the start of its first stream. */
  callerAudio(): Buffer {
    return this.#line.callerAudio();
  }

  /** The agent and the carrier's own files as the caller heard them, as long as `callerAudio()`. */
  agentAudio(): Buffer {
    return this.#line.agentAudio();
  }

  /** Both sides as a WAV: left the caller as sent, right the agent as heard. */
  stereoWav(): Buffer {
    return writeWav([this.callerAudio(), this.agentAudio()]);
  }

  #press(digit: string, scripted: boolean): void {
    const key = { atMs: this.nowMs, digit };
    this.#keys.push(key);
    this.#feed.emit('key', key);
    this.#line.stream?.press(digit);
    const { tones = scripted } = this.#options;
    if (tones === false || !(scripted || this.#line.stream?.live)) return;
    this.#caller.sound(dtmfTones(digit, { gapMs: 0, ...(tones === true ? {} : tones) }));
  }

  #streaming(): PhoneStream {
    const { stream } = this.#line;
    if (!stream) throw new Error('the call has no media stream yet: await once("streaming")');
    return stream;
  }

  async #run(): Promise<PhoneResult> {
    const answer = await this.#answer();
    if (this.#callStatus === 'ringing') this.#callStatus = this.#over ? 'no-answer' : 'in-progress';
    const answeredMs = this.#clock.nowMs();
    this.#line.answered(answeredMs);
    await this.#follower.follow(answer);
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
    this.#line.stream?.stop();
  }

  /** Asks the voice webhook what to do with the call. */
  async #answer(): Promise<TwimlDocument | undefined> {
    const token = crypto.randomUUID();
    const url = this.#origin.resolve(this.#options.voicePath ?? '/voice');
    if (this.#options.retryWebhook) await this.#requests.askInVain(url, token, this.#hangUp.signal);
    const startMs = this.#clock.nowMs();
    const document = await this.#follower.fetch(url, { token });
    this.#webhookMs = this.#clock.nowMs() - startMs;
    return document;
  }

  #newFollower(socketOrigin: Origin): VerbFollower {
    const warn = (code: number, reason: string) => this.#warn(code, reason);
    return new VerbFollower({
      call: {
        options: this.#options,
        clock: this.#clock,
        feed: this.#feed,
        line: this.#line,
        caller: this.#caller,
        identity: this.#call,
        party: this.#call.from,
        conferences: () => this.#conferences,
        socketOrigin,
        over: this.#hangUp.signal,
        exchanged: (exchange) => this.#exchanged(exchange),
        hangUp: () => this.hangUp(),
        update: (update) => this.update(update),
      },
      requests: this.#requests,
      origin: this.#origin,
      rejected: (status) => {
        this.#callStatus = status;
      },
      later: (work) => void this.#callbacks.push(work),
      warn,
    });
  }

  async #sendCompleted(durationMs: number): Promise<void> {
    const url = this.#origin.resolve(this.#options.statusPath ?? '/voice/status');
    const params = { ...this.#params(), ...completedParams(durationMs, this.#clock.wallMs()) };
    await this.#requests.callback(url, params);
  }

  #params(): Record<string, string> {
    return { ...callParams(this.#call, this.#callStatus), ...this.#options.webhookParams };
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

  #result(): PhoneResult {
    return {
      callSid: this.callSid,
      streamSid: this.#line.stream?.streamSid ?? '',
      callStatus: this.#callStatus,
      verbs: this.verbs,
      warnings: this.warnings,
      endedBy: this.#endedBy,
      timedOut: this.#timedOut,
      webhookMs: this.#webhookMs,
      ...this.#line.facts(),
      said: this.#caller.said,
      keys: this.#keys,
      http: this.#http,
    };
  }
}
