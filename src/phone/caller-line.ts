// The sound on the caller's line, cut into 20 ms frames: clips where something is said, the noise of an idle line between.
import { BYTES_PER_MS, bytesToMs, FRAME_BYTES, SILENCE_BYTE } from '../audio/mulaw.ts';
import { overlay } from './playback-buffer.ts';
import { seededRandom } from './seeded-random.ts';

/** Idle sound: `noise` flickers between the four quietest codes as captured lines do, `silence` is constant 0xFF. */
export type IdleSound = 'noise' | 'silence';

/** Something the caller said, in ms of the line. */
export interface Utterance {
  atMs: number;
  endMs: number;
}

const QUIETEST = [0x7e, 0x7f, 0xfe, 0xff];

/** Time here is line time: frame `n` holds the sound from `20 n` to `20 n + 20` ms. Frames are taken in order. */
export class CallerLine {
  readonly said: Utterance[] = [];
  readonly #idle: IdleSound;
  readonly #random = seededRandom(0x7e);
  #clips: { offset: number; bytes: Uint8Array }[] = [];
  #takenBytes = 0;
  #endBytes = 0;

  constructor(idle: IdleSound = 'noise') {
    this.#idle = idle;
  }

  /** Where the next frame starts. */
  get nowMs(): number {
    return bytesToMs(this.#takenBytes);
  }

  /** Where the last clip ends; in the past when the caller is silent. */
  get saidUntilMs(): number {
    return bytesToMs(this.#endBytes);
  }

  /** Puts a clip on the line at `atMs`, or as soon as the clip before it has ended. */
  say(bytes: Uint8Array, atMs = this.nowMs): Utterance {
    const offset = Math.max(this.#takenBytes, this.#endBytes, Math.round(atMs * BYTES_PER_MS));
    this.#clips.push({ offset, bytes });
    this.#endBytes = offset + bytes.length;
    const utterance = { atMs: bytesToMs(offset), endMs: bytesToMs(this.#endBytes) };
    this.said.push(utterance);
    return utterance;
  }

  /** Puts a sound on the line from the next frame on, over whatever is there; nobody says it. */
  sound(bytes: Uint8Array): void {
    this.#clips.push({ offset: this.#takenBytes, bytes });
  }

  /** Lets the time until `atMs` pass with nobody listening. */
  skipTo(atMs: number): void {
    this.#takenBytes = Math.max(this.#takenBytes, Math.round(atMs * BYTES_PER_MS));
    this.#forgetSaid();
  }

  /** Takes the next 160 bytes. */
  takeFrame(): Buffer {
    const frame = Buffer.alloc(FRAME_BYTES, SILENCE_BYTE);
    if (this.#idle === 'noise')
      for (let i = 0; i < FRAME_BYTES; i++) frame[i] = QUIETEST[Math.floor(this.#random() * 4)] as number;
    for (const clip of this.#clips) overlay(frame, clip.bytes, clip.offset - this.#takenBytes);
    this.#takenBytes += FRAME_BYTES;
    this.#forgetSaid();
    return frame;
  }

  #forgetSaid(): void {
    this.#clips = this.#clips.filter((clip) => clip.offset + clip.bytes.length > this.#takenBytes);
  }
}
