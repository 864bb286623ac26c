// The caller's latest audio, for a session that takes over. Kept as bytes in one place: as strings the frames of two seconds
// would live just long enough for the garbage collector to move every one of them, twice.
import type { AudioChunk } from '../audio/chunk.ts';
import { FRAME_BYTES } from '../audio/mulaw.ts';

/** A frame of 20 ms in base64. */
const SLOT_CHARS = Math.ceil(FRAME_BYTES / 3) * 4;

/** The latest frames of a call; the oldest make room. */
export class RecentAudio {
  readonly #frames: number;
  /** Base64, a slot for each frame. */
  readonly #slots: Buffer;
  /** Characters in each slot, and what they decode to. */
  readonly #sizes: { chars: number; bytes: number }[];
  /** Frames that are longer than a slot, by theirs. Carriers send none; a browser may. */
  readonly #long = new Map<number, AudioChunk>();
  #count = 0;

  /** @param frames so many are remembered */
  constructor(frames: number) {
    this.#frames = frames;
    this.#slots = Buffer.allocUnsafeSlow(frames * SLOT_CHARS);
    this.#sizes = Array.from({ length: frames }, () => ({ chars: 0, bytes: 0 }));
  }

  put(chunk: AudioChunk): void {
    const { payload, bytes } = chunk;
    const slot = this.#count++ % this.#frames;
    if (this.#long.size > 0) this.#long.delete(slot);
    if (payload.length > SLOT_CHARS) return void this.#long.set(slot, chunk);
    this.#slots.write(payload, slot * SLOT_CHARS, 'latin1');
    const size = this.#sizes[slot] as { chars: number; bytes: number };
    size.chars = payload.length;
    size.bytes = bytes;
  }

  /** The latest, at most `frames` of them, in order. */
  latest(frames: number): AudioChunk[] {
    const count = Math.min(frames, this.#count, this.#frames);
    return Array.from({ length: count }, (_, i) => this.#frameIn((this.#count - count + i) % this.#frames));
  }

  #frameIn(slot: number): AudioChunk {
    const { chars, bytes } = this.#sizes[slot] as { chars: number; bytes: number };
    const from = slot * SLOT_CHARS;
    return this.#long.get(slot) ?? { payload: this.#slots.toString('latin1', from, from + chars), bytes };
  }
}
