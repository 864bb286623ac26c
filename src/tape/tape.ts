// The recorded form of a call: JSON lines, one header, then everything that came in from outside, was decided and was
// told to the model, in the order in which it happened. A replay feeds the inputs and must get the rest.
//
// PRIVATE: what the caller said (transcripts), what tools were asked and answered, the agent's instructions and keys
// pressed are on the tape, because the machines decide by them. It lies in DATA_DIR with mode 0600 and is never logged.
// Audio is not on it, only how much there was and where it lies in the audio of the call. The parties' numbers are cut to two digits; a number to forward to is not.
//
// One line each, `t` = milliseconds since the call's admission (see `timeOf`):
//   {"v":2,"trunkline":…,"opening":{…},"sessionConfig":{…},…}      the header, first line
//   {"t":…,"frame":[sequence,timestampMs,bytes]}                   a caller's frame that only went on to the model
//   {"t":…,"call":{…}}                                             any other event from outside the model session
//   {"t":…,"session":{…}}                                          an input of the model adapter, as the adapter read it;
//                                                                  `of` names the session where it is not the first
//   {"t":…,"after":"speech.started","do":[…]}                      the effects of one event; none: no line
//   {"t":…,"sent":{…}}                                             a control message to the model
//   {"t":…,"stopped":"size"}                                       the tape ends before the call
//   {"t":…,"closed":true}                                          the call is over and the tape complete
import type { AudioChunk } from '../audio/chunk.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent, Origin, UnstampedEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, FrameEvent } from '../call/feed.ts';
import type { CallOpening } from '../call/state.ts';
import { FRAME_LINE_BYTES, printFrameLine } from './frame-line.ts';

export const TAPE_VERSION = 2;

export interface TapeHeader {
  v: typeof TAPE_VERSION;
  /** Version of the server that wrote it. */
  trunkline: string;
  callId: string;
  direction: 'inbound' | 'outbound';
  /** Unix milliseconds of the admission. */
  wallMs: number;
  agent: { name: string; file: string; hash: string };
  /** The two parties, cut to their last two digits. */
  caller: string;
  called: string;
  opening: CallOpening;
  /** The model adapter's own configuration, and that of the agent's second model. */
  sessionConfig: unknown;
  fallbackConfig?: unknown;
  handOffConfigs?: CallFacts['handOffConfigs'];
}

/** Audio by reference: so many bytes from byte `ref` of the caller's, or the model's, audio of this call. */
export interface AudioReference {
  bytes: number;
  ref: number;
}

/** One line after the header. */
export type TapeEntry = {
  /** Line number in the file; the header is 1. */
  line: number;
  /** The line itself. */
  text: string;
  /** Milliseconds since the admission, and the monotonic time that the machines got. */
  t: number;
  atMs: number;
} & (
  | { kind: 'frame'; sequence: number; timestampMs: number; audio: AudioReference }
  /** Audio chunks in it are `AudioReference`s; `reviveAudio` makes it a machine's input again. */
  | { kind: 'input'; input: FeedInput }
  | { kind: 'effects'; after: string; effects: readonly unknown[] }
  | { kind: 'sent'; message: unknown }
  | { kind: 'stopped'; why: string }
  | { kind: 'closed' }
);

export interface Tape {
  header: TapeHeader;
  entries: readonly TapeEntry[];
  /** True when its last line says that the call is over: nothing is missing. */
  complete: boolean;
  /** True when the last line was cut off (a crash while it was written); it is left out. */
  cutOff: boolean;
}

/** A tape that cannot be read; the message names the line. */
export class TapeError extends Error {
  override name = 'TapeError';
  readonly line: number;
  constructor(line: number, message: string) {
    super(`tape line ${line}: ${message}`);
    this.line = line;
  }
}

// --- printing

/** Prints one tape, line by line, each with its newline. */
export class TapePrinter {
  readonly #baseMs: number;
  readonly #on: Origin;
  #callerBytes = 0;
  #modelBytes = 0;
  /** The last chunk from either side: effects pass on the chunk object that the input brought. */
  #callerChunk: unknown = null;
  #callerRef = 0;
  #modelChunk: unknown = null;
  #modelRef = 0;
  readonly #shown: ((name: string, text: string) => string) | null;

  /** @param shown the arguments of a tool as they may be kept; default: as they are */
  constructor(opening: CallOpening, shown: ((name: string, text: string) => string) | null = null) {
    this.#baseMs = opening.atMs;
    this.#on = opening.on;
    this.#shown = shown;
  }

  input(atMs: number, input: FeedInput): string {
    if (input.from === 'session') {
      const of = input.session === this.#on.session ? '' : `,"of":${JSON.stringify(input.session)}`;
      return `{${this.#time(atMs)}${of},"session":${this.#json(input.input)}}\n`;
    }
    const { event } = input;
    if (event.type !== 'leg.audio') return `{${this.#time(atMs)},"call":${JSON.stringify(event)}}\n`;
    this.#callerSent(event.chunk);
    const { type, sequence, timestampMs, chunk } = event;
    const plain = { type, sequence, timestampMs, chunk: this.#reference(chunk) };
    return `{${this.#time(atMs)},"call":${JSON.stringify(plain)}}\n`;
  }

  stepped(event: CallEvent, effects: readonly CallEffect[]): string {
    if (effects.length === 0) return '';
    const list = effects.map((effect) => this.#effect(effect)).join();
    return `{${this.#time(event.atMs)},"after":"${event.type}","do":[${list}]}\n`;
  }

  /**
   * A frame that only went on to the model, into `out` from `at`, where `FRAME_LINE_BYTES` must be free; returns where its
   * line ends. That is `at` where it is no line in short, at a time or by a number that a wire cannot bring.
   */
  frame({ atMs, sequence, timestampMs, chunk }: FrameEvent, out: Buffer, at: number): number {
    const ns = Math.round((atMs - this.#baseMs) * NS_PER_MS);
    const isWhole = ns >= 0 && timeOf(this.#baseMs, ns / NS_PER_MS) === atMs;
    if (!isWhole || !isCount(sequence) || !isCount(timestampMs)) return at;
    this.#callerSent(chunk);
    return printFrameLine(out, at, ns, sequence, timestampMs, chunk.bytes);
  }

  /** The same as text; in long, as input and effects, where it is no line in short. */
  frameText(frame: FrameEvent): string {
    const line = Buffer.alloc(FRAME_LINE_BYTES);
    const end = this.frame(frame, line, 0);
    if (end > 0) return line.toString('latin1', 0, end);
    const { atMs, chunk, on } = frame;
    return (
      this.input(atMs, { from: 'call', event: frame }) + this.stepped(frame, [{ do: 'session.append', chunk, on }])
    );
  }

  sent(atMs: number, message: unknown): string {
    return `{${this.#time(atMs)},"sent":${this.#kept(JSON.stringify(message))}}\n`;
  }

  stopped(atMs: number, why: string): string {
    return `{${this.#time(atMs)},"stopped":${JSON.stringify(why)}}\n`;
  }

  closed(atMs: number): string {
    return `{${this.#time(atMs)},"closed":true}\n`;
  }

  #callerSent(chunk: AudioChunk): void {
    this.#callerChunk = chunk;
    this.#callerRef = this.#callerBytes;
    this.#callerBytes += chunk.bytes;
  }

  /** An effect is addressed to where the call began unless it says otherwise. */
  #effect(effect: CallEffect): string {
    const { on, ...rest } = effect;
    const plain = 'chunk' in rest ? { ...rest, chunk: this.#reference(rest.chunk) } : rest;
    return this.#kept(JSON.stringify(sameOrigin(on, this.#on) ? plain : { ...plain, on }));
  }

  #reference(chunk: { bytes: number }): AudioReference {
    if (chunk === this.#callerChunk) return { bytes: chunk.bytes, ref: this.#callerRef };
    return { bytes: chunk.bytes, ref: chunk === this.#modelChunk ? this.#modelRef : -1 };
  }

  /** A session's input is its adapter's own: whatever in it looks like audio becomes a reference. */
  #json(input: unknown): string {
    return this.#kept(
      JSON.stringify(
        mapChunks(input, isChunk, (chunk) => {
          this.#modelChunk = chunk;
          this.#modelRef = this.#modelBytes;
          this.#modelBytes += chunk.bytes;
          return { bytes: chunk.bytes, ref: this.#modelRef };
        }),
      ),
    );
  }

  /**
   * What tools were asked for, wherever it stands, with secret and personal values as markers: equal ones stay equal, so that
   * a replay decides the same. Almost no line holds any.
   */
  #kept(text: string): string {
    const shown = this.#shown;
    if (shown === null || !text.includes('"arguments":"')) return text;
    return JSON.stringify(JSON.parse(text), (_key, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('arguments' in value) || !('name' in value)) return value;
      const { name, arguments: given } = value;
      return typeof name === 'string' && typeof given === 'string'
        ? { ...value, arguments: shown(name, given) }
        : value;
    });
  }

  #time(atMs: number): string {
    const t = Math.round((atMs - this.#baseMs) * NS_PER_MS) / NS_PER_MS;
    return timeOf(this.#baseMs, t) === atMs ? `"t":${t}` : `"t":${t},"at":${atMs}`;
  }
}

/** The first line of a call's tape. */
export function printHeader(facts: CallFacts, version: string): string {
  const { opening, incoming, agent, wallMs, sessionConfig, fallbackConfig, handOffConfigs } = facts;
  const header: TapeHeader = {
    v: TAPE_VERSION,
    trunkline: version,
    callId: opening.callId,
    direction: opening.direction,
    wallMs,
    agent: { name: agent.name, file: agent.file, hash: agent.hash },
    caller: redacted(incoming.from),
    called: redacted(incoming.to),
    opening,
    sessionConfig,
    ...(fallbackConfig === undefined ? {} : { fallbackConfig }),
    ...(handOffConfigs === undefined ? {} : { handOffConfigs }),
  };
  return `${JSON.stringify(header)}\n`;
}

/** Only telephone numbers leave anything: their last two digits. */
function redacted({ kind, value }: { kind: string; value: string }): string {
  const digits = value.replace(/\D/g, '');
  return kind === 'pstn' && digits.length > 4 ? `pstn:…${digits.slice(-2)}` : kind;
}

const NS_PER_MS = 1_000_000;

/**
 * The monotonic time of `t`. The process's clock counts whole nanoseconds, so rounding the sum to those gives the number
 * back that the machines got. A time that is not one has its line say it in full (`at`).
 */
export const timeOf = (baseMs: number, t: number): number => Math.round((baseMs + t) * NS_PER_MS) / NS_PER_MS;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

const sameOrigin = (a: Origin, b: Origin): boolean =>
  a === b || (a.leg === b.leg && a.session === b.session && a.epoch === b.epoch);

// --- reading

const FIRST_SESSION = 's1';
/** More is not read: a tape's own bound is a quarter of it. */
const MAX_TAPE_CHARS = 256 * 1024 * 1024;
const MAX_LINE_CHARS = 8 * 1024 * 1024;
/** A chunk came in one message of at most 1 MiB. */
const MAX_CHUNK_BYTES = 1024 * 1024;
/** Objects in an input are no deeper than this. */
const MAX_DEPTH = 8;

/**
 * Reads a whole tape. A last line without its newline that cannot be read is taken as cut off by a crash and left out.
 * @throws TapeError naming the line
 */
export function parseTape(text: string): Tape {
  if (text.length > MAX_TAPE_CHARS) throw new TapeError(1, `larger than ${MAX_TAPE_CHARS} characters`);
  const reader = new LineReader(text);
  const first = reader.next();
  if (first === null) throw new TapeError(1, 'the file is empty');
  const header = parseHeader(first);
  const entries: TapeEntry[] = [];
  let callerBytes = 0;
  let cutOff = false;
  for (let text = reader.next(); text !== null; text = reader.next()) {
    try {
      const entry = parseEntry(text, reader.line, header.opening.atMs, callerBytes);
      callerBytes += callerBytesOf(entry);
      entries.push(entry);
    } catch (error) {
      if (!reader.unfinished) throw error;
      cutOff = true;
    }
  }
  return { header, entries, complete: entries.at(-1)?.kind === 'closed', cutOff };
}

class LineReader {
  readonly #text: string;
  #at = 0;
  line = 0;
  /** The line just given had no newline behind it. */
  unfinished = false;

  constructor(text: string) {
    this.#text = text;
  }

  next(): string | null {
    if (this.#at >= this.#text.length) return null;
    const newline = this.#text.indexOf('\n', this.#at);
    const end = newline < 0 ? this.#text.length : newline;
    const line = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    this.line += 1;
    this.unfinished = newline < 0;
    if (line.length > MAX_LINE_CHARS) throw new TapeError(this.line, `longer than ${MAX_LINE_CHARS} characters`);
    return line;
  }
}

function parseHeader(text: string): TapeHeader {
  const h = parseObject(text, 1);
  if (h.v !== TAPE_VERSION) throw new TapeError(1, `version ${JSON.stringify(h.v)} of the tape is not ${TAPE_VERSION}`);
  const opening = isObject(h.opening) ? h.opening : null;
  if (!opening || !isTime(opening.atMs) || typeof opening.callId !== 'string') throw new TapeError(1, 'no opening');
  for (const part of ['on', 'policy', 'capabilities'])
    if (!isObject(opening[part])) throw new TapeError(1, `no opening.${part}`);
  if (!isObject(h.agent)) throw new TapeError(1, 'no agent');
  return h as unknown as TapeHeader;
}

function parseEntry(text: string, line: number, baseMs: number, callerBytes: number): TapeEntry {
  const o = parseObject(text, line);
  const { t } = o;
  if (!isTime(t)) throw new TapeError(line, '"t" is not a time');
  if ('at' in o && !isTime(o.at)) throw new TapeError(line, '"at" is not a time');
  const facts = { line, text, t, atMs: isTime(o.at) ? o.at : timeOf(baseMs, t) };
  if ('frame' in o) {
    const [sequence, timestampMs, bytes] = Array.isArray(o.frame) ? (o.frame as unknown[]) : [];
    if (!isTime(sequence) || !isTime(timestampMs) || !isSize(bytes)) throw new TapeError(line, 'not a frame');
    return { ...facts, kind: 'frame', sequence, timestampMs, audio: { bytes, ref: callerBytes } };
  }
  if ('call' in o) {
    if (!isObject(o.call) || typeof o.call.type !== 'string') throw new TapeError(line, '"call" is not an event');
    checkAudio(o.call, line);
    return { ...facts, kind: 'input', input: { from: 'call', event: o.call as unknown as UnstampedEvent } };
  }
  if ('session' in o) {
    if (!isObject(o.session)) throw new TapeError(line, '"session" is not an input');
    checkAudio(o.session, line);
    if ('of' in o && typeof o.of !== 'string') throw new TapeError(line, '"of" is not the name of a session');
    const session = typeof o.of === 'string' ? o.of : FIRST_SESSION;
    return { ...facts, kind: 'input', input: { from: 'session', session, input: o.session } };
  }
  if ('do' in o) {
    if (!Array.isArray(o.do) || typeof o.after !== 'string') throw new TapeError(line, '"do" is not a list of effects');
    return { ...facts, kind: 'effects', after: o.after, effects: o.do as unknown[] };
  }
  if ('sent' in o) return { ...facts, kind: 'sent', message: o.sent };
  if (typeof o.stopped === 'string') return { ...facts, kind: 'stopped', why: o.stopped };
  if (o.closed === true) return { ...facts, kind: 'closed' };
  throw new TapeError(line, 'neither input, effects nor message');
}

function callerBytesOf(entry: TapeEntry): number {
  if (entry.kind === 'frame') return entry.audio.bytes;
  if (entry.kind !== 'input' || entry.input.from !== 'call' || entry.input.event.type !== 'leg.audio') return 0;
  return entry.input.event.chunk.bytes;
}

function checkAudio(value: unknown, line: number): void {
  mapChunks(value, isReference, (r) => {
    if (!isSize(r.bytes)) throw new TapeError(line, 'audio of no possible size');
    return r;
  });
}

function parseObject(text: string, line: number): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TapeError(line, 'not JSON');
  }
  if (!isObject(value)) throw new TapeError(line, 'not an object');
  return value;
}

/** An input as a machine takes it: every reference to audio becomes a chunk with the payload that `payloadOf` gives. */
export const reviveAudio = <T>(input: T, payloadOf: (audio: AudioReference) => string): T =>
  mapChunks(input, isReference, (audio) => ({ payload: payloadOf(audio), bytes: audio.bytes })) as T;

// --- audio inside plain data

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_CHUNK_BYTES;
const isChunk = (o: Json): boolean => typeof o.payload === 'string' && typeof o.bytes === 'number';
const isReference = (o: Json): boolean =>
  typeof o.ref === 'number' && typeof o.bytes === 'number' && Object.keys(o).length === 2;

/** A copy with every matching object replaced; the value itself where there is none. */
function mapChunks(
  value: unknown,
  matches: (o: Json) => boolean,
  replace: (o: AudioReference) => unknown,
  depth = 0,
): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (!Array.isArray(value) && matches(value as Json)) return replace(value as AudioReference);
  let copy: Json | unknown[] | null = null;
  for (const key of Object.keys(value)) {
    const old = (value as Json)[key];
    if (typeof old !== 'object' || old === null) continue;
    const part = mapChunks(old, matches, replace, depth + 1);
    if (part === old) continue;
    copy ??= Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Json) };
    (copy as Json)[key] = part;
  }
  return copy ?? value;
}
