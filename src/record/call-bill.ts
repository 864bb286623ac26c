// The bill of a call's record: what was reported as used, what an unfinished answer must have used, and the carrier's time.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts } from '../call/feed.ts';
import { inboundLine } from '../ledger/cost.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import type { CallRecord } from './call-record.ts';

/** Assistant audio is billed by the token of 50 ms. */
const MS_PER_AUDIO_TOKEN = 50;

export class CallBill {
  readonly #facts: CallFacts;
  readonly #ledger: Ledger;
  /** Answers that began and have not ended, which report no usage, and the model of each. */
  readonly #running = new Map<string, string>();
  /** The model in use: the agent's first, or its fallback. */
  #model: string;

  constructor(facts: CallFacts, options: LedgerOptions) {
    this.#facts = facts;
    this.#ledger = new Ledger(options);
    this.#model = modelOf(facts, facts.opening.target ?? 0);
  }

  happened(event: CallEvent): void {
    if (event.type === 'answer.started') this.#running.set(event.answer, this.#model);
    else if (event.type === 'answer.ended') this.#running.delete(event.answer);
  }

  caused(effect: CallEffect): void {
    if (effect.do === 'ledger.charge') this.#ledger.charge(effect.usage);
    else if (effect.do === 'session.open') this.#model = modelOf(this.#facts, effect.target);
  }

  /** An answer cut off with its session reports nothing; at least what it said was produced, and will be billed. */
  chargeUnreported(receivedMs: (answer: string) => number): void {
    for (const [answer, model] of this.#running) {
      if (this.#ledger.has('answer', answer)) continue;
      const audioOut = Math.ceil(receivedMs(answer) / MS_PER_AUDIO_TOKEN);
      if (audioOut === 0) continue;
      const facts = { source: answer, what: 'answer', model } as const;
      this.#ledger.charge({ ...facts, unit: 'tokens', ...NO_TOKENS, audioOut }, 'estimated');
    }
  }

  /** The leg from the admission, the stream from the start of its media (null: it never started), both to the end. */
  chargeCarrier(startedAtMs: number | null, endedAtMs: number): void {
    const { opening, incoming } = this.#facts;
    const use = { source: opening.on.leg, carrier: incoming.carrier };
    const line = incoming.direction === 'inbound' ? inboundLine(incoming.from, incoming.to) : null;
    this.#ledger.chargeCarrier({ ...use, what: 'leg', line, seconds: Math.round(endedAtMs - opening.atMs) / 1_000 });
    if (startedAtMs === null) return;
    const seconds = Math.round(endedAtMs - startedAtMs) / 1_000;
    this.#ledger.chargeCarrier({ ...use, what: 'media_stream', line: 'media_stream', seconds });
  }

  cost(): CallRecord['cost'] {
    const { total, priceBook, lines } = this.#ledger;
    return { totalNanoUsd: total.nanoUsd, unpricedLines: total.unpricedLines, priceBook, lines: [...lines] };
  }
}

/** The name of the agent's first model (0) or of its fallback (1). */
const modelOf = ({ agent }: CallFacts, target: number): string =>
  (target === 0 ? null : agent.failure.fallback?.name) ?? agent.model.name;

const NO_TOKENS = {
  textIn: 0,
  audioIn: 0,
  imageIn: 0,
  cachedTextIn: 0,
  cachedAudioIn: 0,
  cachedImageIn: 0,
  textOut: 0,
  audioOut: 0,
};
