// The shelf: model audio of one call, kept until it is sent or dropped. Outside the core's state; the core speaks of
// byte ranges of utterances, the shelf turns a range into what goes on the wire. Base64 passes undecoded where a whole
// chunk of whole frames is taken, which is the usual case.
import { FRAME_BYTES, silence } from '../audio/mulaw.ts';
import type { AudioChunk } from '../audio/chunk.ts';

/** Most bytes in one message to a carrier: one second. */
const MAX_PIECE_BYTES = 8_000;

interface Kept {
  chunks: AudioChunk[];
  /** Offset of each chunk's first byte in the utterance. */
  offsets: number[];
  bytes: number;
  /** False as soon as one chunk is not whole frames: then ranges are cut anew. */
  aligned: boolean;
}

export class Shelf {
  readonly #kept = new Map<string, Kept>();
  readonly #clips: ReadonlyMap<string, Uint8Array>;

  /** @param clips PCMU of recorded clips by utterance id; they are always on the shelf */
  constructor(clips: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#clips = clips;
  }

  put(utterance: string, chunk: AudioChunk): void {
    let kept = this.#kept.get(utterance);
    if (!kept) {
      kept = { chunks: [], offsets: [], bytes: 0, aligned: true };
      this.#kept.set(utterance, kept);
    }
    kept.chunks.push(chunk);
    kept.offsets.push(kept.bytes);
    kept.bytes += chunk.bytes;
    if (chunk.bytes % FRAME_BYTES !== 0) kept.aligned = false;
  }

  /** Bytes of model audio held now. */
  get heldBytes(): number {
    let held = 0;
    for (const { chunks } of this.#kept.values()) for (const { bytes } of chunks) held += bytes;
    return held;
  }

  drop(utterance: string): void {
    this.#kept.delete(utterance);
  }

  /**
   * Bytes [from, to) of an utterance plus `pad` bytes of silence, as pieces of at most a second, in whole frames. Ranges are
   * taken in order, each byte once: what lies before `to` is let go of.
   */
  take(utterance: string, from: number, to: number, pad: number): AudioChunk[] {
    // A clip that is played more than once has a number behind its name.
    const clip = this.#clips.get(utterance.split('#', 1)[0] as string);
    if (clip) return cut(Buffer.from(clip.buffer, clip.byteOffset + from, to - from), pad);
    const kept = this.#kept.get(utterance);
    if (!kept) return [];
    const pieces = this.#pieces(kept, from, to, pad);
    letGo(kept, to);
    return pieces;
  }

  #pieces(kept: Kept, from: number, to: number, pad: number): AudioChunk[] {
    if (!kept.aligned || pad > 0) return cut(Buffer.concat([...this.#slices(kept, from, to)]), pad);
    const pieces: AudioChunk[] = [];
    for (let i = firstAt(kept.offsets, from); i < kept.chunks.length; i++) {
      const chunk = kept.chunks[i] as AudioChunk;
      const start = kept.offsets[i] as number;
      if (start >= to) break;
      const whole = start >= from && start + chunk.bytes <= to;
      if (whole && chunk.bytes <= MAX_PIECE_BYTES) pieces.push(chunk);
      else pieces.push(...cut(slice(chunk, Math.max(0, from - start), to - start), 0));
    }
    return pieces;
  }

  *#slices(kept: Kept, from: number, to: number): Generator<Buffer> {
    for (let i = firstAt(kept.offsets, from); i < kept.chunks.length; i++) {
      const start = kept.offsets[i] as number;
      if (start >= to) break;
      yield slice(kept.chunks[i] as AudioChunk, Math.max(0, from - start), to - start);
    }
  }
}

/** Chunks that end before `to` were sent. */
function letGo(kept: Kept, to: number): void {
  let sent = 0;
  while (sent < kept.chunks.length && (kept.offsets[sent] as number) + (kept.chunks[sent] as AudioChunk).bytes <= to)
    sent++;
  kept.chunks.splice(0, sent);
  kept.offsets.splice(0, sent);
}

const slice = (chunk: AudioChunk, from: number, to: number): Buffer =>
  Buffer.from(chunk.payload, 'base64').subarray(from, Math.min(to, chunk.bytes));

/** Index of the chunk that holds byte `at`. */
function firstAt(offsets: readonly number[], at: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((offsets[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

function cut(bytes: Buffer, pad: number): AudioChunk[] {
  const whole = pad > 0 ? Buffer.concat([bytes, silence(pad)]) : bytes;
  const pieces: AudioChunk[] = [];
  for (let at = 0; at < whole.length; at += MAX_PIECE_BYTES) {
    const piece = whole.subarray(at, at + MAX_PIECE_BYTES);
    pieces.push({ payload: piece.toString('base64'), bytes: piece.length });
  }
  return pieces;
}
