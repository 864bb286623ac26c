// Function calls: each gets exactly one output, whatever happens, and one answer follows the last of a response. Pure.
import { type Draft, KEEP_ITEMS, nextEventId, notice, send, set } from './dialogue-state.ts';
import type { FunctionCall } from './messages.ts';
import { want } from './wanted.ts';

/** The output of a call that is not carried out: the history stays well formed, and the model knows. */
export const NOT_RUN = 'Not run: the answer ended before it was complete.';
const TOO_MANY = 'Not run: too many tools are running already.';

/** A function call appears. One whose response is over already is not run, and gets its output at once. */
export function callAdded(d: Draft, responseId: string, call: FunctionCall): void {
  if (d.s.outOfBand.includes(responseId) || Object.hasOwn(d.s.calls, call.callId)) return;
  const full = Object.values(d.s.calls).filter((c) => c.open).length >= KEEP_ITEMS;
  if (full) notice(d, 'too_many_calls');
  set(d, { calls: { ...d.s.calls, [call.callId]: { responseId, open: true, outputId: null } } });
  if (full || d.s.closedResponses.includes(responseId)) sendOutput(d, call.callId, full ? TOO_MANY : NOT_RUN);
}

/** The outcome of a call goes into the conversation; after the last of a response an answer is wanted, unless `quietly`. */
export function settleTool(d: Draft, callId: string, output: string, quietly: boolean): void {
  const call = d.s.calls[callId];
  if (!call?.open) return;
  const outputId = sendOutput(d, callId, output);
  if (quietly) return;
  const siblings = Object.values(d.s.calls).filter((c) => c.responseId === call.responseId);
  if (siblings.some((c) => c.open)) return;
  const outputs = siblings.map((c) => c.outputId ?? outputId);
  want(d, { say: null, outputs });
}

/** Sends a call's output; returns the id of its item. */
export function sendOutput(d: Draft, callId: string, output: string): string {
  const call = d.s.calls[callId] as { responseId: string };
  const outputId = `item_out_${d.s.nextId}`;
  const others = Object.entries(d.s.calls).filter(([id, c]) => id !== callId || c.open);
  const settled = others.filter(([, c]) => !c.open).slice(-KEEP_ITEMS);
  const calls = [...settled, ...others.filter(([, c]) => c.open && c !== call)];
  set(d, { calls: { ...Object.fromEntries(calls), [callId]: { responseId: call.responseId, open: false, outputId } } });
  send(d, {
    type: 'conversation.item.create',
    event_id: nextEventId(d),
    item: { id: outputId, type: 'function_call_output', call_id: callId, output },
  });
  return outputId;
}
