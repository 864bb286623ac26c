// Who has the floor: the caller speaking, the model answering, tools running, keys pressed, nobody at all. Pure.
import { FRAME_MS } from '../audio/mulaw.ts';
import type { RealtimeEvent } from '../realtime/session.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import { leave, askToSay, stay } from './ending.ts';
import { remember, toolDone } from './history.ts';
import * as ledger from './playback.ts';
import { isTakingOver, loseSession, oweWhenReady, recovered } from './recovery.ts';
import { isAnswering, stopSpeaking } from './speaking.ts';
import type { ConnectedState, Leaving, ToolState } from './state.ts';

type Of<T extends RealtimeEvent['type']> = Extract<RealtimeEvent, { type: T }>;

const END_CALL = 'end_call';

/** Answers in a row that only call tools; no honest task needs so many without a word to the caller. */
const MAX_WORDLESS = 8;

/** The model can be spoken to: the greeting is asked for, even before the caller's media is there. */
export function openConversation(d: Draft): void {
  change(d, { session: 'ready' });
  const { greeting } = d.state.policy;
  if (greeting?.by === 'model') return askToSay(d, greeting.say);
  recovered(d);
  changeTurn(d, { owedSinceMs: null });
}

/** The caller begins to speak: interrupts at once, later, or not at all, as the policy says. */
export function callerBegins(d: Draft): void {
  // The model hears: what it owed is void, and it is given new time for what is said now.
  recovered(d);
  changeTurn(d, { callerSpeaking: true, prompts: 0, lastActivityMs: d.atMs, waitsSinceMs: null });
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  const current = ledger.currentTrack(d.state.playback, d.atMs);
  const after = d.atMs + d.state.policy.interruptAfterMs;
  const bargeInAtMs = current?.protected ? Math.max(after, d.state.playback.queueEndsAtMs) : after;
  if (bargeInAtMs <= d.atMs) bargeIn(d);
  else if (current || d.state.phase === 'leaving' || d.state.turn.answer || d.state.turn.owedSinceMs !== null)
    changeTurn(d, { bargeInAtMs });
}

/** The caller interrupts: the agent stops, and a farewell is called back. */
export function bargeIn(d: Draft): void {
  const { playback } = d.state;
  if (ledger.currentTrack(playback, d.atMs)?.protected) {
    // Only so much of it was queued when the caller began; more of it has followed.
    changeTurn(d, { bargeInAtMs: Math.max(d.atMs + FRAME_MS, playback.queueEndsAtMs) });
    return;
  }
  changeTurn(d, { bargeInAtMs: null });
  stopSpeaking(d, 'caller_spoke');
  if (d.state.phase === 'leaving' && d.state.farewell.revocable) stay(d as Draft<Leaving>);
}

/** The caller pauses: a pending interruption was a backchannel. */
export function callerStops(d: Draft): void {
  const { owedSinceMs } = d.state.turn;
  changeTurn(d, {
    callerSpeaking: false,
    bargeInAtMs: null,
    lastActivityMs: d.atMs,
    owedSinceMs: owedSinceMs === null ? null : d.atMs,
  });
}

/**
 * The caller's turn is over: an answer is owed. What was said without stopping the agent was a backchannel and is not
 * answered by us; over a protected utterance it was a turn that could not interrupt, and is answered after it.
 */
export function callerTurnEnds(d: Draft, turn: string): void {
  remember(d, { who: 'caller', turn, text: null });
  changeTurn(d, { callerSpeaking: false, lastActivityMs: d.atMs, asked: null, wordless: 0 });
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  const { capabilities, playback } = d.state;
  if (!isAnswering(playback, d.atMs)) {
    if (capabilities.answersTurns) changeTurn(d, { owedSinceMs: d.atMs });
    else askToSay(d, null);
    return;
  }
  if (!ledger.currentTrack(playback, d.atMs)?.protected) return;
  // A model that answers by itself does so unless it is still producing the protected utterance.
  if (!capabilities.answersTurns || d.state.turn.answer !== null) askToSay(d, null);
}

/** The model begins an answer. */
export function answerBegins(d: Draft, event: Of<'answer.started'>): void {
  changeTurn(d, { answer: { id: event.answer, startedAtMs: d.atMs, spoke: false }, lastSignMs: d.atMs });
}

/** The model made a sound: it owes nothing for now. */
export function answerSounds(d: Draft): void {
  recovered(d);
  const { answer } = d.state.turn;
  changeTurn(d, {
    owedSinceMs: null,
    lastSignMs: d.atMs,
    lastActivityMs: d.atMs,
    waitsSinceMs: null,
    answer: answer && !answer.spoke ? { ...answer, spoke: true } : answer,
  });
}

/**
 * An answer is over. A failed one is asked for once more, an empty one twice, and a model that only calls tools is let do so
 * for a while; then the model has failed. One that was cut off by itself is asked to go on, once.
 */
export function answerEnds(d: Draft, event: Of<'answer.ended'>): void {
  const { answer, owedSinceMs, failures, wordless } = d.state.turn;
  // Sound or a tool call pays the debt at once: an answer to it that ended whole and left it unpaid was empty.
  const empty =
    event.status === 'completed' && owedSinceMs !== null && answer !== null && answer.startedAtMs >= owedSinceMs;
  changeTurn(d, { answer: null, lastActivityMs: d.atMs, owedSinceMs: empty ? null : owedSinceMs });
  if (event.status === 'completed' && !empty)
    changeTurn(d, { failures: 0, wordless: answer?.spoke ? 0 : wordless + 1 });
  if (wordless >= MAX_WORDLESS && answer?.spoke === false)
    return loseSession(d, 'model_failed', 'answers without a word', false);
  if (event.status === 'incomplete' && answer?.spoke && failures === 0 && d.state.phase === 'talking') {
    changeTurn(d, { failures: 1 });
    return askToSay(d, null);
  }
  if (event.status !== 'failed' && !empty) return;
  if (event.fatal) return loseSession(d, 'model_failed', event.detail, true);
  if (failures >= (empty ? 2 : 1)) {
    // Also one that had begun to speak leaves the caller without an answer.
    changeTurn(d, { owedSinceMs: owedSinceMs ?? d.atMs });
    loseSession(d, 'model_failed', empty ? 'empty answers' : event.detail, false);
    return;
  }
  changeTurn(d, { failures: failures + 1 });
  askToSay(d, d.state.turn.asked);
  // The caller has waited since the first try.
  if (owedSinceMs !== null) changeTurn(d, { owedSinceMs });
}

/** The model asks for a tool. `end_call` is ours; everything else runs beside the conversation. */
export function toolCalled(d: Draft, event: Of<'tool.called'>): void {
  if (Object.hasOwn(d.state.tools, event.toolCall)) {
    cause(d, { do: 'note.ignored', what: 'tool_called_twice' });
    return;
  }
  const { waitsSinceMs, owedSinceMs } = d.state.turn;
  changeTurn(d, {
    ...{ owedSinceMs: null, lastSignMs: d.atMs, lastActivityMs: d.atMs },
    // The caller hears nothing of it, and has waited since before.
    waitsSinceMs: waitsSinceMs ?? owedSinceMs ?? d.atMs,
  });
  if (d.state.trouble !== null) change(d, { trouble: null });
  const { toolCall, name, arguments: args } = event;
  remember(d, { who: 'tool', toolCall, name, arguments: args, output: null });
  if (event.name === END_CALL && d.state.policy.endCall) {
    agentLeaves(d, event.toolCall);
    return;
  }
  change(d, { tools: { ...d.state.tools, [event.toolCall]: 'running' } });
  cause(d, { do: 'tool.run', toolCall: event.toolCall, name: event.name, arguments: event.arguments });
}

/** The goodbye contract: what was said in the same answer is the farewell; if nothing was, it is asked for. */
function agentLeaves(d: Draft, toolCall: string): void {
  change(d, { tools: settledAs(d.state.tools, toolCall) });
  const settleQuietly = (output: string): void => {
    toolDone(d, toolCall, output);
    cause(d, { do: 'session.settle_tool', toolCall, output, quietly: true });
  };
  if (d.state.turn.callerSpeaking || d.state.phase === 'leaving')
    return settleQuietly('Not ended: the call is not at its end.');
  if (!isConnected(d)) {
    // The caller, who is not there yet, will hear what it says next.
    const output = 'Not ended: the caller has heard nothing yet.';
    toolDone(d, toolCall, output);
    cause(d, { do: 'session.settle_tool', toolCall, output, quietly: false });
    return changeTurn(d, { owedSinceMs: d.atMs });
  }
  settleQuietly('The call ends as soon as the caller has heard the goodbye. If the caller speaks first, it goes on.');
  const ask = d.state.turn.answer?.spoke ? null : (d.state.policy.endCall?.goodbye ?? null);
  leave(d, 'agent_goodbye', true, ask);
}

/** A tool finished: the model gets its output, and owes an answer when it was the last one running. */
export function toolSettled(d: Draft, toolCall: string, output: string): void {
  if (d.state.tools[toolCall] !== 'running') {
    cause(d, { do: 'note.ignored', what: 'tool_settled_twice' });
    return;
  }
  const tools = settledAs(d.state.tools, toolCall);
  change(d, { tools });
  toolDone(d, toolCall, output);
  changeTurn(d, { lastActivityMs: d.atMs });
  // A session that is still opening is told with the history.
  if (isTakingOver(d.state)) {
    if (!Object.values(tools).includes('running')) oweWhenReady(d);
    return;
  }
  if (d.state.session === 'gone') return;
  // During a farewell nothing is added to it.
  const quietly = d.state.phase === 'leaving';
  cause(d, { do: 'session.settle_tool', toolCall, output, quietly });
  const last = !quietly && !Object.values(tools).includes('running');
  if (last && !d.state.turn.callerSpeaking) changeTurn(d, { owedSinceMs: d.atMs });
}

/** A key: collected until `#`, or until no further key comes. */
export function keyPressed(d: Draft<ConnectedState>, digit: string): void {
  changeTurn(d, { keys: (d.state.turn.keys + digit).slice(-64), lastKeyMs: d.atMs, prompts: 0 });
  if (digit === '#') tellKeys(d);
}

/** The keys pressed so far are told to the model as text; they count as the caller's turn. */
export function tellKeys(d: Draft): void {
  const { keys } = d.state.turn;
  changeTurn(d, { keys: '', lastActivityMs: d.atMs });
  if (keys === '' || d.state.session === 'gone') return;
  if (d.state.phase === 'leaving' && !d.state.farewell.revocable) return;
  const current = ledger.currentTrack(d.state.playback, d.atMs);
  if (!current?.protected) stopSpeaking(d, 'our_decision');
  if (d.state.phase === 'leaving') stay(d as Draft<Leaving>);
  const text = `[The caller pressed keys: ${keys.split('').join(' ')}]`;
  remember(d, { who: 'caller', turn: `keys:${d.atMs}`, text });
  if (isTakingOver(d.state)) return oweWhenReady(d);
  if (!d.state.capabilities.detectsTurns) cause(d, { do: 'session.commit' });
  cause(d, { do: 'session.tell', role: 'user', text });
  askToSay(d, null);
}

/** Nobody has spoken for long: the caller is asked once, then told goodbye. */
export function breakSilence(d: Draft<ConnectedState>): void {
  const { policy, turn } = d.state;
  changeTurn(d, { prompts: turn.prompts + 1, lastActivityMs: d.atMs });
  if (turn.prompts === 0) askToSay(d, policy.silencePrompt);
  else leave(d, 'caller_silent', true, policy.silenceGoodbye);
}

/** Settled tool calls that are remembered, so that one that comes twice is known. */
const MAX_SETTLED = 64;

function settledAs(tools: Record<string, ToolState>, toolCall: string): Record<string, ToolState> {
  const settled = Object.keys(tools).filter((id) => tools[id] === 'settled');
  const forgotten = new Set(settled.slice(0, Math.max(0, settled.length + 1 - MAX_SETTLED)));
  const kept = Object.entries(tools).filter(([id]) => !forgotten.has(id) && id !== toolCall);
  return { ...Object.fromEntries(kept), [toolCall]: 'settled' };
}
