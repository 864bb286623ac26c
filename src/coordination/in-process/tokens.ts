// Media tokens: random secrets that let one socket join one call, once. Known until their call is over, so that a second
// use is told from a wrong token.
import { randomBytes } from 'node:crypto';
import type { TokenRefusal } from '../../carrier/carrier.ts';
import type { Clock } from '../../clock.ts';
import type { MediaTokens } from '../port.ts';

/** A call whose media is lost again and again gets this many tokens remembered; the oldest goes first. */
export const MAX_TOKENS_PER_CALL = 8;

interface Token {
  callId: string;
  untilMs: number;
  used: boolean;
}

export class InProcessTokens implements MediaTokens {
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #tokens = new Map<string, Token>();
  /** The tokens of each call that is not over: what bounds both maps is the number of live calls. */
  readonly #byCall = new Map<string, string[]>();

  constructor(clock: Clock, nodeId: string) {
    this.#clock = clock;
    this.#prefix = `${nodeId}.`;
  }

  /** Tokens known, used or not: for tests that look for leftovers. */
  get size(): number {
    return this.#tokens.size;
  }

  issue(callId: string, lifeMs: number): string {
    const token = this.#prefix + randomBytes(24).toString('base64url');
    this.#tokens.set(token, { callId, untilMs: this.#clock.nowMs() + lifeMs, used: false });
    const ofCall = [...(this.#byCall.get(callId) ?? []), token];
    for (const old of ofCall.splice(0, ofCall.length - MAX_TOKENS_PER_CALL)) this.#tokens.delete(old);
    this.#byCall.set(callId, ofCall);
    return token;
  }

  claim(token: string): { callId: string } | TokenRefusal {
    const known = this.#tokens.get(token);
    if (!known) return token.startsWith(this.#prefix) ? 'unknown' : 'foreign';
    if (known.used) return 'used';
    if (this.#clock.nowMs() > known.untilMs) return 'expired';
    known.used = true;
    return { callId: known.callId };
  }

  forget(callId: string): void {
    for (const token of this.#byCall.get(callId) ?? []) this.#tokens.delete(token);
    this.#byCall.delete(callId);
  }
}
