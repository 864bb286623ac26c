// What a call may still spend, as far as it changes the conversation: answers wait where nothing is set aside for them, the
// agent is told when little is left, and the call ends with a goodbye when all of it is used. The carrier says that goodbye:
// it costs nothing, so that a call goes beyond its budget by one answer at most. Pure.
import type { NextStep } from '../carrier/carrier.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import { end, leave } from './ending.ts';
import type { BudgetShare } from './event.ts';
import type { CallState } from './state.ts';
import { terminationOf } from './termination.ts';
import { isSentOn } from './transfer.ts';

/** What money means to a conversation. */
export interface BudgetState {
  /** Once nothing could be set aside: from then on each answer is allowed by itself. */
  held: boolean;
  /** The agent knows that little is left. */
  told: boolean;
  /** All is used: the goodbye follows what is being said. */
  over: boolean;
}

/** Money was spent, or asked for. */
export function budgetChanged(d: Draft, { reserved, share }: { reserved: boolean; share: BudgetShare }): void {
  if (isFarewell(d.state)) return;
  const { budget, policy } = d.state;
  const over = budget.over || share === 'spent';
  const held = budget.held || over || !reserved;
  const told = budget.told || share !== 'low';
  change(d, { budget: { held, told, over } });
  if (held && !budget.held) cause(d, { do: 'session.hold_answers' });
  if (over) return;
  if (held && dueAnswer(d.state) !== null) cause(d, { do: 'session.allow_answer' });
  if (told && !budget.told) cause(d, { do: 'session.tell', role: 'system', text: policy.budget.nearly });
}

/** After each event: what has become due while answers wait is asked for, and a call that has used all ends. */
export function keepToBudget(d: Draft, before: CallState): void {
  const { budget, turn } = d.state;
  // A caller who is with a person costs nothing there, and is not taken away.
  if (isFarewell(d.state) || isSentOn(d.state)) return;
  if (budget.over && turn.answer === null) return sayGoodbye(d);
  const due = dueAnswer(d.state);
  if (budget.held && due !== null && due !== dueAnswer(before)) cause(d, { do: 'budget.reserve' });
}

/** A session that takes over answers no sooner than the one before. */
export function keepHolding(d: Draft): void {
  if (d.state.budget.held) cause(d, { do: 'session.hold_answers' });
}

/** Which answer is owed, by when and at which try; null = none. */
const dueAnswer = (state: CallState): string | null =>
  state.phase === 'talking' && state.turn.owedSinceMs !== null
    ? `${state.turn.owedSinceMs} ${state.turn.failures}`
    : null;

/** Nothing more is begun but what is said in any case. */
const isFarewell = (state: CallState): boolean => state.phase === 'leaving' && !state.farewell.revocable;

/** What was said is paid for and heard to its end; then the carrier says goodbye, or leads the caller on. */
function sayGoodbye(d: Draft): void {
  const { goodbye, next } = d.state.policy.budget;
  const after: NextStep = next.do === 'hang_up' ? { do: 'say_and_hang_up', text: goodbye } : next;
  // An answer that is due is not given any more.
  changeTurn(d, { owedSinceMs: null });
  if (isConnected(d)) leave(d, 'budget_spent', false, null, after);
  else end(d, terminationOf('budget_spent'), after);
}
