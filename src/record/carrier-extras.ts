// What a carrier sells a call beside its own leg and streams: legs to people, and text messages. Of the legs nobody tells
// how long they last; each is a line all the same, so that no bill of the carrier's comes as a surprise.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts } from '../call/feed.ts';
import type { Party } from '../carrier/carrier.ts';
import { type CarrierUse, legLine } from '../ledger/cost.ts';

const SEND_SMS = 'send_sms';

export class CarrierExtras {
  readonly #facts: CallFacts;
  readonly #messages = new Map<string, string>();
  #people = 0;

  constructor(facts: CallFacts) {
    this.#facts = facts;
  }

  /** What an event has cost. */
  happened(event: CallEvent, atWallMs: number): CarrierUse | null {
    if (event.type === 'tool.called' && event.name === SEND_SMS)
      this.#messages.set(event.toolCall, textIn(event.arguments));
    if (event.type !== 'tool.settled') return null;
    const text = this.#messages.get(event.toolCall);
    this.#messages.delete(event.toolCall);
    if (text === undefined || event.status !== 'ok') return null;
    const { carrier } = this.#facts.incoming;
    return { source: event.toolCall, what: 'message', carrier, line: 'sms', atWallMs, count: segments(text) };
  }

  /** What an effect will cost: a person is rung up, or the caller is connected to one. */
  caused(effect: CallEffect, atWallMs: number): CarrierUse | null {
    const to =
      effect.do === 'person.call'
        ? effect.to
        : effect.do === 'leg.move' && effect.next.do === 'transfer'
          ? effect.next.to
          : null;
    if (to === null) return null;
    this.#people += 1;
    const { opening, incoming } = this.#facts;
    const party: Party = { kind: to.startsWith('+') ? 'pstn' : 'sip', value: to };
    return {
      source: `${opening.on.leg}/person${this.#people}`,
      what: 'leg',
      carrier: incoming.carrier,
      line: legLine('outbound', incoming.to, party),
      seconds: null,
      atWallMs,
      doubt: 'leg_unseen',
    };
  }
}

/** Segments of a text message: 160 characters of the GSM alphabet, 70 of any other; 153 and 67 where there are several. */
export function segments(text: string): number {
  // Plain ASCII but for a few is in that alphabet; what is beyond it is counted as if it were not.
  const plain = /^[\n\r -_a-~]*$/.test(text) && !/[`]/.test(text);
  const units = plain ? text.length + (text.match(/[[\]{}\\~^|]/g)?.length ?? 0) : text.length;
  const [single, several] = plain ? [160, 153] : [70, 67];
  return units <= single ? 1 : Math.ceil(units / several);
}

function textIn(text: string): string {
  try {
    const { text: words } = JSON.parse(text) as { text?: unknown };
    return typeof words === 'string' ? words : '';
  } catch {
    return '';
  }
}
