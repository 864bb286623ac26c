// Compares what the model was told was heard with what the phone really played. Follows one call's feed; the phone's own
// play buffer is the judge. Both must run in one process: the calls' clears are matched by their order.
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { CallEffect, SettledUtterance } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { FeedInput, Onlooker } from '../call/feed.ts';
import type { PhoneResult } from '../phone/phone-result.ts';

/** One utterance that was stopped. Of a stop that cut nothing in part, the last utterance that was there. */
export interface CheckedStop {
  /** Which of the phone's clears stopped it, from 0. */
  clear: number;
  utterance: string;
  /** What the model takes as heard, by the messages that went to it; of a clip, which it does not speak, what we noted. */
  ledgerMs: number;
  /** What the phone's buffer had played of it. */
  phoneMs: number;
}

interface Clear {
  /** Where in the audio sent since the clear before each utterance lies, in bytes. */
  sent: ReadonlyMap<string, { from: number; bytes: number }>;
  /** With the model's item of each; null for a clip, and where no model was left to be told. */
  stopped: (SettledUtterance & { item: string | null })[];
}

/** One call; read `against` when it is over. */
export class BufferCheck implements Onlooker {
  readonly #clears: Clear[] = [];
  #sent = new Map<string, { from: number; bytes: number }>();
  #queuedBytes = 0;
  /** The model's item of its message that is being worked on, and of each utterance of the model. */
  #item: string | null = null;
  readonly #items = new Map<string, string>();
  /** What the model was told of its items: cut at so many milliseconds, or deleted (0). */
  readonly #told = new Map<string, number>();

  input(_atMs: number, given: FeedInput): void {
    const { message } = (given.from === 'session' ? given.input : {}) as { message?: { itemId?: string } };
    this.#item = message?.itemId ?? null;
  }

  /** The wire to the model is what is checked, not what the call meant to tell it. */
  sent(_atMs: number, message: unknown): void {
    const { type, item_id: item, audio_end_ms: endMs } = message as Record<string, unknown>;
    if (typeof item !== 'string') return;
    if (type === 'conversation.item.truncate' && typeof endMs === 'number') this.#told.set(item, endMs);
    else if (type === 'conversation.item.delete') this.#told.set(item, 0);
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'utterance.started' && this.#item !== null) this.#items.set(event.utterance, this.#item);
    else if (event.type === 'session.closed') this.#items.clear();
    let cleared: Clear | null = null;
    for (const effect of effects) {
      if (effect.do === 'leg.play') this.#play(effect);
      else if (effect.do === 'leg.clear') {
        cleared = { sent: this.#sent, stopped: [] };
        this.#clears.push(cleared);
        this.#sent = new Map();
        this.#queuedBytes = 0;
      } else if (effect.do === 'note.settled')
        cleared?.stopped.push({ ...effect, item: this.#items.get(effect.utterance) ?? null });
    }
  }

  /** Every stop, as both sides saw it. */
  against({ clears }: Pick<PhoneResult, 'clears'>): CheckedStop[] {
    return this.#clears.flatMap(({ sent, stopped }, clear) => {
      const at = clears[clear];
      if (!at) return [];
      const playedBytes = at.playedBytesTotal - (clears[clear - 1]?.playedBytesTotal ?? 0);
      const checked = stopped.map((settled): CheckedStop & { whole: boolean } => {
        const { utterance, outcome } = settled;
        const place = sent.get(utterance) ?? { from: 0, bytes: 0 };
        const bytes = Math.min(place.bytes, Math.max(0, playedBytes - place.from));
        const phoneMs = Math.round(bytes / BYTES_PER_MS);
        const ledgerMs = this.#takenAsHeard(settled);
        // Agreed on whole or on nothing: not cut in part.
        const whole = ledgerMs === Math.floor(bytes / BYTES_PER_MS) && outcome !== 'interrupted';
        return { clear, utterance, ledgerMs, phoneMs, whole };
      });
      const inPart = checked.filter(({ whole }) => !whole);
      return (inPart.length > 0 ? inPart : checked.slice(-1)).map(({ whole: _, ...stop }) => stop);
    });
  }

  /** An item of which the model was told nothing counts for it as heard to its end. */
  #takenAsHeard({ item, heardMs, receivedMs }: Clear['stopped'][number]): number {
    return item === null ? heardMs : (this.#told.get(item) ?? receivedMs);
  }

  #play({ utterance, fromByte, toByte, padBytes }: Extract<CallEffect, { do: 'leg.play' }>): void {
    const place = this.#sent.get(utterance) ?? { from: this.#queuedBytes, bytes: 0 };
    this.#sent.set(utterance, { ...place, bytes: place.bytes + toByte - fromByte });
    this.#queuedBytes += toByte - fromByte + padBytes;
  }
}
