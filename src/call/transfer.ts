// Hand-over to a person. Cold: what is being said is heard, then the carrier connects the caller to whoever answers. Warm:
// the person is rung up first, hears a summary and accepts by a key, while the caller stays with the agent; then both meet
// in a room of the carrier's. A person who does not take the call costs nothing: the caller is back with the agent, which
// knows. Where the caller may be sent stands in the agent file, never in what a model says. Pure.
import type { NextStep } from '../carrier/carrier.ts';
import { TRANSFER } from '../tools/built-in.ts';
import { cause, change, type Draft, isConnected } from './draft.ts';
import { afterFault, askToSay, end, FAREWELL_CAP_MS } from './ending.ts';
import type { MissedBecause } from './event.ts';
import { remember } from './history.ts';
import type { TransferTarget } from './policy.ts';
import { isTakingOver, oweWhenReady } from './recovery.ts';
import { stopSpeaking } from './speaking.ts';
import type { ConnectedState, LiveState, Transfer } from './state.ts';
import { terminationOf } from './termination.ts';
import { settleTool } from './tool-outcome.ts';

/** The model's own words for the person do until then. */
const SUMMARY_WITHIN_MS = 4_000;
/** The order, the last ring, and the news of it take no longer; an order without an answer may have rung up nobody. */
const ANSWER_WITHIN_MS = 15_000;
/** A person hears the summary twice and decides. */
const DECIDE_WITHIN_MS = 45_000;
/** A person who has accepted does not wait for a long sentence. */
const LAST_WORDS_MS = 4_000;
/** The carrier asks at once where the caller is to go. */
const MOVE_WITHIN_MS = 8_000;
/** After the last ring the carrier still tells what became of it. */
const NEWS_WITHIN_MS = 20_000;
/** A person who leaves sooner has not taken the caller; later, the call was handed over. */
const TOGETHER_MS = 8_000;
const MAX_SAY_CHARS = 600;

const SUMMARY =
  'In at most two short sentences, for a colleague who takes this call now: who is calling and what they want, and what was done. Plain text.';

const CONNECTING = 'Say in one short sentence that you are connecting the caller now. Say nothing else.';
const GETTING =
  'Say in one short sentence that you are getting a person for the caller, who may stay on the line. Say nothing else.';

/** The model asks for a person. */
export function beginTransfer(d: Draft<ConnectedState>, toolCall: string, args: Record<string, unknown>): void {
  const { targets } = d.state.policy.errands;
  const { target: name, summary } = args;
  const target = typeof name === 'string' && Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (typeof name !== 'string' || target === undefined)
    return settleTool(d, toolCall, `Not done: target must be one of ${Object.keys(targets).join(', ')}.`);
  if (d.state.transfer !== null || d.state.spare?.agent !== undefined)
    return settleTool(d, toolCall, 'Not done: the caller is being handed over already.', true);
  const given = typeof summary === 'string' ? summary.trim().slice(0, MAX_SAY_CHARS) : '';
  const warm = target.how === 'warm';
  change(d, {
    transfer: { toolCall, by: 'model', target: name, stage: firstStage(target), sinceMs: d.atMs, say: given },
    // Warm: the caller waits as for any other tool, and is not left in silence.
    tools: { ...d.state.tools, [toolCall]: warm ? 'running' : 'asking' },
  });
  cause(d, { do: 'note.transfer', target: name, stage: 'begun', why: target.how });
  if (warm) return cause(d, { do: 'session.summarise', ask: SUMMARY });
  // Without a word before, the caller is told where they go.
  if (d.state.turn.answer?.spoke !== true) askToSay(d, CONNECTING);
}

/** An operator hands the caller over, in a moment in which nobody speaks; false: there is no such target any more. */
export function handOver(d: Draft<ConnectedState>, name: string): boolean {
  const { errands } = d.state.policy;
  const target = Object.hasOwn(errands.targets, name) ? errands.targets[name] : undefined;
  if (target === undefined) return false;
  const { orders } = d.state;
  const transfers = orders.transfers + 1;
  const toolCall = `operator${transfers}`;
  change(d, {
    orders: { ...orders, transfers },
    transfer: { toolCall, by: 'operator', target: name, stage: firstStage(target), sinceMs: d.atMs, say: '' },
  });
  cause(d, { do: 'note.transfer', target: name, stage: 'begun', why: target.how });
  const warm = target.how === 'warm';
  const text = warm
    ? `The supervisor has ${name} rung up to take this caller over. Go on with the caller meanwhile; do not transfer them yourself.`
    : `The supervisor hands the caller over to ${name} now.`;
  cause(d, { do: 'session.tell', role: 'system', text });
  if (warm) cause(d, { do: 'session.summarise', ask: SUMMARY });
  askToSay(d, warm ? GETTING : CONNECTING);
  return true;
}

const firstStage = ({ how }: TransferTarget): Transfer['stage'] => (how === 'warm' ? 'summarising' : 'announcing');

/** What became of a transfer goes to the model: as the outcome of its tool call, or as news. */
function tellOutcome(d: Draft, { toolCall, by, target }: Transfer, output: string, quietly = false): void {
  if (by === 'model') return settleTool(d, toolCall, output, quietly);
  // A session that takes over learns of it with the history.
  remember(d, { who: 'tool', toolCall, name: TRANSFER, arguments: JSON.stringify({ target }), output });
  if (isTakingOver(d.state)) return quietly ? undefined : oweWhenReady(d);
  if (d.state.session === 'gone') return;
  cause(d, { do: 'session.tell', role: 'system', text: output });
  if (!quietly && d.state.phase === 'talking' && !isSentOn(d.state) && !d.state.turn.callerSpeaking) askToSay(d, null);
}

/** The summary is there, or is not to be had: the person is rung up. */
export function summaryReady(d: Draft, text: string | null): void {
  const { transfer } = d.state;
  if (transfer?.stage !== 'summarising') return;
  const words = text?.trim().slice(0, MAX_SAY_CHARS) || transfer.say || 'A caller wants to speak with you.';
  const { to, ringSeconds } = targetOf(d.state, transfer);
  enter(d, { ...transfer, say: words }, 'calling');
  cause(d, { do: 'person.call', to, say: words, room: roomOf(d.state, transfer), ringSeconds });
}

/** A person has answered, and decides. */
export function personHears(d: Draft): void {
  const { transfer } = d.state;
  if (transfer?.stage === 'calling') enter(d, transfer, 'deciding');
}

/** A person takes the call. */
export function personTook(d: Draft): void {
  const { transfer } = d.state;
  if (transfer === null || d.state.phase !== 'talking') return cause(d, { do: 'person.drop' });
  cause(d, { do: 'note.transfer', target: transfer.target, stage: 'taken', why: '' });
  // Cold: the two are talking.
  if (isGone(transfer)) return handedOver(d, '');
  if (transfer.stage === 'calling' || transfer.stage === 'deciding') enter(d, transfer, 'taken');
}

/** A person did not take the call, or left at once: the caller stays with the agent, or is brought back. */
export function personMissed(d: Draft, because: MissedBecause, detail: string): void {
  const { transfer } = d.state;
  if (transfer === null) return;
  const { target } = transfer;
  cause(d, { do: 'note.transfer', target, stage: 'missed', why: detail === '' ? because : `${because}: ${detail}` });
  change(d, { transfer: null });
  const gone = isGone(transfer);
  if (gone && isConnected(d) && d.state.away !== null)
    change(d, { away: { ...d.state.away, sinceMs: d.atMs, asked: false, owes: true } });
  const output = `${target} did not take the call: ${IN_WORDS[because]}. The caller is with you again. Tell them, and offer to take a message for a call-back.`;
  // Asked to answer as soon as the caller is there to hear it.
  tellOutcome(d, transfer, output, gone);
}

/** The media is over because we sent the caller on. */
export function callerMoved(d: Draft): void {
  const { transfer } = d.state;
  if (transfer?.stage === 'moving') enter(d, transfer, 'away');
}

/** After each event: a caller who has heard what is being said is sent on. */
export function sendOn(d: Draft): void {
  const { transfer, turn, playback } = d.state;
  if (transfer === null || d.state.phase !== 'talking' || d.state.away !== null) return;
  if (transfer.stage !== 'announcing' && transfer.stage !== 'taken') return;
  const speaking = playback.tracks.length > 0 || turn.answer !== null || turn.owedSinceMs !== null;
  if (!speaking && !turn.callerSpeaking && turn.bargeInAtMs === null) move(d as Draft<ConnectedState>, transfer);
}

/** The caller spoke up before the announcement was heard: the call goes on. */
export function revoke(d: Draft): void {
  const { transfer } = d.state;
  if (transfer?.stage !== 'announcing') return;
  change(d, { transfer: null });
  cause(d, { do: 'note.transfer', target: transfer.target, stage: 'revoked', why: 'the caller spoke' });
  const again = transfer.by === 'model' ? ' Ask for it again if it is still wanted.' : '';
  tellOutcome(d, transfer, `Not transferred: the caller spoke first.${again}`, true);
}

/** The call ends, or leaves for a farewell. */
export function dropTransfer(d: Draft): void {
  const { transfer } = d.state;
  if (transfer === null) return;
  // A caller who is gone may not have got into the room: nobody waits there for them.
  if (isRinging(transfer) || (isGone(transfer) && isWarm(d.state, transfer))) cause(d, { do: 'person.drop' });
  change(d, { transfer: null });
  cause(d, { do: 'note.transfer', target: transfer.target, stage: 'revoked', why: 'the call ends' });
  tellOutcome(d, transfer, 'Not transferred: the call ends.', true);
}

/** True while the caller is with the carrier, or on the way there. */
export const isSentOn = ({ transfer }: LiveState): boolean => transfer !== null && isGone(transfer);

/** True when the caller was led into a room where the person waits. */
export const isWithPerson = (state: LiveState): boolean =>
  state.transfer?.stage === 'away' && isWarm(state, state.transfer);

/** True while a person is rung up, or waits for the caller. */
export const isRinging = ({ stage }: Transfer): boolean =>
  stage === 'calling' || stage === 'deciding' || stage === 'taken';

/** When the present step of a transfer has taken too long. */
export function transferDueMs(state: LiveState): number | null {
  const { transfer } = state;
  if (transfer === null) return null;
  const ringMs = targetOf(state, transfer).ringSeconds * 1_000;
  const within: Record<Transfer['stage'], number> = {
    announcing: FAREWELL_CAP_MS,
    summarising: SUMMARY_WITHIN_MS,
    calling: ringMs + ANSWER_WITHIN_MS,
    deciding: DECIDE_WITHIN_MS,
    taken: LAST_WORDS_MS,
    moving: MOVE_WITHIN_MS,
    away: isWarm(state, transfer) ? TOGETHER_MS : ringMs + NEWS_WITHIN_MS,
  };
  return transfer.sinceMs + within[transfer.stage];
}

/** The present step has taken too long. */
export function transferOverdue(d: Draft): void {
  const { transfer } = d.state;
  if (transfer === null || !isConnected(d)) return;
  switch (transfer.stage) {
    case 'summarising':
      return summaryReady(d, null);
    case 'announcing':
    case 'taken':
      return move(d, transfer);
    case 'calling':
    case 'deciding':
      cause(d, { do: 'person.drop' });
      return personMissed(d, 'no_answer', transfer.stage === 'calling' ? 'no news' : 'no decision');
    case 'moving':
      // The carrier never came for the caller: it is asked to bring the caller back.
      if (isWarm(d.state, transfer)) cause(d, { do: 'person.drop' });
      return personMissed(d, 'failed', 'the carrier did not move the caller');
    case 'away':
      // Together for a while; or ringing for so long that only the news of the answer was lost.
      return handedOver(d, isWarm(d.state, transfer) ? '' : 'the carrier did not say what became of it');
  }
}

/** The caller leaves this call's media; it lives on, and waits for news. */
function move(d: Draft<ConnectedState>, transfer: Transfer): void {
  const { to, how, ringSeconds } = targetOf(d.state, transfer);
  const next: NextStep =
    how === 'cold'
      ? { do: 'transfer', to, ringSeconds, otherwise: afterFault(d.state.policy) }
      : { do: 'conference', room: roomOf(d.state, transfer) };
  // What is still being said would be heard by nobody, or when the caller is back.
  stopSpeaking(d, 'our_decision');
  enter(d, transfer, 'moving');
  const detail = `handed over to ${transfer.target}`;
  change(d, { away: { sinceMs: d.atMs, asked: false, owes: true, deafMs: 0, cause: 'moved', detail } });
  cause(d, { do: 'leg.move', next, by: how === 'cold' ? 'close' : 'order' });
}

/** The room of this call's transfer; nobody can guess it, and it says nothing of anybody. */
const roomOf = ({ callId }: { callId: string }, { toolCall }: Transfer): string =>
  `${callId}-${toolCall.replace(/[^A-Za-z0-9]/g, '').slice(-12)}`;

/** The person has the caller: this call is over. */
export function handedOver(d: Draft, detail: string): void {
  const { transfer } = d.state;
  if (transfer !== null) {
    change(d, { transfer: null });
    // For the record: the model has nothing more to say.
    tellOutcome(d, transfer, `${transfer.target} took the call.`, true);
  }
  end(d, terminationOf('transferred', detail));
}

function enter(d: Draft, transfer: Transfer, stage: Transfer['stage']): void {
  change(d, { transfer: { ...transfer, stage, sinceMs: d.atMs } });
}

const isGone = ({ stage }: Transfer): boolean => stage === 'moving' || stage === 'away';

const isWarm = (state: LiveState, transfer: Transfer): boolean => targetOf(state, transfer).how === 'warm';

const targetOf = ({ policy }: LiveState, { target }: Transfer): TransferTarget =>
  policy.errands.targets[target] as TransferTarget;

const IN_WORDS: Record<MissedBecause, string> = {
  busy: 'the line is busy',
  no_answer: 'nobody answered',
  declined: 'it was declined',
  failed: 'it could not be reached',
  left: 'the connection ended at once',
  unavailable: 'people cannot be called from here',
};
