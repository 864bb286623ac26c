// Folds a tape: the real call and the real model session get what came in, in virtual time, and print a tape of their own.
// Both tapes must be the same, line for line. Sockets go nowhere, tools never answer and timers never fire by themselves:
// what they did stands on the tape.
import { silence } from '../audio/mulaw.ts';
import { Call } from '../call/call.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import { Feed, type FeedInput, type Onlooker } from '../call/feed.ts';
import { Shelf } from '../call/shelf.ts';
import type { Termination } from '../call/termination.ts';
import type { CarrierLeg, LegEvent } from '../carrier/carrier.ts';
import type { DialogueConfig, DialogueInput } from '../realtime/openai/dialogue-state.ts';
import { OpenAiSession } from '../realtime/openai/session.ts';
import { reviveAudio, type Tape, type TapeEntry, TapePrinter } from '../tape/tape.ts';
import { VirtualClock } from './virtual-clock.ts';

/** One place where the two tapes part. */
export interface Difference {
  /** The line of the tape where it shows. */
  line: number;
  /** Milliseconds since the call's admission. */
  t: number;
  /** The tape's line; null when the replay did something more. */
  expected: string | null;
  /** The replay's line; null when the replay left something out. */
  got: string | null;
}

export interface FoldResult {
  identical: boolean;
  /** The first difference, to be read by people; null when there is none. */
  report: string | null;
  /** In the order in which they came; at most `maxDiffs`, then the fold stops. */
  diffs: readonly Difference[];
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
  /** The fold stops after so many differences, default 20. */
  maxDiffs?: number;
}

/** Replays a tape; equal tapes give equal results. */
export const foldTape = (tape: Tape, { maxDiffs = 20 }: FoldOptions = {}): FoldResult => new Fold(tape, maxDiffs).run();

class Fold implements Onlooker, CarrierLeg {
  readonly capabilities: CarrierLeg['capabilities'];
  readonly #tape: Tape;
  readonly #maxDiffs: number;
  readonly #clock: VirtualClock;
  readonly #printer: TapePrinter;
  readonly #call: Call;
  #session!: OpenAiSession;
  #toLeg: ((event: LegEvent) => void) | null = null;
  /** The tape's next line to be met, and the input being fed. */
  #next = 0;
  #fed = -1;
  #inputs = 0;
  #outputs = 0;
  readonly #diffs: Difference[] = [];
  readonly #payloads = new Map<number, string>();
  readonly #faults: unknown[] = [];

  constructor(tape: Tape, maxDiffs: number) {
    const { opening, sessionConfig, wallMs } = tape.header;
    this.#tape = tape;
    this.#maxDiffs = maxDiffs;
    this.capabilities = { maxAheadMs: opening.policy.maxAheadMs };
    this.#clock = new VirtualClock(opening.atMs, wallMs);
    this.#printer = new TapePrinter(opening);
    this.#call = new Call({
      opening,
      clock: this.#clock,
      feed: new Feed([this], (error) => this.#faults.push(error)),
      shelf: new Shelf(),
      openSession: (hooks) => {
        this.#session = new OpenAiSession({
          config: sessionConfig as DialogueConfig,
          capabilities: opening.capabilities,
          clock: this.#clock,
          readyWithinMs: 0,
          connect: () => ({ send: () => this.#feedNested(), close: () => {} }),
          listener: hooks,
        });
        return this.#session;
      },
      runTool: () => new Promise(() => {}),
      storeNext: () => new Promise(() => {}),
      ended: () => {},
      swept: () => {},
      fault: (error) => this.#faults.push(error),
    });
  }

  run(): FoldResult {
    const { entries } = this.#tape;
    while (this.#next < entries.length && this.#diffs.length < this.#maxDiffs) {
      const entry = entries[this.#next] as TapeEntry;
      if (isInput(entry)) this.#feed(entry);
      else {
        if (entry.kind === 'effects' || entry.kind === 'sent') this.#differ(entry, entry.text, null);
        this.#next++;
      }
    }
    const { state } = this.#call;
    const [first] = this.#diffs;
    return {
      identical: this.#diffs.length === 0,
      report: first ? this.#describe(first) : null,
      diffs: this.#diffs,
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
      if (input.from === 'session') this.#session.input(input.input as DialogueInput);
      else this.#receive(input.event as Parameters<Call['receive']>[0]);
    }
  }

  #receive(event: Parameters<Call['receive']>[0]): void {
    if (!event.type.startsWith('leg.')) return this.#call.receive(event);
    this.#toLeg ??= this.#call.attach(this);
    this.#toLeg(event as LegEvent);
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

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
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
    if (this.#diffs.length >= this.#maxDiffs) return;
    // A tape that breaks off lacks what its last input caused.
    if (!complete && !entries.slice(this.#next).some((e) => e.kind !== 'stopped')) return;
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
  }

  #describe(d: Difference): string {
    const { entries } = this.#tape;
    const index = entries.findIndex((e) => e.line === d.line);
    const before = entries.slice(Math.max(0, index - CONTEXT_LINES), index);
    return [
      `The replay differs at line ${d.line} of the tape, ${(d.t / 1000).toFixed(3)} s into the call.`,
      ...(d.expected !== null && d.got !== null ? partedEffects(d.expected, d.got) : []),
      `  expected: ${d.expected === null ? 'nothing more' : short(d.expected)}`,
      `  got:      ${d.got === null ? 'nothing' : short(d.got)}`,
      ...(before.length > 0 ? ['  before it:'] : []),
      ...before.map((e) => `    ${e.line}: ${short(e.text)}`),
    ].join('\n');
  }
}

type InputEntry = Extract<TapeEntry, { kind: 'frame' | 'input' }>;

const isInput = (entry: TapeEntry): entry is InputEntry => entry.kind === 'frame' || entry.kind === 'input';

/** Lengths of audio whose silence is kept at hand. */
const MAX_PAYLOADS = 256;
const CONTEXT_LINES = 5;
const MAX_SHOWN_CHARS = 600;

const short = (text: string): string =>
  text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}… (${text.length} characters)` : text;

/** Which effect of two lists is the first that differs. */
function partedEffects(expected: string, got: string): string[] {
  const a = JSON.parse(expected) as { do?: unknown[]; after?: string };
  const b = JSON.parse(got) as { do?: unknown[]; after?: string };
  if (!a.do || !b.do) return [];
  if (a.after !== b.after) return [`  the tape decides after ${a.after}, the replay after ${b.after}`];
  const lists = [a.do, b.do];
  const at = a.do.findIndex((effect, i) => !isSame(JSON.stringify(effect), JSON.stringify(b.do?.[i])));
  const index = at < 0 ? a.do.length : at;
  const [e, g] = lists.map((list) => (index < list.length ? short(JSON.stringify(list[index])) : 'none'));
  return [`  after ${a.after}, effect ${index + 1}: expected ${e}, got ${g}`];
}

/** Equal as texts, or as data whatever the order of the keys. */
function isSame(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  // Other lengths are other numbers or other keys: our own printing is the shortest there is.
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return JSON.stringify(JSON.parse(a), sortKeys) === JSON.stringify(JSON.parse(b), sortKeys);
}

const sortKeys = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
