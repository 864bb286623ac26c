// What a long measurement says while it runs: which step of how many, what it does, and how long the rest will take.

/** Where progress goes: a terminal line that is written over, or a line now and then. */
export interface Screen {
  write(text: string): void;
  isTTY: boolean;
}

const QUIET_MS = 5_000;

export class Progress {
  readonly #screen: Screen;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #left: number;
  #done = 0;
  /** What the steps so far were to take, and what they took. */
  #doneSeconds = 0;
  #tookSeconds = 0;
  #step: { label: string; seconds: number } | null = null;
  #steps: number;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  /** @param seconds about how long each step takes; some may not be needed */
  constructor(seconds: readonly number[], screen: Screen, nowMs: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#steps = seconds.length;
    this.#left = seconds.reduce((sum, one) => sum + one, 0);
  }

  /** The next step begins, which takes about so long. */
  begin(label: string, seconds: number): void {
    this.#settle();
    this.#steps = Math.max(this.#steps, this.#done + 1);
    this.#step = { label, seconds };
    this.#saidAtMs = Number.NEGATIVE_INFINITY;
    this.say('');
  }

  /** What is still to come has become known better: the steps after this one. */
  replan(seconds: readonly number[]): void {
    this.#settle();
    this.#steps = this.#done + seconds.length;
    this.#left = seconds.reduce((sum, one) => sum + one, 0);
  }

  say(doing: string): void {
    const nowMs = this.#nowMs();
    if (!this.#screen.isTTY && nowMs - this.#saidAtMs < QUIET_MS) return;
    this.#saidAtMs = nowMs;
    const text = `[${this.#done + 1}/${this.#steps}] ${[this.#step?.label, doing].filter(Boolean).join(', ')}; ${this.remaining()} left`;
    this.#screen.write(this.#screen.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }

  /** About how long the rest takes, by what the steps so far really took. */
  remaining(): string {
    const elapsed = (this.#nowMs() - this.#startMs) / 1_000;
    const pace = this.#doneSeconds > 0 ? this.#tookSeconds / this.#doneSeconds : 1;
    const inStep = this.#step ? elapsed - this.#tookSeconds : 0;
    const seconds = Math.max(0, this.#left * pace - inStep);
    return seconds < 90 ? `about ${Math.ceil(seconds / 5) * 5} s` : `about ${Math.round(seconds / 60)} min`;
  }

  end(): void {
    this.#settle();
    if (this.#screen.isTTY) this.#screen.write('\r\x1b[K');
  }

  #settle(): void {
    if (!this.#step) return;
    this.#done++;
    this.#doneSeconds += this.#step.seconds;
    this.#left -= this.#step.seconds;
    this.#tookSeconds = (this.#nowMs() - this.#startMs) / 1_000;
    this.#step = null;
  }
}
