// A Realtime session: owns the socket and the dialogue, holds caller audio until the session is configured, and turns
// what the socket says into events. The same class, with another wire, replays tapes.
import { msToBytes, silence } from '../../audio/mulaw.ts';
import type { AudioChunk } from '../../audio/chunk.ts';
import type { Cancel, Clock } from '../../clock.ts';
import type {
  RealtimeEvent,
  RealtimeRequest,
  RealtimeSession,
  SessionCapabilities,
  SessionLossCause,
} from '../session.ts';
import type { RateLimitFact } from '../throttle.ts';
import { PING_EVERY_MS, type Wire, type WireClosed } from './connect.ts';
import { stepDialogue } from './dialogue.ts';
import { type Dialogue, type DialogueConfig, type DialogueInput, newDialogue } from './dialogue-state.ts';
import { type ClientMessage, parseServerMessage, printAppend } from './messages.ts';
import type { PatientEvents } from './patient-wire.ts';

/** What a session reports to its call. */
export interface SessionListener {
  /** An input of the dialogue from outside, before it is worked on; `emit` and `sent` follow for what it causes. */
  received(input: DialogueInput): void;
  sent(message: ClientMessage): void;
  emit(event: RealtimeEvent): void;
  /** The socket is gone; nothing follows. */
  released(): void;
  /** A throw inside the session. */
  fault(error: unknown): void;
}

export interface SessionOptions {
  /** Its name in the call; every session but the first puts it before its utterances' names. */
  session: string;
  config: DialogueConfig;
  capabilities: SessionCapabilities;
  clock: Clock;
  /** From the constructor to `session.updated`; later the session counts as unreachable. */
  readyWithinMs: number;
  /** Told of the endpoint's rate limits, which are not this call's alone. */
  rateLimits?(facts: readonly RateLimitFact[]): void;
  /** Opens the wire; called once, in the constructor. */
  connect(events: PatientEvents): Wire;
  listener: SessionListener;
}

/** Caller audio kept while the session is not ready: frames of 20 ms are 216 base64 characters. More drops the oldest. */
const MAX_HELD_CHARS = 500 * 216;
/** The same for a session that takes over: 2 s. What the caller says to a silent line later is said again. */
const MAX_HELD_TAKING_OVER_CHARS = 100 * 216;
const NOT_READY = { cause: 'unreachable', detail: 'not ready in time' } as const;
/** A server that is there and has not taken the configuration by then is tried anew. */
const OPEN_TO_READY_MS = 3_500;
/** How long the usage of a cancelled answer is waited for after the call's end. */
const LATE_USAGE_MS = 900;

export class OpenAiSession implements RealtimeSession {
  readonly capabilities: SessionCapabilities;
  readonly #listener: SessionListener;
  readonly #clock: Clock;
  readonly #wire: Wire;
  readonly #rateLimits: (facts: readonly RateLimitFact[]) => void;
  readonly #maxHeldChars: number;
  #dialogue: Dialogue;
  /** Base64 payloads waiting for `session.updated`. */
  #held: string[] = [];
  #heldChars = 0;
  /** Inputs that came up while another was worked on. */
  #queue: DialogueInput[] = [];
  #working = false;
  /** Ready, and the held audio not sent yet. */
  #releasing = false;
  #closing = false;
  #released = false;
  /** The ready deadline, later the wait for late usage. */
  #deadline: Cancel = () => {};
  /** What a session that never becomes ready is told to have failed by. */
  #why: { cause: SessionLossCause; detail: string } = NOT_READY;

  constructor(options: SessionOptions) {
    this.#listener = options.listener;
    this.#clock = options.clock;
    this.capabilities = options.capabilities;
    this.#rateLimits = (facts) => options.rateLimits?.(facts);
    this.#maxHeldChars = options.session === 's1' ? MAX_HELD_CHARS : MAX_HELD_TAKING_OVER_CHARS;
    this.#dialogue = newDialogue(options.config, options.session);
    const readyByMs = this.#clock.nowMs() + options.readyWithinMs;
    this.#wire = options.connect({
      open: () => this.#opened(Math.min(readyByMs, this.#clock.nowMs() + OPEN_TO_READY_MS)),
      message: (text) => this.#receive(text),
      delayed: ({ cause, detail }) => {
        this.#why = { cause, detail };
        this.input({ kind: 'delayed', cause, detail });
      },
      skipped: (why) => this.input({ kind: 'noticed', code: `message_${why}` }),
      closed: (why) => this.#closed(why),
    });
    this.#readyBy(readyByMs);
  }

  #opened(readyByMs: number): void {
    this.#why = NOT_READY;
    this.#readyBy(readyByMs);
  }

  /** Gives up when the session is not configured by then; a later call moves the time. */
  #readyBy(atMs: number): void {
    if (this.#closing || this.#released || this.#dialogue.phase === 'ready') return;
    this.#deadline();
    this.#deadline = this.#clock.at(atMs, () => {
      this.input({ kind: 'closed', ...this.#why, fatal: false });
      this.#wire.close();
    });
  }

  append(chunk: AudioChunk): void {
    this.#append(chunk.payload);
  }

  appendSilence(ms: number): void {
    this.#append(silence(msToBytes(ms)).toString('base64'));
  }

  request(request: RealtimeRequest): void {
    this.#work({ kind: 'request', request });
  }

  close(): void {
    if (this.#closing || this.#released) return;
    this.#closing = true;
    this.#held = [];
    this.#deadline();
    this.#deadline = this.#clock.at(this.#clock.nowMs() + LATE_USAGE_MS, () => this.#wire.close());
    this.#work({ kind: 'finish' });
  }

  /** One input of the dialogue from outside; a replay calls it with what a tape holds. */
  input(input: DialogueInput): void {
    this.#listener.received(input);
    this.#work(input);
  }

  #receive(text: string): void {
    const parsed = parseServerMessage(text);
    if (parsed.kind === 'limits') this.#rateLimits(parsed.limits);
    else if (parsed.kind === 'known') this.input({ kind: 'message', message: parsed.message, eventId: parsed.eventId });
    else if (parsed.kind === 'malformed') this.input({ kind: 'noticed', code: 'message_malformed' });
    else if (parsed.unexpected) this.input({ kind: 'noticed', code: 'message_unknown' });
  }

  #closed({ cause, detail, retry, silentMs = 0 }: WireClosed): void {
    if (this.#released) return;
    this.#released = true;
    this.#deadline();
    if (this.#dialogue.phase !== 'closed')
      this.input({
        kind: 'closed',
        cause,
        detail,
        fatal: !retry,
        deafMs: silentMs > PING_EVERY_MS ? Math.round(silentMs) : 0,
      });
    this.#listener.released();
  }

  #work(input: DialogueInput): void {
    this.#queue.push(input);
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#step(next);
      this.#release();
    } catch (error) {
      // A bug of ours in here ends this call, not the process.
      this.#queue = [];
      this.#wire.close();
      this.#listener.fault(error);
    } finally {
      this.#working = false;
    }
  }

  #step(input: DialogueInput): void {
    const [dialogue, outputs] = stepDialogue(this.#dialogue, input);
    this.#dialogue = dialogue;
    for (const output of outputs) {
      if ('send' in output) {
        // The conversation so far comes before what the caller said meanwhile; everything else after it.
        if (input.kind !== 'request' || input.request.do !== 'session.recall') this.#release();
        this.#listener.sent(output.send);
        this.#wire.send(JSON.stringify(output.send));
      } else if ('emit' in output) {
        if (output.emit.type === 'session.ready') this.#becameReady();
        this.#listener.emit(output.emit);
      } else {
        this.#deadline();
        this.#wire.close();
      }
    }
  }

  #append(payload: string): void {
    if (this.#dialogue.phase === 'ready' && !this.#releasing) {
      this.#wire.send(printAppend(payload));
    } else if (this.#dialogue.phase !== 'closed') {
      this.#held.push(payload);
      this.#heldChars += payload.length;
      while (this.#heldChars > this.#maxHeldChars) this.#heldChars -= this.#held.shift()?.length ?? this.#heldChars;
    }
  }

  #becameReady(): void {
    this.#deadline();
    this.#releasing = true;
  }

  /** The session is configured: what the caller said meanwhile goes on. */
  #release(): void {
    if (!this.#releasing) return;
    this.#releasing = false;
    const held = this.#held;
    this.#held = [];
    for (const payload of held) this.#wire.send(printAppend(payload));
  }
}
