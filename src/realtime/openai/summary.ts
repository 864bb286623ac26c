// A summary for somebody else: a response out of band, in text, over the conversation so far. It is not part of the
// conversation, runs beside it, and is billed like any other. Pure.
import { type Draft, emit, nextEventId, send, set } from './dialogue-state.ts';

/** Two sentences. */
const MAX_TOKENS = 300;

/** Asks for it; one at a time, the latest counts. */
export function summarise(d: Draft, ask: string): void {
  const eventId = nextEventId(d);
  set(d, { summary: eventId });
  send(d, {
    type: 'response.create',
    event_id: eventId,
    response: {
      conversation: 'none',
      output_modalities: ['text'],
      max_output_tokens: MAX_TOKENS,
      instructions: ask,
      tool_choice: 'none',
      metadata: { trunkline: eventId },
    },
  });
}

/** Whether a response is the summary that was asked for. */
export const isSummary = (d: Draft, tag: string | null): boolean => tag !== null && d.s.summary === tag;

/** It is here, or will not be had. */
export function summaryDone(d: Draft, text: string | null): void {
  set(d, { summary: null });
  emit(d, { type: 'summary.ready', text: text?.trim() || null });
}
