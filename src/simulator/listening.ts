// The ear of one session: the input audio buffer, turn detection on it, and the caller's items that come out of it.
// Its clock is the audio received, in milliseconds since the session began.
import type { Cancel } from '../clock.ts';
import { audioFormat } from './audio-format.ts';
import type { AudioFormat } from './audio-format.ts';
import { blankItem } from './conversation.ts';
import type { Conversation, SimulatedItem } from './conversation.ts';
import { refusal } from './fault.ts';
import type { Fault } from './fault.ts';
import { HeardAudio } from './heard-audio.ts';
import { newId } from './ids.ts';
import type { SessionConfig, TurnDetection } from './session-config.ts';
import type { Timers } from './timers.ts';
import { Vad, WINDOW_MS } from './vad.ts';
import type { VadSettings } from './vad.ts';

/** What listening needs of its session. */
export interface ListeningHost {
  config(): SessionConfig;
  readonly conversation: Conversation;
  readonly timers: Timers;
  /** Length of the copy that `heardAudio` keeps; 0 = none. */
  readonly keptAudioMs: number;
  emit: (event: Record<string, unknown>) => void;
  /** Speech has started; `interrupts` when it must stop the answer. */
  speechStarted(itemId: string, audioStartMs: number, interrupts: boolean): void;
  /** A turn is in the conversation. `answer` says why turn detection wants it answered, if it does. */
  committed(item: SimulatedItem, answer: 'turn' | 'silence' | undefined): void;
}

/** The API refuses to commit less than this. */
const MIN_COMMIT_MS = 100;
/** Longest audio per append that the API takes. */
const MAX_APPEND_BYTES = 15 * 1024 * 1024;
// The real thing listens for meaning; here a longer silence stands in for it.
const SEMANTIC_SILENCE_MS = { low: 3000, medium: 1600, auto: 1600, high: 800 } as const;
const MAX_BYTES_PER_MS = 48;

/** Input buffer and turn detection. Owns the idle timer. */
export class Listening {
  readonly heard: HeardAudio;
  #host: ListeningHost;
  #format: AudioFormat;
  #vad: Vad | undefined;
  #speechItemId: string | undefined;
  #speechStartMs = 0;
  #rest = Buffer.alloc(0);
  #clockMs = 0;
  #analysedMs = 0;
  #bufferStartMs = 0;
  #bytes = 0;
  #origin = { bytes: 0, ms: 0 };
  #cancelIdle: Cancel = () => {};
  #silenceReported = false;
  #places = new WeakMap<SimulatedItem, { from: number; to: number }>();

  constructor(host: ListeningHost) {
    this.#host = host;
    this.#format = audioFormat(host.config().audio.input.format);
    this.#vad = vadFor(host.config().audio.input.turn_detection);
    this.heard = new HeardAudio(host.keptAudioMs * MAX_BYTES_PER_MS);
  }

  /** All bytes received. */
  get appendedBytes(): number {
    return this.#bytes;
  }

  /** True while the caller is speaking. */
  get speaking(): boolean {
    return this.#vad?.speaking ?? false;
  }

  /** The session's configuration has changed. */
  configured(before: SessionConfig): void {
    const { input } = this.#host.config().audio;
    if (input.format !== before.audio.input.format) {
      this.#format = audioFormat(input.format);
      this.#origin = { bytes: this.#bytes, ms: this.#clockMs };
      this.#rest = Buffer.alloc(0);
    }
    if (input.turn_detection !== before.audio.input.turn_detection) {
      this.#vad = vadFor(input.turn_detection);
      this.#speechItemId = undefined;
      this.#cancelIdle();
    }
  }

  /** `input_audio_buffer.append`. */
  append(base64: string): Fault | undefined {
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length > MAX_APPEND_BYTES)
      return refusal('invalid_value', `Audio of ${bytes.length} bytes exceeds ${MAX_APPEND_BYTES}.`, 'audio');
    if (Math.ceil(bytes.length / 3) * 4 - base64.length > 2 || base64.length > Math.ceil(bytes.length / 3) * 4)
      return refusal('invalid_value', "Invalid 'audio'. Expected base64-encoded audio bytes.", 'audio');
    this.heard.push(bytes);
    this.#bytes += bytes.length;
    this.#clockMs = this.#origin.ms + (this.#bytes - this.#origin.bytes) / this.#format.bytesPerMs;
    this.#analyse(bytes);
    return undefined;
  }

  /** `input_audio_buffer.commit`. */
  commit(): Fault | undefined {
    const ms = this.#clockMs - this.#bufferStartMs;
    if (ms < MIN_COMMIT_MS) {
      const message = `Error committing input audio buffer: buffer too small. Expected at least ${MIN_COMMIT_MS}ms of audio, but buffer only has ${ms.toFixed(2)}ms of audio.`;
      return refusal('input_audio_buffer_commit_empty', message);
    }
    const itemId = this.#speechItemId ?? newId('item');
    this.#stopSpeech();
    this.#commit(itemId, this.#bufferStartMs, this.#clockMs, undefined);
    return undefined;
  }

  /** `input_audio_buffer.clear`. */
  clear(): void {
    this.#stopSpeech();
    this.#bufferStartMs = this.#clockMs;
    this.#host.emit({ type: 'input_audio_buffer.cleared' });
  }

  /** A response has ended: the caller's silence counts from when its `audioMs` will have been played. */
  awaitCaller(audioMs: number): void {
    const timeoutMs = this.#host.config().audio.input.turn_detection?.idle_timeout_ms;
    this.#cancelIdle();
    // Once per silence: the answer to a silence does not start the next one.
    if (!timeoutMs || this.#silenceReported || this.speaking) return;
    this.#cancelIdle = this.#host.timers.after(audioMs + timeoutMs, () => this.#silent());
  }

  /** The bytes a caller item was made from, if they are still kept. */
  audioOf(item: SimulatedItem): Buffer | undefined {
    const place = this.#places.get(item);
    return place && this.heard.slice(place.from, place.to);
  }

  #analyse(bytes: Buffer): void {
    const vad = this.#vad;
    const windowBytes = WINDOW_MS * this.#format.bytesPerMs;
    const audio = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    let offset = 0;
    this.#analysedMs = this.#clockMs - audio.length / this.#format.bytesPerMs;
    for (; offset + windowBytes <= audio.length; offset += windowBytes) {
      this.#analysedMs += WINDOW_MS;
      // A listener may switch turn detection in the middle of a long append.
      if (vad === this.#vad && vad) this.#window(vad, audio.subarray(offset, offset + windowBytes));
    }
    this.#rest = offset < audio.length ? Buffer.from(audio.subarray(offset)) : Buffer.alloc(0);
  }

  #window(vad: Vad, window: Buffer): void {
    const event = vad.windowed(this.#format.level(window), this.#analysedMs);
    const detection = this.#host.config().audio.input.turn_detection;
    if (event?.type === 'started') {
      const itemId = newId('item');
      this.#speechItemId = itemId;
      this.#speechStartMs = event.startMs;
      this.#silenceReported = false;
      this.#cancelIdle();
      this.#host.emit({ type: 'input_audio_buffer.speech_started', audio_start_ms: event.startMs, item_id: itemId });
      this.#host.speechStarted(itemId, event.startMs, detection?.interrupt_response ?? false);
    } else if (event?.type === 'stopped') {
      const itemId = this.#speechItemId ?? newId('item');
      this.#speechItemId = undefined;
      this.#host.emit({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: event.endMs, item_id: itemId });
      this.#commit(itemId, this.#speechStartMs, event.endMs, detection?.create_response ? 'turn' : undefined);
    }
  }

  #silent(): void {
    if (this.speaking) return;
    const itemId = newId('item');
    const [startMs, endMs] = [Math.round(this.#bufferStartMs), Math.round(this.#clockMs)];
    this.#silenceReported = true;
    this.#host.emit({
      type: 'input_audio_buffer.timeout_triggered',
      audio_start_ms: startMs,
      audio_end_ms: endMs,
      item_id: itemId,
    });
    this.#commit(itemId, startMs, endMs, 'silence');
  }

  #commit(itemId: string, startMs: number, endMs: number, answer: 'turn' | 'silence' | undefined): void {
    const { conversation, emit } = this.#host;
    const audioMs = Math.max(0, endMs - startMs);
    const to = this.#origin.bytes + Math.round((endMs - this.#origin.ms) * this.#format.bytesPerMs);
    const audioBytes = Math.min(to, Math.round(audioMs * this.#format.bytesPerMs));
    const item = blankItem('message', { id: itemId, role: 'user', audioMs, audioBytes });
    this.#places.set(item, { from: to - audioBytes, to });
    this.#bufferStartMs = endMs;
    emit({ type: 'input_audio_buffer.committed', previous_item_id: conversation.lastId, item_id: itemId });
    conversation.add(item);
    conversation.done(item);
    this.#host.committed(item, answer);
  }

  #stopSpeech(): void {
    this.#speechItemId = undefined;
    this.#vad?.reset();
  }
}

function vadFor(detection: TurnDetection | null): Vad | undefined {
  if (!detection) return undefined;
  const settings: VadSettings = {
    threshold: detection.threshold ?? 0.5,
    prefixPaddingMs: detection.prefix_padding_ms ?? 300,
    silenceMs:
      detection.type === 'semantic_vad'
        ? SEMANTIC_SILENCE_MS[detection.eagerness ?? 'auto']
        : (detection.silence_duration_ms ?? 500),
  };
  return new Vad(settings);
}
