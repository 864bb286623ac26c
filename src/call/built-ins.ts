// The tools that a call carries out itself: they change the call, not a business. Names and arguments come from a model and
// are checked here; where a caller may be sent stands in the agent file alone. Pure.
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { RealtimeEvent } from '../realtime/session.ts';
import { COLLECT_DIGITS, END_CALL, HAND_OFF, LEAVE_NOTE, SEND_KEYS, TRANSFER } from '../tools/built-in.ts';
import { beginCollecting } from './collecting.ts';
import { cause, change, changeTurn, type Draft, isConnected } from './draft.ts';
import { leave } from './ending.ts';
import { handOff } from './hand-off.ts';
import { hasOrders } from './orders.ts';
import { KEYS_CLIP } from './policy.ts';
import { playClip } from './speaking.ts';
import type { LiveState } from './state.ts';
import { settleTool } from './tool-outcome.ts';
import { beginTransfer } from './transfer.ts';

type ToolCalled = Extract<RealtimeEvent, { type: 'tool.called' }>;

const MAX_NOTE_CHARS = 2_000;
/** Keys at once; the longest extension or account number is shorter. */
const MAX_KEYS = 32;
/** 100 ms of tone and 60 ms of silence for a key, half a second for `w`: the shell makes the sound. */
export const KEY_MS = 160;
export const WAIT_MS = 500;

/** Whether the call itself offers this tool now. */
export function isBuiltIn({ policy }: LiveState, name: string): boolean {
  const { endCall, errands } = policy;
  switch (name) {
    case END_CALL:
      return endCall !== null;
    case TRANSFER:
      return Object.keys(errands.targets).length > 0;
    case COLLECT_DIGITS:
      return Object.keys(errands.fields).length > 0;
    case SEND_KEYS:
      return errands.pressesKeys;
    case LEAVE_NOTE:
      return errands.dispositions !== null;
    case HAND_OFF:
      return errands.handOffs.length > 0;
    default:
      return false;
  }
}

/** Carries it out, or tells the model in one sentence why not. */
export function builtIn(d: Draft, { toolCall, name, arguments: text }: ToolCalled): void {
  if (name === END_CALL) return agentLeaves(d, toolCall);
  const args = objectIn(text);
  if (args === null) return settleTool(d, toolCall, `The arguments of ${name} are not a JSON object. Call it again.`);
  if (!isConnected(d)) return settleTool(d, toolCall, 'Not done: the caller is not on the line yet.', true);
  if (d.state.phase === 'leaving' && name !== LEAVE_NOTE)
    return settleTool(d, toolCall, 'Not done: the call is ending.', true);
  switch (name) {
    case TRANSFER:
      return beginTransfer(d, toolCall, args);
    case COLLECT_DIGITS:
      return beginCollecting(d, toolCall, args);
    case SEND_KEYS:
      return pressKeys(d, toolCall, args);
    case LEAVE_NOTE:
      return leaveNote(d, toolCall, args);
    case HAND_OFF:
      return handOff(d, toolCall, args);
  }
}

/** The goodbye contract: what was said in the same answer is the farewell; if nothing was, it is asked for. */
function agentLeaves(d: Draft, toolCall: string): void {
  const busy = d.state.transfer !== null || d.state.collecting !== null || hasOrders(d.state);
  if (d.state.turn.callerSpeaking || d.state.phase === 'leaving' || busy)
    return settleTool(d, toolCall, 'Not ended: the call is not at its end.', true);
  if (!isConnected(d)) {
    // The caller, who is not there yet, will hear what it says next.
    settleTool(d, toolCall, 'Not ended: the caller has heard nothing yet.');
    return changeTurn(d, { owedSinceMs: d.atMs });
  }
  settleTool(
    d,
    toolCall,
    'The call ends as soon as the caller has heard the goodbye. If the caller speaks first, it goes on.',
    true,
  );
  const ask = d.state.turn.answer?.spoke ? null : (d.state.policy.endCall?.goodbye ?? null);
  leave(d, 'agent_goodbye', true, ask);
}

/** Tones towards the other side, for a menu or an extension. */
function pressKeys(d: Draft, toolCall: string, { digits }: Record<string, unknown>): void {
  if (typeof digits !== 'string' || !/^[0-9*#w]+$/.test(digits) || digits.length > MAX_KEYS)
    return settleTool(d, toolCall, `Not done: digits must be 1 to ${MAX_KEYS} of 0-9, *, # and w (half a second).`);
  const keysPlayed = d.state.keysPlayed + 1;
  change(d, { keysPlayed });
  const utterance = `${KEYS_CLIP}#${keysPlayed}`;
  const bytes = digits.split('').reduce((sum, key) => sum + (key === 'w' ? WAIT_MS : KEY_MS), 0) * BYTES_PER_MS;
  cause(d, { do: 'shelf.tones', utterance, keys: digits });
  playClip(d, utterance, bytes, true);
  // What answers to keys is another machine: the model listens for it.
  settleTool(d, toolCall, 'The keys are being sent. Wait for what is said next.', true);
}

function leaveNote(d: Draft, toolCall: string, { disposition, text }: Record<string, unknown>): void {
  const known = d.state.policy.errands.dispositions ?? [];
  if (typeof disposition !== 'string' || !known.includes(disposition))
    return settleTool(d, toolCall, `Not noted: disposition must be one of ${known.join(', ')}.`);
  if (typeof text !== 'string' || text.trim() === '')
    return settleTool(d, toolCall, 'Not noted: text must say what it is about.');
  cause(d, { do: 'note.left', disposition, text: text.trim().slice(0, MAX_NOTE_CHARS) });
  settleTool(d, toolCall, 'Noted.');
}

/** The model's arguments as an object; null where they are none. */
function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value = (text.trim() === '' ? {} : JSON.parse(text)) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
