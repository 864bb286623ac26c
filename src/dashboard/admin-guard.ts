// Locks out whoever keeps trying tokens and codes. Each wrong one in a row costs more time, so that nobody can try them by the
// thousand; who is in already asks nothing of it.
import type { Clock } from '../clock.ts';

/** Wrong tries in a row, from one client, after which none is looked at for a while. */
const FAILURES = 5;
const FIRST_LOCK_MS = 30_000;
const LONGEST_LOCK_MS = 15 * 60_000;
/** Failures are forgotten so long after the last, or after the lock that followed it. */
const FORGOTTEN_AFTER_MS = 15 * 60_000;
/** Clients whose failures are remembered. Beyond it the one that failed longest ago is forgotten. */
export const MAX_FAILED_CLIENTS = 10_000;

interface Failed {
  times: number;
  lockedUntilMs: number;
  forgottenAtMs: number;
}

export class AdminGuard {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #lockedOut: (tries: number, forMs: number) => void;
  /** The one that failed longest ago first. */
  readonly #failed = new Map<string, Failed>();

  /** @param lockedOut is told of each time that a client is locked out */
  constructor({
    clock,
    lockedOut = () => {},
  }: {
    clock: Pick<Clock, 'nowMs'>;
    lockedOut?: (tries: number, forMs: number) => void;
  }) {
    this.#clock = clock;
    this.#lockedOut = lockedOut;
  }

  /** Clients whose failures are remembered now. */
  get failedClients(): number {
    return this.#failed.size;
  }

  /**
   * Looks at one try, if the client may have one.
   * @param isRight asked only then
   * @returns `locked`: the try was not looked at, and none will be for so many milliseconds
   */
  try(client: string, isRight: () => boolean): 'passed' | 'refused' | { lockedMs: number } {
    const nowMs = this.#clock.nowMs();
    const before = this.#failed.get(client);
    const lockedMs = (before?.lockedUntilMs ?? 0) - nowMs;
    if (lockedMs > 0) return { lockedMs };
    if (isRight()) {
      this.#failed.delete(client);
      return 'passed';
    }
    const times = 1 + (before !== undefined && before.forgottenAtMs > nowMs ? before.times : 0);
    const lockMs = times < FAILURES ? 0 : Math.min(FIRST_LOCK_MS * 2 ** (times - FAILURES), LONGEST_LOCK_MS);
    // Taken out first: the map's order is the order of the failures.
    this.#failed.delete(client);
    this.#failed.set(client, {
      ...{ times, lockedUntilMs: nowMs + lockMs, forgottenAtMs: nowMs + lockMs + FORGOTTEN_AFTER_MS },
    });
    this.#forget(nowMs);
    if (lockMs > 0) this.#lockedOut(times, lockMs);
    return 'refused';
  }

  #forget(nowMs: number): void {
    for (const [client, { forgottenAtMs }] of this.#failed) {
      if (forgottenAtMs > nowMs && this.#failed.size <= MAX_FAILED_CLIENTS) return;
      this.#failed.delete(client);
    }
  }
}

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/;

/**
 * Whom a request counts for.
 * @param address the IP address that it came from
 * @param forwardedFor believed only of a proxy on this very machine: what that appended last. Anybody else could write there
 *   what they like, and would have as many tries as there are addresses
 */
export function clientOf(address: string, forwardedFor: string | readonly string[] | undefined): string {
  const appended = String(forwardedFor ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  return networkOf(LOOPBACK.test(address) && appended && appended.length <= 53 ? withoutPort(appended) : address);
}

/** Some proxies append the port too, of which one client has 65,000. */
const withoutPort = (address: string): string =>
  /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address;

/** Whoever has one IPv6 address has the 2^64 beside it. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [network = ''] = address.split('::');
  return [...network.split(':'), '0', '0', '0'].slice(0, 4).join(':');
}
