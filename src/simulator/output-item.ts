// One item of a response while it is being produced: speech, text or a function call, each with its own events.
// Producing is a generator that yields how long (ms of wall time) the next event has to wait.
import { blankItem, wireItem } from './conversation.ts';
import type { Conversation, SimulatedItem } from './conversation.ts';
import { newId } from './ids.ts';
import { producedTokens, textTokens } from './usage.ts';
import type { Tokens } from './usage.ts';

/** Where an item's events go: which response, which place in it, which conversation (none when out of band). */
export interface Place {
  responseId: string;
  outputIndex: number;
  conversation: Conversation | undefined;
  emit: (event: Record<string, unknown>) => void;
}

/** Sound ready to be sent in the session's output format. */
export interface Sound {
  audio: Buffer;
  bytesPerMs: number;
  transcript: string;
  /** Number of its stamps, when it is stamped. */
  stamp: number | null;
  stallAfterMs: number;
  stallMs: number;
  pace: number;
  /** Sizes of the deltas in bytes, used in turn. */
  deltaBytes: readonly number[];
  /** Told that audio goes out. */
  sounded: () => void;
}

/** Audio per token. */
const AUDIO_TOKEN_MS = 50;

/** The longest text of so many tokens. */
const textLength = (tokens: number): number => Math.max(0, tokens) * 4;

/** An item being produced; `close` is called exactly once, by the response. */
export abstract class OutputItem {
  readonly item: SimulatedItem;
  protected readonly place: Place;

  constructor(item: SimulatedItem, place: Place) {
    this.item = item;
    this.place = place;
  }

  /** Announces the item. */
  open(): void {
    this.emit('response.output_item.added', { item: wireItem(this.item) });
    this.place.conversation?.add(this.item);
  }

  abstract produce(): Generator<number, void>;

  /** What has been produced so far. */
  abstract get tokens(): Tokens;

  /** Shortens the item to so many tokens; true when it was longer. Called before it is opened. */
  abstract fit(tokens: number): boolean;

  /** Sends the `.done` events for what was produced, complete or not. */
  close(status: 'completed' | 'incomplete'): void {
    this.item.status = status;
    this.finish();
    this.emit('response.output_item.done', { item: wireItem(this.item) });
    // An item that the client deleted meanwhile is no longer the conversation's business.
    if (!this.item.deleted) this.place.conversation?.done(this.item);
  }

  /** Sends up to `count` more audio deltas than the item should have had. */
  late(_count: number): void {}

  protected abstract finish(): void;

  protected emit(type: string, fields: Record<string, unknown>): void {
    this.place.emit({ type, response_id: this.place.responseId, output_index: this.place.outputIndex, ...fields });
  }
}

/** A message of audio with its transcript. */
export class SpokenItem extends OutputItem {
  #sound: Sound;
  #offset = 0;
  #delta = 0;
  #words: string[];
  #written = 0;
  #stalled = false;

  constructor(sound: Sound, place: Place) {
    const facts = { role: 'assistant', status: 'in_progress', transcript: '', stamp: sound.stamp } as const;
    super(blankItem('message', facts), place);
    this.#sound = sound;
    this.#words = wordsOf(sound.transcript);
  }

  // The words were spent even if a truncation has removed them since.
  get tokens(): Tokens {
    return {
      text: textTokens(this.#words.slice(0, this.#written).join('')),
      audio: producedTokens(this.item.audioMs),
    };
  }

  fit(tokens: number): boolean {
    const { audio, bytesPerMs, transcript } = this.#sound;
    const audioTokens = producedTokens(audio.length / bytesPerMs);
    const wholeTokens = audioTokens + textTokens(transcript);
    if (wholeTokens <= tokens) return false;
    const keptAudio = Math.floor((audioTokens * tokens) / wholeTokens);
    this.#sound = { ...this.#sound, audio: audio.subarray(0, keptAudio * AUDIO_TOKEN_MS * bytesPerMs) };
    this.#words = wordsOf(transcript.slice(0, textLength(tokens - keptAudio)));
    return true;
  }

  override open(): void {
    super.open();
    this.#part('response.content_part.added', { part: { type: 'audio', transcript: '' } });
  }

  *produce(): Generator<number, void> {
    const { audio, bytesPerMs, stallAfterMs, stallMs, pace } = this.#sound;
    while (this.#offset < audio.length) {
      const bytes = this.#say();
      const soundMs = bytes / bytesPerMs;
      let waitMs = soundMs / pace;
      if (!this.#stalled && stallMs > 0 && this.item.audioMs >= stallAfterMs) {
        this.#stalled = true;
        waitMs += stallMs;
      }
      if (this.#offset < audio.length) yield waitMs;
    }
    this.#write(this.#words.length);
  }

  override late(count: number): void {
    for (let i = 0; i < count && this.#offset < this.#sound.audio.length; i++) this.#say();
  }

  protected finish(): void {
    this.#part('response.output_audio.done', {});
    this.#part('response.output_audio_transcript.done', { transcript: this.item.transcript ?? '' });
    this.#part('response.content_part.done', { part: { type: 'audio', transcript: this.item.transcript ?? '' } });
  }

  /** One delta of audio; returns its length. The transcript runs ahead of the sound, as the service's does. */
  #say(): number {
    const { audio, bytesPerMs, deltaBytes, sounded } = this.#sound;
    const size = deltaBytes[this.#delta++ % deltaBytes.length] as number;
    const bytes = audio.subarray(this.#offset, this.#offset + Math.max(1, size));
    this.#offset += bytes.length;
    const ahead = (this.#offset + bytes.length) / audio.length;
    this.#write(Math.min(this.#words.length, Math.ceil(this.#words.length * ahead)));
    this.item.audioBytes += bytes.length;
    this.item.audioMs = this.item.audioBytes / bytesPerMs;
    sounded();
    this.#part('response.output_audio.delta', { delta: bytes.toString('base64') });
    return bytes.length;
  }

  #write(words: number): void {
    if (words <= this.#written) return;
    const delta = this.#words.slice(this.#written, words).join('');
    this.#written = words;
    // A truncation removes the transcript for good: what is still being written does not bring it back.
    if (this.item.transcript !== null) this.item.transcript += delta;
    this.#part('response.output_audio_transcript.delta', { delta });
  }

  #part(type: string, fields: Record<string, unknown>): void {
    this.emit(type, { item_id: this.item.id, content_index: 0, ...fields });
  }
}

const wordsOf = (transcript: string): string[] => transcript.match(/\s*\S+/g) ?? [];

/** A message of text, for responses with `output_modalities: ["text"]`. */
export class WrittenItem extends OutputItem {
  #text: string;

  constructor(text: string, place: Place) {
    super(blankItem('message', { role: 'assistant', status: 'in_progress', text: '' }), place);
    this.#text = text;
  }

  get tokens(): Tokens {
    return { text: textTokens(this.item.text ?? ''), audio: 0 };
  }

  fit(tokens: number): boolean {
    const shortened = textTokens(this.#text) > tokens;
    if (shortened) this.#text = this.#text.slice(0, textLength(tokens));
    return shortened;
  }

  override open(): void {
    super.open();
    this.#part('response.content_part.added', { part: { type: 'text', text: '' } });
  }

  *produce(): Generator<number, void> {
    for (const delta of this.#text.match(/.{1,24}/gs) ?? []) {
      this.item.text += delta;
      this.#part('response.output_text.delta', { delta });
      yield 1;
    }
  }

  protected finish(): void {
    this.#part('response.output_text.done', { text: this.item.text });
    this.#part('response.content_part.done', { part: { type: 'text', text: this.item.text } });
  }

  #part(type: string, fields: Record<string, unknown>): void {
    this.emit(type, { item_id: this.item.id, content_index: 0, ...fields });
  }
}

/** A call ready to be sent. */
export interface Call {
  tool: string;
  /** JSON, or what is to be sent instead. */
  arguments: string;
  /** Default a fresh one. */
  callId?: string;
  /** Generation pauses once, so long, in the middle of the arguments. */
  pauseMs?: number;
}

/** A function call. */
export class CalledItem extends OutputItem {
  #arguments: string;
  #pauseMs: number;

  constructor(call: Call, place: Place) {
    const callId = call.callId ?? newId('call');
    super(blankItem('function_call', { status: 'in_progress', callId, name: call.tool, arguments: '' }), place);
    this.#arguments = call.arguments;
    this.#pauseMs = call.pauseMs ?? 0;
  }

  get tokens(): Tokens {
    return { text: textTokens(`${this.item.name}${this.item.arguments}`), audio: 0 };
  }

  fit(tokens: number): boolean {
    const length = textLength(tokens) - (this.item.name?.length ?? 0);
    const shortened = this.#arguments.length > length;
    if (shortened) this.#arguments = this.#arguments.slice(0, Math.max(0, length));
    return shortened;
  }

  *produce(): Generator<number, void> {
    const deltas = this.#arguments.match(/.{1,16}/gs) ?? [];
    const middle = Math.floor(deltas.length / 2);
    for (const [i, delta] of deltas.entries()) {
      if (i === middle && this.#pauseMs > 0) yield this.#pauseMs;
      this.item.arguments += delta;
      this.#call('response.function_call_arguments.delta', { delta });
      yield 1;
    }
  }

  protected finish(): void {
    this.#call('response.function_call_arguments.done', { name: this.item.name, arguments: this.item.arguments });
  }

  #call(type: string, fields: Record<string, unknown>): void {
    this.emit(type, { item_id: this.item.id, call_id: this.item.callId, ...fields });
  }
}
