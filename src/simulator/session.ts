// One simulated session: takes client events from its socket, hands each to the part that answers it, and keeps the
// record that tests read. Owns the socket and, through `Timers`, every timer of the session.
import type { WebSocket } from 'ws';
import type { Clock } from '../clock.ts';
import { Answering } from './answering.ts';
import { audioFormat } from './audio-format.ts';
import { parseClientEvent } from './client-event.ts';
import type { ClientEvent } from './client-event.ts';
import { Conversation } from './conversation.ts';
import type { SimulatedItem } from './conversation.ts';
import { refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import { GarbageSender } from './garbage.ts';
import { newId } from './ids.ts';
import { Listening } from './listening.ts';
import type { EffectiveOptions } from './options.ts';
import type { SimulatedResponse } from './response.ts';
import { defaultSession, updateSession } from './session-config.ts';
import type { SessionConfig } from './session-config.ts';
import type { SentError, SessionEvents } from './session-events.ts';
import { Timers } from './timers.ts';
import { Transcriber } from './transcription.ts';
import { Watchers } from './watchers.ts';

const MAX_RECORDS = 10_000;
const KEPT_AUDIO_MS = 300_000;
// A client that stops reading must not fill the memory of the process that tests it.
const MAX_UNSENT_BYTES = 128 * 1024 * 1024;
const EXPIRED_REASON = 'Your session hit the maximum duration of 60 minutes.';

/** One connection of a client, live or past. */
export class SimulatedSession {
  readonly id = newId('sess');
  /** 1 for the first connection attempt the simulator saw, and so on. */
  readonly number: number;
  /** The model that the client asked for. */
  readonly model: string;
  /** Headers of the upgrade, without the key. */
  readonly headers: Record<string, string | string[] | undefined>;
  readonly clientEvents: { atMs: number; event: Record<string, unknown> }[] = [];
  /** Refusals of what the client sent, and of what turn detection wanted. */
  readonly errorsSent: SentError[] = [];
  readonly responses: SimulatedResponse[] = [];
  /** What the script wanted and there was not, such as a value from a tool that has not answered. */
  readonly scriptFaults: string[] = [];
  readonly options: EffectiveOptions;
  #socket: WebSocket;
  #clock: Clock;
  #timers: Timers;
  #watchers = new Watchers<SessionEvents>();
  #garbage: GarbageSender;
  #config: SessionConfig;
  #conversation = new Conversation((event) => this.send(event));
  #answering: Answering;
  #listening: Listening;
  #transcriber: Transcriber;
  #closed: { code: number; reason: string } | undefined;
  #withheld: RegExp | undefined;

  constructor(
    socket: WebSocket,
    from: {
      number: number;
      model: string;
      headers: SimulatedSession['headers'];
      options: EffectiveOptions;
      clock: Clock;
    },
  ) {
    const { options, clock } = from;
    this.number = from.number;
    this.model = from.model;
    this.headers = from.headers;
    this.options = options;
    this.#socket = socket;
    this.#clock = clock;
    this.#timers = new Timers(clock, (error) => this.#broken(error));
    this.#garbage = new GarbageSender(options.garbage);
    const expiresAt = Math.floor((clock.wallMs() + options.expiresInMs) / 1000);
    this.#config = defaultSession(this.id, from.model, expiresAt);
    const host = {
      config: () => this.#config,
      options,
      conversation: this.#conversation,
      conversationId: newId('conv'),
      timers: this.#timers,
      keptAudioMs: options.keepAudio ? KEPT_AUDIO_MS : 0,
      emit: (event: Record<string, unknown>) => this.send(event),
    };
    this.#transcriber = new Transcriber(host);
    this.#answering = new Answering({
      ...host,
      responseStarted: (response) => {
        record(this.responses, response);
        this.#watchers.tell('response', response);
      },
      responseEnded: (response, audioMs) => {
        if (!response.outOfBand) this.#listening.awaitCaller(audioMs);
        this.#watchers.tell('response_done', response);
      },
      scriptFault: (message) => {
        record(this.scriptFaults, message);
        this.#watchers.tell('script_fault', message);
      },
      drop: (code, reason) => this.drop(code, reason),
    });
    this.#listening = new Listening({
      ...host,
      speechStarted: (itemId, audioStartMs, interrupts) => {
        this.#watchers.tell('speech_started', { itemId, audioStartMs });
        if (interrupts) this.#answering.interrupt();
      },
      committed: (item, answer) => this.#committed(item, answer),
    });

    socket.on('message', (data: Buffer, isBinary: boolean) => this.#guard(() => this.#receive(data, isBinary)));
    socket.on('close', (code, reason) => this.#ended(code, reason.toString()));
    socket.on('error', () => socket.terminate());
    if (options.silent) this.withhold(/./);
    this.send({ type: 'session.created', session: this.#config });
    this.send({
      type: 'conversation.created',
      conversation: { id: host.conversationId, object: 'realtime.conversation' },
    });
    this.#timers.after(options.dropAfterMs, () => this.drop(options.dropCode, options.dropReason));
    this.#timers.after(options.expiresInMs, () => this.expire());
  }

  /** The effective configuration. */
  get sessionConfig(): SessionConfig {
    return this.#config;
  }

  /** Every item there ever was, oldest first; deleted ones are marked. */
  get items(): readonly SimulatedItem[] {
    return this.#conversation.history;
  }

  /** Caller audio received, in bytes. */
  get appendedBytes(): number {
    return this.#listening.appendedBytes;
  }

  /** The caller audio received lately, five minutes at most; empty with `keepAudio: false`. */
  heardAudio(): Buffer {
    return this.#listening.heard.all();
  }

  /** How the connection ended, once it has. */
  get closed(): { code: number; reason: string } | undefined {
    return this.#closed;
  }

  /** Calls `listener` at every such event; returns what takes it off again. */
  on<Type extends keyof SessionEvents>(type: Type, listener: (payload: SessionEvents[Type]) => void): () => void {
    return this.#watchers.on(type, listener);
  }

  /** The next such event that `fits`; rejects when the session ends first. */
  next<Type extends keyof SessionEvents>(
    type: Type,
    fits?: (payload: SessionEvents[Type]) => boolean,
  ): Promise<SessionEvents[Type]> {
    return this.#watchers.next(type, fits);
  }

  /** Sends a server event; an `event_id` is added when it has none. */
  send(event: Record<string, unknown>): void {
    if (this.#withheld?.test(String(event.type))) return;
    const whole = { event_id: newId('event'), ...event };
    for (const frame of this.#garbage.frames(String(event.type), JSON.stringify(whole))) this.sendRaw(frame);
    this.#watchers.tell('server_event', whole);
  }

  /** Sends a frame as it is. */
  sendRaw(frame: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) this.#socket.terminate();
    else this.#socket.send(frame, { binary: typeof frame !== 'string' });
  }

  /** Ends the connection: with a close frame of this code, or without one (the client sees 1006). */
  drop(code?: number, reason?: string): void {
    if (code === undefined) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }

  /** From now on events of these types are not sent, as if the server had stopped in the middle of its work. */
  withhold(types: RegExp): void {
    this.#withheld = types;
  }

  /** From now on nothing comes or goes, not even a pong, and the connection looks open. */
  freeze(): void {
    this.withhold(/./);
    this.#socket.pause();
  }

  /** The session has reached its longest duration. */
  expire(): void {
    // No client provoked this one: it is not among `errorsSent`.
    if (this.options.expiry === 'error_then_close')
      this.send({ type: 'error', error: { ...refusal('session_expired', EXPIRED_REASON), event_id: null } });
    this.drop(1001, EXPIRED_REASON);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (isBinary) return this.#refuse(refusal('invalid_event', 'Binary frames are not supported.'), null);
    const parsed = parseClientEvent(data.toString('utf8'));
    if (parsed.ok && parsed.event.type === 'input_audio_buffer.append') {
      const before = this.appendedBytes;
      this.#refuse(this.#listening.append(parsed.event.audio), parsed.event.event_id);
      this.#watchers.tell('audio', { bytes: this.appendedBytes - before, totalBytes: this.appendedBytes });
      return undefined;
    }
    if (parsed.event) {
      record(this.clientEvents, { atMs: this.#clock.nowMs(), event: parsed.event });
      this.#watchers.tell('client_event', parsed.event);
    }
    if (parsed.ok) this.#refuse(this.#perform(parsed.event), parsed.event.event_id);
    else this.#refuse(parsed.fault, parsed.event_id);
    return undefined;
  }

  #perform(event: ClientEvent): Fault | undefined {
    switch (event.type) {
      case 'session.update':
        return this.#update(event.session, event.event_id);
      case 'input_audio_buffer.append':
        return this.#listening.append(event.audio);
      case 'input_audio_buffer.commit':
        return this.#listening.commit();
      case 'input_audio_buffer.clear':
        this.#listening.clear();
        return undefined;
      case 'output_audio_buffer.clear':
        return refusal('invalid_value', 'output_audio_buffer.clear is only supported over WebRTC and SIP.', 'type');
      case 'conversation.item.create':
        return this.#conversation.create(
          event.item,
          event.previous_item_id,
          audioFormat(this.#config.audio.input.format),
        );
      case 'conversation.item.retrieve':
        return this.#conversation.retrieve(event.item_id, (item) => this.#audioOf(item));
      case 'conversation.item.delete':
        return this.#conversation.delete(event.item_id);
      case 'conversation.item.truncate':
        return this.#truncate(event.item_id, event.content_index, event.audio_end_ms);
      case 'response.create':
        return this.#answering.create(event.response);
      case 'response.cancel':
        return this.#answering.cancel(event.response_id);
      default:
        return event satisfies never;
    }
  }

  #update(update: Record<string, unknown>, eventId: string | undefined): Fault | undefined {
    const { refuseUpdate, updateDelayMs } = this.options;
    if (refuseUpdate) return refusal(refuseUpdate.code, refuseUpdate.message, 'session');
    const apply = (): Fault | undefined => {
      const before = this.#config;
      const result = updateSession(before, update, this.#answering.hasSpoken);
      if ('fault' in result) return result.fault;
      this.#config = result.session;
      this.#listening.configured(before);
      this.send({ type: 'session.updated', session: this.#config });
      this.#watchers.tell('updated', this.#config);
      return undefined;
    };
    if (updateDelayMs <= 0) return apply();
    this.#timers.after(updateDelayMs, () => this.#refuse(apply(), eventId));
    return undefined;
  }

  #truncate(id: string, contentIndex: number, audioEndMs: number): Fault | undefined {
    const fault = this.#conversation.truncate(id, contentIndex, audioEndMs);
    const item = this.#conversation.find(id);
    if (!fault && item) this.#watchers.tell('truncated', item);
    return fault;
  }

  /** A turn is in: the answer starts at once, the transcript of the turn follows. */
  #committed(item: SimulatedItem, answer: 'turn' | 'silence' | undefined): void {
    this.#watchers.tell('committed', item);
    const transcript = answer === 'silence' ? '' : this.#answering.script.callerTranscript;
    if (answer) this.#refuse(this.#answering.answerCaller(answer), null);
    this.#transcriber.later(item, transcript);
  }

  #audioOf(item: SimulatedItem): Buffer | undefined {
    if (item.role === 'user') return this.#listening.audioOf(item);
    const end = item.truncatedAtMs === null ? 1 : Math.min(1, item.truncatedAtMs / item.audioMs);
    return this.#answering.sources.get(item)?.subarray(0, Math.floor(item.audioBytes * end));
  }

  #refuse(fault: Fault | undefined, eventId: string | null | undefined): void {
    if (!fault) return;
    const error = { ...fault, event_id: eventId ?? null };
    record(this.errorsSent, error);
    this.send({ type: 'error', error });
    this.#watchers.tell('refusal', error);
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#broken(error);
    }
  }

  // A fault of the simulator itself ends this session and no other.
  #broken(error: unknown): void {
    console.error('simulator: session failed', error);
    this.#socket.close(1011, 'simulator error');
  }

  #ended(code: number, reason: string): void {
    this.#timers.close();
    this.#closed = { code, reason };
    this.#watchers.tell('closed', this.#closed);
    this.#watchers.end(`simulated session ${this.number} closed (${code} ${reason})`);
  }
}

function record<Entry>(entries: Entry[], entry: Entry): void {
  entries.push(entry);
  if (entries.length > MAX_RECORDS) entries.shift();
}
