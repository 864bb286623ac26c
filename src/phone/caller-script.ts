// Decides when the steps of a caller's track are due. Pure: the phone asks once a frame and passes in what the caller
// can know at that moment, which is what has been heard of the agent and what has been said.
import type { CallerAction, CallerTrack, Cue } from './caller-track.ts';
import type { TalkSpurt } from './playback-buffer.ts';

/** The call as the caller perceives it; times are ms of the stream. */
export interface CallerView {
  nowMs: number;
  /** The moment up to which steps may be started: the end of the frame being filled. */
  untilMs: number;
  /** When the caller's own last clip ends. */
  saidUntilMs: number;
  /** The agent's latest talk spurt, if there was one. */
  spurt: TalkSpurt | undefined;
  /** Agent audio heard so far. */
  heardMs: number;
}

/** A step that is due. `atMs` is set where the cue names an exact time. */
export interface DueStep {
  action: CallerAction;
  atMs?: number;
}

const DEFAULT_PATIENCE_MS = 20_000;

export class CallerScript {
  readonly #track: CallerTrack;
  #next = 0;
  // The end of the step before: relative cues count from here. Unset while its clip is still being said. A pause moves
  // the time but not what was heard: the agent may well have answered during it.
  #base: { atMs: number; heardMs: number } | undefined = { atMs: 0, heardMs: 0 };

  constructor(track: CallerTrack) {
    this.#track = track;
  }

  /** Whether every step has been performed. */
  get done(): boolean {
    return this.#next >= this.#track.steps.length;
  }

  /** The next step if it is due; ask again until nothing is returned. */
  takeDue(view: CallerView): DueStep | undefined {
    for (;;) {
      const step = this.#track.steps[this.#next];
      if (!step || !this.#isDue(step.cue, view)) return undefined;
      this.#next++;
      const atMs = 'atMs' in step.cue ? { atMs: step.cue.atMs } : {};
      if ('pause' in step.action) {
        this.#base = { atMs: view.nowMs, heardMs: this.#base?.heardMs ?? view.heardMs, ...atMs };
      } else {
        this.#base = undefined;
        return { action: step.action, ...atMs };
      }
    }
  }

  #isDue(cue: Cue, view: CallerView): boolean {
    if ('atMs' in cue) return cue.atMs < view.untilMs;
    if (view.saidUntilMs > view.nowMs) return false;
    this.#base ??= { atMs: Math.max(view.saidUntilMs, view.nowMs), heardMs: view.heardMs };
    return isDue(cue, view, this.#base);
  }
}

function isDue(
  cue: Exclude<Cue, { atMs: number }>,
  view: CallerView,
  base: { atMs: number; heardMs: number },
): boolean {
  if (cue.after === 'previous') return view.nowMs >= base.atMs + cue.waitMs;
  const { spurt } = view;
  const silentSinceMs = Math.max(base.atMs, Math.min(spurt?.endMs ?? 0, view.nowMs));
  const speaking = spurt !== undefined && spurt.endMs > view.nowMs;
  if (!speaking && view.nowMs - silentSinceMs >= (cue.patienceMs ?? DEFAULT_PATIENCE_MS)) return true;
  if (cue.after === 'agent_speaking') return speaking && view.nowMs - Math.max(base.atMs, spurt.startMs) >= cue.forMs;
  const heardMs = view.heardMs - base.heardMs;
  return !speaking && heardMs > 0 && heardMs >= (cue.minHeardMs ?? 0) && view.nowMs - silentSinceMs >= cue.forMs;
}
