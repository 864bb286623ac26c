// Compares what the server believes was heard with what the phone really played. Follows one call's feed; the phone's
// own play buffer is the judge. Both must run in one process: the calls' clears are matched by their order.
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { Onlooker } from '../call/feed.ts';
import type { PhoneResult } from '../phone/phone-result.ts';

/** One utterance that was stopped while it sounded. */
export interface CheckedStop {
  utterance: string;
  /** What the server told the model that was heard. */
  ledgerMs: number;
  /** What the phone's buffer had played of it. */
  phoneMs: number;
}

interface Clear {
  /** Where in the audio sent since the clear before each utterance lies, in bytes. */
  sent: ReadonlyMap<string, { from: number; bytes: number }>;
  stopped: { utterance: string; heardMs: number }[];
}

/** One call; read `against` when it is over. */
export class BufferCheck implements Onlooker {
  readonly #clears: Clear[] = [];
  #sent = new Map<string, { from: number; bytes: number }>();
  #queuedBytes = 0;

  stepped(_event: CallEvent, effects: readonly CallEffect[]): void {
    let cleared: Clear | null = null;
    for (const effect of effects) {
      if (effect.do === 'leg.play') this.#play(effect);
      else if (effect.do === 'leg.clear') {
        cleared = { sent: this.#sent, stopped: [] };
        this.#clears.push(cleared);
        this.#sent = new Map();
        this.#queuedBytes = 0;
      } else if (effect.do === 'note.settled' && effect.outcome === 'interrupted') cleared?.stopped.push(effect);
    }
  }

  /** Every stop, as both sides saw it. */
  against({ clears }: Pick<PhoneResult, 'clears'>): CheckedStop[] {
    return this.#clears.flatMap(({ sent, stopped }, i) => {
      const at = clears[i];
      if (!at) return [];
      const playedBytes = at.playedBytesTotal - (clears[i - 1]?.playedBytesTotal ?? 0);
      return stopped.flatMap(({ utterance, heardMs }) => {
        const place = sent.get(utterance);
        if (!place) return [];
        const bytes = Math.min(place.bytes, Math.max(0, playedBytes - place.from));
        return [{ utterance, ledgerMs: heardMs, phoneMs: Math.round(bytes / BYTES_PER_MS) }];
      });
    });
  }

  #play({ utterance, fromByte, toByte, padBytes }: Extract<CallEffect, { do: 'leg.play' }>): void {
    const place = this.#sent.get(utterance) ?? { from: this.#queuedBytes, bytes: 0 };
    this.#sent.set(utterance, { ...place, bytes: place.bytes + toByte - fromByte });
    this.#queuedBytes += toByte - fromByte + padBytes;
  }
}
