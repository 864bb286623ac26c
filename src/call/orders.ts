// What an operator may do to a live call beside ending it: tell the agent something, have it say a line, hand the caller over.
// Nobody is cut off for it: lines and hand-overs wait until nobody speaks. Pure.
import { cause, change, type Draft, isConnected } from './draft.ts';
import { askToSay, stay } from './ending.ts';
import type { ShellEvent } from './event.ts';
import { isTakingOver } from './recovery.ts';
import { isAnswering } from './speaking.ts';
import type { CallState, ConnectedState, Leaving, LiveState, Orders } from './state.ts';
import { handOver } from './transfer.ts';

type OrderEvent = Extract<ShellEvent, { type: `operator.${string}` }>;

/** What an operator may ask of a call. */
export type Order = OrderEvent | { type: 'call.asked_to_end'; reason: 'operator_ended' };

/** Characters of a line or of what the agent is told. */
const MAX_WORDS_CHARS = 600;
/** Lines that wait. */
const MAX_LINES = 8;
/** Of what the agent was told, the latest so many are told again to a session that takes over. */
const MAX_TOLD = 8;

const GOES_ON = 'Your supervisor keeps the call going. Do not end it yet.';

/** Why an order cannot be carried out now, in words for the operator; null: it can. */
export function objection(state: CallState, order: Order): string | null {
  if (state.phase === 'ended') return 'The call is over.';
  if (order.type === 'call.asked_to_end') return null;
  if (state.session === 'gone' || (state.phase === 'leaving' && !state.farewell.revocable))
    return 'The call is ending.';
  switch (order.type) {
    case 'operator.whispered':
      return wordsIn(order.text) === '' ? 'There are no words in it.' : null;
    case 'operator.said':
      if (wordsIn(order.text) === '') return 'There are no words in it.';
      if (state.phase === 'awaiting_media') return 'The caller is not on the line yet. Try again in a moment.';
      if (isLeavingUs(state)) return 'The caller is being handed over to a person.';
      return state.orders.lines.length < MAX_LINES ? null : `${MAX_LINES} lines wait to be said already.`;
    case 'operator.transfers':
      return noTransfer(state, order.target);
    default:
      return order satisfies never;
  }
}

function noTransfer({ phase, policy, transfer, orders, spare }: LiveState, target: string): string | null {
  const { targets } = policy.errands;
  if (!Object.hasOwn(targets, target)) {
    const known = Object.keys(targets);
    return known.length === 0
      ? 'This agent hands nobody over: its file has no transfer targets.'
      : `There is no such target. This agent has: ${known.join(', ')}.`;
  }
  if (phase === 'awaiting_media') return 'The caller is not on the line yet. Try again in a moment.';
  if (transfer !== null || orders.transferTo !== null) return 'The caller is being handed over to a person already.';
  return spare?.agent === undefined ? null : 'Another agent is about to take over. Try again in a moment.';
}

/** An operator asks for something; what cannot be is not done. */
export function ordered(d: Draft, order: OrderEvent): void {
  if (objection(d.state, order) !== null) return cause(d, { do: 'note.ignored', what: 'operator_refused' });
  if (order.type === 'operator.whispered') return tell(d, wordsIn(order.text));
  // The agent is saying goodbye: not any more.
  if (d.state.phase === 'leaving') stay(d as Draft<Leaving>, GOES_ON);
  if (order.type === 'operator.said') put(d, { lines: [...d.state.orders.lines, wordsIn(order.text)] });
  else put(d, { transferTo: order.target });
}

/** Nobody answers by this alone; it is there for the next answer. */
function tell(d: Draft, words: string): void {
  const text = `Your supervisor tells you, unheard by the caller: "${words}" Go by it from your next answer on, and do not mention it.`;
  put(d, { told: [...d.state.orders.told.slice(1 - MAX_TOLD), text] });
  // A session that takes over is told with the history.
  if (!isTakingOver(d.state)) cause(d, { do: 'session.tell', role: 'system', text });
}

/** After each event: what waits is carried out when nobody speaks, one thing after the other. */
export function carryOut(d: Draft): void {
  if (d.state.orders.asked !== null) follow(d, d.state.orders.asked);
  const { lines, asked, transferTo } = d.state.orders;
  if (asked !== null || (lines.length === 0 && transferTo === null)) return;
  if (!isConnected(d) || !isFree(d.state, d.atMs)) return;
  const [text, ...later] = lines;
  if (text !== undefined) {
    put(d, { lines: later, asked: { text, session: d.state.on.session } });
    return askToSay(d, `Say exactly this, and nothing else: "${text}"`);
  }
  if (transferTo === null || d.state.transfer !== null) return;
  put(d, { transferTo: null });
  // Another agent answers meanwhile, who knows nobody of that name.
  if (!handOver(d, transferTo)) cause(d, { do: 'note.ignored', what: 'operator_refused' });
}

/** A line that was asked for: once it sounds it is like any other; what was lost before that waits again. */
function follow(d: Draft, { text, session }: NonNullable<Orders['asked']>): void {
  const { on, turn, orders } = d.state;
  if (on.session !== session || d.effects.some((effect) => effect.do === 'session.interrupt'))
    return put(d, { asked: null, lines: [text, ...orders.lines] });
  const over = turn.answer === null && turn.owedSinceMs === null;
  if (over || turn.answer?.spoke === true) put(d, { asked: null });
}

/** Nobody speaks or is about to, nothing is being keyed in, and the caller stays here. */
const isFree = (state: ConnectedState, atMs: number): boolean =>
  state.phase === 'talking' &&
  state.session === 'ready' &&
  state.trouble === null &&
  state.away === null &&
  state.collecting === null &&
  state.spare?.agent === undefined &&
  !state.budget.over &&
  !isLeavingUs(state) &&
  !state.turn.callerSpeaking &&
  state.turn.bargeInAtMs === null &&
  state.turn.answer === null &&
  state.turn.owedSinceMs === null &&
  state.turn.keys === '' &&
  !isAnswering(state.playback, atMs);

/** The caller is about to be sent on, or is with the carrier; while a person is rung up they are still with the agent. */
const isLeavingUs = ({ transfer }: LiveState): boolean =>
  transfer !== null && !['summarising', 'calling', 'deciding'].includes(transfer.stage);

/** Something that was asked for is still to be done: the agent does not end the call before. */
export const hasOrders = ({ orders }: LiveState): boolean =>
  orders.lines.length > 0 || orders.asked !== null || orders.transferTo !== null;

/** The call ends, or leaves for a farewell. */
export function dropOrders(d: Draft): void {
  if (hasOrders(d.state)) put(d, { lines: [], asked: null, transferTo: null });
}

/** A note for a session that takes over, with what its predecessor was told. */
export const withTold = ({ orders }: LiveState, note: string): string => [note, ...orders.told].join(' ');

/** The conversation opens in another session than the first, and there is no history to tell. */
export function retell(d: Draft): void {
  if (d.state.sessions === 1) return;
  for (const text of d.state.orders.told) cause(d, { do: 'session.tell', role: 'system', text });
}

function put(d: Draft, part: Partial<Orders>): void {
  change(d, { orders: { ...d.state.orders, ...part } });
}

/** As it is put between quotation marks. */
const wordsIn = (text: string): string => text.replaceAll('"', "'").trim().slice(0, MAX_WORDS_CHARS);
