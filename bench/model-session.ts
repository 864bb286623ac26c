// One Realtime session of a measurement: it speaks when it is told to and hears without judging. It has no VAD: the
// measurement says when the caller speaks. Light, so that it is not what is measured; the simulator is the faithful one.
import type { WebSocket } from 'ws';
import { StampReader, type StampWriter } from './stamps.ts';

/** What a measurement does with its sessions. */
export interface SessionHooks {
  /** A session is configured; told once. */
  ready(session: ModelSession): void;
  /** `response.create` came: the greeting, or a nudge. What is said is the measurement's choice; give the metadata back. */
  asked(session: ModelSession, metadata: object | null): void;
  /** Caller audio came and was read into `session.heard`. */
  heard?(session: ModelSession, atMs: number): void;
  /** The server reported what the caller had heard of an item. */
  truncated?(session: ModelSession, itemId: string, audioEndMs: number): void;
}

/** One answer to be spoken. */
export interface Speech {
  /** Whose stamps it carries. */
  stamps: StampWriter;
  ms: number;
  /** Audio per delta, ms; `ms` must be a multiple of it. */
  deltaMs: number;
  /** Audio produced per real time. */
  pace: number;
  /** Called with each delta just before it goes out, and with the time it was planned for. */
  sending?(atMs: number, dueMs: number): void;
}

/** What a session is configured with, as far as this end looks at it. */
interface Configuration {
  audio?: {
    input?: { turn_detection?: { create_response?: boolean; interrupt_response?: boolean } | null };
    output?: object;
  };
}

interface Running {
  responseId: string;
  itemId: string;
  producedMs: number;
  speech: Speech;
  timer: NodeJS.Timeout | undefined;
}

/** How long answers are remembered, to judge truncations by. */
const KEPT_ITEMS = 100;

/** One session. Owns its socket and the timer of the answer it is speaking. */
export class ModelSession {
  readonly number: number;
  /** The caller's stamped audio. */
  readonly heard = new StampReader();
  /** Codes of the error events that the server provoked. */
  readonly errors: string[] = [];
  closed = false;
  /** When `session.updated` went out; null before. */
  readyAtMs: number | null = null;
  readonly #socket: WebSocket;
  readonly #hooks: SessionHooks;
  /** Produced length by item, of the latest items. */
  readonly #produced = new Map<string, number>();
  #interrupts = true;
  #configuration: Configuration = {};
  /** The newest item of the conversation. */
  #lastItemId: string | null = null;
  #running: Running | null = null;
  /** The item that the caller's words become. */
  #turn = '';
  #ids = 0;

  constructor(socket: WebSocket, number: number, hooks: SessionHooks) {
    this.#socket = socket;
    this.number = number;
    this.#hooks = hooks;
    socket.on('message', (data: Buffer) => this.#receive(data, performance.now()));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.closed = true;
      this.#stop();
    });
    this.#send({ type: 'session.created', session: { type: 'realtime', ...this.#identity } });
  }

  get #identity(): { object: string; id: string } {
    return { object: 'realtime.session', id: `sess_${this.number}` };
  }

  get speaking(): boolean {
    return this.#running !== null;
  }

  /** The item being spoken, or null. */
  get itemId(): string | null {
    return this.#running?.itemId ?? null;
  }

  /** The caller begins to speak; an answer that is being produced stops if the session says so. Returns when it was told. */
  callerStarts(): number {
    this.#turn = this.#id('user');
    const text = this.#print({
      type: 'input_audio_buffer.speech_started',
      audio_start_ms: this.heard.next,
      item_id: this.#turn,
    });
    const atMs = performance.now();
    this.#socket.send(text);
    if (this.#interrupts && this.#running) this.#finish(this.#running, 'cancelled', 'turn_detected');
    return atMs;
  }

  /** The caller's turn is over. */
  callerStops(): void {
    const itemId = this.#turn;
    this.#send({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: this.heard.next, item_id: itemId });
    this.#send({ type: 'input_audio_buffer.committed', item_id: itemId, previous_item_id: this.#lastItemId });
    const content = [{ type: 'input_audio', transcript: null }];
    this.#added({ id: itemId, type: 'message', role: 'user', status: 'completed', content });
  }

  /** Speaks one answer; the deltas go out at their planned times. Returns its item, or null when one is being spoken. */
  speak(speech: Speech, metadata: object | null = null): string | null {
    if (this.#running || this.closed) return null;
    const responseId = this.#id('resp');
    const itemId = this.#id('item');
    const running: Running = { responseId, itemId, producedMs: 0, speech, timer: undefined };
    this.#running = running;
    this.#send({
      type: 'response.created',
      response: { id: responseId, conversation_id: 'conv', status: 'in_progress', metadata },
    });
    const item = { id: itemId, type: 'message', role: 'assistant', status: 'in_progress', content: [] };
    this.#send({ type: 'response.output_item.added', response_id: responseId, output_index: 0, item });
    this.#added(item);
    const startMs = performance.now();
    const next = (): void => {
      if (running.producedMs >= speech.ms) return this.#finish(running, 'completed', null);
      this.#delta(running, startMs + running.producedMs / speech.pace);
      const dueMs = startMs + running.producedMs / speech.pace;
      running.timer = setTimeout(next, Math.max(0, dueMs - performance.now()));
    };
    next();
    return itemId;
  }

  #delta(running: Running, dueMs: number): void {
    const { speech, responseId, itemId } = running;
    const part = { response_id: responseId, item_id: itemId, output_index: 0, content_index: 0 };
    const text = this.#print({
      type: 'response.output_audio.delta',
      ...part,
      delta: speech.stamps.take(speech.deltaMs).toString('base64'),
    });
    running.producedMs += speech.deltaMs;
    speech.sending?.(performance.now(), dueMs);
    this.#socket.send(text);
    this.#send({ type: 'response.output_audio_transcript.delta', ...part, delta: ' stamp' });
  }

  #finish(running: Running, status: 'completed' | 'cancelled', reason: string | null): void {
    this.#stop();
    const { responseId, itemId, producedMs } = running;
    this.#produced.set(itemId, producedMs);
    if (this.#produced.size > KEPT_ITEMS) this.#produced.delete(this.#produced.keys().next().value as string);
    const item = {
      id: itemId,
      type: 'message',
      role: 'assistant',
      status: status === 'completed' ? status : 'incomplete',
      content: [{ type: 'output_audio', transcript: 'stamp' }],
    };
    const part = { response_id: responseId, item_id: itemId, output_index: 0, content_index: 0 };
    this.#send({ type: 'response.output_audio.done', ...part });
    this.#send({ type: 'response.output_item.done', response_id: responseId, output_index: 0, item });
    this.#send({
      type: 'response.done',
      response: {
        id: responseId,
        conversation_id: 'conv',
        status,
        status_details: reason === null ? null : { type: status, reason },
        output: [item],
        usage: {
          total_tokens: 300,
          input_tokens: 200,
          output_tokens: 100,
          input_token_details: { text_tokens: 100, audio_tokens: 100, cached_tokens: 0 },
          output_token_details: { text_tokens: 20, audio_tokens: 80 },
        },
      },
    });
  }

  #stop(): void {
    clearTimeout(this.#running?.timer);
    this.#running = null;
  }

  #receive(data: Buffer, atMs: number): void {
    const event = JSON.parse(data.toString()) as Record<string, unknown>;
    switch (event['type']) {
      case 'input_audio_buffer.append':
        this.heard.read(Buffer.from(event['audio'] as string, 'base64'));
        return this.#hooks.heard?.(this, atMs);
      case 'session.update': {
        this.#configure(event['session'] as Configuration);
        this.#send({ type: 'session.updated', session: { ...this.#configuration, ...this.#identity } });
        if (this.readyAtMs !== null) return;
        this.readyAtMs = performance.now();
        return this.#hooks.ready(this);
      }
      case 'response.create': {
        if (this.#running) return this.#refuse('conversation_already_has_active_response', event['event_id']);
        const response = event['response'] as { metadata?: object } | undefined;
        return this.#hooks.asked(this, response?.metadata ?? null);
      }
      case 'response.cancel':
        if (!this.#running) return this.#refuse('response_cancel_not_active', event['event_id']);
        return this.#finish(this.#running, 'cancelled', 'client_cancelled');
      case 'conversation.item.create': {
        const item = event['item'] as { id?: string };
        return this.#added({ ...item, id: item.id ?? this.#id('item') });
      }
      case 'conversation.item.truncate': {
        const itemId = String(event['item_id']);
        const produced = this.#running?.itemId === itemId ? this.#running.producedMs : this.#produced.get(itemId);
        const audioEndMs = Number(event['audio_end_ms']);
        if (produced === undefined) return this.#refuse('item_not_found', event['event_id']);
        if (audioEndMs > produced) return this.#refuse('invalid_value', event['event_id']);
        this.#send({
          type: 'conversation.item.truncated',
          item_id: itemId,
          content_index: 0,
          audio_end_ms: audioEndMs,
        });
        return this.#hooks.truncated?.(this, itemId, audioEndMs);
      }
      case 'conversation.item.delete': {
        const itemId = String(event['item_id']);
        if (!this.#produced.has(itemId) && this.#running?.itemId !== itemId)
          return this.#refuse('item_not_found', event['event_id']);
        this.#send({ type: 'conversation.item.deleted', item_id: itemId });
        return this.#hooks.truncated?.(this, itemId, 0);
      }
      case 'conversation.item.retrieve': {
        const id = String(event['item_id']);
        if (!this.#produced.has(id) && this.#running?.itemId !== id)
          return this.#refuse('item_not_found', event['event_id']);
        const content = [{ type: 'output_audio', transcript: 'stamp' }];
        const item = { id, type: 'message', role: 'assistant', status: 'incomplete', content };
        return this.#send({ type: 'conversation.item.retrieved', item });
      }
      default:
    }
  }

  /** An update changes what it names and leaves the rest; what a client leaves out of turn detection the server decides. */
  #configure(update: Configuration): void {
    const { input, output } = this.#configuration.audio ?? {};
    const audio = { input: { ...input, ...update.audio?.input }, output: { ...output, ...update.audio?.output } };
    const { turn_detection: detection } = audio.input;
    if (detection) audio.input.turn_detection = { create_response: true, interrupt_response: true, ...detection };
    this.#configuration = { ...this.#configuration, ...update, audio };
    this.#interrupts = detection?.interrupt_response ?? true;
  }

  #added(item: { id: string; [field: string]: unknown }): void {
    this.#send({ type: 'conversation.item.added', previous_item_id: this.#lastItemId, item });
    this.#lastItemId = item.id;
  }

  #refuse(code: string, eventId: unknown): void {
    this.errors.push(code);
    this.#send({ type: 'error', error: { type: 'invalid_request_error', code, message: code, event_id: eventId } });
  }

  #send(event: Record<string, unknown>): void {
    if (!this.closed) this.#socket.send(this.#print(event));
  }

  #print(event: Record<string, unknown>): string {
    return JSON.stringify({ event_id: this.#id('event'), ...event });
  }

  #id(kind: string): string {
    return `${kind}_${this.number}_${this.#ids++}`;
  }
}
