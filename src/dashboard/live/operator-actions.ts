// What an operator does to a live call, from a request to the call: read by its schema, carried out, and written down with who
// did it and when. What was said is not written down.
import type { Calls } from '../../call/calls.ts';
import type { Order } from '../../call/orders.ts';
import type { Clock } from '../../clock.ts';
import { TrunklineError } from '../../errors.ts';
import type { Audited } from '../../store/events.ts';
import { lineToSay, nothing, transferTo } from '../schemas/live.ts';

export const OPERATOR_ACTIONS = ['whisper', 'say', 'transfer', 'hang_up'] as const;
export type OperatorAction = (typeof OPERATOR_ACTIONS)[number];

/** `refused`: not possible now, and why in words for the operator. */
export type Acted = { outcome: 'done' } | { outcome: 'refused'; why: string } | { outcome: 'gone' };

export interface OperatorActionsOptions {
  calls: Pick<Calls, 'operate'>;
  /** Where facts are kept. */
  audit: (fact: Audited) => void;
  clock: Pick<Clock, 'wallMs'>;
}

/** As an audit tells it. */
const AUDITED_AS: Readonly<Record<OperatorAction, string>> = {
  whisper: 'whispered',
  say: 'said',
  transfer: 'transferred',
  hang_up: 'hung_up',
};

/** Of whoever acts, as a session is named. */
const MAX_ACTOR_CHARS = 100;

/**
 * Carries out what somebody asks of a live call of this process. What was done or refused is audited; of a call that is gone
 * there is nothing to tell.
 * @throws TrunklineError TRK_BAD_REQUEST for a body that is not what its schema says
 */
export type OperatorActions = (action: OperatorAction, callId: string, body: unknown, actor: string) => Acted;

export const operatorActions =
  ({ calls, audit, clock }: OperatorActionsOptions): OperatorActions =>
  (action, callId, body, actor) => {
    const order = orderOf(action, body);
    const acted = calls.operate(callId, order);
    if (acted.outcome === 'gone') return acted;
    // A target that was accepted is a name of the agent file.
    const target = acted.outcome === 'done' && order.type === 'operator.transfers' ? `to ${order.target}` : '';
    audit({
      type: 'audited',
      atWallMs: Math.round(clock.wallMs()),
      actor: actor.replace(/\p{C}/gu, '').slice(0, MAX_ACTOR_CHARS),
      action: AUDITED_AS[action],
      subject: callId,
      note: acted.outcome === 'refused' ? 'refused' : target,
    });
    return acted;
  };

function orderOf(action: OperatorAction, body: unknown): Order {
  switch (action) {
    case 'whisper':
      return { type: 'operator.whispered', text: read(lineToSay, body).text };
    case 'say':
      return { type: 'operator.said', text: read(lineToSay, body).text };
    case 'transfer':
      return { type: 'operator.transfers', target: read(transferTo, body).target };
    case 'hang_up':
      read(nothing, body ?? {});
      return { type: 'call.asked_to_end', reason: 'operator_ended' };
    default:
      return action satisfies never;
  }
}

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: PropertyKey[]; message: string }[] } };
}

function read<T>(schema: Schema<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new TrunklineError('TRK_BAD_REQUEST', `${where === '' ? 'the body' : where}: ${issue?.message ?? 'not valid'}`);
}
