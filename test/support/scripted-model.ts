// A Realtime model in virtual time that a test drives by hand: real wire messages, the documented order, the documented
// refusals of truncate. It has no VAD: the test says when the caller speaks.
import { stampedAudio } from '../../src/simulator/stamp.ts';
import type { Cancel, Clock } from '../../src/clock.ts';
import type { Wire, WireEvents } from '../../src/realtime/openai/connect.ts';

export interface PlannedItem {
  /** Milliseconds of stamped audio. */
  ms: number;
  /** Generation pauses once, after this much of the item, for `stallMs`. */
  stallAfterMs?: number;
  stallMs?: number;
  /** Its transcript, which comes with the first of its audio. */
  words?: readonly string[];
}

export interface Plan {
  items: PlannedItem[];
  tools?: { callId: string; name: string; arguments: string }[];
  /** How it ends; default `completed`. */
  status?: 'failed' | 'incomplete';
  /** Before the first item; default 300. */
  thinkMs?: number;
}

export interface ModelItem {
  id: string;
  stamp: number;
  producedMs: number;
  truncatedAtMs: number | null;
  deleted: boolean;
}

export interface ScriptedModelOptions {
  clock: Clock;
  interrupts: boolean;
  answers: boolean;
  /** Times real time; default 5. */
  pace?: number;
  deltaMs?: number;
  /** Deltas that still come after a cancellation. */
  lateDeltas?: number;
  /** A refused answer of its own to a caller turn is not told of. */
  silentRefusal?: boolean;
  /** What it answers where no plan waits; default one item of a second. */
  answer?: Plan;
  /** Added to the stamps of its items, so that those of several models differ. */
  stampsFrom?: number;
  /** From the socket's opening to session.created. */
  readyAfterMs?: number;
}

interface Running {
  id: string;
  plan: Plan;
  stopped: boolean;
}

export class ScriptedModel {
  readonly items: ModelItem[] = [];
  /** Client events but appends, in order. */
  readonly received: Record<string, unknown>[] = [];
  /** Error events sent. */
  readonly errors: string[] = [];
  readonly plans: Plan[] = [];
  /** What it writes when it is asked for a text beside the conversation, and when; null: it fails. */
  summary: { text: string | null; afterMs: number } = { text: 'Somebody wants something.', afterMs: 500 };
  appendedBytes = 0;
  firstAppendAtMs: number | null = null;
  readyAtMs: number | null = null;
  closed = false;
  readonly #o: Required<ScriptedModelOptions>;
  #events: WireEvents | null = null;
  #active: Running | null = null;
  #next = 1;
  /** False after a session.update that switched turn detection off. */
  #detects = true;
  #answers = true;
  readonly #timers = new Set<Cancel>();

  constructor(options: ScriptedModelOptions) {
    this.#o = {
      pace: 5,
      deltaMs: 200,
      lateDeltas: 0,
      readyAfterMs: 0,
      silentRefusal: false,
      stampsFrom: 0,
      answer: { items: [{ ms: 1000 }] },
      ...options,
    };
  }

  connect = (events: WireEvents): Wire => {
    this.#events = events;
    this.#after(0, () => events.open());
    this.#after(this.#o.readyAfterMs, () => this.send({ type: 'session.created', session: { type: 'realtime' } }));
    return { send: (message) => this.#receive(String(message)), close: () => this.#close() };
  };

  /** The socket goes away, after it has been silent for so long. */
  lose(silentMs = 0): void {
    // One that nobody has dialled yet has no socket to lose.
    if (this.#events === null) return;
    this.#shut();
    this.#events.closed({ cause: 'lost', detail: 'close 1006', retry: true, silentMs });
  }

  send(event: Record<string, unknown>): void {
    if (!this.closed) this.#events?.message(JSON.stringify({ event_id: `event_${this.#next++}`, ...event }));
  }

  speechStarted(): void {
    if (!this.#detects) return;
    this.send({ type: 'input_audio_buffer.speech_started', audio_start_ms: 0, item_id: 'item_user' });
    if (this.#o.interrupts && this.#active) this.#cancel(this.#active, 'turn_detected');
  }

  speechStopped(): void {
    if (!this.#detects) return;
    this.send({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: 0, item_id: 'item_user' });
    this.send({ type: 'input_audio_buffer.committed', item_id: `item_user_${this.#next++}`, previous_item_id: null });
    if (!this.#answers) return;
    // The API may refuse its own answer with an error that names nobody, or without a word.
    if (this.#active) {
      if (!this.#o.silentRefusal) this.#error('conversation_already_has_active_response', null);
    } else this.#begin({});
  }

  #receive(text: string): void {
    if (this.closed) return;
    if (text.startsWith('{"type":"input_audio_buffer.append"')) {
      const { audio } = JSON.parse(text) as { audio: string };
      this.appendedBytes += Buffer.from(audio, 'base64').length;
      this.firstAppendAtMs ??= this.#o.clock.nowMs();
      return;
    }
    const event = JSON.parse(text) as Record<string, unknown>;
    this.received.push(event);
    // Like a real server: what a client sends is answered in a later turn of the loop, never inside its send.
    this.#after(0, () => this.#handle(event));
  }

  #handle(event: Record<string, unknown>): void {
    switch (event.type) {
      case 'session.update':
        this.readyAtMs ??= this.#o.clock.nowMs();
        this.#detects = !JSON.stringify(event.session).includes('"turn_detection":null');
        this.#answers = this.#o.answers && !JSON.stringify(event.session).includes('"create_response":false');
        return this.send({
          type: 'session.updated',
          session: { audio: { input: { format: { type: 'audio/pcmu' } }, output: { format: { type: 'audio/pcmu' } } } },
        });
      case 'response.create':
        if ((event.response as { conversation?: string }).conversation === 'none')
          return this.#writeBeside((event.response as { metadata?: object }).metadata ?? {});
        if (this.#active) return this.#error('conversation_already_has_active_response', event.event_id);
        return this.#begin((event.response as { metadata?: object }).metadata ?? {});
      case 'response.cancel':
        if (!this.#active || (event.response_id !== undefined && event.response_id !== this.#active.id))
          return this.#error('response_cancel_not_active', event.event_id);
        return this.#cancel(this.#active, 'client_cancelled');
      case 'conversation.item.create': {
        const item = event.item as { id?: string };
        return this.send({ type: 'conversation.item.added', item: { id: item.id ?? `item_${this.#next++}` } });
      }
      case 'conversation.item.truncate': {
        const item = this.items.find((i) => i.id === event.item_id);
        if (!item) return this.#error('item_not_found', event.event_id);
        if (item.producedMs === 0) return this.#error('unsupported_content_type', event.event_id);
        if ((event.audio_end_ms as number) > item.producedMs) return this.#error('invalid_value', event.event_id);
        item.truncatedAtMs = event.audio_end_ms as number;
        return;
      }
      case 'conversation.item.delete': {
        const item = this.items.find((i) => i.id === event.item_id && !i.deleted);
        if (!item) return this.#error('item_not_found', event.event_id);
        item.deleted = true;
        return;
      }
      default:
        return;
    }
  }

  #writeBeside(metadata: object): void {
    const { text, afterMs } = this.summary;
    const response = { id: `resp_${this.#next++}`, conversation_id: null, metadata };
    this.send({ type: 'response.created', response });
    const status = text === null ? 'failed' : 'completed';
    const output = [{ id: 'item_beside', type: 'message', content: [{ type: 'output_text', text }] }];
    this.#after(afterMs, () =>
      this.send({
        type: 'response.done',
        response: { ...response, status, status_details: null, output: text === null ? [] : output, usage: {} },
      }),
    );
  }

  #begin(metadata: object): void {
    const plan = this.plans.shift() ?? this.#o.answer;
    const running: Running = { id: `resp_${this.#next++}`, plan, stopped: false };
    this.#active = running;
    this.send({ type: 'response.created', response: { id: running.id, conversation_id: 'conv', metadata } });
    this.#after(plan.thinkMs ?? 300, () => this.#item(running, 0));
  }

  #item(running: Running, index: number): void {
    if (running.stopped) return;
    const planned = running.plan.items[index];
    if (!planned) return this.#done(running, running.plan.status ?? 'completed');
    const item: ModelItem = {
      id: `item_${this.#next++}`,
      stamp: this.#o.stampsFrom + this.items.length + 1,
      producedMs: 0,
      truncatedAtMs: null,
      deleted: false,
    };
    this.items.push(item);
    this.send({
      type: 'response.output_item.added',
      response_id: running.id,
      item: { id: item.id, type: 'message', status: 'in_progress' },
    });
    const audio = stampedAudio(item.stamp, planned.ms);
    const delta = (): void => {
      if (running.stopped) return;
      const ms = Math.min(this.#o.deltaMs, planned.ms - item.producedMs);
      if (ms <= 0) {
        this.send({
          type: 'response.output_item.done',
          response_id: running.id,
          item: { id: item.id, type: 'message' },
        });
        return this.#after(10, () => this.#item(running, index + 1));
      }
      this.#delta(running, item, audio, ms);
      if (item.producedMs === ms) this.#words(running, item, planned.words ?? []);
      const stalls =
        planned.stallAfterMs !== undefined &&
        item.producedMs - ms < planned.stallAfterMs &&
        item.producedMs >= planned.stallAfterMs;
      this.#after(ms / this.#o.pace + (stalls ? (planned.stallMs ?? 0) : 0), delta);
    };
    delta();
  }

  #delta(running: Running, item: ModelItem, audio: Buffer, ms: number): void {
    const piece = audio.subarray(item.producedMs * 8, (item.producedMs + ms) * 8);
    item.producedMs += ms;
    this.send({
      type: 'response.output_audio.delta',
      response_id: running.id,
      item_id: item.id,
      delta: piece.toString('base64'),
    });
  }

  #words(running: Running, item: ModelItem, words: readonly string[]): void {
    for (const delta of words)
      this.send({
        type: 'response.output_audio_transcript.delta',
        response_id: running.id,
        item_id: item.id,
        content_index: 0,
        delta,
      });
  }

  #cancel(running: Running, reason: string): void {
    running.stopped = true;
    const item = this.items.at(-1);
    if (item && item.producedMs > 0)
      for (let i = 0; i < this.#o.lateDeltas; i++)
        this.#delta(running, item, stampedAudio(item.stamp, item.producedMs + 200), 200);
    this.#done(running, 'cancelled', reason);
  }

  #done(running: Running, status: string, reason?: string): void {
    this.#active = null;
    const output =
      status === 'completed'
        ? (running.plan.tools ?? []).map((t) => ({
            type: 'function_call',
            id: `item_${this.#next++}`,
            status: 'completed',
            call_id: t.callId,
            name: t.name,
            arguments: t.arguments,
          }))
        : [];
    this.send({
      type: 'response.done',
      response: {
        id: running.id,
        conversation_id: 'conv',
        status,
        status_details: reason ? { type: status, reason } : null,
        output,
        usage: { input_token_details: { text_tokens: 10 }, output_token_details: { audio_tokens: 20 } },
      },
    });
  }

  #error(code: string, eventId: unknown): void {
    this.errors.push(code);
    this.send({ type: 'error', error: { type: 'invalid_request_error', code, message: code, event_id: eventId } });
  }

  #close(): void {
    if (this.closed) return;
    this.#shut();
    this.#events?.closed({ cause: 'lost', detail: 'close 1000', retry: true });
  }

  #shut(): void {
    this.closed = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  #after(ms: number, then: () => void): void {
    const { clock } = this.#o;
    const cancel = clock.at(clock.nowMs() + ms, () => {
      this.#timers.delete(cancel);
      then();
    });
    this.#timers.add(cancel);
  }
}
