// The outcome of a tool call: exactly one each, told to the model at once, or with the history where a session takes over.
// Pure.
import { cause, change, changeTurn, type Draft } from './draft.ts';
import { toolDone } from './history.ts';
import { isTakingOver, oweWhenReady } from './recovery.ts';
import type { ToolState } from './state.ts';
import { isSentOn } from './transfer.ts';

/** Settled tool calls that are remembered, so that one that comes twice is known. */
const MAX_SETTLED = 64;

/** True while any tool has no outcome. */
const isAnyOpen = (tools: Readonly<Record<string, ToolState>>): boolean =>
  Object.values(tools).some((tool) => tool !== 'settled');

/**
 * The outcome of a tool call goes to the model, which owes an answer when it was the last one open; `quietly`: it is only
 * told.
 */
export function settleTool(d: Draft, toolCall: string, output: string, quietly = false): void {
  const tools = settledAs(d.state.tools, toolCall);
  change(d, { tools, fills: Object.values(tools).includes('running') ? d.state.fills : 0 });
  toolDone(d, toolCall, output);
  changeTurn(d, { lastActivityMs: d.atMs });
  // A session that is still opening is told with the history.
  if (isTakingOver(d.state)) {
    if (!quietly && !isAnyOpen(tools)) oweWhenReady(d);
    return;
  }
  if (d.state.session === 'gone') return;
  // During a farewell nothing is added to it, and nobody hears what is said to a caller who is with a person.
  const still = quietly || d.state.phase === 'leaving' || isSentOn(d.state);
  cause(d, { do: 'session.settle_tool', toolCall, output, quietly: still });
  if (!still && !isAnyOpen(tools) && !d.state.turn.callerSpeaking) changeTurn(d, { owedSinceMs: d.atMs, asked: null });
}

function settledAs(tools: Record<string, ToolState>, toolCall: string): Record<string, ToolState> {
  const settled = Object.keys(tools).filter((id) => tools[id] === 'settled');
  const forgotten = new Set(settled.slice(0, Math.max(0, settled.length + 1 - MAX_SETTLED)));
  const kept = Object.entries(tools).filter(([id]) => !forgotten.has(id) && id !== toolCall);
  return { ...Object.fromEntries(kept), [toolCall]: 'settled' };
}
