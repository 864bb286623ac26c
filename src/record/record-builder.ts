// Builds a call's record from what the call's feed shows. No file, no clock: equal events give equal records. Turns, tools,
// bill and quality are kept by files of their own; here is what concerns the call as a whole.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts, FrameEvent } from '../call/feed.ts';
import type { APOLOGY_CLIP, GREETING_CLIP } from '../call/policy.ts';
import type { Termination } from '../call/termination.ts';
import type { NextStep } from '../carrier/carrier.ts';
import type { LedgerOptions } from '../ledger/ledger.ts';
import type { LedgerLine } from '../ledger/line.ts';
import { LatencyTracker } from '../metrics/latency.ts';
import { CallBill } from './call-bill.ts';
import type { CallRecord } from './call-record.ts';
import { CallTroubles } from './call-troubles.ts';
import { callEnded, callStarted, type FactKeeper } from './kept-facts.ts';
import { judge } from './quality.ts';
import { QualityTracker } from './quality-tracker.ts';
import { ErrandLog } from './errand-log.ts';
import { ToolLog } from './tool-log.ts';
import { TurnLog } from './turn-log.ts';

/** Names that are counted apart; a call has a dozen. */
const MAX_NAMES = 64;
const MAX_NAME_LENGTH = 100;

// Values of call/policy.ts, kept equal by the compiler: only types of the core are imported here.
const GREETING: typeof GREETING_CLIP = 'clip:greeting';
const APOLOGY: typeof APOLOGY_CLIP = 'clip:apology';

export class RecordBuilder {
  readonly #facts: CallFacts;
  readonly #keeper: FactKeeper | null;
  readonly #turns: TurnLog;
  readonly #tools: ToolLog;
  readonly #errands = new ErrandLog();
  readonly #bill: CallBill;
  readonly #troubles: CallTroubles;
  readonly #latency: LatencyTracker;
  readonly #quality: QualityTracker;
  #keysPressed = 0;
  readonly #filledMs = { gap: 0, stall: 0 };
  readonly #ignored = new Map<string, number>();
  readonly #notices = new Map<string, number>();
  #startedAtMs: number | null = null;
  #ended: { atMs: number; termination: Termination } | null = null;
  #next: NextStep | null = null;

  /** @param keeper gets facts of the call as soon as they stand, until the call is over */
  constructor(facts: CallFacts, ledger: LedgerOptions = {}, keeper: FactKeeper | null = null) {
    const { detection } = facts.agent.turnTaking;
    const { callId } = facts.opening;
    this.#facts = facts;
    this.#keeper = keeper;
    this.#tools = new ToolLog(facts.shownArguments);
    this.#turns = new TurnLog((utterance) => clipText(facts, utterance));
    const charged = (line: LedgerLine): void => {
      ledger.charged?.(line);
      keeper?.keep({ type: 'line.charged', callId, line });
    };
    this.#bill = new CallBill(facts, { ...ledger, charged }, (answer) => this.#turns.receivedMs(answer));
    this.#troubles = new CallTroubles(facts.opening.target ?? 0);
    this.#quality = new QualityTracker(facts.opening);
    this.#latency = new LatencyTracker({
      answersTurns: facts.opening.capabilities.answersTurns,
      silenceMs: detection.kind === 'server_vad' ? detection.silenceMs : null,
      measured: (latency) => this.#turns.measured(latency),
    });
    keeper?.keep(callStarted(facts, keeper.node));
  }

  /** A frame of the caller's that only went on to the model. */
  frame({ atMs, timestampMs, chunk }: FrameEvent): void {
    this.#latency.frame(atMs, chunk.bytes);
    this.#quality.frame(atMs, timestampMs);
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (isVoid(effects)) return this.#noted(effects[0] as CallEffect);
    this.#latency.stepped(event, effects);
    this.#quality.stepped(event, effects);
    if (event.type === 'leg.audio') {
      // Nothing but notes can follow from a frame.
      for (const effect of effects) this.#noted(effect);
      return;
    }
    this.#happened(event);
    this.#troubles.stepped(event, effects);
    this.#errands.happened(event, effects);
    for (const effect of effects) this.#caused(effect, event);
    this.#keep('settled');
  }

  /** Audio was handed to the carrier at `nowMs`. */
  played(startsAtMs: number, nowMs: number): void {
    this.#latency.played(startsAtMs, nowMs);
  }

  /** The record of a call that closed at `atMs`; nothing may follow. */
  build(atMs: number): CallRecord {
    const { opening, incoming, agent, wallMs } = this.#facts;
    const zeroMs = this.#startedAtMs ?? opening.atMs;
    const ended = this.#ended ?? { atMs, termination: FAULT };
    this.#latency.finish();
    this.#bill.finish(ended.atMs, atMs);
    const wall = (monotonicMs: number) => Math.round(wallMs + (monotonicMs - opening.atMs));
    const quality = judge(this.#quality.measures, {
      failed: ended.termination.result === 'failure',
      greets: opening.policy.greeting !== null,
      interruptAfterMs: opening.policy.interruptAfterMs,
    });
    const record: CallRecord = {
      v: 1,
      callId: opening.callId,
      carrier: incoming.carrier,
      carrierCallId: incoming.carrierCallId,
      direction: incoming.direction,
      from: incoming.from,
      to: incoming.to,
      attestation: incoming.attestation,
      sipHeaders: incoming.sipHeaders,
      agent: { name: agent.name, file: agent.file, hash: agent.hash },
      model: {
        name: agent.model.name,
        voice: agent.model.voice,
        transcription: agent.model.transcription?.model ?? null,
      },
      when: {
        admittedWallMs: wall(opening.atMs),
        mediaStartedWallMs: this.#startedAtMs === null ? null : wall(this.#startedAtMs),
        endedWallMs: this.#ended === null ? null : wall(this.#ended.atMs),
        closedWallMs: wall(atMs),
      },
      durations: {
        setupMs: this.#startedAtMs === null ? null : Math.round(this.#startedAtMs - opening.atMs),
        mediaMs: this.#startedAtMs === null ? null : Math.round(ended.atMs - this.#startedAtMs),
        totalMs: Math.round(atMs - opening.atMs),
      },
      ...this.#turns.turns(zeroMs),
      ...this.#turns.stops(zeroMs),
      ...this.#tools.tools(zeroMs),
      ...this.#errands.errands(zeroMs),
      ...this.#troubles.troubles(zeroMs),
      keysPressed: this.#keysPressed,
      cost: this.#bill.cost(),
      audio: {
        filledMs: { ...this.#filledMs },
        underruns: quality.underruns.count,
        underrunMs: quality.underruns.ms,
      },
      quality,
      ignored: Object.fromEntries(this.#ignored),
      notices: Object.fromEntries(this.#notices),
      end: { ...ended.termination, next: this.#next ?? opening.policy.afterFailure },
    };
    this.#keep('all');
    this.#keeper?.keep(callEnded(record));
    return record;
  }

  /** Tells what has changed of turns and tools: what is as good as finished, or at the end everything. */
  #keep(which: 'settled' | 'all'): void {
    const keeper = this.#keeper;
    if (keeper === null) return;
    const { callId, atMs } = this.#facts.opening;
    const zeroMs = this.#startedAtMs ?? atMs;
    for (const changed of this.#turns.takeChanged(which, zeroMs))
      keeper.keep({ type: 'turn.kept', callId, ...changed });
    for (const changed of this.#tools.takeChanged(which, zeroMs))
      keeper.keep({ type: 'tool.kept', callId, ...changed });
  }

  #happened(event: Exclude<CallEvent, { type: 'leg.audio' }>): void {
    this.#turns.happened(event);
    this.#tools.happened(event);
    this.#bill.happened(event);
    if (event.type === 'leg.started') this.#mediaStarted(event.atMs);
    else if (event.type === 'leg.digit_pressed') this.#keysPressed += 1;
    else if (event.type === 'session.noticed') count(this.#notices, event.code);
  }

  #mediaStarted(atMs: number): void {
    if (this.#startedAtMs !== null) return;
    this.#startedAtMs = atMs;
    this.#turns.zeroMoved();
    this.#tools.zeroMoved();
  }

  #caused(effect: CallEffect, event: CallEvent): void {
    this.#turns.caused(effect, event.atMs);
    this.#tools.caused(effect, event);
    this.#errands.caused(effect, event.atMs);
    this.#bill.caused(effect, event);
    this.#noted(effect);
    if (effect.do === 'leg.close') this.#next = effect.next;
    else if (effect.do === 'call.end') this.#ended = { atMs: event.atMs, termination: effect.termination };
  }

  #noted(effect: CallEffect): void {
    if (effect.do === 'note.filled') this.#filledMs[effect.why] += effect.ms;
    else if (effect.do === 'note.ignored') count(this.#ignored, effect.what);
  }
}

/** What came from a leg or session that the call had left behind: nothing happened. */
const isVoid = (effects: readonly CallEffect[]): boolean =>
  effects.length === 1 && effects[0]?.do === 'note.ignored' && effects[0].what === 'stale_origin';

/** The words of the agent file's own clips. */
function clipText({ agent }: CallFacts, utterance: string): string {
  if (utterance === GREETING) return agent.greeting?.text ?? '';
  return utterance === APOLOGY ? agent.failure.apologyText : '';
}

/** A call whose end was never decided fell over a fault of ours. */
const FAULT: Termination = { reason: 'internal_error', by: 'us', result: 'failure', detail: '' };

/** Counts by name; beyond the bound all new names are one. */
function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < MAX_NAMES ? name.slice(0, MAX_NAME_LENGTH) : 'other';
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
