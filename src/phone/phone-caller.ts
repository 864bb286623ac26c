// The caller's end of a call: one voice and one script, on through every media stream. A caller whose stream was lost
// goes on talking; what is said while no stream runs is lost on the way.
import { FRAME_MS } from '../audio/mulaw.ts';
import { CallerLine, type IdleSound, type Utterance } from './caller-line.ts';
import { CallerScript } from './caller-script.ts';
import type { CallerTrack } from './caller-track.ts';
import type { TalkSpurt } from './playback-buffer.ts';

export interface PhoneCallerOptions {
  track: CallerTrack;
  idle: IdleSound;
  /** Hang up this many ms after the last step of the track; undefined stays on the line. */
  hangUpAfterTrackMs: number | undefined;
  /** The track says that a key is pressed. */
  press(digit: string): void;
  /** The track, or its end, says that the caller hangs up. */
  hangUp(): void;
}

/** What the caller can hear of the agent by a moment. */
export interface Ears {
  spurt: TalkSpurt | undefined;
  heardMs: number;
}

/** Times are ms of the call: since the start of its first stream. */
export class PhoneCaller {
  readonly #options: PhoneCallerOptions;
  readonly #line: CallerLine;
  readonly #script: CallerScript;
  // Where the line begins: the first frame of the first stream.
  #lineStartMs: number | undefined;

  constructor(options: PhoneCallerOptions) {
    this.#options = options;
    this.#line = new CallerLine(options.idle);
    this.#script = new CallerScript(options.track);
  }

  /** What the caller said so far. */
  get said(): Utterance[] {
    return this.#line.said.map(({ atMs, endMs }) => ({ atMs: atMs + this.#shiftMs, endMs: endMs + this.#shiftMs }));
  }

  /** The end of the frame that is taken next. */
  get frameEndMs(): number {
    return this.#line.nowMs + FRAME_MS + this.#shiftMs;
  }

  get #shiftMs(): number {
    return this.#lineStartMs ?? 0;
  }

  /** A stream's frames begin: the first holds the sound from `atMs` on. */
  beginFrames(atMs: number): void {
    if (this.#lineStartMs === undefined) this.#lineStartMs = atMs;
    else this.#line.skipTo(atMs - this.#lineStartMs);
  }

  /** Says a clip from the next frame on, from `atMs` on, or after the clip being said. */
  say(bytes: Uint8Array, atMs?: number): Utterance {
    const shift = this.#shiftMs;
    const said = this.#line.say(bytes, atMs === undefined ? undefined : atMs - shift);
    return { atMs: said.atMs + shift, endMs: said.endMs + shift };
  }

  /** Puts a sound on the line that is nobody's speech: the tone of a key. */
  sound(bytes: Uint8Array): void {
    this.#line.sound(bytes);
  }

  /** Performs what is due by the end of the next frame. */
  perform({ spurt, heardMs }: Ears): void {
    const untilMs = this.frameEndMs;
    for (;;) {
      const saidUntilMs = this.#line.saidUntilMs + this.#shiftMs;
      const due = this.#script.takeDue({ nowMs: untilMs, untilMs, saidUntilMs, spurt, heardMs });
      if (!due) break;
      if ('say' in due.action) this.say(due.action.say, due.atMs);
      else if ('press' in due.action) this.#options.press(due.action.press);
      else return this.#options.hangUp();
    }
    const { hangUpAfterTrackMs } = this.#options;
    if (hangUpAfterTrackMs === undefined || !this.#script.done) return;
    if (this.#line.saidUntilMs + this.#shiftMs + hangUpAfterTrackMs <= untilMs) this.#options.hangUp();
  }

  /** Takes the next 20 ms. */
  takeFrame(): Buffer {
    return this.#line.takeFrame();
  }
}
