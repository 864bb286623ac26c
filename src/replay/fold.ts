// Folds a tape: the real call and the real model session get what came in, in virtual time, and print a tape of their own.
// Both tapes must be the same, line for line. Sockets go nowhere, tools never answer and timers never fire by themselves:
// what they did stands on the tape.
import { silence } from '../audio/mulaw.ts';
import { Call } from '../call/call.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import { Feed, type FeedInput, type FrameEvent, type Onlooker } from '../call/feed.ts';
import { Shelf } from '../call/shelf.ts';
import type { Termination } from '../call/termination.ts';
import type { CarrierLeg, LegEvent } from '../carrier/carrier.ts';
import type { DialogueConfig, DialogueInput } from '../realtime/openai/dialogue-state.ts';
import { OpenAiSession } from '../realtime/openai/session.ts';
import { reviveAudio, type Tape, type TapeEntry, TapePrinter } from '../tape/tape.ts';
import { type Difference, isSame } from './fold-difference.ts';
import { foldReport } from './fold-report.ts';
import { type FoldTurn, TurnFinder } from './fold-turns.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface FoldResult {
  identical: boolean;
  /** The differences turn by turn, to be read by people; null when there is none. */
  report: string | null;
  /** In the order in which they came; at most `maxDiffs`. */
  diffs: readonly Difference[];
  /** Differences beyond those. */
  moreDiffs: number;
  /** Who spoke, as the replayed call knew it. */
  turns: readonly FoldTurn[];
  /** What was fed. */
  inputs: number;
  /** What was compared: lists of effects and messages to the model. */
  outputs: number;
  /** Milliseconds from the admission to the tape's last line. */
  callMs: number;
  /** How the replayed call ended; null when the tape ends before it. */
  termination: Termination | null;
  /** Throws inside the machines, which end a call as `internal_error`. */
  faults: readonly unknown[];
}

export interface FoldOptions {
  /** Differences that are kept, default 500; the rest is counted. */
  maxDiffs?: number;
}

/** Replays a tape; equal tapes give equal results. */
export const foldTape = (tape: Tape, { maxDiffs = 500 }: FoldOptions = {}): FoldResult =>
  new Fold(tape, maxDiffs).run();

class Fold implements Onlooker, CarrierLeg {
  readonly capabilities: CarrierLeg['capabilities'];
  readonly #tape: Tape;
  readonly #maxDiffs: number;
  readonly #clock: VirtualClock;
  readonly #printer: TapePrinter;
  readonly #call: Call;
  readonly #sessions = new Map<string, OpenAiSession>();
  #toLeg: ((event: LegEvent) => void) | null = null;
  /** The tape's next line to be met, and the input being fed. */
  #next = 0;
  #fed = -1;
  #inputs = 0;
  #outputs = 0;
  readonly #diffs: Difference[] = [];
  #moreDiffs = 0;
  readonly #turns: TurnFinder;
  readonly #payloads = new Map<number, string>();
  readonly #faults: unknown[] = [];

  constructor(tape: Tape, maxDiffs: number) {
    const { opening, sessionConfig, fallbackConfig, handOffConfigs = {}, wallMs } = tape.header;
    this.#tape = tape;
    this.#maxDiffs = maxDiffs;
    this.capabilities = { maxAheadMs: opening.policy.maxAheadMs };
    this.#clock = new VirtualClock(opening.atMs, wallMs);
    this.#printer = new TapePrinter(opening);
    this.#turns = new TurnFinder(opening);
    this.#call = new Call({
      opening,
      clock: this.#clock,
      feed: new Feed([this], (error) => this.#faults.push(error)),
      shelf: new Shelf(),
      openSession: (hooks, { session, agent, target }) => {
        const configs = handOffConfigs[agent] ?? [sessionConfig, fallbackConfig];
        const opened = new OpenAiSession({
          session,
          config: configs[target] as DialogueConfig,
          capabilities: opening.capabilities,
          clock: this.#clock,
          readyWithinMs: 0,
          connect: () => ({ send: () => this.#feedNested(), close: () => {} }),
          listener: hooks,
        });
        this.#sessions.set(session, opened);
        return opened;
      },
      runTool: () => new Promise(() => {}),
      recallLeg: () => {},
      redirectLeg: () => new Promise(() => {}),
      people: { call() {}, drop() {} },
      storeNext: () => new Promise(() => {}),
      ended: () => {},
      swept: () => {},
      fault: (error) => this.#faults.push(error),
    });
  }

  run(): FoldResult {
    const { entries } = this.#tape;
    while (this.#next < entries.length) {
      const entry = entries[this.#next] as TapeEntry;
      if (isInput(entry)) this.#feed(entry);
      else {
        if (entry.kind === 'effects' || entry.kind === 'sent') this.#differ(entry, entry.text, null);
        this.#next++;
      }
    }
    const { state } = this.#call;
    const found = { diffs: this.#diffs, moreDiffs: this.#moreDiffs, turns: this.#turns.turns };
    return {
      identical: this.#diffs.length === 0,
      report: this.#diffs.length === 0 ? null : foldReport(this.#tape, found, this.#turns.mediaAtMs),
      ...found,
      inputs: this.#inputs,
      outputs: this.#outputs,
      callMs: entries.at(-1)?.t ?? 0,
      termination: state.phase === 'ended' ? state.termination : null,
      faults: this.#faults,
    };
  }

  // --- what goes in

  #feed(entry: InputEntry): void {
    const index = this.#next;
    this.#fed = index;
    this.#inputs++;
    this.#clock.moveTo(entry.atMs);
    try {
      this.#give(entry);
    } catch (error) {
      this.#faults.push(error);
    }
    this.#next = Math.max(this.#next, index + 1);
  }

  #give(entry: InputEntry): void {
    if (entry.kind === 'frame') {
      const { sequence, timestampMs, audio } = entry;
      this.#receive({
        type: 'leg.audio',
        sequence,
        timestampMs,
        chunk: { payload: this.#payload(audio.bytes), bytes: audio.bytes },
      });
    } else {
      const input = reviveAudio(entry.input, (audio) => this.#payload(audio.bytes));
      if (input.from === 'session') this.#sessions.get(input.session)?.input(input.input as DialogueInput);
      else this.#receive(input.event as Parameters<Call['receive']>[0]);
    }
  }

  #receive(event: Parameters<Call['receive']>[0]): void {
    if (!event.type.startsWith('leg.')) return this.#call.receive(event);
    if (event.type === 'leg.started') this.#toLeg = this.#call.attach(this);
    const toLeg = this.#toLeg;
    if (event.type === 'leg.closed') this.#toLeg = null;
    // Without a leg it is the carrier's word beside the media.
    if (toLeg === null) return this.#call.receive(event);
    toLeg(event as LegEvent);
  }

  /** Silence of that length: what audio sounds like decides nothing. */
  #payload(bytes: number): string {
    let payload = this.#payloads.get(bytes);
    if (payload === undefined) {
      payload = silence(bytes).toString('base64');
      if (this.#payloads.size < MAX_PAYLOADS) this.#payloads.set(bytes, payload);
    }
    return payload;
  }

  /** Feeds what a socket reported from inside a step, as the live one did: the tape says so right here. */
  #feedNested(): void {
    for (;;) {
      const entry = this.#tape.entries[this.#next];
      if (!entry || this.#next === this.#fed || !this.#cameFromInside(entry)) return;
      const outer = this.#fed;
      this.#feed(entry);
      this.#fed = outer;
    }
  }

  /**
   * Marks that a clear overtook and a carrier that stopped reading are reported while the step runs that made them, at its
   * time; so is a model socket that stopped reading.
   */
  #cameFromInside(entry: TapeEntry): entry is InputEntry {
    if (entry.kind !== 'input') return false;
    if (entry.input.from === 'session') return false;
    const { event } = entry.input;
    if (entry.atMs !== this.#clock.nowMs()) return false;
    if (event.type === 'leg.mark_settled') return event.outcome === 'dropped';
    return event.type === 'leg.closed' && event.cause === 'stopped_reading';
  }

  play(): void {
    this.#feedNested();
  }

  mark(): void {
    this.#feedNested();
  }

  clear(): void {
    this.#feedNested();
  }

  close(): void {}

  // --- what comes out

  input(atMs: number, input: FeedInput): void {
    this.#meet(this.#printer.input(atMs, input));
  }

  frame(frame: FrameEvent): void {
    this.#meet(this.#printer.frameText(frame));
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    this.#turns.stepped(event, effects);
    this.#meet(this.#printer.stepped(event, effects));
  }

  sent(atMs: number, message: unknown): void {
    this.#meet(this.#printer.sent(atMs, message));
  }

  #meet(lines: string): void {
    if (lines === '') return;
    for (const line of lines.slice(0, -1).split('\n')) this.#meetLine(line);
  }

  /** The replay printed a line: it must be the tape's next. If it comes later, what is before it was left out. */
  #meetLine(got: string): void {
    const { entries, complete } = this.#tape;
    const expected = entries[this.#next];
    if (expected && isSame(expected.text, got)) return this.#met(expected);
    // A tape that breaks off lacks what its last input caused.
    if (!complete && entries.findIndex((e, i) => i >= this.#next && e.kind !== 'stopped') < 0) return;
    for (let i = this.#next; this.#isOutputOfThis(entries[i], i); i++) {
      const later = entries[i] as TapeEntry;
      if (!isSame(later.text, got)) continue;
      while (this.#next < i) {
        const missed = entries[this.#next++] as TapeEntry;
        this.#differ(missed, missed.text, null);
      }
      return this.#met(later);
    }
    const where = expected ?? (entries.at(-1) as TapeEntry);
    if (!this.#isOutputOfThis(expected, this.#next)) return this.#differ(where, null, got);
    this.#differ(where, where.text, got);
    this.#next++;
  }

  /** True for lines before the next input, and for the input that is being fed. */
  #isOutputOfThis(entry: TapeEntry | undefined, index: number): boolean {
    return entry !== undefined && (index === this.#fed || entry.kind === 'effects' || entry.kind === 'sent');
  }

  #met(entry: TapeEntry): void {
    if (entry.kind !== 'input') this.#outputs++;
    this.#next++;
  }

  #differ({ line, t }: TapeEntry, expected: string | null, got: string | null): void {
    if (this.#diffs.length < this.#maxDiffs) this.#diffs.push({ line, t, expected, got });
    else this.#moreDiffs++;
  }
}

type InputEntry = Extract<TapeEntry, { kind: 'frame' | 'input' }>;

const isInput = (entry: TapeEntry): entry is InputEntry => entry.kind === 'frame' || entry.kind === 'input';

/** Lengths of audio whose silence is kept at hand. */
const MAX_PAYLOADS = 256;
