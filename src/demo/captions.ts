// The conversation of one call as captions: follows the call's feed and says, for any moment, which words have sounded.
// No clock of its own: equal events and equal moments give equal captions. Generation runs ahead of the voice, so words
// appear in proportion to the sound, by the times at which the playback ledger expects it, and not when they were generated.
import { bytesToMs, msToBytes } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts } from '../call/feed.ts';
import { APOLOGY_CLIP, GREETING_CLIP } from '../call/policy.ts';
import type { Termination } from '../call/termination.ts';
import { splitHeard } from '../heard-text.ts';

/** One entry of the conversation; `atMs` counts from the start of the media. */
export type Caption = { atMs: number } & (
  | { kind: 'answered'; setupMs: number }
  /** `words` grow while it sounds. */
  | { kind: 'agent'; words: string }
  /** Null while the caller speaks, and when no transcript came. */
  | { kind: 'caller'; words: string | null }
  | { kind: 'interrupted'; byCaller: boolean; heard: string; neverHeard: string; heardMs: number; wholeMs: number }
  | { kind: 'tool'; name: string; arguments: string; status: string; output: string | null; durationMs: number }
  | { kind: 'ended'; termination: Termination }
);

/** The conversation at one moment. */
export interface Moment {
  /** Since the media started; null before. */
  elapsedMs: number | null;
  /** Captions that became complete since the last moment asked for, in order. */
  finished: Caption[];
  /** The caption that is growing now, if any. */
  growing: Caption | null;
}

/** A transcript that comes later than this after the caller stopped is not waited for. */
const TRANSCRIPT_WAIT_MS = 2_000;
/** The same, once the call is over. */
const LAST_WAIT_MS = 500;

type Settled = Extract<CallEffect, { do: 'note.settled' }>;

/** One utterance: its words so far, how much sound there is, and when it sounds. */
interface Speech {
  atMs: number;
  text: string;
  receivedBytes: number;
  plays: { startsAtMs: number; bytes: number }[];
  settled: Settled | null;
}

/** What waits to be shown. Shown one after the other, so that the lines of two speakers never mix. */
type Entry =
  | { kind: 'ready'; caption: Caption }
  | { kind: 'agent'; speech: Speech; shown: string }
  | { kind: 'caller'; atMs: number; turn: string | null; words: string | null; untilMs: number }
  | { kind: 'tool'; toolCall: string; caption: Extract<Caption, { kind: 'tool' }>; settled: boolean };

/** The captions of one call. Times given and taken are monotonic, but for those inside a caption. */
export class Captions {
  readonly #facts: CallFacts;
  readonly #entries: Entry[] = [];
  readonly #speeches = new Map<string, Speech>();
  #zeroMs: number | null = null;
  #endedAtMs: number | null = null;

  constructor(facts: CallFacts) {
    this.#facts = facts;
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type !== 'leg.audio') this.#happened(event);
    for (const effect of effects) this.#caused(effect, event.atMs);
    this.#interrupted(event, effects);
    // Behind what the caller interrupted.
    if (event.type === 'speech.started') this.#callerBegan(event.atMs);
  }

  /** What there is to show at `nowMs`; a finished caption is given out once. */
  at(nowMs: number): Moment {
    const finished: Caption[] = [];
    let growing: Caption | null = null;
    for (let [entry] = this.#entries; entry; [entry] = this.#entries) {
      const caption = this.#captionOf(entry, nowMs);
      if (!this.#isFinished(entry, nowMs)) {
        growing = caption;
        break;
      }
      this.#entries.shift();
      if (caption) finished.push(caption);
    }
    return { elapsedMs: this.#zeroMs === null ? null : nowMs - this.#zeroMs, finished, growing };
  }

  #happened(event: Exclude<CallEvent, { type: 'leg.audio' }>): void {
    const { atMs } = event;
    switch (event.type) {
      case 'leg.started':
        if (this.#zeroMs !== null) return;
        this.#zeroMs = atMs;
        return this.#add({ kind: 'answered', atMs: 0, setupMs: atMs - this.#facts.opening.atMs });
      case 'utterance.text':
        this.#speech(event.utterance).text += event.text;
        return;
      case 'speech.stopped': {
        const open = this.#openCaller();
        if (open) open.untilMs = atMs + TRANSCRIPT_WAIT_MS;
        return;
      }
      case 'turn.committed': {
        const open = this.#openCaller();
        if (open) Object.assign(open, { turn: event.turn, untilMs: atMs + TRANSCRIPT_WAIT_MS });
        return;
      }
      case 'turn.transcribed': {
        const entry = this.#entries.find((e) => e.kind === 'caller' && e.turn === event.turn);
        if (entry?.kind === 'caller') entry.words = event.text;
        return;
      }
      case 'tool.called': {
        const { toolCall, name } = event;
        const args = this.#facts.shownArguments?.(name, event.arguments) ?? event.arguments;
        const facts = { atMs: this.#time(atMs), name, arguments: args, status: '', output: null, durationMs: 0 };
        this.#entries.push({ kind: 'tool', toolCall, caption: { kind: 'tool', ...facts }, settled: false });
        return;
      }
      case 'tool.settled':
        return this.#toolSettled(event.toolCall, event.status, event.output, atMs);
      default:
    }
  }

  #caused(effect: CallEffect, atMs: number): void {
    switch (effect.do) {
      case 'shelf.put':
        this.#speech(effect.utterance).receivedBytes += effect.chunk.bytes;
        return;
      case 'leg.play': {
        const speech = this.#speech(effect.utterance);
        if (speech.plays.length === 0) {
          speech.atMs = effect.startsAtMs;
          this.#entries.push({ kind: 'agent', speech, shown: '' });
        }
        speech.plays.push({ startsAtMs: effect.startsAtMs, bytes: effect.toByte - effect.fromByte });
        return;
      }
      case 'note.settled':
        this.#speech(effect.utterance).settled = effect;
        return;
      case 'session.settle_tool':
        return this.#toolSettled(effect.toolCall, 'built_in', effect.output, atMs);
      case 'tool.abort':
        return this.#toolSettled(effect.toolCall, 'aborted', null, atMs);
      case 'call.end':
        this.#endedAtMs = atMs;
        return this.#add({ kind: 'ended', atMs: this.#time(atMs), termination: effect.termination });
      default:
    }
  }

  #add(caption: Caption): void {
    this.#entries.push({ kind: 'ready', caption });
  }

  #time(atMs: number): number {
    return atMs - (this.#zeroMs ?? this.#facts.opening.atMs);
  }

  #speech(utterance: string): Speech {
    const known = this.#speeches.get(utterance);
    if (known) return known;
    const { text, bytes } = this.#clip(utterance);
    const speech: Speech = { atMs: 0, text, receivedBytes: bytes, plays: [], settled: null };
    this.#speeches.set(utterance, speech);
    return speech;
  }

  /** The words and length of a recorded clip; nothing for what the model says. */
  #clip(utterance: string): { text: string; bytes: number } {
    const { greeting, failure } = this.#facts.agent;
    if (utterance === GREETING_CLIP && greeting) return { text: greeting.text, bytes: greeting.clip?.length ?? 0 };
    if (utterance === APOLOGY_CLIP) return { text: failure.apologyText, bytes: failure.apology.length };
    return { text: '', bytes: 0 };
  }

  #openCaller(): Extract<Entry, { kind: 'caller' }> | undefined {
    return this.#entries.findLast((e) => e.kind === 'caller' && e.turn === null) as
      | Extract<Entry, { kind: 'caller' }>
      | undefined;
  }

  /** Speech that goes on after a pause that ended no turn is the same turn. */
  #callerBegan(atMs: number): void {
    const open = this.#openCaller();
    if (open) open.untilMs = Number.POSITIVE_INFINITY;
    else {
      const untilMs = Number.POSITIVE_INFINITY;
      this.#entries.push({ kind: 'caller', atMs: this.#time(atMs), turn: null, words: null, untilMs });
    }
  }

  #toolSettled(toolCall: string, status: string, output: string | null, atMs: number): void {
    const entry = this.#entries.find((e) => e.kind === 'tool' && e.toolCall === toolCall);
    if (entry?.kind !== 'tool' || entry.settled) return;
    entry.settled = true;
    entry.caption = { ...entry.caption, status, output, durationMs: this.#time(atMs) - entry.caption.atMs };
  }

  /** Everything that was stopped in one step, the part that sounded and what was queued behind it, is one interruption. */
  #interrupted(event: CallEvent, effects: readonly CallEffect[]): void {
    const stopped = effects.filter((e): e is Settled => e.do === 'note.settled' && e.outcome !== 'heard');
    if (stopped.length === 0) return;
    const texts = stopped.map((s) => splitHeard(this.#speech(s.utterance).text.trim(), s.heardMs / s.receivedMs));
    const note = effects.find((e) => e.do === 'note.stopped');
    this.#add({
      kind: 'interrupted',
      atMs: this.#time(event.atMs),
      byCaller: note?.because === 'caller_spoke',
      heard: joined(texts.map((t) => t.heard)),
      neverHeard: joined(texts.map((t) => t.unheard)),
      heardMs: stopped.reduce((sum, s) => sum + s.heardMs, 0),
      wholeMs: stopped.reduce((sum, s) => sum + s.receivedMs, 0),
    });
  }

  #captionOf(entry: Entry, nowMs: number): Caption | null {
    if (entry.kind === 'caller') return { kind: 'caller', atMs: entry.atMs, words: entry.words };
    if (entry.kind !== 'agent') return entry.caption;
    const { speech } = entry;
    const words = soundedWords(speech, Math.min(nowMs, this.#endedAtMs ?? nowMs));
    // Words never vanish again, unless the final count says that they were not heard.
    if (speech.settled || words.length > entry.shown.length) entry.shown = words;
    if (entry.shown === '' && (speech.settled || nowMs < speech.atMs)) return null;
    return { kind: 'agent', atMs: this.#time(speech.atMs), words: entry.shown };
  }

  #isFinished(entry: Entry, nowMs: number): boolean {
    const over = this.#endedAtMs !== null;
    switch (entry.kind) {
      case 'ready':
        return true;
      case 'agent':
        return entry.speech.settled !== null || over;
      case 'caller':
        return entry.words !== null || nowMs >= Math.min(entry.untilMs, (this.#endedAtMs ?? Infinity) + LAST_WAIT_MS);
      default:
        return entry.settled || over;
    }
  }
}

function soundedWords({ text, receivedBytes, plays, settled }: Speech, nowMs: number): string {
  if (settled?.outcome === 'heard') return text.trim();
  if (settled) return splitHeard(text.trim(), settled.heardMs / settled.receivedMs).heard;
  const sounded = plays.reduce((sum, p) => sum + Math.min(p.bytes, Math.max(0, msToBytes(nowMs - p.startsAtMs))), 0);
  return receivedBytes === 0 ? '' : splitHeard(text.trim(), bytesToMs(sounded) / bytesToMs(receivedBytes)).heard;
}

const joined = (texts: readonly string[]): string => texts.filter((text) => text !== '').join(' ');
