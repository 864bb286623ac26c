// One effect once: what the writing tools of one call have done, are doing, or may have done. The same request again (the
// same tool with equal arguments) is not another booking: models repeat themselves, and callers say "yes" twice.
import { keyOf } from './canonical.ts';
import type { ToolOutcome } from './tool.ts';

/** Different effects in one call, kept to its end because forgetting one could do it twice; beyond them nothing is written. */
const MAX_EFFECTS = 200;

/** What somebody wants done. */
export interface Wish {
  callId: string;
  tool: string;
  /** Equal for equal arguments. */
  args: string;
  /** Its service does one key once. */
  idempotent: boolean;
  /** It can undo what another tool did (a cancellation), after which the same may be wanted anew. */
  undoes: boolean;
}

/** One run for an effect. An attempt that says nothing may have had its effect. */
export interface Attempt {
  key: string;
  /** It is done, and this was the answer; also when it comes late. */
  done(output: string): void;
  /** It is certain that nothing was done. */
  notDone(): void;
}

/**
 * What to do about a wish. `shared`: the same is running, this will be its outcome. `done`: it was done before. `unsure`: it
 * may have been. `full`: the call has had too many effects.
 */
export type Verdict =
  | { now: 'run'; run(work: (attempt: Attempt) => Promise<ToolOutcome>): Promise<ToolOutcome> }
  | { now: 'shared'; outcome: Promise<ToolOutcome> }
  | { now: 'done'; output: string }
  | { now: 'unsure' }
  | { now: 'full' };

export interface Effects {
  of(wish: Wish): Verdict;
}

interface Effect {
  key: string;
  running: Promise<ToolOutcome> | null;
  /** The answer, once it is known to be done. */
  output: string | null;
  /** When its first attempt began, and when it was known to be done, in steps of the call from 1. */
  begunAt: number;
  doneAt: number;
  /** An attempt ended without saying what it did. */
  unsure: boolean;
}

/** What one tool has done so far. */
interface Deeds {
  count: number;
  /** When the latest of them was begun, in steps of the call. */
  begunAt: number;
}

/** The effects of one call. */
export function createEffects(): Effects {
  const effects = new Map<string, Effect>();
  const deeds = new Map<string, Deeds>();
  let step = 0;

  const others = (tool: string): Deeds[] => [...deeds].filter(([name]) => name !== tool).map(([, each]) => each);

  /** Done, and nothing that could have undone it was begun since. What ran beside it or before it undid nothing. */
  const stands = (effect: Effect, tool: string): boolean =>
    effect.output !== null && !others(tool).some(({ begunAt }) => begunAt > effect.doneAt);

  function of(wish: Wish): Verdict {
    const id = `${wish.tool} ${wish.args}`;
    const before = effects.get(id);
    if (before?.running) return { now: 'shared', outcome: before.running };
    if (before && before.output !== null && stands(before, wish.tool)) return { now: 'done', output: before.output };
    // Not even a cancellation since makes this one sure: it may have been about something else.
    if (before && before.output === null && before.unsure && !wish.idempotent) return { now: 'unsure' };
    if (!before && effects.size >= MAX_EFFECTS) return { now: 'full' };
    const again = before !== undefined && before.output === null;
    const generation = others(wish.tool).reduce((sum, { count }) => sum + count, 0);
    const effect: Effect = again
      ? before
      : {
          key: keyOf('effect', wish.callId, wish.tool, wish.args, generation),
          running: null,
          output: null,
          begunAt: 0,
          doneAt: 0,
          unsure: false,
        };
    return { now: 'run', run: (work) => attempted(id, effect, wish, work) };
  }

  function attempted(
    id: string,
    effect: Effect,
    { tool, undoes }: Wish,
    work: (attempt: Attempt) => Promise<ToolOutcome>,
  ): Promise<ToolOutcome> {
    step += 1;
    // A second attempt that is answered may only tell of what the first one did.
    effect.begunAt ||= step;
    let notDone = false;
    const attempt: Attempt = {
      key: effect.key,
      done(output) {
        if (effect.output !== null) return;
        step += 1;
        effect.output = output;
        effect.doneAt = step;
        if (!undoes) return;
        const before = deeds.get(tool);
        deeds.set(tool, { count: (before?.count ?? 0) + 1, begunAt: Math.max(before?.begunAt ?? 0, effect.begunAt) });
      },
      notDone() {
        notDone = true;
      },
    };
    effects.set(id, effect);
    const { promise, resolve, reject } = Promise.withResolvers<ToolOutcome>();
    // Known as running before the work begins: it may ask for itself.
    effect.running = promise;
    work(attempt)
      .finally(() => {
        effect.running = null;
        if (effect.output !== null) return;
        if (!notDone) effect.unsure = true;
        else if (!effect.unsure && effects.get(id) === effect) effects.delete(id);
      })
      .then(resolve, reject);
    return promise;
  }

  return { of };
}
