// The turns of a call's record: when the caller spoke and in which words, what the agent said, and how much of it was
// heard. Times are monotonic until `turns` is asked for.
import { BYTES_PER_MS } from '../audio/mulaw.ts';
import type { CallEffect, SettledUtterance, UnaddressedEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { TurnLatency } from '../metrics/latency.ts';
import type { AgentUtterance, CallerTurn, Stop, Turn } from './call-record.ts';
import { splitHeard } from '../heard-text.ts';

/** A call of an hour stays far below them. */
const MAX_TURNS = 5_000;
const MAX_STOPS = 5_000;
/** Characters of one turn, or of one tool's arguments or output. */
const MAX_TEXT = 20_000;

/** A text as a record keeps it: one that is too long ends with an ellipsis. */
export const kept = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text);

export type EffectOf<T extends UnaddressedEffect['do']> = Extract<CallEffect, { do: T }>;
export type EventOf<T extends CallEvent['type']> = Extract<CallEvent, { type: T }>;

/** A caller turn while it is being built. */
type DraftCallerTurn = CallerTurn;

/** An utterance while it is being built. */
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

/** A turn by its number. */
export interface NumberedTurn {
  turn: number;
  said: Turn;
}

export class TurnLog {
  readonly #clipText: (utterance: string) => string;
  readonly #turns: DraftTurn[] = [];
  #dropped = 0;
  /** The caller turn that is not committed yet. */
  #speaking: DraftCallerTurn | null = null;
  readonly #byTurn = new Map<string, DraftCallerTurn>();
  readonly #byUtterance = new Map<string, DraftUtterance>();
  readonly #stops: Stop[] = [];
  #stopsDropped = 0;
  readonly #numbers = new Map<DraftTurn, number>();
  /** Turns that are not as they were taken last, and those of them that are as good as finished. */
  readonly #changed = new Set<DraftTurn>();
  readonly #settled = new Set<DraftTurn>();

  /** @param clipText the words of a recorded clip, by its utterance; empty where nobody knows them */
  constructor(clipText: (utterance: string) => string) {
    this.#clipText = clipText;
  }

  happened(event: CallEvent): void {
    switch (event.type) {
      case 'speech.started':
        return this.#callerBegan(event.atMs);
      case 'speech.stopped':
        if (this.#speaking) this.#touch(this.#speaking).speechStopAtMs = event.atMs;
        return;
      case 'turn.committed':
        return this.#callerTurnEnded(event);
      case 'turn.transcribed': {
        const turn = this.#byTurn.get(event.turn);
        if (turn) this.#settle(turn).transcript = kept(event.text);
        return;
      }
      case 'utterance.started':
        return this.#addUtterance(event.utterance, event.answer, event.atMs);
      case 'utterance.text': {
        const said = this.#byUtterance.get(event.utterance);
        if (said && said.text.length < MAX_TEXT) this.#touch(said).text = kept(said.text + event.text);
        return;
      }
      case 'utterance.ended': {
        const said = this.#byUtterance.get(event.utterance);
        if (said && !said.settled) this.#touch(said).whole = true;
        return;
      }
      default:
    }
  }

  caused(effect: CallEffect, atMs: number): void {
    switch (effect.do) {
      case 'leg.play':
        return this.#played(effect, atMs);
      case 'shelf.put': {
        const said = this.#byUtterance.get(effect.utterance);
        if (said) this.#touch(said).receivedBytes += effect.chunk.bytes;
        return;
      }
      case 'note.settled': {
        const said = this.#byUtterance.get(effect.utterance);
        if (said) this.#settle(said).settled = effect;
        return;
      }
      case 'note.stopped':
        if (this.#stops.length < MAX_STOPS)
          this.#stops.push({ atMs, because: effect.because, unheardMs: effect.unheardMs });
        else this.#stopsDropped += 1;
        return;
      default:
    }
  }

  /** How long the answer to a turn took. */
  measured(latency: TurnLatency): void {
    const turn = this.#byTurn.get(latency.turn);
    if (turn) this.#settle(turn).latency = latency;
  }

  /** Milliseconds of audio that came of one answer. */
  receivedMs(answer: string): number {
    let bytes = 0;
    for (const said of this.#byUtterance.values()) if (said.answer === answer) bytes += said.receivedBytes;
    return bytes / BYTES_PER_MS;
  }

  /** All turns in the record's own time, and how many were not kept. */
  turns(zeroMs: number): { turns: Turn[]; turnsDropped: number } {
    return { turns: this.#turns.map((turn) => finished(turn, zeroMs)), turnsDropped: this.#dropped };
  }

  /** Takes the turns that are as good as finished, or all, where they are not as they were taken last. */
  takeChanged(which: 'settled' | 'all', zeroMs: number): NumberedTurn[] {
    const taken = which === 'all' ? this.#changed : this.#settled;
    if (taken.size === 0) return [];
    const turns = [...taken];
    this.#settled.clear();
    return turns.map((turn) => {
      this.#changed.delete(turn);
      return { turn: this.#numbers.get(turn) as number, said: finished(turn, zeroMs) };
    });
  }

  /** The record's own time begins: what was taken by another is not as it was. */
  zeroMoved(): void {
    for (const turn of this.#turns) this.#changed.add(turn);
  }

  /** All stops in the record's own time, and how many were not kept. */
  stops(zeroMs: number): { stops: Stop[]; stopsDropped: number } {
    const stops = this.#stops.map((stop) => ({ ...stop, atMs: Math.round(stop.atMs - zeroMs) }));
    return { stops, stopsDropped: this.#stopsDropped };
  }

  #add<T extends DraftTurn>(turn: T): T | null {
    if (this.#turns.length >= MAX_TURNS) {
      this.#dropped += 1;
      return null;
    }
    this.#numbers.set(turn, this.#turns.length);
    this.#turns.push(turn);
    return this.#touch(turn);
  }

  #touch<T extends DraftTurn>(turn: T): T {
    this.#changed.add(turn);
    return turn;
  }

  #settle<T extends DraftTurn>(turn: T): T {
    this.#settled.add(turn);
    return this.#touch(turn);
  }

  #callerBegan(atMs: number): void {
    // Speech that goes on after a pause that ended no turn is the same turn.
    if (this.#speaking) {
      this.#touch(this.#speaking).speechStopAtMs = null;
      return;
    }
    this.#speaking = this.#add(callerTurn(atMs));
  }

  #callerTurnEnded(event: EventOf<'turn.committed'>): void {
    const turn = this.#speaking ?? this.#add(callerTurn(null));
    this.#speaking = null;
    if (!turn) return;
    this.#settle(turn).turn = event.turn;
    turn.committedAtMs = event.atMs;
    this.#byTurn.set(event.turn, turn);
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
      text: answer === null ? kept(this.#clipText(utterance)) : '',
      whole: answer === null,
    });
    if (added) this.#byUtterance.set(utterance, added);
  }

  /** The first range of an utterance: what was never started by the model is a clip. */
  #played(play: EffectOf<'leg.play'>, atMs: number): void {
    if (play.fromByte > 0) return;
    if (!this.#byUtterance.has(play.utterance)) this.#addUtterance(play.utterance, null, atMs);
    const said = this.#byUtterance.get(play.utterance);
    if (said) this.#touch(said).soundAtMs ??= play.startsAtMs;
  }
}

const callerTurn = (speechStartAtMs: number | null): DraftCallerTurn => ({
  who: 'caller',
  turn: null,
  speechStartAtMs,
  speechStopAtMs: null,
  committedAtMs: null,
  transcript: null,
  latency: null,
});

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
