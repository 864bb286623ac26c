// The conversation so far, put into a session that takes over: text items, and function calls as pairs with their outputs.
// No audio: the API does not take assistant audio (openai-realtime reference, "reconnect"). Pure.
import type { Recalled } from '../session.ts';
import { type Draft, nextEventId, send, set } from './dialogue-state.ts';
import { conversationItem } from './items.ts';

/** A response of an earlier session: its calls that still run are settled like any others. */
const EARLIER = 'earlier';

/** Sends the items in order, and the note as the last word of the system. */
export function recall(d: Draft, history: readonly Recalled[], note: string): void {
  for (const said of history) {
    if (said.who !== 'tool') {
      create(d, conversationItem(said.who === 'caller' ? 'user' : 'assistant', said.text));
      continue;
    }
    const { toolCall, name, arguments: args, output } = said;
    create(d, { type: 'function_call', call_id: toolCall, name, arguments: args });
    const call = { responseId: EARLIER, open: output === null, outputId: null };
    set(d, { calls: { ...d.s.calls, [toolCall]: call } });
    if (output !== null) create(d, { type: 'function_call_output', call_id: toolCall, output });
  }
  create(d, conversationItem('system', note));
}

const create = (d: Draft, item: Record<string, unknown>): void =>
  send(d, { type: 'conversation.item.create', event_id: nextEventId(d), item });
