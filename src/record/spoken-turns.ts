// How long the caller spoke in each turn, by the model's own clock where it tells, until what its transcription used is
// reported.
import type { CallEvent } from '../call/event.ts';

interface SpokenTurn {
  turn: string;
  session: string;
  seconds: number;
  transcribed: boolean;
}

export class SpokenTurns {
  readonly #turns = new Map<string, SpokenTurn>();
  #began: { atMs: number; audioMs: number | null } | null = null;
  #spokenMs = 0;

  happened(event: CallEvent): void {
    if (event.type === 'speech.started') this.#began ??= event;
    else if (event.type === 'speech.stopped') {
      const { atMs, audioMs } = this.#began ?? event;
      const byModel = audioMs === null || event.audioMs === null ? null : event.audioMs - audioMs;
      this.#spokenMs += Math.max(0, byModel ?? Math.round(event.atMs - atMs));
      this.#began = null;
    } else if (event.type === 'turn.committed') {
      const { turn, on } = event;
      this.#turns.set(turn, { turn, session: on.session, seconds: this.#spokenMs / 1_000, transcribed: false });
      this.#spokenMs = 0;
    } else if (event.type === 'turn.transcribed') {
      const turn = this.#turns.get(event.turn);
      if (turn) turn.transcribed = true;
    }
  }

  /** The usage of this turn's transcription has come. */
  charged(turn: string): void {
    this.#turns.delete(turn);
  }

  /** 0 where nothing is known of it. */
  secondsOf(turn: string): number {
    return this.#turns.get(turn)?.seconds ?? 0;
  }

  /** Turns that were written down, and nobody has said what that used. */
  get unreported(): SpokenTurn[] {
    return [...this.#turns.values()].filter(({ transcribed }) => transcribed);
  }
}
