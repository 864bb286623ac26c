// One run of chaos: so many calls at once, one after the other, until enough faults have struck or the time is over.
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../clock.ts';
import { judge, type Verdict } from './judge.ts';
import type { CallPlan } from './plan.ts';
import type { EndedCall, World } from './world.ts';

export interface RunOptions {
  parallel: number;
  /** Enough strikes. */
  faults: number;
  minutes: number;
  /** The first calls begin so long after one another, so that they are not all in the same moment. Default 150. */
  staggerMs?: number;
  /** Told of each call when it is over. */
  over?(ended: EndedCall, verdict: Verdict): void | Promise<void>;
}

export interface ChaosState {
  up: number;
  done: number;
  struck: number;
  violations: number;
}

const STAGGER_MS = 150;

export class ChaosRun {
  readonly state: ChaosState = { up: 0, done: 0, struck: 0, violations: 0 };
  readonly verdicts: Verdict[] = [];
  readonly #world: World;
  readonly #plans: readonly CallPlan[];
  readonly #options: RunOptions;

  constructor(world: World, plans: readonly CallPlan[], options: RunOptions) {
    this.#world = world;
    this.#plans = plans;
    this.#options = options;
  }

  /** @param signal no further call is placed */
  async placeAll(signal: AbortSignal): Promise<readonly Verdict[]> {
    const { parallel, faults, minutes, staggerMs = STAGGER_MS } = this.#options;
    const untilMs = realClock.nowMs() + minutes * 60_000;
    const waiting = this.#plans.values();
    const enough = (): boolean => signal.aborted || this.state.struck >= faults || realClock.nowMs() > untilMs;
    const line = async (index: number): Promise<void> => {
      await sleep(index * staggerMs);
      for (const plan of waiting) {
        if (enough()) return;
        await this.#place(plan);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, this.#plans.length) }, (_, i) => line(i)));
    return this.verdicts.sort((a, b) => a.number - b.number);
  }

  async #place(plan: CallPlan): Promise<void> {
    const { state } = this;
    state.up += 1;
    const ended = await this.#world.place(plan);
    const verdict = judge(ended, this.#world.clips, this.#world.stalls);
    this.verdicts.push(verdict);
    state.up -= 1;
    state.done += 1;
    state.struck += verdict.faults.length;
    state.violations += verdict.violations.length;
    await this.#options.over?.(ended, verdict);
  }
}
