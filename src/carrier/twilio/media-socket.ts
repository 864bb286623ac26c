// One media socket's life, from the 101 to the last byte: waits for `start`, joins the leg to its call, reads what
// Twilio sends, and ends exactly once. Owns the socket; the leg and the plugin ask.
import type { RawData, WebSocket } from 'ws';
import type { Cancel, Clock } from '../../clock.ts';
import type { CallIntake, LegCloseCause, MediaClaim } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import { type FrameReader, frameReader } from './frame-reader.ts';
import { TwilioLeg } from './leg.ts';
import { watchLiveness } from './liveness.ts';
import { parseStreamMessage, type StreamMessage } from './messages.ts';
import { explainClose } from './stream-codes.ts';

/** What a socket needs of a log; refusals and faults are `warn`, bugs of ours `error`. */
export interface MediaLog {
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface MediaSocketOptions {
  claim: MediaClaim;
  intake: CallIntake;
  /** The only account whose streams are taken; null takes any that could sign. */
  accountSid: string | null;
  clock: Clock;
  log: MediaLog;
  counters: TwilioCounters;
  /** Remote address, for the log. */
  remote: string;
  /** Milliseconds from the open socket to `start`. Default 10,000. */
  startDeadlineMs?: number | undefined;
}

const DEFAULT_START_DEADLINE_MS = 10_000;
/** How long the other side has to answer our close frame. */
const CLOSE_DEADLINE_MS = 1000;
/** Twilio sends 50 a second; a network that stalled may deliver half a minute at once. */
const MESSAGES_PER_SECOND = 400;
const MESSAGE_BURST = 2000;
/** Malformed, binary or misplaced messages that are ignored before the socket is given up. */
const MAX_FORGIVEN = 100;

/** Close codes of RFC 6455 7.4.1. */
const NORMAL = 1000;
const POLICY = 1008;
const INTERNAL = 1011;

/**
 * The phases of a socket.
 * - `waiting`: open, but no `start` yet. Left by `start`, by the deadline, or by any end.
 * - `streaming`: the leg belongs to its call. Left by `stop`, a fault, a lost socket, or the call's own close.
 * - `closing`: our close frame is out or the socket is being torn down; nothing is read any more. `leg` is there when the
 *   call asked for it and has still to hear that it is done. Left when the socket is gone.
 * - `closed`: gone.
 */
type Phase =
  | { name: 'waiting'; cancelDeadline: Cancel }
  | { name: 'streaming'; leg: TwilioLeg; streamSid: string; readFrame: FrameReader }
  | { name: 'closing'; leg: TwilioLeg | null; cancelTerminate: Cancel }
  | { name: 'closed' };

/** The life of one accepted media socket. */
export class MediaSocket {
  readonly #socket: WebSocket;
  readonly #options: MediaSocketOptions;
  #phase: Phase;
  #forgiven = 0;
  #tokens = MESSAGE_BURST;
  /** When the latest message or control frame came. */
  #tokensAtMs: number;
  #stopWatching: Cancel = () => {};

  /** Attaches its handlers before it returns: a handler that comes later misses `connected` and `start`. */
  constructor(socket: WebSocket, options: MediaSocketOptions) {
    const { clock, startDeadlineMs = DEFAULT_START_DEADLINE_MS } = options;
    this.#socket = socket;
    this.#options = options;
    this.#tokensAtMs = clock.nowMs();
    const deadlineAtMs = this.#tokensAtMs + startDeadlineMs;
    const onDeadline = () => this.#fault('never_started', `no start within ${startDeadlineMs} ms`, POLICY);
    this.#phase = { name: 'waiting', cancelDeadline: clock.at(deadlineAtMs, () => this.#guard(onDeadline)) };
    socket.on('message', (data, isBinary) => this.#guardedMessage(data, isBinary));
    socket.on('ping', () => this.#guard(() => this.#withinRate()));
    socket.on('pong', () => this.#guard(() => this.#withinRate()));
    socket.on('error', (error) => this.#guard(() => this.#onError(error)));
    socket.on('close', (code) => this.#guard(() => this.#onClose(code)));
  }

  /** `#guard` written out: no closure per frame. */
  #guardedMessage(data: RawData, isBinary: boolean): void {
    try {
      this.#onMessage(data, isBinary);
    } catch (err) {
      this.#failed(err);
    }
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    const phase = this.#phase;
    if (phase.name === 'closing' || phase.name === 'closed') return;
    if (!this.#withinRate()) return;
    if (isBinary) return this.#forgive('binary', 'a binary message');
    // A Buffer, whatever the type allows: `ws` makes nothing else unless asked.
    const bytes = data as Buffer;
    const frame = phase.name === 'streaming' ? phase.readFrame(bytes) : null;
    if (frame !== null && phase.name === 'streaming') {
      this.#options.counters.message('in', 'media');
      return phase.leg.report(frame);
    }
    const message = parseStreamMessage(bytes.toString());
    this.#options.counters.message('in', message.kind);
    if (message.kind === 'unknown') return; // Twilio may add messages at any time: no number of them is a fault.
    if (message.kind === 'malformed') return this.#forgive('malformed', message.reason, false);
    if (phase.name === 'streaming') this.#read(message, phase.leg, phase.streamSid);
    else if (message.kind === 'start') this.#start(message);
    else if (message.kind !== 'connected') this.#forgive('misplaced', `${message.kind} before start`);
  }

  #read(message: Known, leg: TwilioLeg, streamSid: string): void {
    if (message.kind === 'connected' || message.kind === 'start') {
      return this.#forgive('misplaced', `another ${message.kind}`);
    }
    if (message.streamSid !== streamSid) return this.#forgive('misplaced', `${message.kind} of another stream`);
    switch (message.kind) {
      case 'media':
        return leg.report({
          type: 'leg.audio',
          sequence: message.chunk,
          timestampMs: message.timestampMs,
          chunk: message.audio,
        });
      case 'dtmf':
        return leg.report({ type: 'leg.digit_pressed', digit: message.digit });
      case 'mark':
        if (leg.markReturned(message.name) === 'unknown') this.#options.counters.message('in', 'unknown_mark');
        return;
      case 'stop':
        return this.#end('carrier_stopped', 'stop', NORMAL);
      default:
        message satisfies never;
    }
  }

  #start(start: Extract<StreamMessage, { kind: 'start' }>): void {
    const { claim, intake, accountSid, counters, clock } = this.#options;
    // The token was bound to a call when its TwiML was written; another call's stream has no business here.
    if (start.callSid !== claim.carrierCallId) return this.#fault(VIOLATION, 'start names another call', POLICY);
    if (accountSid !== null && start.accountSid !== accountSid) {
      return this.#fault(VIOLATION, 'start names another account', POLICY);
    }
    if (!isMulaw(start)) return this.#fault(VIOLATION, 'the audio is not mu-law, 8000, mono', POLICY);
    if (this.#phase.name === 'waiting') this.#phase.cancelDeadline();
    const leg = new TwilioLeg({
      wire: this.#socket,
      streamSid: start.streamSid,
      counters,
      nowMs: () => clock.nowMs(),
      heardAtMs: () => this.#tokensAtMs,
      onCloseAsked: () => this.#close(leg, NORMAL, 'closed by the call'),
      onStoppedReading: () => {
        this.#end('stopped_reading', `${this.#socket.bufferedAmount} bytes unsent`, null);
        this.#socket.terminate(); // A close frame would only queue behind what is not being read.
      },
    });
    const { streamSid } = start;
    this.#phase = { name: 'streaming', leg, streamSid, readFrame: frameReader(streamSid) };
    this.#stopWatching = watchLiveness({
      clock,
      heardAtMs: () => this.#tokensAtMs,
      marksWaitMs: () => leg.marksWaitMs,
      ping: () => this.#guard(() => this.#socket.ping()),
      dead: (cause, detail) =>
        this.#guard(() => {
          this.#fault(cause, detail, null);
          this.#socket.terminate();
        }),
    });
    const sink = intake.attach(claim, leg);
    if (sink !== null) return leg.bind(sink);
    this.#end('socket_lost', 'the call is gone', NORMAL);
  }

  #onError(error: Error & { code?: string }): void {
    // `ws` marks every breach of RFC 6455, and of the size limit, with such a code and has sent its close frame by now.
    // Any other error is the network's and `close` follows it.
    if (!error.code?.startsWith('WS_ERR_')) return;
    this.#fault(VIOLATION, error.code === OVERSIZE ? 'oversize' : error.code, null);
  }

  #onClose(code: number): void {
    const phase = this.#phase;
    this.#phase = { name: 'closed' };
    this.#stopWatching();
    switch (phase.name) {
      case 'waiting':
        phase.cancelDeadline();
        return this.#abandon('never_started', `closed before start with ${explainClose(code)}`);
      case 'streaming':
        return phase.leg.end('socket_lost', `closed with ${explainClose(code)}`);
      case 'closing':
        phase.cancelTerminate();
        return phase.leg?.end('closed_by_us', 'closed by the call');
      case 'closed':
        return;
      default:
        phase satisfies never;
    }
  }

  /** The other side broke the rules: ends the media, or the wait for it, under that name. */
  #fault(cause: LegCloseCause, detail: string, code: number | null): void {
    const { counters, log, claim, remote } = this.#options;
    const phase = this.#phase;
    if (phase.name !== 'waiting' && phase.name !== 'streaming') return;
    counters.refused('media', cause);
    log.warn({ callId: claim.callId, cause, reason: detail, remote }, 'media socket ended for a fault');
    if (phase.name === 'streaming') return this.#end(cause, detail, code);
    phase.cancelDeadline();
    this.#close(null, code, detail);
    this.#abandon(cause, detail);
  }

  /** Ends a streaming socket and tells the call. */
  #end(cause: LegCloseCause, detail: string, code: number | null): void {
    if (this.#phase.name !== 'streaming') return;
    const { leg } = this.#phase;
    this.#close(null, code, detail);
    leg.end(cause, detail);
  }

  /** Sends the close frame unless `code` is null, and tears the socket down if it is not gone within the deadline. */
  #close(leg: TwilioLeg | null, code: number | null, reason: string): void {
    const { clock } = this.#options;
    this.#stopWatching();
    const cancelTerminate = clock.at(clock.nowMs() + CLOSE_DEADLINE_MS, () => this.#socket.terminate());
    this.#phase = { name: 'closing', leg, cancelTerminate };
    if (code !== null) this.#socket.close(code, reason);
  }

  #abandon(cause: LegCloseCause, detail: string): void {
    this.#options.intake.abandon(this.#options.claim, cause, detail);
  }

  #forgive(kind: string, detail: string, count = true): void {
    if (count) this.#options.counters.message('in', kind);
    if (++this.#forgiven > MAX_FORGIVEN) this.#fault(VIOLATION, `garbage, lastly ${detail}`, POLICY);
  }

  /** A token bucket over all messages. False when this one broke it, which ends the socket. */
  #withinRate(): boolean {
    const nowMs = this.#options.clock.nowMs();
    const refill = ((nowMs - this.#tokensAtMs) * MESSAGES_PER_SECOND) / 1000;
    this.#tokens = Math.min(MESSAGE_BURST, this.#tokens + refill) - 1;
    this.#tokensAtMs = nowMs;
    if (this.#tokens >= 0) return true;
    this.#fault(VIOLATION, 'flood', POLICY);
    return false;
  }

  /** A bug in one call must not end the others, which an exception out of a socket's handler would. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (err) {
      this.#failed(err);
    }
  }

  #failed(err: unknown): void {
    const { log, claim } = this.#options;
    log.error({ callId: claim.callId, err }, 'media socket failed');
    if (this.#phase.name !== 'streaming') return;
    const { leg } = this.#phase;
    try {
      this.#end('our_fault', 'internal error', INTERNAL);
      // `attach` itself threw: there is nobody to hear `leg.closed`.
      if (!leg.bound) this.#abandon('never_started', 'internal error');
    } catch (again) {
      log.error({ callId: claim.callId, err: again }, 'media socket failed to end');
    }
  }
}

type Known = Exclude<StreamMessage, { kind: 'unknown' | 'malformed' }>;

const VIOLATION = 'protocol_violation';
const OVERSIZE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';

/** Twilio has no other format; a stream that says it has would be noise to the model. */
function isMulaw({ mediaFormat }: Extract<StreamMessage, { kind: 'start' }>): boolean {
  if (mediaFormat === null) return true;
  return mediaFormat.encoding === 'audio/x-mulaw' && mediaFormat.sampleRate === 8000 && mediaFormat.channels === 1;
}
