// Everything that one bench measures, in its order: the comparison with TLS to the model, the one without, the search for
// the rated capacity, the figures that need a measurement of their own.
import type { BenchOptions } from './bench-options.ts';
import { LONG, SHORT } from './conversation.ts';
import type { Progress } from './progress.ts';
import { type BenchResults, type Comparison, FLOOR } from './results.ts';
import { measureRun, type RunResult, runSeconds } from './run.ts';
import { FIRST_AUDIO_TAKES, firstAudio, SET_UP_RATE_TAKES, setUpRate } from './single-figures.ts';
import type { SubjectSpec } from './subject-spec.ts';
import { trunkline } from './subjects.ts';
import { alternating, summaries } from './summary.ts';
import { ratingOf, sweep } from './sweep.ts';
import type { Trust } from './trust.ts';

const SIZES = [10, 50, 100, 200, 400];
const SWEEP_SECONDS = 10;
/** Windows at each size, mostly. */
const SWEEP_WINDOWS = 2;

export type Measured = Pick<BenchResults, 'tls' | 'plain' | 'sweep' | 'setUps' | 'firstAudio'>;

/** The steps of a campaign with about how long each takes, s. */
interface Plan {
  tls: number[];
  plain: number[];
  sweep: number[];
  single: number[];
}

export class Campaign {
  readonly #options: BenchOptions;
  readonly #trust: Trust;
  readonly #progress: Progress;
  readonly #remark: (text: string) => void;
  #subjects: readonly SubjectSpec[];

  /** @param remark told what a reader of the results must know */
  constructor(
    options: BenchOptions,
    subjects: readonly SubjectSpec[],
    trust: Trust,
    progress: Progress,
    remark: (text: string) => void,
  ) {
    this.#options = options;
    this.#subjects = subjects;
    this.#trust = trust;
    this.#progress = progress;
    this.#remark = remark;
  }

  async measure(): Promise<Measured> {
    const { tls, sweep: wanted, short } = this.#options;
    const plan = planOf(this.#options, this.#subjects);
    this.#progress.replan([...plan.tls, ...plan.plain, ...plan.sweep, ...plan.single]);
    const withTls = tls === 'off' ? null : await this.#compare(this.#trust);
    const plain = tls === 'on' ? null : await this.#compare(null);
    const swept = wanted ? await this.#sweep() : null;
    this.#progress.replan(plan.single);
    const setUps = [];
    const firsts = [];
    for (const spec of short ? [] : this.#subjects) {
      this.#progress.begin(`${spec.name}, calls set up per second`, SET_UP_RATE_TAKES);
      setUps.push(await this.#tried(spec, () => setUpRate(spec, this.#mainTrust)));
      this.#progress.begin(`${spec.name}, first audio`, FIRST_AUDIO_TAKES);
      firsts.push(await this.#tried(spec, () => firstAudio(spec, this.#mainTrust)));
    }
    return {
      tls: withTls,
      plain,
      sweep: swept,
      setUps: setUps.filter((figure) => figure !== null),
      firstAudio: firsts.filter((figure) => figure !== null),
    };
  }

  get #mainTrust(): Trust | null {
    return this.#options.tls === 'off' ? null : this.#trust;
  }

  async #compare(trust: Trust | null): Promise<Comparison> {
    const { calls, rounds, seconds, warmUpSeconds } = this.#options;
    const runs: RunResult[] = [];
    for (const { round, subject } of alternating(this.#subjects, rounds)) {
      if (!this.#subjects.includes(subject)) continue;
      const label = `round ${round} of ${rounds}, ${trust ? 'TLS' : 'no TLS'}, ${calls} calls, ${subject.name}`;
      const run = await this.#tried(subject, () => this.#run(label, subject, calls, seconds, trust));
      if (run) runs.push(run);
    }
    return { calls, rounds, seconds, warmUpSeconds, runs, summaries: summaries(runs, FLOOR) };
  }

  async #sweep(): Promise<BenchResults['sweep']> {
    const subjects = sweptOf(this.#subjects);
    const points = await sweep(subjects, SIZES, (spec, calls) =>
      this.#run(`more and more calls, ${calls} calls, ${spec.name}`, spec, calls, SWEEP_SECONDS, this.#mainTrust),
    );
    return { points, ratings: subjects.map(({ name }) => ratingOf(name, points)) };
  }

  /** One run; when it breaks, it is made once more, because half an hour of others must not be lost to one of them. */
  async #run(
    label: string,
    spec: SubjectSpec,
    calls: number,
    seconds: number,
    trust: Trust | null,
  ): Promise<RunResult> {
    const script = this.#options.short ? SHORT : LONG;
    const { warmUpSeconds } = this.#options;
    const plan = {
      spec,
      calls,
      seconds,
      warmUpSeconds,
      trust,
      script,
      say: (text: string) => this.#progress.say(text),
    };
    this.#progress.begin(label, runSeconds(plan));
    try {
      return await measureRun(plan);
    } catch (error) {
      this.#remark(`${label}: made once more, because of ${shortly(error)}`);
      return measureRun(plan);
    }
  }

  /** A neighbour that breaks is left out from there on; one of ours is a failure of the bench. */
  async #tried<Figure>(spec: SubjectSpec, measure: () => Promise<Figure>): Promise<Figure | null> {
    try {
      return await measure();
    } catch (error) {
      if (isOurs(spec)) throw error;
      this.#remark(`${spec.name} is left out from its failure on: ${shortly(error)}`);
      this.#subjects = this.#subjects.filter((one) => one !== spec);
      return null;
    }
  }
}

/** Whether a subject is ours: its losses and failures are faults of the bench's result. */
export const isOurs = ({ name }: { name: string }): boolean => name === FLOOR || name.startsWith(trunkline.name);

const sweptOf = (subjects: readonly SubjectSpec[]): SubjectSpec[] =>
  subjects.filter(({ name }) => name === FLOOR || name === trunkline.name);

function planOf(options: BenchOptions, subjects: readonly SubjectSpec[]): Plan {
  const { calls, seconds, warmUpSeconds, rounds, tls, short } = options;
  const script = short ? SHORT : LONG;
  const comparison = alternating(subjects, rounds).map(() => runSeconds({ calls, seconds, warmUpSeconds, script }));
  return {
    tls: tls === 'off' ? [] : comparison,
    plain: tls === 'on' ? [] : comparison,
    sweep: options.sweep
      ? SIZES.flatMap((size) =>
          alternating(sweptOf(subjects), SWEEP_WINDOWS).map(() =>
            runSeconds({ calls: size, seconds: SWEEP_SECONDS, warmUpSeconds, script }),
          ),
        )
      : [],
    single: short ? [] : subjects.flatMap(() => [SET_UP_RATE_TAKES, FIRST_AUDIO_TAKES]),
  };
}

/** An error as part of a sentence. */
const shortly = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 300);
