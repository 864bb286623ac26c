// Asks the rules of admission.ts about one call, takes its places and its media token. It waits for nothing but these two,
// and inside one process they are there at once.
import type { Agent } from '../agent/agent.ts';
import { addressee } from '../agent/choose.ts';
import type { IncomingCall, NextStep, RefusalReason } from '../carrier/carrier.ts';
import type { Clock } from '../clock.ts';
import type { AdmissionLeases, Budgets, Lease, MediaTokens } from '../coordination/port.ts';
import { answerTo, budgetsOf, judge, limitsOf, type ModelHealth, type ProcessBounds } from './admission.ts';
import { type SpendMeter, Spending } from './spending.ts';

export interface GateOptions {
  nodeId: string;
  leases: AdmissionLeases;
  tokens: MediaTokens;
  bounds: ProcessBounds;
  draining(): boolean;
  /** p99 of the event loop's delay of late. */
  loopDelayMs(): number;
  /** What happens in calls can no longer be kept. */
  journalFull(): boolean;
  /** How each of the agent's models is doing, in the order in which they are tried. */
  modelHealth(agent: Agent): readonly ModelHealth[];
  clock: Clock;
  budgets: Budgets;
  /** What things cost a call of this agent. */
  meter(agent: Agent, incoming: IncomingCall): SpendMeter;
}

/** What a call that is let in comes with. */
export interface Ticket {
  /** Which of the agent's models to use: 0, or 1 for its fallback. */
  target: number;
  /** Under which its media may join. */
  token: string;
  /** Whoever made the call releases it when the call is over. */
  lease: Lease;
  /** What it may spend, its first answer paid for; closed when the call is over. Null: whatever it does. */
  spending: Spending<RefusalReason> | null;
}

/** Let in, with what was made of the call; or not, with what the carrier is to do. */
export type Passage<T> = { refusal: null; admitted: T } | { refusal: RefusalReason; answer: NextStep };

/** A token not used within this is void; longer than a call waits for its media. */
const TOKEN_LIFE_MS = 15_000;

export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * Decides about a call. Where it comes in, `open` makes it before anything else can happen in this process. If that
   * throws, places and token are given back.
   */
  async pass<T>(
    callId: string,
    incoming: IncomingCall,
    agent: Agent | null,
    open: (agent: Agent, ticket: Ticket) => T,
  ): Promise<Passage<T>> {
    const options = this.#options;
    const { nodeId, leases, tokens, bounds } = options;
    const refused = (refusal: RefusalReason): Passage<T> => ({
      refusal,
      answer: answerTo(refusal, agent, addressee(incoming.to.value)),
    });
    if (agent === null) return refused('no_agent');
    const facts = {
      draining: options.draining(),
      loopDelayMs: options.loopDelayMs(),
      journalFull: options.journalFull(),
      models: options.modelHealth(agent),
    };
    const judged = judge(incoming, agent, facts, bounds);
    if (judged.refusal !== null) return refused(judged.refusal);
    const acquired = await leases.acquire(limitsOf(nodeId, incoming, agent, bounds));
    if (!acquired.granted) return refused(acquired.refusal);
    const { lease } = acquired;
    const spending = this.#spending(incoming, agent);
    let opened = false;
    try {
      const unpaid = await spending?.open();
      if (unpaid) return refused(unpaid);
      const token = await tokens.issue(callId, TOKEN_LIFE_MS);
      // The stop may have been asked for meanwhile, and a drain does not wait for calls that it never saw.
      if (options.draining()) return refused('draining');
      const admitted = open(agent, { target: judged.target, token, lease, spending });
      opened = true;
      return { refusal: null, admitted };
    } finally {
      if (!opened) await Promise.all([lease.release(), tokens.forget(callId), spending?.close()]);
    }
  }

  #spending(incoming: IncomingCall, agent: Agent): Spending<RefusalReason> | null {
    const { clock, budgets, bounds } = this.#options;
    const held = budgetsOf(incoming, agent, bounds);
    return held === null
      ? null
      : new Spending({ clock, budgets, meter: this.#options.meter(agent, incoming), ...held });
  }
}
