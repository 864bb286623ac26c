// The rate limits that the API reports at the start of each response: a bucket of requests and one of tokens, both filled
// again in a minute. They are only reported; nothing is refused because of them.
import type { Clock } from '../clock.ts';

const LIMITS = { requests: 5_000, tokens: 200_000 } as const;
const REFILL_MS = 60_000;
/** What a response without a limit of its own may produce. */
const MAX_OUTPUT_TOKENS = 4_096;

/** The buckets of one session. */
export class RateLimits {
  #clock: Clock;
  #used = { requests: 0, tokens: 0 };
  #countedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAtMs = clock.nowMs();
  }

  /** A response begins: the `rate_limits` of its event, with the tokens that it may produce set aside. */
  begin(maxOutputTokens: number | 'inf'): Record<string, unknown>[] {
    this.#refill();
    this.#used.requests += 1;
    const reserved = maxOutputTokens === 'inf' ? MAX_OUTPUT_TOKENS : maxOutputTokens;
    return [bucket('requests', this.#used.requests), bucket('tokens', this.#used.tokens + reserved)];
  }

  /** A response has ended with this usage. */
  spend(tokens: number): void {
    this.#refill();
    this.#used.tokens += tokens;
  }

  #refill(): void {
    const share = (this.#clock.nowMs() - this.#countedAtMs) / REFILL_MS;
    this.#countedAtMs += share * REFILL_MS;
    for (const name of ['requests', 'tokens'] as const)
      this.#used[name] = Math.max(0, this.#used[name] - share * LIMITS[name]);
  }
}

function bucket(name: keyof typeof LIMITS, used: number): Record<string, unknown> {
  const limit = LIMITS[name];
  const remaining = Math.max(0, Math.floor(limit - used));
  return { name, limit, remaining, reset_seconds: Math.round((used / limit) * REFILL_MS) / 1000 };
}
