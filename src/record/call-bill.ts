// The bill of a call's record: what was reported as used, what must have been used where nothing was reported, tools with
// a price, and the carrier's time.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent, Stamp } from '../call/event.ts';
import type { CallFacts } from '../call/feed.ts';
import type { NextStep, Party } from '../carrier/carrier.ts';
import { cacheUse } from '../ledger/cache.ts';
import { type CarrierUse, type Charged, legLine, toolLine } from '../ledger/cost.ts';
import type { Doubt } from '../ledger/doubt.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import type { AnswerStatus, Usage } from '../realtime/session.ts';
import type { CallRecord } from './call-record.ts';
import { CarrierExtras } from './carrier-extras.ts';
import { SpokenTurns } from './spoken-turns.ts';

/** Assistant audio is billed by the token of 50 ms. */
const MS_PER_AUDIO_TOKEN = 50;

/** An answer whose usage is still to come. */
interface OpenAnswer {
  session: string;
  /** Null while it runs. */
  status: AnswerStatus | null;
}

export class CallBill {
  readonly #facts: CallFacts;
  readonly #ledger: Ledger;
  readonly #receivedMs: (answer: string) => number;
  /** Which of the agent's models a session is with: the first (0) or its fallback (1). */
  readonly #targets = new Map<string, number>();
  readonly #unreported = new Map<string, OpenAnswer>();
  /** Which session has reported the usage of a source. */
  readonly #sessions = new Map<string, string>();
  /** Tools that run and cost something. */
  readonly #running = new Map<string, string>();
  /** Media streams that are open, and since when. */
  readonly #streams = new Map<string, number>();
  #answeredAtMs: number | null = null;
  readonly #spoken = new SpokenTurns();
  readonly #extras: CarrierExtras;
  #next: NextStep | null = null;
  /** The caller was left with a person: the leg goes on. */
  #withPerson = false;

  /** @param receivedMs how much audio has come of an answer */
  constructor(facts: CallFacts, options: LedgerOptions, receivedMs: (answer: string) => number) {
    this.#facts = facts;
    this.#ledger = new Ledger(options);
    this.#receivedMs = receivedMs;
    this.#extras = new CarrierExtras(facts);
    this.#targets.set(facts.opening.on.session, facts.opening.target ?? 0);
  }

  happened(event: CallEvent): void {
    this.#spoken.happened(event);
    this.#chargeCarrier(this.#extras.happened(event, this.#wall(event.atMs)));
    switch (event.type) {
      case 'answer.started':
        this.#unreported.set(event.answer, { session: event.on.session, status: null });
        return;
      case 'answer.ended': {
        const answer = this.#unreported.get(event.answer);
        if (!answer) return;
        answer.status = event.status;
        // Its usage would have come before. If it still does, it takes the place of the estimate.
        return this.#chargeUnreported(event.atMs, (one) => one === answer);
      }
      case 'session.closed':
        return this.#chargeUnreported(event.atMs, ({ session }) => session === event.on.session);
      case 'leg.started':
        this.#answeredAtMs ??= event.atMs;
        this.#endStreams(event.atMs);
        this.#streams.set(event.on.leg, event.atMs);
        return;
      case 'leg.closed':
        return this.#endStreams(event.atMs);
      case 'tool.called':
        if (this.#toolPrice(event.name) !== null) this.#running.set(event.toolCall, event.name);
        return;
      case 'tool.settled':
        return this.#chargeTool(event.toolCall, event.status, event.atMs);
      default:
    }
  }

  caused(effect: CallEffect, event: Stamp): void {
    this.#chargeCarrier(this.#extras.caused(effect, this.#wall(event.atMs)));
    if (effect.do === 'call.end') this.#withPerson = effect.termination.reason === 'transferred';
    if (effect.do === 'ledger.charge') this.#charge(effect.usage, event);
    else if (effect.do === 'session.open') this.#targets.set(effect.session, effect.target);
    else if (effect.do === 'leg.close') this.#next = effect.next;
    else if (effect.do === 'tool.abort') this.#chargeTool(effect.toolCall, 'aborted', event.atMs);
  }

  /** The call is over: what was reported of it by now is all there will be. */
  finish(endedAtMs: number, closedAtMs: number): void {
    this.#chargeUnreported(closedAtMs, () => true);
    this.#chargeUnreportedTurns(closedAtMs);
    this.#endStreams(endedAtMs);
    this.#chargeLegs(endedAtMs);
  }

  cost(): CallRecord['cost'] {
    const { nanoUsd, unpricedLines, doubtedLines } = this.#ledger.total;
    const { prices, lines } = this.#ledger;
    return {
      totalNanoUsd: nanoUsd,
      unpricedLines,
      doubtedLines,
      priceBook: prices.version,
      cache: cacheUse(lines),
      lines: [...lines],
    };
  }

  #chargeCarrier(use: CarrierUse | null): void {
    if (use !== null) this.#ledger.chargeCarrier(use);
  }

  #charge(usage: Usage, { atMs, on }: Stamp): void {
    if (usage.what === 'answer') this.#unreported.delete(usage.source);
    this.#ledger.charge(this.#ofSession(this.#atLeastHeard(usage), on.session), {
      seller: this.#sellerOf(on.session),
      atWallMs: this.#wall(atMs),
    });
    this.#spoken.charged(usage.source);
  }

  /** An id that another session of the call has used for something else is told apart by the session's name. */
  #ofSession(usage: Usage, session: string): Usage {
    const key = `${usage.what} ${usage.source}`;
    const first = this.#sessions.get(key) ?? session;
    this.#sessions.set(key, first);
    return first === session ? usage : { ...usage, source: `${session}/${usage.source}` };
  }

  /** Where a count is none, what came of the answer was produced all the same, and what the caller said was read. */
  #atLeastHeard(usage: Usage): Usage {
    if (usage.doubt !== 'absurd_count') return usage;
    if (usage.unit === 'seconds') return { ...usage, seconds: this.#spoken.secondsOf(usage.source) };
    return { ...usage, audioOut: Math.max(usage.audioOut, this.#producedTokens(usage.source)) };
  }

  #producedTokens(answer: string): number {
    return Math.ceil(this.#receivedMs(answer) / MS_PER_AUDIO_TOKEN);
  }

  /** An answer that reports nothing: at least what it said was produced, and will be billed. */
  #chargeUnreported(atMs: number, which: (answer: OpenAnswer) => boolean): void {
    for (const [source, answer] of this.#unreported) {
      if (!which(answer)) continue;
      this.#unreported.delete(source);
      const audioOut = this.#producedTokens(source);
      // One that failed before its first sound may not be billed at all.
      if (audioOut === 0 && answer.status === 'failed') continue;
      const model = this.#modelOf(answer.session).name;
      this.#ledger.charge(
        { source, what: 'answer', model, unit: 'tokens', ...this.#likelyInput(), audioOut },
        this.#guessed(answer.session, atMs, answer.status === null ? 'session_lost' : 'usage_missing'),
      );
    }
  }

  /** What the last answer that reported was sent and said is sent again: most of it from the cache. */
  #likelyInput(): typeof NO_TOKENS {
    const last = this.#ledger.lines.findLast(({ what, state }) => what === 'answer' && state === 'metered')?.quantities;
    if (last?.unit !== 'tokens') return NO_TOKENS;
    const { text, audio } = last;
    const [cachedTextIn, cachedAudioIn] = [text.fresh + text.cached, audio.fresh + audio.cached];
    return {
      ...{ ...NO_TOKENS, cachedTextIn, cachedAudioIn },
      ...{ textIn: cachedTextIn + text.out, audioIn: cachedAudioIn + audio.out },
    };
  }

  /** A caller turn that was written down without a word about what it used: as long as the model heard it. */
  #chargeUnreportedTurns(atMs: number): void {
    const model = this.#facts.agent.model.transcription?.model;
    if (model === undefined) return;
    for (const { turn, session, seconds } of this.#spoken.unreported)
      this.#ledger.charge(
        { source: turn, what: 'transcription', model, unit: 'seconds', seconds },
        this.#guessed(session, atMs, 'usage_missing'),
      );
  }

  #guessed(session: string, atMs: number, doubt: Doubt): Charged {
    return { seller: this.#sellerOf(session), atWallMs: this.#wall(atMs), counted: 'estimated', doubt };
  }

  /** The leg of the caller, and the one that a forward adds to it. */
  #chargeLegs(endedAtMs: number): void {
    const { opening, incoming } = this.#facts;
    const next = this.#next;
    const goesOn = this.#withPerson || (next !== null && next.do !== 'hang_up' && next.do !== 'reject_busy');
    const facts = { what: 'leg', carrier: incoming.carrier, atWallMs: this.#wall(endedAtMs) } as const;
    this.#ledger.chargeCarrier({
      ...facts,
      source: opening.on.leg,
      line: legLine(incoming.direction, incoming.from, incoming.to),
      seconds: this.#legSeconds(endedAtMs),
      ...(goesOn ? { doubt: 'leg_goes_on' } : {}),
    });
    if (next?.do !== 'forward') return;
    const to: Party = { kind: next.to.startsWith('+') ? 'pstn' : 'sip', value: next.to };
    this.#ledger.chargeCarrier({
      ...facts,
      source: `${opening.on.leg}/forward`,
      line: legLine('outbound', incoming.to, to),
      seconds: null,
      doubt: 'leg_unseen',
    });
  }

  /** A caller's leg is paid for from the admission, one of ours from the answer; null: nobody answered. */
  #legSeconds(endedAtMs: number): number | null {
    const { opening, incoming } = this.#facts;
    const fromMs = incoming.direction === 'inbound' ? opening.atMs : this.#answeredAtMs;
    return fromMs === null ? null : secondsBetween(fromMs, endedAtMs);
  }

  #endStreams(atMs: number): void {
    for (const [source, sinceMs] of this.#streams) {
      this.#streams.delete(source);
      this.#ledger.chargeCarrier({
        source,
        what: 'media_stream',
        carrier: this.#facts.incoming.carrier,
        line: 'media_stream',
        seconds: secondsBetween(sinceMs, atMs),
        atWallMs: this.#wall(atMs),
      });
    }
  }

  #chargeTool(source: string, status: string, atMs: number): void {
    const name = this.#running.get(source);
    const nanoUsd = name === undefined ? null : this.#toolPrice(name);
    if (name === undefined || nanoUsd === null) return;
    this.#running.delete(source);
    // Not run at all: what the model asked for did not fit.
    if (NEVER_RAN.has(status)) return;
    const { agent } = this.#facts;
    this.#ledger.put(
      toolLine({
        source,
        name,
        nanoUsd,
        atWallMs: this.#wall(atMs),
        declaredIn: `${agent.file} ${agent.hash.slice(0, 12)}`,
        doubt: status === 'ok' ? null : (TOOL_DOUBTS[status] ?? 'tool_failed'),
      }),
    );
  }

  #toolPrice(name: string): number | null {
    const usd = this.#facts.agent.tools.find((tool) => tool.name === name)?.priceUsd;
    return usd === undefined ? null : Math.round(usd * 1e9);
  }

  #modelOf(session: string): { name: string; endpoint: string | null } {
    const { model, failure } = this.#facts.agent;
    return ((this.#targets.get(session) ?? 0) === 0 ? null : failure.fallback) ?? model;
  }

  /** Who runs the endpoint: another than the configured one is known by its host. */
  #sellerOf(session: string): string {
    const { endpoint } = this.#modelOf(session);
    return endpoint === null ? 'openai' : new URL(endpoint).host;
  }

  #wall(atMs: number): number {
    return Math.round(this.#facts.wallMs + (atMs - this.#facts.opening.atMs));
  }
}

const NEVER_RAN = new Set(['invalid', 'unknown', 'unconfirmed', 'refused', 'unavailable']);

const TOOL_DOUBTS: Partial<Record<string, Doubt>> = { timed_out: 'tool_timed_out', aborted: 'tool_aborted' };

const secondsBetween = (fromMs: number, toMs: number): number => Math.max(0, Math.round(toMs - fromMs)) / 1_000;

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
