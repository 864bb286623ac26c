// Whether a call may come in, before a model session costs anything: the rules, in their order, and what a caller who is
// not let in gets. Pure; gate.ts asks.
import type { Agent, Refusal } from '../agent/agent.ts';
import type { IncomingCall, NextStep, RefusalReason } from '../carrier/carrier.ts';
import type { Limit } from '../coordination/port.ts';
import { attestedAtLeast, callerKey, isListed } from './caller.ts';
import { afterFailure } from './policy-for.ts';

/** How one model of an agent is doing. */
export interface ModelHealth {
  circuit: 'closed' | 'open' | 'half_open';
  /** So little is left of its rate limits that the running calls need it. */
  throttled: boolean;
}

/** The bounds of this process. */
export interface ProcessBounds {
  maxConcurrentCalls: number;
  maxCallsPerSecond: number;
  /** p99 of the event loop's delay above which nobody is let in; 0 = whatever it is. */
  maxLoopDelayMs: number;
  /** What all calls together may cost on one day; null = whatever they do. */
  maxNanoUsdPerDay: number | null;
}

/** What is known without asking anybody. */
export interface AdmissionFacts {
  draining: boolean;
  /** p99 of the event loop's delay of late. */
  loopDelayMs: number;
  /** What happens in calls can no longer be kept. */
  journalFull: boolean;
  /** Of each of the agent's models, in the order in which they are tried. */
  models: readonly ModelHealth[];
}

/** Let in as far as this goes: with which of the agent's models. The limits have still to be taken. */
export type Judgement = { refusal: RefusalReason } | { refusal: null; target: number };

/** Why a call was not let in; here for those who know calls but no carriers. */
export type { RefusalReason };

/** The rules that need no count, in their order. */
export function judge(incoming: IncomingCall, agent: Agent, facts: AdmissionFacts, bounds: ProcessBounds): Judgement {
  if (facts.draining) return { refusal: 'draining' };
  const unwelcome = unwelcomeCaller(incoming, agent);
  if (unwelcome !== null) return { refusal: unwelcome };
  if (bounds.maxLoopDelayMs > 0 && facts.loopDelayMs > bounds.maxLoopDelayMs) return { refusal: 'overloaded' };
  if (facts.journalFull) return { refusal: 'journal_full' };
  const target = facts.models.findIndex(({ circuit }) => circuit !== 'open');
  if (target < 0) return { refusal: 'model_circuit_open' };
  if (facts.models[target]?.throttled) return { refusal: 'model_throttled' };
  return { refusal: null, target };
}

/** Lists first, then the attestation. A call that we placed ourselves has nobody to refuse. */
function unwelcomeCaller({ direction, from, attestation }: IncomingCall, agent: Agent): RefusalReason | null {
  if (direction === 'outbound') return null;
  const { allow, deny, attestation: minimum } = agent.admission;
  if (isListed(deny, from)) return 'caller_denied';
  if (allow !== null && !isListed(allow, from)) return 'caller_not_allowed';
  // Attestation is of telephone numbers. Who calls by SIP or a softphone has shown the carrier a password or an address.
  const isTelephone = from.kind === 'pstn' || from.kind === 'withheld';
  if (minimum !== null && isTelephone && !attestedAtLeast(minimum, attestation)) return 'attestation_low';
  return null;
}

/** The rules that count, in their order. The process counts for itself; agents and callers are counted wherever they call. */
export function limitsOf(
  nodeId: string,
  { direction, from }: IncomingCall,
  { name, limits, admission }: Agent,
  bounds: ProcessBounds,
): Limit<RefusalReason>[] {
  const caller = direction === 'outbound' ? null : callerKey(from);
  const { callsPerMinutePerCaller: perMinute, callsAtOncePerCaller: atOnce } = admission;
  const node = `node/${nodeId}`;
  const key = `caller/${name}/${caller}`;
  const found: Limit<RefusalReason>[] = [
    {
      refusal: 'calls_per_second',
      key: node,
      kind: 'rate',
      perSecond: bounds.maxCallsPerSecond,
      burst: bounds.maxCallsPerSecond,
    },
  ];
  if (caller !== null && perMinute !== null)
    found.push({ refusal: 'caller_rate', key, kind: 'rate', perSecond: perMinute / 60, burst: perMinute });
  if (caller !== null && atOnce !== null)
    found.push({ refusal: 'caller_at_once', key, kind: 'places', atMost: atOnce });
  found.push(
    { refusal: 'agent_full', key: `agent/${name}`, kind: 'places', atMost: limits.maxConcurrentCalls },
    { refusal: 'full', key: node, kind: 'places', atMost: bounds.maxConcurrentCalls },
  );
  return found;
}

/** One budget of a day that the call is held to. `refusal` is the asker's word for "it is used up". */
export interface DayBudget<R extends string = string> {
  refusal: R;
  key: string;
  limitNanoUsd: number;
}

/** What a call may spend. */
export interface CallBudgets {
  call: { refusal: RefusalReason; limitNanoUsd: number } | null;
  days: DayBudget<RefusalReason>[];
}

/** The budgets that a call is held to, in the order in which they refuse; null = none. */
export function budgetsOf(
  { direction, from }: IncomingCall,
  { name, budget }: Agent,
  { maxNanoUsdPerDay }: ProcessBounds,
): CallBudgets | null {
  const caller = direction === 'outbound' ? null : callerKey(from);
  const days: DayBudget<RefusalReason>[] = [];
  const add = (refusal: RefusalReason, key: string, limitNanoUsd: number | null): void => {
    if (limitNanoUsd !== null) days.push({ refusal, key, limitNanoUsd });
  };
  if (caller !== null) add('caller_budget', callerBudgetKey(name, caller), budget.perCallerDayNanoUsd);
  add('agent_budget', agentBudgetKey(name), budget.perDayNanoUsd);
  add('total_budget', TOTAL_BUDGET_KEY, maxNanoUsdPerDay);
  const call =
    budget.perCallNanoUsd === null ? null : { refusal: 'call_budget' as const, limitNanoUsd: budget.perCallNanoUsd };
  return call === null && days.length === 0 ? null : { call, days };
}

/** Under which names money is counted. */
export const TOTAL_BUDGET_KEY = 'budget/total';
export const agentBudgetKey = (agent: string): string => `budget/agent/${agent}`;
export const callerBudgetKey = (agent: string, caller: string): string => `budget/caller/${agent}/${caller}`;

/** What a refused caller gets who dialled `called`. Without an agent there is no file to say it. */
export function answerTo(reason: RefusalReason, agent: Agent | null, called: string): NextStep {
  if (reason === 'no_agent') return { do: 'say_and_hang_up', text: 'This number is not in service.' };
  if (agent === null) return { do: 'reject_busy' };
  if (reason === 'model_circuit_open') return withoutModel(agent, called);
  return stepOf(agent.admission.refused[GROUPS[reason]], called);
}

type Group = keyof Agent['admission']['refused'];

/** Which line of the agent file answers a reason. */
const GROUPS: Record<Exclude<RefusalReason, 'no_agent' | 'model_circuit_open'>, Group> = {
  draining: 'draining',
  caller_denied: 'denied',
  caller_not_allowed: 'denied',
  attestation_low: 'denied',
  overloaded: 'full',
  journal_full: 'full',
  model_throttled: 'full',
  calls_per_second: 'full',
  caller_rate: 'limited',
  caller_at_once: 'limited',
  agent_full: 'full',
  full: 'full',
  call_budget: 'budget',
  caller_budget: 'budget',
  agent_budget: 'budget',
  total_budget: 'budget',
};

function stepOf(refusal: Refusal, called: string): NextStep {
  switch (refusal.give) {
    case 'busy':
      return { do: 'reject_busy' };
    case 'sentence':
      return { do: 'say_and_hang_up', text: refusal.text };
    case 'forward':
      // It would come in here again, and be refused again.
      return refusal.to === called ? { do: 'reject_busy' } : { do: 'forward', to: refusal.to };
    default:
      return refusal satisfies never;
  }
}

/** What follows a call whose model fails, for one that cannot even begin: here nothing has been said yet. */
function withoutModel(agent: Agent, called: string): NextStep {
  const next = afterFailure(agent, called);
  return next.do === 'hang_up' ? { do: 'say_and_hang_up', text: agent.failure.apologyText } : next;
}
