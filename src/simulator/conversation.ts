// The default conversation of one session: its items in order, and what clients may do to them.
import type { AudioFormat } from './audio-format.ts';
import type { WireItem } from './client-event.ts';
import { itemNotFound, refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import { newId } from './ids.ts';
import type { ToolOutput } from './values.ts';

/** One item as a test may look at it. Deleted items stay visible here, marked. */
export interface SimulatedItem {
  id: string;
  type: string;
  role: 'system' | 'user' | 'assistant' | null;
  status: 'in_progress' | 'completed' | 'incomplete';
  /** Audio the item was made with: the caller's, or what was produced so far; truncation does not change it. */
  audioMs: number;
  audioBytes: number;
  /** The `audio_end_ms` of the last truncation. */
  truncatedAtMs: number | null;
  deleted: boolean;
  /** What was said; null once a truncation has removed it, and for caller audio until it is transcribed. */
  transcript: string | null;
  /** Text content of a message that has no audio. */
  text: string | null;
  /** The number in its audio when it is stamped (see stamp.ts). */
  stamp: number | null;
  callId: string | null;
  name: string | null;
  arguments: string | null;
  output: string | null;
  /** The item as a client made it; null for what came from the caller's voice or the model. */
  given: WireItem | null;
}

/** Where the audio of an item can be found again. */
export type AudioSource = (item: SimulatedItem) => Buffer | undefined;

/** Items kept; the oldest fall out, as a full context would drop them. */
export const MAX_ITEMS = 5000;

/** Tool outputs, and texts of the client, that are remembered for the script. */
const MAX_REMEMBERED = 200;

/** A fresh item of `type`; `facts` override the blanks. */
export const blankItem = (type: string, facts: Partial<SimulatedItem> = {}): SimulatedItem => ({
  id: newId('item'),
  type,
  role: null,
  status: 'completed',
  audioMs: 0,
  audioBytes: 0,
  truncatedAtMs: null,
  deleted: false,
  transcript: null,
  text: null,
  stamp: null,
  callId: null,
  name: null,
  arguments: null,
  output: null,
  given: null,
  ...facts,
});

/** The item as events carry it. */
export function wireItem(item: SimulatedItem, audio?: string): WireItem {
  if (item.given) return withoutAudio(item.given);
  const head = { id: item.id, object: 'realtime.item' as const, type: item.type, status: item.status };
  if (item.type === 'function_call')
    return { ...head, call_id: item.callId ?? '', name: item.name ?? '', arguments: item.arguments ?? '' };
  if (item.type === 'function_call_output') return { ...head, call_id: item.callId ?? '', output: item.output ?? '' };
  if (item.role === null) return head;
  const sound = audio === undefined ? {} : { audio };
  const assistant = item.role === 'assistant';
  if (item.text !== null)
    return { ...head, role: item.role, content: [{ type: assistant ? 'output_text' : 'input_text', text: item.text }] };
  if (assistant && item.status === 'in_progress') return { ...head, role: item.role, content: [] };
  const part = { type: assistant ? 'output_audio' : 'input_audio', transcript: item.transcript, ...sound };
  return { ...head, role: item.role, content: [part] };
}

/** The items of one session, in conversation order, and the requests on them. */
export class Conversation {
  /** Every item there ever was, oldest first, deleted ones included. */
  readonly history: SimulatedItem[] = [];
  #items: SimulatedItem[] = [];
  #emit: (event: Record<string, unknown>) => void;
  #outputs: ToolOutput[] = [];
  #unansweredOutputs: ToolOutput[] = [];
  #unansweredTexts: string[] = [];

  constructor(emit: (event: Record<string, unknown>) => void) {
    this.#emit = emit;
  }

  /** Live items in order. */
  get items(): readonly SimulatedItem[] {
    return this.#items;
  }

  /** The id that the next item follows. */
  get lastId(): string | null {
    return this.#items.at(-1)?.id ?? null;
  }

  /** True once the caller has said something, by voice or as text. */
  get callerHasSpoken(): boolean {
    return this.#items.some((item) => item.role === 'user');
  }

  /** The live item with this id. */
  find(id: string): SimulatedItem | undefined {
    return this.#items.find((item) => item.id === id);
  }

  /** What tools have answered, oldest first. */
  get toolOutputs(): readonly ToolOutput[] {
    return this.#outputs;
  }

  /** The tool outputs that no response has been asked for yet, newest first; asking for them settles the matter. */
  takeToolOutputs(): ToolOutput[] {
    return this.#unansweredOutputs.splice(0).toReversed();
  }

  /** The same for texts that the client has put in as user or system, oldest first. */
  takeTexts(): string[] {
    return this.#unansweredTexts.splice(0);
  }

  /** Puts an item at the end, or after `previousId` (`root` is before all), and announces it. */
  add(item: SimulatedItem, previousId?: string): void {
    const index = previousId === undefined ? this.#items.length : this.#items.findIndex((i) => i.id === previousId) + 1;
    this.#items.splice(index, 0, item);
    this.history.push(item);
    if (this.history.length > MAX_ITEMS) this.#forget(this.history.shift());
    this.#emit({ type: 'conversation.item.added', previous_item_id: this.#before(item), item: wireItem(item) });
  }

  /** Announces that an item is complete. */
  done(item: SimulatedItem): void {
    this.#emit({ type: 'conversation.item.done', previous_item_id: this.#before(item), item: wireItem(item) });
  }

  /** `conversation.item.create`; `format` is what audio in the item is taken for. */
  create(wire: WireItem, previousId: string | undefined, format: AudioFormat): Fault | undefined {
    if (wire.id !== undefined && this.find(wire.id))
      return refusal('invalid_value', `An item with id '${wire.id}' already exists.`, 'item.id');
    if (previousId !== undefined && previousId !== 'root' && !this.find(previousId))
      return itemNotFound(previousId, 'previous_item_id');
    const call = this.#items.find((item) => item.type === 'function_call' && item.callId === wire.call_id);
    if (wire.type === 'function_call_output' && !call)
      return refusal(
        'invalid_tool_call_id',
        `Tool call ID '${wire.call_id}' not found in conversation.`,
        'item.call_id',
      );
    if (wire.role === 'assistant' && wire.content?.some((part) => part.audio !== undefined))
      return refusal('invalid_value', 'Assistant audio cannot be given, only its text.', 'item.content');
    const item = itemFromWire(wire, format);
    this.add(item, previousId);
    this.done(item);
    this.#remember(item, call?.name ?? '');
    return undefined;
  }

  /** `conversation.item.retrieve`. */
  retrieve(id: string, source: AudioSource): Fault | undefined {
    const item = this.find(id);
    if (!item) return itemNotFound(id);
    const whole = item.given ?? wireItem(item, source(item)?.toString('base64'));
    this.#emit({ type: 'conversation.item.retrieved', item: whole });
    return undefined;
  }

  /** `conversation.item.delete`. */
  delete(id: string): Fault | undefined {
    const item = this.find(id);
    if (!item) return itemNotFound(id);
    item.deleted = true;
    this.#forget(item);
    this.#emit({ type: 'conversation.item.deleted', item_id: id });
    return undefined;
  }

  /** `conversation.item.truncate`: cuts the audio and removes the whole transcript, or refuses and changes nothing. */
  truncate(id: string, contentIndex: number, audioEndMs: number): Fault | undefined {
    const item = this.find(id);
    if (!item) return itemNotFound(id);
    if (item.role !== 'assistant' || item.audioBytes === 0)
      return refusal('unsupported_content_type', 'Only model output audio messages can be truncated.');
    if (contentIndex !== 0)
      return refusal('invalid_value', `Content index ${contentIndex} not found in item.`, 'content_index');
    if (audioEndMs < 0) return refusal('invalid_value', `Invalid 'audio_end_ms': ${audioEndMs}.`, 'audio_end_ms');
    const remainingMs = Math.min(item.audioMs, item.truncatedAtMs ?? item.audioMs);
    if (audioEndMs > remainingMs) {
      const message = `Audio content of ${Math.floor(remainingMs)}ms is already shorter than ${audioEndMs}ms`;
      return refusal('invalid_value', message, 'audio_end_ms');
    }
    item.truncatedAtMs = audioEndMs;
    item.transcript = null;
    this.#emit({
      type: 'conversation.item.truncated',
      item_id: id,
      content_index: contentIndex,
      audio_end_ms: audioEndMs,
    });
    return undefined;
  }

  /** What a script may take from an item of the client's, or answer it for. */
  #remember(item: SimulatedItem, tool: string): void {
    if (item.type === 'function_call_output') {
      const output = { tool, callId: item.callId ?? '', output: item.output ?? '' };
      push(this.#outputs, output);
      push(this.#unansweredOutputs, output);
    } else if (item.role === 'assistant') {
      // A history: what comes before what the assistant said has been answered.
      this.#unansweredOutputs = [];
      this.#unansweredTexts = [];
    } else if (item.role === null) this.#unansweredTexts = [];
    else if (item.text && item.audioBytes === 0) push(this.#unansweredTexts, item.text);
  }

  #before(item: SimulatedItem): string | null {
    return this.#items[this.#items.indexOf(item) - 1]?.id ?? null;
  }

  #forget(item: SimulatedItem | undefined): void {
    if (item) this.#items = this.#items.filter((other) => other !== item);
  }
}

function push<Entry>(entries: Entry[], entry: Entry): void {
  entries.push(entry);
  if (entries.length > MAX_REMEMBERED) entries.shift();
}

function itemFromWire(wire: WireItem, format: AudioFormat): SimulatedItem {
  const sound = wire.content?.map(({ audio = '' }) => audio) ?? [];
  const audioBytes = sound.reduce((sum, audio) => sum + Buffer.byteLength(audio, 'base64'), 0);
  const callId = wire.call_id ?? (wire.type === 'function_call' ? newId('call') : null);
  const item = blankItem(wire.type, {
    ...(wire.id === undefined ? {} : { id: wire.id }),
    role: wire.role ?? null,
    // What is there as sound is not counted again as words.
    text:
      wire.content?.map(({ text, audio, transcript }) => text ?? (audio ? '' : (transcript ?? ''))).join(' ') ?? null,
    audioBytes,
    audioMs: audioBytes / format.bytesPerMs,
    callId,
    name: wire.name ?? null,
    arguments: wire.arguments ?? null,
    output: wire.output ?? null,
  });
  const status = wire.status ?? 'completed';
  item.given = {
    ...wire,
    id: item.id,
    object: 'realtime.item',
    status,
    ...(callId === null ? {} : { call_id: callId }),
  };
  return item;
}

/** Events carry no audio but when it is asked for. */
function withoutAudio(wire: WireItem): WireItem {
  if (!wire.content) return wire;
  return { ...wire, content: wire.content.map(({ audio: _audio, ...part }) => part) };
}
