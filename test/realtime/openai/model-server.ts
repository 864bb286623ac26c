// A Realtime server reduced to its rules, driven one small step at a time, for the dialogue's property test: both
// directions are queues, so that every race between the two sides can be drawn.
import type { ClientMessage } from '../../../src/realtime/openai/messages.ts';
import type { Mode } from './talk.ts';
import * as wire from './wire.ts';

type Wire = Record<string, unknown>;

interface Running {
  id: string;
  metadata: Record<string, string> | null;
  /** Item id -> milliseconds generated. */
  items: string[];
  calls: string[];
}

export class ModelServer {
  /** On their way to the dialogue. */
  readonly toClient: Wire[] = [];
  /** On their way to the server. */
  readonly fromClient: ClientMessage[] = [];
  /** What a correct client never does. */
  readonly violations: string[] = [];
  readonly #mode: Mode;
  #running: Running | null = null;
  #ids = 0;
  #speaking = false;
  readonly #generatedMs = new Map<string, number>();
  readonly #items = new Set<string>();
  readonly #outputs = new Set<string>();

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  get idle(): boolean {
    return this.#running === null && this.toClient.length === 0 && this.fromClient.length === 0 && !this.#speaking;
  }

  /** The server reads one message. `nameless`: its error leaves the event id out. */
  read(nameless = false): void {
    const m = this.fromClient.shift();
    if (!m) return;
    const refuse = (code: string) => this.toClient.push(wire.error(code, nameless ? null : m.event_id));
    switch (m.type) {
      case 'response.create':
        if (this.#running) return void refuse('conversation_already_has_active_response');
        return this.#begin(m.response.metadata as Record<string, string>);
      case 'response.cancel':
        if (this.#running?.id !== m.response_id) return void refuse('response_cancel_not_active');
        return this.#end('cancelled');
      case 'conversation.item.truncate': {
        if (!this.#items.has(m.item_id)) this.violations.push(`truncates ${m.item_id}, which is not there`);
        const generated = this.#generatedMs.get(m.item_id) ?? 0;
        if (m.audio_end_ms > generated) this.violations.push(`truncates at ${m.audio_end_ms} of ${generated} ms`);
        return;
      }
      case 'conversation.item.delete':
        if (!this.#items.delete(m.item_id)) this.violations.push(`deletes ${m.item_id}, which is not there`);
        return;
      case 'conversation.item.create':
        if (m.item.type === 'function_call_output') {
          const call = m.item.call_id as string;
          if (this.#outputs.has(call)) this.violations.push(`second output of ${call}`);
          this.#outputs.add(call);
          this.toClient.push(wire.itemAdded(m.item.id as string, 'function_call_output'));
        }
        return;
      default:
        return;
    }
  }

  /** The running response goes on: a new item, more audio, a call, the end of an item, or its own end. */
  generate(choice: number): void {
    const r = this.#running;
    if (!r) return;
    const item = r.items.at(-1);
    switch (choice % 6) {
      case 0: {
        const id = `item_${++this.#ids}`;
        r.items.push(id);
        this.#items.add(id);
        this.toClient.push(wire.messageAdded(r.id, id));
        return;
      }
      case 1:
      case 2:
        if (item !== undefined) this.#speak(r.id, item, 20 * (1 + (choice % 7)));
        return;
      case 3: {
        const call = `call_${++this.#ids}`;
        r.calls.push(call);
        this.toClient.push(wire.callAdded(r.id, call), wire.argumentsDone(r.id, call), wire.callDone(r.id, call));
        return;
      }
      case 4:
        if (item !== undefined) this.toClient.push(wire.textDelta(r.id, item, 'word '));
        return;
      default:
        this.#end(choice % 12 === 5 ? 'failed' : choice % 5 === 0 ? 'incomplete' : 'completed');
    }
  }

  /** The caller begins or ends a turn. */
  hearCaller(): void {
    this.#speaking = !this.#speaking;
    const item = `item_u${this.#ids}`;
    if (this.#speaking) {
      this.toClient.push(wire.speechStarted(item));
      if (this.#running && this.#mode.interrupts) this.#end('cancelled');
      return;
    }
    this.#ids++;
    this.toClient.push(wire.speechStopped(item), wire.committed(item), wire.itemAdded(item));
    if (!this.#mode.answers) return;
    if (this.#running) this.toClient.push(wire.error('conversation_already_has_active_response', null));
    else this.#begin(null);
  }

  get callerSpeaks(): boolean {
    return this.#speaking;
  }

  #begin(metadata: Record<string, string> | null): void {
    this.#running = { id: `resp_${++this.#ids}`, metadata, items: [], calls: [] };
    this.toClient.push(wire.responseCreated(this.#running.id, metadata));
  }

  #speak(response: string, item: string, ms: number): void {
    this.#generatedMs.set(item, (this.#generatedMs.get(item) ?? 0) + ms);
    this.toClient.push(wire.audioDelta(response, item, ms));
  }

  #end(status: 'completed' | 'cancelled' | 'failed' | 'incomplete'): void {
    const r = this.#running as Running;
    this.#running = null;
    const itemStatus = status === 'completed' ? 'completed' : 'incomplete';
    // A few late deltas, as the real one sends them.
    const item = r.items.at(-1);
    if (status === 'cancelled' && item !== undefined) this.#speak(r.id, item, 20);
    for (const id of r.items) this.toClient.push(wire.messageDone(r.id, id, itemStatus));
    const output = r.calls.map((call) => wire.callItem(call, itemStatus));
    this.toClient.push(wire.responseDone(r.id, { status, output, metadata: r.metadata }));
  }
}
