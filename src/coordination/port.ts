// What several processes must agree on: who holds a place, which media token is good, what may still be spent, which
// nodes there are. One implementation lives inside the process (in-process.ts); a cluster brings another of the same port.
import type { TokenRefusal } from '../carrier/carrier.ts';

/** An implementation inside the process answers at once, one behind a network later; whoever asks awaits either. */
export type Answer<T> = T | Promise<T>;

/**
 * A node that was not heard of for this long is gone, and what it held (places, reservations, tokens) is free again. A
 * process that coordinates with itself alone needs no such end: what it held goes with it.
 */
export const NODE_LIFE_MS = 15_000;

export interface Coordination {
  readonly leases: AdmissionLeases;
  readonly tokens: MediaTokens;
  readonly budgets: Budgets;
  readonly nodes: NodeRegistry;
}

/**
 * One bound that a call must pass. `key` says what shares the bound; it may hold a caller's number, so an implementation
 * that stores keys elsewhere treats them as personal data. `refusal` is the asker's own word for "this one was full".
 */
export type Limit<R extends string> = { refusal: R; key: string } & (
  | { kind: 'places'; atMost: number }
  /** A bucket of `burst` tokens that fills at `perSecond`. */
  | { kind: 'rate'; perSecond: number; burst: number }
);

export interface AdmissionLeases {
  /**
   * Takes one place and one token of every limit, or nothing at all: a call that is refused uses up nobody's room. The
   * first limit that is full, in the order given, names the refusal. One step: two askers never get the same last place.
   */
  acquire<R extends string>(limits: readonly Limit<R>[]): Answer<Acquired<R>>;
}

export type Acquired<R extends string> = { granted: true; lease: Lease } | { granted: false; refusal: R };

/** The places of one call. Held until released, at the longest as long as its node lives. */
export interface Lease {
  /** Gives the places back; from the second time on nothing happens. Never rejects. */
  release(): Answer<void>;
}

export interface MediaTokens {
  /** A new secret under which a media socket may join the call, once, within `lifeMs`. Earlier ones stay as they are. */
  issue(callId: string, lifeMs: number): Answer<string>;
  /** Settles who joins: of two sockets with one token, one is told the call and the other `used`. */
  claim(token: string): Answer<{ callId: string } | TokenRefusal>;
  /** The call is over: none of its tokens is known any more. */
  forget(callId: string): Answer<void>;
}

/** What was used of a budget on one day, in nano-dollars. */
export interface BudgetUse {
  /** The day in UTC, as YYYY-MM-DD. */
  day: string;
  spentNanoUsd: number;
  /** Set aside by reservations that are not settled yet. */
  reservedNanoUsd: number;
}

/** Money per key and day. Days are those of UTC; a reservation belongs to the day on which it was made. */
export interface Budgets {
  /** Sets an amount aside, or null when spent, reserved and asked together would be more than `limitNanoUsd`. */
  reserve(key: string, amountNanoUsd: number, limitNanoUsd: number): Answer<Reservation | null>;
  /** Counts what nobody reserved. Always counted, also beyond any limit: it is spent already. */
  spend(key: string, amountNanoUsd: number): Answer<void>;
  /** Of today. */
  read(key: string): Answer<BudgetUse>;
}

export interface Reservation {
  /** Gives the reserved amount back and counts what it really was; from the second time on nothing happens. */
  settle(spentNanoUsd: number): Answer<void>;
}

/** What others may know of a node. No secrets. */
export interface NodeFacts {
  nodeId: string;
  /** The origin at which carriers reach it. */
  publicUrl: string;
  version: string;
  startedWallMs: number;
}

/** What changes while it lives. */
export interface NodeLoad {
  live: number;
  draining: boolean;
}

export interface NodeRegistry {
  register(facts: NodeFacts, load: NodeLoad): Answer<void>;
  /** Must come well within `NODE_LIFE_MS`. False: the node is not known (any more) and has to register again. */
  heartbeat(nodeId: string, load: NodeLoad): Answer<boolean>;
  leave(nodeId: string): Answer<void>;
  /** The nodes that were heard of within `NODE_LIFE_MS`, in the order of their registration. */
  list(): Answer<readonly (NodeFacts & NodeLoad)[]>;
}
