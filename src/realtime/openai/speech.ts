// Assistant audio items: an utterance each from their first byte on, cut or deleted when they are stopped. Pure.
import { bytesToMs } from '../../audio/mulaw.ts';
import {
  changeItem,
  type Draft,
  emit,
  isStopped,
  type Item,
  keep,
  KEEP_IDS,
  KEEP_ITEMS,
  nextEventId,
  notice,
  send,
  set,
} from './dialogue-state.ts';
import type { ServerMessage } from './messages.ts';

/** A message item appears in a response: an utterance-to-be. */
export function messageAdded(d: Draft, responseId: string, itemId: string): void {
  if (d.s.outOfBand.includes(responseId) || d.s.closedResponses.includes(responseId)) return;
  if (d.s.cutItems.includes(itemId) || d.s.items.some((i) => i.itemId === itemId)) return;
  const item: Item = { itemId, responseId, utterance: null, bytes: 0, done: false };
  set(d, { items: [...d.s.items, item].slice(-KEEP_ITEMS) });
}

/** Audio of an item: opens its utterance if it is the first; dropped when its response was stopped or is over. */
export function audioArrived(d: Draft, m: Extract<ServerMessage, { type: 'audio' }>): void {
  messageAdded(d, m.responseId, m.itemId);
  if (isStopped(d, m.responseId)) return notice(d, 'late_audio');
  const item = d.s.items.find((i) => i.itemId === m.itemId);
  if (!item || item.done) return notice(d, 'late_audio');
  if (item.utterance === null) openUtterance(d, item, null);
  const { utterance } = d.s.items.find((i) => i.itemId === m.itemId) as Item;
  changeItem(d, m.itemId, { bytes: item.bytes + m.chunk.bytes });
  emit(d, { type: 'utterance.audio', utterance: utterance as string, chunk: m.chunk });
}

/** Words of an item, as the model produces them: ahead of the sound. */
export function textArrived(d: Draft, m: Extract<ServerMessage, { type: 'text' }>): void {
  const item = d.s.items.find((i) => i.itemId === m.itemId);
  if (isStopped(d, m.responseId) || !item) return;
  if (item.utterance === null) return openUtterance(d, item, m.text);
  emit(d, { type: 'utterance.text', utterance: item.utterance, text: m.text });
}

function openUtterance(d: Draft, item: Item, text: string | null): void {
  const utterance = `${d.s.utterancePrefix}u${d.s.nextUtterance}`;
  set(d, { nextUtterance: d.s.nextUtterance + 1 });
  changeItem(d, item.itemId, { utterance });
  emit(d, { type: 'utterance.started', utterance, answer: item.responseId });
  if (text !== null) emit(d, { type: 'utterance.text', utterance, text });
}

/** No more audio of an item will come. */
export function finishItem(d: Draft, itemId: string): void {
  const item = d.s.items.find((i) => i.itemId === itemId);
  if (!item || item.done) return;
  changeItem(d, itemId, { done: true });
  if (item.utterance !== null && !isStopped(d, item.responseId))
    emit(d, { type: 'utterance.ended', utterance: item.utterance });
}

/** Items of a stopped response that never reached the caller, some of which appear only after the stop. */
export function deleteUnheard(d: Draft, responseId: string): void {
  const unheard = d.s.items.filter((i) => i.responseId === responseId && i.utterance === null);
  for (const item of unheard)
    send(d, { type: 'conversation.item.delete', event_id: nextEventId(d), item_id: item.itemId });
  set(d, { items: d.s.items.filter((i) => !unheard.includes(i)) });
}

/** Cuts an item where the caller stopped hearing it. */
export function cut(d: Draft, utterance: string, heardMs: number): void {
  const item = d.s.items.find((i) => i.utterance === utterance);
  if (!item) return;
  set(d, { items: d.s.items.filter((i) => i !== item), cutItems: keep(d.s.cutItems, item.itemId, KEEP_IDS) });
  const audioEndMs = Math.min(Math.floor(heardMs), Math.floor(bytesToMs(item.bytes)));
  // "Only model output audio messages can be truncated", and truncating at 0 keeps an empty item: delete instead.
  if (audioEndMs <= 0) send(d, { type: 'conversation.item.delete', event_id: nextEventId(d), item_id: item.itemId });
  else
    send(d, {
      type: 'conversation.item.truncate',
      event_id: nextEventId(d),
      item_id: item.itemId,
      content_index: 0,
      audio_end_ms: audioEndMs,
    });
}
