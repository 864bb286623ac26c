// How long each answer took and whose time it was: folds a call's events and effects into one latency per caller turn.
// Pure; used by the record and by the metrics, each with its own tracker.
//
//   caller's last sound → committed → (model, tools) → first audio → handed to the carrier → its turn in the queue → heard
//   └ endOfTurnWaitMs ──┘└ modelMs + toolsMs ───────┘└ ourMs ──────┘└ queuedMs ──────────┘└ carrierMs ┘
import { bytesToMs } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';

/** One caller turn that was answered with sound. Milliseconds; `ourMs` has thousandths, the others are whole. */
export interface TurnLatency {
  turn: string;
  /** The caller's last sound → the turn is committed; null when nobody can say when the caller stopped. */
  endOfTurnWaitMs: number | null;
  /**
   * How that was found: `input_clock`, the model's own position on the audio we sent; `configured_silence`, the time from
   * "stopped speaking" to the commit plus the silence the model waits for.
   */
  endOfTurnFrom: 'input_clock' | 'configured_silence' | null;
  /** Committed → first audio of the answer, without the time that tools ran. */
  modelMs: number;
  /** The part of the same stretch in which a tool of ours ran. */
  toolsMs: number;
  /** First audio received → handed to the carrier. */
  ourMs: number;
  /** Handed to the carrier → its turn to sound, behind what was still being played. */
  queuedMs: number;
  /** Half a round trip to the carrier, by the quickest mark so far; null before any mark came back. */
  carrierMs: number | null;
  /** Committed → handed to the carrier. */
  answerMs: number;
  /** The sum of all parts; null without `endOfTurnWaitMs`. An unknown `carrierMs` counts as 0. */
  voiceToVoiceMs: number | null;
}

export interface LatencyOptions {
  /** The session answers turns by itself (`SessionCapabilities.answersTurns`); otherwise only turns we ask for count. */
  answersTurns: boolean;
  /** Silence after which the model calls a turn ended; null = it decides by other means, or not at all. */
  silenceMs: number | null;
  /** Told of each answered turn, when its first mark is back or the answer is over. */
  measured(latency: TurnLatency): void;
}

/** A committed turn whose answer is awaited or is just beginning to sound. */
interface OpenTurn {
  turn: string;
  committedAtMs: number;
  endOfTurnWaitMs: number | null;
  endOfTurnFrom: TurnLatency['endOfTurnFrom'];
  /** Answers begun since the commit, and their utterances: only these answer this turn. */
  answers: Set<string>;
  utterances: Set<string>;
  toolsMs: number;
  /** The utterance that sounded first, and when its first byte came in. */
  first: { utterance: string; receivedAtMs: number } | null;
  sent: { atMs: number; startsAtMs: number; performed: boolean } | null;
}

/** Frames whose arrival is remembered: five seconds, longer than any silence that ends a turn. */
const REMEMBERED_FRAMES = 256;

export class LatencyTracker {
  readonly #options: LatencyOptions;
  #open: OpenTurn | null = null;
  #stopped: { atMs: number; audioMs: number | null } | null = null;
  readonly #tools = new Set<string>();
  #toolsSinceMs = 0;
  /** When each mark that is out should be reached, by the plays before it. */
  readonly #marks = new Map<string, number>();
  #queueEndsAtMs = 0;
  #roundTripMs: number | null = null;
  /** The model's input clock: how much audio it was sent, and when the last frames of it came in. */
  #inputMs = 0;
  readonly #positions = new Float64Array(REMEMBERED_FRAMES);
  readonly #arrivals = new Float64Array(REMEMBERED_FRAMES);
  #frames = 0;

  constructor(options: LatencyOptions) {
    this.#options = options;
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type !== 'leg.audio') this.#happened(event, effects);
    for (const effect of effects) this.#caused(effect, event.atMs);
  }

  /** A frame of so many bytes went on to the model, and nothing else happened. */
  frame(atMs: number, bytes: number): void {
    this.#appended(bytesToMs(bytes), atMs);
  }

  /** Audio was handed to the carrier at `nowMs`, by a clock that runs on inside a step. */
  played(startsAtMs: number, nowMs: number): void {
    const sent = this.#open?.sent;
    if (!sent || sent.performed || sent.startsAtMs !== startsAtMs) return;
    sent.atMs = nowMs;
    sent.performed = true;
  }

  /** Nothing follows: a turn that was answered and not yet reported is. */
  finish(): void {
    const turn = this.#open;
    this.#open = null;
    if (turn?.first && turn.sent) this.#options.measured(this.#latencyOf(turn, turn.first, turn.sent));
  }

  #happened(event: Exclude<CallEvent, { type: 'leg.audio' }>, effects: readonly CallEffect[]): void {
    const turn = this.#open;
    switch (event.type) {
      case 'speech.started':
        this.#stopped = null;
        return;
      case 'speech.stopped':
        this.#stopped = { atMs: event.atMs, audioMs: event.audioMs };
        return;
      case 'turn.committed':
        return this.#committed(event.turn, event.atMs, effects);
      case 'answer.started':
        if (turn && !turn.first) turn.answers.add(event.answer);
        return;
      case 'utterance.started':
        if (turn?.answers.has(event.answer)) turn.utterances.add(event.utterance);
        return;
      case 'utterance.audio':
        if (turn && !turn.first && turn.utterances.has(event.utterance))
          this.#sounded(turn, event.utterance, event.atMs);
        return;
      case 'tool.settled':
        return this.#toolEnded(event.toolCall, event.atMs);
      case 'leg.mark_settled':
        return this.#markSettled(event.mark, event.outcome, event.atMs);
      default:
    }
  }

  #caused(effect: CallEffect, atMs: number): void {
    switch (effect.do) {
      case 'session.append':
        return this.#appended(bytesToMs(effect.chunk.bytes), atMs);
      case 'session.append_silence':
        return this.#appended(effect.ms, atMs);
      case 'leg.play': {
        this.#queueEndsAtMs = effect.startsAtMs + bytesToMs(effect.toByte - effect.fromByte + effect.padBytes);
        const turn = this.#open;
        if (turn && !turn.sent && turn.first?.utterance === effect.utterance)
          turn.sent = { atMs, startsAtMs: effect.startsAtMs, performed: false };
        return;
      }
      case 'leg.mark':
        this.#marks.set(effect.mark, this.#queueEndsAtMs);
        return;
      case 'leg.clear':
        this.#marks.clear();
        return;
      case 'tool.run':
        if (this.#tools.size === 0) this.#toolsSinceMs = atMs;
        this.#tools.add(effect.toolCall);
        return;
      case 'session.speak':
        // Something else is to be said than an answer to the caller.
        if (effect.say !== null && !this.#open?.sent) this.#open = null;
        return;
      case 'session.interrupt':
      case 'call.end':
        return this.finish();
      default:
    }
  }

  #committed(turn: string, atMs: number, effects: readonly CallEffect[]): void {
    this.finish();
    const stopped = this.#stopped;
    this.#stopped = null;
    const isOwed = this.#options.answersTurns || effects.some((e) => e.do === 'session.speak' && e.say === null);
    if (!isOwed) return;
    if (this.#tools.size > 0) this.#toolsSinceMs = atMs;
    this.#open = {
      turn,
      committedAtMs: atMs,
      ...this.#endOfTurn(stopped, atMs),
      answers: new Set(),
      utterances: new Set(),
      toolsMs: 0,
      first: null,
      sent: null,
    };
  }

  /** The model names the end of the turn on its input clock, the silence it waited for included (npm openai 7.55.0). */
  #endOfTurn(
    stopped: { atMs: number; audioMs: number | null } | null,
    committedAtMs: number,
  ): Pick<OpenTurn, 'endOfTurnWaitMs' | 'endOfTurnFrom'> {
    const { silenceMs } = this.#options;
    if (!stopped || silenceMs === null) return { endOfTurnWaitMs: null, endOfTurnFrom: null };
    const spokenUntilMs = stopped.audioMs === null ? null : this.#arrivalOf(stopped.audioMs - silenceMs);
    if (spokenUntilMs !== null && spokenUntilMs <= committedAtMs)
      return { endOfTurnWaitMs: committedAtMs - spokenUntilMs, endOfTurnFrom: 'input_clock' };
    return { endOfTurnWaitMs: committedAtMs - stopped.atMs + silenceMs, endOfTurnFrom: 'configured_silence' };
  }

  #sounded(turn: OpenTurn, utterance: string, atMs: number): void {
    turn.first = { utterance, receivedAtMs: atMs };
    if (this.#tools.size > 0) turn.toolsMs += atMs - this.#toolsSinceMs;
  }

  #toolEnded(toolCall: string, atMs: number): void {
    if (!this.#tools.delete(toolCall) || this.#tools.size > 0) return;
    if (this.#open && !this.#open.first) this.#open.toolsMs += atMs - this.#toolsSinceMs;
  }

  #markSettled(mark: string, outcome: 'played' | 'dropped', atMs: number): void {
    const dueMs = this.#marks.get(mark);
    if (dueMs === undefined) return;
    this.#marks.delete(mark);
    if (outcome !== 'played') return;
    this.#roundTripMs = Math.max(0, Math.min(this.#roundTripMs ?? Number.POSITIVE_INFINITY, atMs - dueMs));
    const sent = this.#open?.sent;
    if (sent && dueMs > sent.startsAtMs) this.finish();
  }

  #appended(ms: number, atMs: number): void {
    this.#inputMs += ms;
    const slot = this.#frames % REMEMBERED_FRAMES;
    this.#positions[slot] = this.#inputMs;
    this.#arrivals[slot] = atMs;
    this.#frames += 1;
  }

  /** When the sample at `positionMs` of the input clock came in; null when that is too long ago, or was never sent. */
  #arrivalOf(positionMs: number): number | null {
    if (positionMs < 0 || positionMs > this.#inputMs || this.#frames === 0) return null;
    const oldest = Math.max(0, this.#frames - REMEMBERED_FRAMES);
    let frame = this.#frames - 1;
    while (frame > oldest && at(this.#positions, frame - 1) >= positionMs) frame -= 1;
    // Where the oldest remembered frame began is forgotten, unless it was the first of all.
    if (frame === oldest && oldest > 0) return null;
    return at(this.#arrivals, frame) - (at(this.#positions, frame) - positionMs);
  }

  #latencyOf(turn: OpenTurn, first: NonNullable<OpenTurn['first']>, sent: NonNullable<OpenTurn['sent']>): TurnLatency {
    const waitMs = turn.endOfTurnWaitMs;
    const ourMs = sent.atMs - first.receivedAtMs;
    const queuedMs = Math.max(0, sent.startsAtMs - sent.atMs);
    const carrierMs = this.#roundTripMs === null ? null : this.#roundTripMs / 2;
    const answerMs = sent.atMs - turn.committedAtMs;
    return {
      turn: turn.turn,
      endOfTurnWaitMs: waitMs === null ? null : Math.round(waitMs),
      endOfTurnFrom: turn.endOfTurnFrom,
      modelMs: Math.round(first.receivedAtMs - turn.committedAtMs - turn.toolsMs),
      toolsMs: Math.round(turn.toolsMs),
      ourMs: Math.round(ourMs * 1_000) / 1_000,
      queuedMs: Math.round(queuedMs),
      carrierMs: carrierMs === null ? null : Math.round(carrierMs),
      answerMs: Math.round(answerMs),
      voiceToVoiceMs: waitMs === null ? null : Math.round(waitMs + answerMs + queuedMs + (carrierMs ?? 0)),
    };
  }
}

const at = (ring: Float64Array, frame: number): number => ring[frame % REMEMBERED_FRAMES] as number;
