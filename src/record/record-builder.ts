// Builds a call's record from what the call's feed shows. No file, no clock: equal events give equal records.
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { CallEffect, SettledUtterance, UnaddressedEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts } from '../call/feed.ts';
import type { APOLOGY_CLIP, GREETING_CLIP } from '../call/policy.ts';
import type { Termination } from '../call/termination.ts';
import type { NextStep } from '../carrier/carrier.ts';
import { inboundLine } from '../ledger/cost.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import { LatencyTracker, type TurnLatency } from '../metrics/latency.ts';
import type { AgentUtterance, CallerTurn, CallRecord, Stop, ToolRecord, Turn } from './call-record.ts';
import { splitHeard } from './heard-text.ts';

/** Bounds of a record: a call of an hour stays far below them. */
const MAX_TURNS = 5_000;
const MAX_TEXT = 20_000;
const MAX_TOOLS = 1_000;
const MAX_NAMES = 64;

/** Assistant audio is billed by the token of 50 ms. */
const MS_PER_AUDIO_TOKEN = 50;

// Values of call/policy.ts, kept equal by the compiler: only types of the core are imported here.
const GREETING: typeof GREETING_CLIP = 'clip:greeting';
const APOLOGY: typeof APOLOGY_CLIP = 'clip:apology';

type EffectOf<T extends UnaddressedEffect['do']> = Extract<CallEffect, { do: T }>;
type EventOf<T extends CallEvent['type']> = Extract<CallEvent, { type: T }>;

/** A caller turn while it is being built; times are monotonic. */
type DraftCallerTurn = CallerTurn;

/** An utterance while it is being built; times are monotonic. */
interface DraftUtterance {
  who: 'agent';
  utterance: string;
  answer: string | null;
  startAtMs: number;
  soundAtMs: number | null;
  settled: SettledUtterance | null;
  /** Bytes put on the shelf: what was really received, also where a failing model had the rest cut off. */
  receivedBytes: number;
  text: string;
  whole: boolean;
}

type DraftTurn = DraftCallerTurn | DraftUtterance;

export class RecordBuilder {
  readonly #facts: CallFacts;
  readonly #ledger: Ledger;
  readonly #latency: LatencyTracker;
  readonly #turns: DraftTurn[] = [];
  #turnsDropped = 0;
  /** The caller turn that is not committed yet. */
  #speaking: DraftCallerTurn | null = null;
  readonly #byTurn = new Map<string, DraftCallerTurn>();
  readonly #byUtterance = new Map<string, DraftUtterance>();
  /** Answers that began, and whether they ended: one that did not has reported no usage. */
  readonly #answers = new Map<string, 'running' | 'ended'>();
  readonly #stops: Stop[] = [];
  readonly #tools = new Map<string, ToolRecord>();
  #keysPressed = 0;
  readonly #filledMs = { gap: 0, stall: 0 };
  #underruns = 0;
  #underrunMs = 0;
  readonly #ignored = new Map<string, number>();
  readonly #notices = new Map<string, number>();
  #startedAtMs: number | null = null;
  #ended: { atMs: number; termination: Termination } | null = null;
  #next: NextStep | null = null;

  constructor(facts: CallFacts, ledger: LedgerOptions = {}) {
    const { detection } = facts.agent.turnTaking;
    this.#facts = facts;
    this.#ledger = new Ledger(ledger);
    this.#latency = new LatencyTracker({
      answersTurns: facts.opening.capabilities.answersTurns,
      silenceMs: detection.kind === 'server_vad' ? detection.silenceMs : null,
      measured: (latency) => this.#measured(latency),
    });
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    this.#latency.stepped(event, effects);
    if (event.type !== 'leg.audio') this.#happened(event);
    for (const effect of effects) this.#caused(effect, event);
  }

  /** Audio was handed to the carrier at `nowMs`. */
  played(startsAtMs: number, nowMs: number): void {
    this.#latency.played(startsAtMs, nowMs);
  }

  /** The record of a call that closed at `atMs`; nothing may follow. */
  build(atMs: number): CallRecord {
    this.#latency.finish();
    this.#chargeUnreported();
    const { opening, incoming, agent, wallMs } = this.#facts;
    const zeroMs = this.#startedAtMs ?? opening.atMs;
    const ended = this.#ended ?? { atMs, termination: FAULT };
    this.#chargeCarrier(ended.atMs);
    const wall = (monotonicMs: number) => Math.round(wallMs + (monotonicMs - opening.atMs));
    return {
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
      turns: this.#turns.map((turn) => finished(turn, zeroMs)),
      turnsDropped: this.#turnsDropped,
      stops: this.#stops.map((stop) => ({ ...stop, atMs: Math.round(stop.atMs - zeroMs) })),
      tools: [...this.#tools.values()].map((tool) => ({ ...tool, atMs: Math.round(tool.atMs - zeroMs) })),
      keysPressed: this.#keysPressed,
      cost: {
        totalNanoUsd: this.#ledger.total.nanoUsd,
        unpricedLines: this.#ledger.total.unpricedLines,
        priceBook: this.#ledger.priceBook,
        lines: [...this.#ledger.lines],
      },
      audio: { filledMs: { ...this.#filledMs }, underruns: this.#underruns, underrunMs: this.#underrunMs },
      ignored: Object.fromEntries(this.#ignored),
      notices: Object.fromEntries(this.#notices),
      end: { ...ended.termination, next: this.#next ?? opening.policy.afterFailure },
    };
  }

  #happened(event: Exclude<CallEvent, { type: 'leg.audio' }>): void {
    switch (event.type) {
      case 'leg.started':
        this.#startedAtMs ??= event.atMs;
        return;
      case 'leg.digit_pressed':
        this.#keysPressed += 1;
        return;
      case 'speech.started':
        return this.#callerBegan(event.atMs);
      case 'speech.stopped':
        if (this.#speaking) this.#speaking.speechStopAtMs = event.atMs;
        return;
      case 'turn.committed':
        return this.#callerTurnEnded(event);
      case 'turn.transcribed': {
        const turn = this.#byTurn.get(event.turn);
        if (turn) turn.transcript = event.text.slice(0, MAX_TEXT);
        return;
      }
      case 'answer.started':
        this.#answers.set(event.answer, 'running');
        return;
      case 'answer.ended':
        this.#answers.set(event.answer, 'ended');
        return;
      case 'utterance.started':
        return this.#addUtterance(event.utterance, event.answer, event.atMs);
      case 'utterance.text': {
        const said = this.#byUtterance.get(event.utterance);
        if (said && said.text.length < MAX_TEXT) said.text = (said.text + event.text).slice(0, MAX_TEXT);
        return;
      }
      case 'utterance.ended': {
        const said = this.#byUtterance.get(event.utterance);
        if (said && !said.settled) said.whole = true;
        return;
      }
      case 'tool.called':
        return this.#toolCalled(event);
      case 'tool.settled':
        return this.#toolSettled(event);
      case 'session.noticed':
        return count(this.#notices, event.code);
      default:
    }
  }

  #caused(effect: CallEffect, event: CallEvent): void {
    switch (effect.do) {
      case 'leg.play':
        return this.#played(effect, event.atMs);
      case 'shelf.put': {
        const said = this.#byUtterance.get(effect.utterance);
        if (said) said.receivedBytes += effect.chunk.bytes;
        return;
      }
      case 'ledger.charge':
        this.#ledger.charge(effect.usage);
        return;
      case 'session.settle_tool': {
        const tool = this.#tools.get(effect.toolCall);
        if (tool?.status !== 'unsettled' || event.type !== 'tool.called') return;
        this.#tools.set(tool.toolCall, {
          ...tool,
          status: 'built_in',
          durationMs: 0,
          output: effect.output.slice(0, MAX_TEXT),
        });
        return;
      }
      case 'tool.abort': {
        const tool = this.#tools.get(effect.toolCall);
        if (tool)
          this.#tools.set(tool.toolCall, {
            ...tool,
            status: 'aborted',
            durationMs: Math.round(event.atMs - tool.atMs),
          });
        return;
      }
      case 'leg.close':
        this.#next = effect.next;
        return;
      case 'note.settled': {
        const said = this.#byUtterance.get(effect.utterance);
        if (said) said.settled = effect;
        return;
      }
      case 'note.stopped':
        if (this.#stops.length < MAX_TURNS)
          this.#stops.push({ atMs: event.atMs, because: effect.because, unheardMs: effect.unheardMs });
        return;
      case 'note.filled':
        this.#filledMs[effect.why] += effect.ms;
        return;
      case 'note.underrun':
        this.#underruns += 1;
        this.#underrunMs += effect.ms;
        return;
      case 'note.ignored':
        return count(this.#ignored, effect.what);
      case 'call.end':
        this.#ended = { atMs: event.atMs, termination: effect.termination };
        return;
      default:
    }
  }

  #add<T extends DraftTurn>(turn: T): T | null {
    if (this.#turns.length >= MAX_TURNS) {
      this.#turnsDropped += 1;
      return null;
    }
    this.#turns.push(turn);
    return turn;
  }

  #callerBegan(atMs: number): void {
    // Speech that goes on after a pause that ended no turn is the same turn.
    if (this.#speaking) {
      this.#speaking.speechStopAtMs = null;
      return;
    }
    this.#speaking = this.#add(callerTurn(atMs));
  }

  #callerTurnEnded(event: EventOf<'turn.committed'>): void {
    const turn = this.#speaking ?? this.#add(callerTurn(null));
    this.#speaking = null;
    if (!turn) return;
    turn.turn = event.turn;
    turn.committedAtMs = event.atMs;
    this.#byTurn.set(event.turn, turn);
  }

  #measured(latency: TurnLatency): void {
    const turn = this.#byTurn.get(latency.turn);
    if (turn) turn.latency = latency;
  }

  #addUtterance(utterance: string, answer: string | null, atMs: number): void {
    if (this.#byUtterance.has(utterance)) return;
    const added = this.#add<DraftUtterance>({
      who: 'agent',
      utterance,
      answer,
      startAtMs: atMs,
      soundAtMs: null,
      settled: null,
      receivedBytes: 0,
      text: answer === null ? this.#clipText(utterance) : '',
      whole: answer === null,
    });
    if (added) this.#byUtterance.set(utterance, added);
  }

  #clipText(utterance: string): string {
    const { agent } = this.#facts;
    const text = utterance === GREETING ? agent.greeting?.text : utterance === APOLOGY ? agent.failure.apologyText : '';
    return (text ?? '').slice(0, MAX_TEXT);
  }

  /** The first range of an utterance: what was never started by the model is a clip. */
  #played(play: EffectOf<'leg.play'>, atMs: number): void {
    if (play.fromByte > 0) return;
    if (!this.#byUtterance.has(play.utterance)) this.#addUtterance(play.utterance, null, atMs);
    const said = this.#byUtterance.get(play.utterance);
    if (said) said.soundAtMs ??= play.startsAtMs;
  }

  #toolCalled(event: EventOf<'tool.called'>): void {
    if (this.#tools.size >= MAX_TOOLS) return;
    this.#tools.set(event.toolCall, {
      toolCall: event.toolCall,
      name: event.name,
      atMs: event.atMs,
      status: 'unsettled',
      durationMs: null,
      arguments: event.arguments.slice(0, MAX_TEXT),
      output: null,
    });
  }

  #toolSettled(event: EventOf<'tool.settled'>): void {
    const tool = this.#tools.get(event.toolCall);
    if (tool?.status !== 'unsettled') return;
    const output = event.output.slice(0, MAX_TEXT);
    this.#tools.set(tool.toolCall, {
      ...tool,
      status: event.status,
      durationMs: Math.round(event.atMs - tool.atMs),
      output,
    });
  }

  /** An answer cut off with its session reports nothing; at least what it said was produced, and will be billed. */
  #chargeUnreported(): void {
    for (const [answer, state] of this.#answers) {
      if (state === 'ended' || this.#ledger.has('answer', answer)) continue;
      const utterances = [...this.#byUtterance.values()].filter((u) => u.answer === answer);
      const receivedMs = utterances.reduce((sum, u) => sum + u.receivedBytes / BYTES_PER_MS, 0);
      if (receivedMs === 0) continue;
      const audioOut = Math.ceil(receivedMs / MS_PER_AUDIO_TOKEN);
      const facts = { source: answer, what: 'answer', model: this.#facts.agent.model.name } as const;
      this.#ledger.charge({ ...facts, unit: 'tokens', ...NO_TOKENS, audioOut }, 'estimated');
    }
  }

  #chargeCarrier(endedAtMs: number): void {
    const { opening, incoming } = this.#facts;
    const use = { source: opening.on.leg, carrier: incoming.carrier };
    const line = incoming.direction === 'inbound' ? inboundLine(incoming.from, incoming.to) : null;
    this.#ledger.chargeCarrier({ ...use, what: 'leg', line, seconds: Math.round(endedAtMs - opening.atMs) / 1_000 });
    if (this.#startedAtMs === null) return;
    const seconds = Math.round(endedAtMs - this.#startedAtMs) / 1_000;
    this.#ledger.chargeCarrier({ ...use, what: 'media_stream', line: 'media_stream', seconds });
  }
}

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

/** A call whose end was never decided fell over a fault of ours. */
const FAULT: Termination = { reason: 'internal_error', by: 'us', result: 'failure', detail: '' };

const callerTurn = (speechStartAtMs: number | null): DraftCallerTurn => ({
  who: 'caller',
  turn: null,
  speechStartAtMs,
  speechStopAtMs: null,
  committedAtMs: null,
  transcript: null,
  latency: null,
});

/** Counts by name; beyond the bound all new names are one. */
function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < MAX_NAMES ? name.slice(0, 100) : 'other';
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** A turn in the record's own time. */
function finished(turn: DraftTurn, zeroMs: number): Turn {
  const at = (monotonicMs: number | null) => (monotonicMs === null ? null : Math.round(monotonicMs - zeroMs));
  if (turn.who === 'agent') return finishedUtterance(turn, at(turn.startAtMs) as number, at(turn.soundAtMs));
  return {
    ...turn,
    speechStartAtMs: at(turn.speechStartAtMs),
    speechStopAtMs: at(turn.speechStopAtMs),
    committedAtMs: at(turn.committedAtMs),
  };
}

function finishedUtterance(said: DraftUtterance, startAtMs: number, soundAtMs: number | null): AgentUtterance {
  const receivedMs = Math.max(said.settled?.receivedMs ?? 0, Math.floor(said.receivedBytes / BYTES_PER_MS));
  const heardMs = Math.min(said.settled?.heardMs ?? 0, receivedMs);
  // What a failing model left unsent counts as unheard, although nothing more of the utterance was to come.
  const allHeard = said.settled?.outcome === 'heard' && heardMs === receivedMs && receivedMs > 0;
  const outcome = allHeard ? 'heard' : heardMs > 0 ? 'interrupted' : 'unheard';
  const text = said.text.trim();
  const { heard, unheard } = splitHeard(text, allHeard ? 1 : receivedMs === 0 ? 0 : heardMs / receivedMs);
  return {
    who: 'agent',
    utterance: said.utterance,
    answer: said.answer,
    startAtMs,
    soundAtMs,
    outcome,
    heardMs,
    sentMs: said.settled?.sentMs ?? 0,
    receivedMs,
    text,
    heardText: heard,
    unheardText: unheard,
    whole: said.whole,
  };
}
