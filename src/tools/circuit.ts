// The circuit breaker of one tool: after several failures in a row that are its service's fault nobody's caller waits for it
// any more, until one try shows that it is back. The states are cockatiel's; the time is our clock's.
import { CircuitState, circuitBreaker, ConsecutiveBreaker, handleWhenResult } from 'cockatiel';
import type { IBackoff } from 'cockatiel';
import type { Clock } from '../clock.ts';

/** `open`: nothing is tried. `half_open`: one try decides. */
export type CircuitName = 'closed' | 'open' | 'half_open';

/** Failures in a row until it opens: one caller's bad luck is not enough, five waiting callers are plenty. */
const FAILURES = 5;

/** Milliseconds until one try may show that the service is back. */
export const HALF_OPEN_AFTER_MS = 10_000;

export interface Circuit {
  /** Null: not tried, the circuit is open or another try is about to decide. `isFault`: the service's own failure. */
  run<T>(attempt: () => Promise<T>, isFault: (result: T, deciding: boolean) => boolean): Promise<T> | null;
}

const NAMES: Record<CircuitState, CircuitName> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Isolated]: 'open',
};

/** `changed` is told of every change of state, not of the first. */
export function createCircuit(clock: Clock, changed: (state: CircuitName) => void): Circuit {
  let openUntilMs = 0;
  // cockatiel measures by Date.now(), which tests cannot move and the host's time service can. It asks for the duration each
  // time, so the answer is ours: for ever until our clock says otherwise, then less than any difference of dates.
  const backoff: IBackoff<unknown> = {
    next() {
      openUntilMs = clock.nowMs() + HALF_OPEN_AFTER_MS;
      return backoff;
    },
    get duration() {
      return clock.nowMs() < openUntilMs ? Infinity : -Infinity;
    },
  };
  const breaker = circuitBreaker(
    handleWhenResult((result) => (result as { fault: boolean }).fault),
    { halfOpenAfter: backoff, breaker: new ConsecutiveBreaker(FAILURES) },
  );
  breaker.onStateChange((state) => changed(NAMES[state]));

  return {
    run(attempt, isFault) {
      // Whoever came second would wait for the first one's end, which its own deadline may not allow.
      if (breaker.state === CircuitState.HalfOpen) return null;
      if (breaker.state === CircuitState.Open && clock.nowMs() < openUntilMs) return null;
      const deciding = breaker.state === CircuitState.Open;
      return breaker
        .execute(async () => {
          const result = await attempt();
          return { result, fault: isFault(result, deciding) };
        })
        .then(({ result }) => result);
    },
  };
}
