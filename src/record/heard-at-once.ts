// Who is to be heard when: the agent from the ledger's time of a range to its end or a clear, the caller from the model's
// report of speech to its report of the end. And for how long both at once.

export class HeardAtOnce {
  /** Agent audio sounds from here to there without a gap; what comes later begins anew. */
  #fromMs = Number.NEGATIVE_INFINITY;
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Until then something sounds that nobody may interrupt. */
  #protectedUntilMs = Number.NEGATIVE_INFINITY;
  #speechSinceMs: number | null = null;
  #bothMs = 0;
  #countedUntilMs = Number.NEGATIVE_INFINITY;

  /** When the agent's last sound ends. */
  get soundUntilMs(): number {
    return this.#untilMs;
  }

  get protectedUntilMs(): number {
    return this.#protectedUntilMs;
  }

  /** Since when the caller speaks; null = does not. */
  get speechSinceMs(): number | null {
    return this.#speechSinceMs;
  }

  /** Milliseconds in which both were heard. What is protected does not count: nobody was to stop for it. */
  get bothMs(): number {
    return this.#bothMs;
  }

  /** A range goes to the carrier at `atMs`. */
  agentSpeaks(atMs: number, startsAtMs: number, ms: number, isProtected: boolean): void {
    this.count(atMs);
    if (startsAtMs > this.#untilMs) this.#fromMs = startsAtMs;
    this.#untilMs = startsAtMs + ms;
    if (isProtected) this.#protectedUntilMs = this.#untilMs;
  }

  /** What was queued is not heard any more. */
  agentStops(atMs: number): void {
    this.count(atMs);
    this.#untilMs = Math.min(this.#untilMs, atMs);
    this.#protectedUntilMs = Math.min(this.#protectedUntilMs, atMs);
  }

  callerSpeaks(atMs: number): void {
    this.count(atMs);
    this.#speechSinceMs ??= atMs;
  }

  callerStops(atMs: number): void {
    this.count(atMs);
    this.#speechSinceMs = null;
  }

  /** Adds what was heard at once until now. */
  count(atMs: number): void {
    if (this.#speechSinceMs !== null) {
      const fromMs = Math.max(this.#countedUntilMs, this.#fromMs, this.#protectedUntilMs);
      this.#bothMs += Math.max(0, Math.min(atMs, this.#untilMs) - fromMs);
    }
    this.#countedUntilMs = Math.max(this.#countedUntilMs, atMs);
  }
}
