// Decides whether a request carries the operators' token. Clients that keep failing are not looked at for a while, so that
// nobody can try tokens by the thousand.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';

/** So many failures at once, and so many a second, from one client. */
const FAILURES = 5;
/** Clients whose failures are remembered. Beyond it the one that failed longest ago is forgotten. */
export const MAX_FAILED_CLIENTS = 10_000;

const MS_PER_FAILURE = 1_000 / FAILURES;

export class AdminGuard {
  readonly #token: Buffer;
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** When the last failure of each client is forgotten, the one that failed longest ago first. */
  readonly #forgottenAtMs = new Map<string, number>();

  constructor({ token, clock }: { token: string; clock: Pick<Clock, 'nowMs'> }) {
    this.#token = digest(token);
    this.#clock = clock;
  }

  /** Clients whose failures are remembered now. */
  get failedClients(): number {
    return this.#forgottenAtMs.size;
  }

  /**
   * `throttled`: too many failures; the token was not looked at.
   * @param address the IP address that the request came from
   */
  check(authorization: string | undefined, address: string): 'passed' | 'refused' | 'throttled' {
    const client = clientOf(address);
    const nowMs = this.#clock.nowMs();
    const owedMs = Math.max(0, (this.#forgottenAtMs.get(client) ?? 0) - nowMs);
    if (owedMs > (FAILURES - 1) * MS_PER_FAILURE) return 'throttled';
    const [, given = ''] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    // Digests have one length, whatever was given.
    if (timingSafeEqual(digest(given), this.#token)) return 'passed';
    // Taken out first: the map's order is the order of the failures.
    this.#forgottenAtMs.delete(client);
    this.#forgottenAtMs.set(client, nowMs + owedMs + MS_PER_FAILURE);
    this.#forget(nowMs);
    return 'refused';
  }

  #forget(nowMs: number): void {
    for (const [client, forgottenAtMs] of this.#forgottenAtMs) {
      if (forgottenAtMs > nowMs && this.#forgottenAtMs.size <= MAX_FAILED_CLIENTS) return;
      this.#forgottenAtMs.delete(client);
    }
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whoever has one IPv6 address has the 2^64 beside it. */
function clientOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [network = ''] = address.split('::');
  return [...network.split(':'), '0', '0', '0'].slice(0, 4).join(':');
}
