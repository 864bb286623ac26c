// Who calls and what strikes whom when: drawn from the seed before anything happens, so that any one call can be had again.
// A call's plan depends on the seed, the kinds and its own number, and on nothing else.
import { seededRandom } from '../phone/seeded-random.ts';
import { FAULT_NAMES, type FaultName, faultKind, type Moment } from './fault-kinds.ts';

export interface Strike {
  fault: FaultName;
  moment: Moment;
  /** Which of such moments of the call, from 1. */
  nth: number;
  /** After that moment; of `any`, since the start of the call. */
  delayMs: number;
  /** Whatever else of the fault is a matter of chance, 0 to 1. */
  chance: number;
}

/** What a call is about. */
export interface Scene {
  greeting: 'model' | 'clip';
  shape: 'plain' | 'tool' | 'barge_in';
  /** One turn of the caller, two where one interrupts, instead of three. */
  brief: boolean;
  /** How long this caller lets the agent be silent before the next sentence. */
  patienceMs: number;
  /** What follows when no model can go on. */
  ladder: 'apology' | 'forward' | 'voicemail';
  /** The agent has a second model. */
  fallback: boolean;
  recorded: boolean;
  endedBy: 'agent' | 'caller';
}

export interface CallPlan {
  /** From 1. */
  number: number;
  /** Empty for a control: a call that nothing strikes. */
  strikes: readonly Strike[];
  scene: Scene;
}

export interface PlanOptions {
  seed: number;
  /** The kinds to draw from; default all. */
  kinds?: readonly FaultName[];
  /** Calls of one turn, for a run of seconds. Default false. */
  brief?: boolean;
}

/** One call in so many is a control. */
const CONTROL_EVERY = 5;
/** The share of calls that two faults strike. */
const TWICE = 0.25;
/** A call of this length is over before a later strike. */
const CALL_MS = 14_000;
const BRIEF_CALL_MS = 5_000;
const BRIEF_PATIENCE_MS = 700;
/** Strikes that do not find their moment: so many more calls are planned. */
const SPARE = 1.4;

/** Longest wait after each kind of moment. */
const DELAYS: Record<Exclude<Moment, 'connect'>, number> = {
  any: CALL_MS,
  greeting: 1_000,
  listening: 1_500,
  thinking: 90,
  answering: 900,
  pause: 4_000,
};

/** Draws the plan of any call. */
export class Plans {
  readonly #seed: number;
  readonly #faults: readonly FaultName[];
  readonly #brief: boolean;
  readonly #decks: FaultName[][] = [];

  constructor({ seed, kinds = FAULT_NAMES, brief = false }: PlanOptions) {
    this.#seed = seed;
    this.#faults = kinds;
    this.#brief = brief;
  }

  /** So many calls that about this number of faults strike, with some to spare. */
  forFaults(faults: number): CallPlan[] {
    const planned: CallPlan[] = [];
    for (let number = 1, strikes = 0; strikes < faults * SPARE; number++) {
      const plan = this.of(number);
      planned.push(plan);
      strikes += plan.strikes.length;
    }
    return planned;
  }

  /** The plan of the call with this number. */
  of(number: number): CallPlan {
    const plan = this.#draw(number);
    return this.#brief ? briefly(plan) : plan;
  }

  #draw(number: number): CallPlan {
    const random = seededRandom(this.#seed * 1_000_003 + number * 7_919);
    const scene = drawScene(random);
    if (number % CONTROL_EVERY === 0) return { number, strikes: [], scene };
    const struck = number - Math.floor(number / CONTROL_EVERY) - 1;
    const first = this.#card(struck);
    const strikes = [drawStrike(first, random)];
    if (random() < TWICE) {
      const second = pick(
        this.#faults.filter((fault) => goesWith(fault, first)),
        random,
      );
      if (second !== undefined) strikes.push(drawStrike(second, random));
    }
    return { number, strikes, scene: suited(scene, strikes, random) };
  }

  /** Every kind comes once before any comes again. */
  #card(index: number): FaultName {
    const round = Math.floor(index / this.#faults.length);
    const deck = (this.#decks[round] ??= shuffled(this.#faults, seededRandom(this.#seed * 31 + round)));
    return deck[index % this.#faults.length] as FaultName;
  }
}

/** Two faults of one family would hide each other; a dead disk or REST API is seen only with others. */
const goesWith = (one: FaultName, other: FaultName): boolean => {
  const [a, b] = [faultKind(one).family, faultKind(other).family];
  const media = ['carrier', 'rest'];
  return a !== b && !(media.includes(a) && media.includes(b));
};

function drawStrike(fault: FaultName, random: () => number): Strike {
  const moment = pick(faultKind(fault).moments, random) as Moment;
  return {
    fault,
    moment,
    nth: moment === 'greeting' || random() < 0.6 ? 1 : 2,
    delayMs: moment === 'connect' ? 0 : Math.round(random() * DELAYS[moment]),
    chance: random(),
  };
}

/** The same call with less talk: its strikes find the first moment of their kind. */
const briefly = ({ number, strikes, scene }: CallPlan): CallPlan => ({
  number,
  strikes: strikes.map((strike) => ({
    ...strike,
    nth: 1,
    delayMs: strike.moment === 'any' ? Math.round((strike.delayMs * BRIEF_CALL_MS) / CALL_MS) : strike.delayMs,
  })),
  scene: { ...scene, brief: true, patienceMs: BRIEF_PATIENCE_MS },
});

function drawScene(random: () => number): Scene {
  return {
    greeting: random() < 0.7 ? 'model' : 'clip',
    shape: pick(['plain', 'plain', 'tool', 'barge_in'] as const, random) as Scene['shape'],
    brief: false,
    patienceMs: random() < 0.5 ? 700 : 2_400,
    ladder: pick(['apology', 'apology', 'forward', 'voicemail'] as const, random) as Scene['ladder'],
    fallback: random() < 0.25,
    recorded: random() < 0.25,
    endedBy: random() < 0.7 ? 'agent' : 'caller',
  };
}

/** Some faults need something to strike. */
function suited(scene: Scene, strikes: readonly Strike[], random: () => number): Scene {
  const names = strikes.map(({ fault }) => fault);
  if (names.some((name) => faultKind(name).family === 'tool')) return { ...scene, shape: 'tool' };
  if (names.includes('late_audio')) return { ...scene, shape: 'barge_in' };
  if (names.includes('disk_refuses')) return { ...scene, recorded: random() < 0.7 };
  return scene;
}

const pick = <T>(values: readonly T[], random: () => number): T | undefined =>
  values[Math.floor(random() * values.length)];

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const deck = [...values];
  for (let i = deck.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [deck[i], deck[j]] = [deck[j] as T, deck[i] as T];
  }
  return deck;
}
