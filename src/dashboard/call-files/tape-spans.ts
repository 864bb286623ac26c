// Who spoke when, by a call's tape: the caller as the model heard them, the agent as its audio was handed to the carrier, less
// what was dropped.
import type { FileHandle } from 'node:fs/promises';
import { BYTES_PER_MS } from '../../audio/mulaw.ts';
import { lines } from './lines.ts';
import type { Span, Spans } from './spans.ts';
import { beginningOf, isObject, type LineBeginning, parsedLine, timeOf } from './tape-line.ts';
import { tapeTimes } from './tape-times.ts';

/** More stretches of speech are in no call; of a tape that somebody made the first are drawn. */
const MOST_SPANS = 20_000;
/** Audio that follows so soon is the same stretch. */
const JOINED_MS = 40;
const PLAYS = Buffer.from('"leg.');
const SPEECH = Buffer.from('"speech_st');

/** Null: it is no tape, or the media of its call never started. */
export async function tapeSpans(handle: FileHandle, size: number): Promise<Spans | null> {
  const { startedT, baseMs } = await tapeTimes(handle, size);
  if (startedT === null || baseMs === null) return null;
  const drawing = new Drawing(startedT, baseMs);
  for await (const some of lines(handle, { from: 0, to: size }))
    for (const { bytes, whole } of some) {
      const beginning = beginningOf(bytes);
      if (beginning !== null && whole) drawing.take(beginning, bytes);
    }
  return drawing.spans();
}

class Drawing {
  readonly #startedT: number;
  readonly #baseMs: number;
  readonly #caller: Span[] = [];
  readonly #agent: Span[] = [];
  #lastMs = 0;
  /** Since when the caller speaks. */
  #speaksMs: number | null = null;

  constructor(startedT: number, baseMs: number) {
    this.#startedT = startedT;
    this.#baseMs = baseMs;
  }

  take({ kind, t }: LineBeginning, bytes: Buffer): void {
    const atMs = t - this.#startedT;
    if (kind === 'header') return;
    this.#lastMs = Math.max(this.#lastMs, atMs);
    if (kind === 'session' && bytes.includes(SPEECH)) this.#speech(atMs, bytes.toString());
    if (kind === 'effects' && bytes.includes(PLAYS)) this.#effects(atMs, bytes.toString());
  }

  spans(): Spans {
    if (this.#speaksMs !== null) add(this.#caller, this.#speaksMs, this.#lastMs);
    return { caller: this.#caller, agent: this.#agent, durationMs: this.#lastMs };
  }

  #speech(atMs: number, text: string): void {
    const session = parsedLine(text)?.session;
    const message = isObject(session) ? session.message : null;
    if (!isObject(message)) return;
    if (message.type === 'speech_started') this.#speaksMs ??= atMs;
    if (message.type !== 'speech_stopped' || this.#speaksMs === null) return;
    add(this.#caller, this.#speaksMs, atMs);
    this.#speaksMs = null;
  }

  #effects(atMs: number, text: string): void {
    const effects = parsedLine(text)?.do;
    if (!Array.isArray(effects)) return;
    for (const effect of effects as unknown[]) {
      if (!isObject(effect)) continue;
      if (effect.do === 'leg.clear') this.#cleared(atMs);
      if (effect.do !== 'leg.play') continue;
      const [starts, from, to] = [timeOf(effect.startsAtMs), timeOf(effect.fromByte), timeOf(effect.toByte)];
      if (starts === null || from === null || to === null) continue;
      const fromMs = starts - this.#baseMs - this.#startedT;
      add(this.#agent, fromMs, fromMs + (to - from) / BYTES_PER_MS);
    }
  }

  /** What was still to sound does not. */
  #cleared(atMs: number): void {
    for (let last = this.#agent.at(-1); last !== undefined && last.toMs > atMs; last = this.#agent.at(-1)) {
      if (last.fromMs < atMs) {
        last.toMs = atMs;
        return;
      }
      this.#agent.pop();
    }
  }
}

function add(side: Span[], fromMs: number, toMs: number): void {
  const last = side.at(-1);
  if (last !== undefined && fromMs - last.toMs < JOINED_MS) last.toMs = Math.max(last.toMs, toMs);
  else if (side.length < MOST_SPANS) side.push({ fromMs, toMs });
}
