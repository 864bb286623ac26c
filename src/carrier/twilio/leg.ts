// A call's leg over one Media Streams socket: sends audio, marks and clears, and knows which marks are still out. What
// comes in is read by media-socket.ts, which owns the socket and tells the leg.
import type { AudioChunk } from '../../audio/chunk.ts';
import type { CarrierLeg, LegCapabilities, LegCloseCause, LegEvent } from '../carrier.ts';
import type { TwilioCounters } from './counters.ts';
import { type StreamPrinter, streamPrinter } from './messages.ts';

/** What a leg needs of a WebSocket. Strings only: `ws` sends a Buffer as a binary frame, which Twilio drops (31950). */
export interface LegWire {
  readonly bufferedAmount: number;
  send(text: string): void;
}

export interface TwilioLegOptions {
  wire: LegWire;
  streamSid: string;
  counters: TwilioCounters;
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** When anything last came from Twilio. */
  heardAtMs(): number;
  /** Bytes that may wait unsent; beyond them Twilio has stopped reading. Default 256 KiB: half a minute of audio. */
  maxBufferedBytes?: number;
  /** The call is done with the media: end the socket, then `leg.end`. */
  onCloseAsked(): void;
  /** Twilio does not take what is sent: end the socket at once. */
  onStoppedReading(): void;
}

/**
 * Twilio puts no limit on its play buffer, but long bursts have killed calls (31924), and what lies there is what a
 * clear has to throw away. Four seconds survive any pause of ours.
 */
export const TWILIO_LEG: LegCapabilities = Object.freeze({ maxAheadMs: 4000 });
/** One second. "Any size" is documented, no maximum is. */
const MAX_MEDIA_BYTES = 8000;
const DEFAULT_MAX_BUFFERED_BYTES = 256 * 1024;
/** Marks that may wait for their echo; the oldest beyond it settles as dropped. A call has some forty out at a time. */
const MAX_MARKS_OUT = 2000;

/**
 * CarrierLeg for Twilio. Open until `close` or `end`; a mark asked for after that settles as dropped at once. Each mark
 * settles exactly once and `leg.closed` is told exactly once, as the last event.
 */
export class TwilioLeg implements CarrierLeg {
  readonly capabilities = TWILIO_LEG;
  readonly #options: TwilioLegOptions;
  readonly #print: StreamPrinter;
  readonly #maxBufferedBytes: number;
  /** How often each name is out; insertion order is sending order. */
  readonly #marksOut = new Map<string, number>();
  /** Echoes still to come of marks that a clear has settled. They look like played ones and come before any newer. */
  readonly #echoesToSwallow = new Map<string, number>();
  #open = true;
  #ended = false;
  /** When the marks that are out began to wait, or the latest came back. */
  #marksWaitSinceMs = 0;
  /** Where events go; until `bind` they wait. */
  #sink: ((event: LegEvent) => void) | null = null;
  #early: LegEvent[] = [];

  constructor(options: TwilioLegOptions) {
    this.#options = options;
    this.#print = streamPrinter(options.streamSid);
    this.#maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
  }

  get silentMs(): number {
    return Math.round(this.#options.nowMs() - this.#options.heardAtMs());
  }

  play(chunk: AudioChunk): void {
    if (chunk.bytes > MAX_MEDIA_BYTES) {
      throw new RangeError(`a media message holds at most ${MAX_MEDIA_BYTES} bytes, not ${chunk.bytes}`);
    }
    this.#send('media', this.#print.media(chunk.payload));
  }

  mark(name: string): void {
    if (!this.#open) return this.report({ type: 'leg.mark_settled', mark: name, outcome: 'dropped' });
    if (this.#marksOut.size === 0) this.#marksWaitSinceMs = this.#options.nowMs();
    if (this.#marksOut.size >= MAX_MARKS_OUT) this.#dropOldestMark();
    add(this.#marksOut, name, 1);
    this.#send('mark', this.#print.mark(name));
  }

  clear(): void {
    if (!this.#send('clear', this.#print.clear)) return;
    for (const [name, count] of this.#marksOut) add(this.#echoesToSwallow, name, count);
    this.#settleAll();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#settleAll();
    this.#options.onCloseAsked();
  }

  /** The call is there: hands it `leg.started` and whatever was waiting, then every event as it comes. */
  bind(sink: (event: LegEvent) => void): void {
    this.#sink = sink;
    sink({ type: 'leg.started' });
    const early = this.#early;
    this.#early = [];
    for (const event of early) sink(event);
  }

  /** Whether somebody hears its events. */
  get bound(): boolean {
    return this.#sink !== null;
  }

  /** Passes an event to the call; nothing follows `leg.closed`. */
  report(event: LegEvent): void {
    if (this.#ended) return;
    if (event.type === 'leg.closed') this.#ended = true;
    if (this.#sink === null) this.#early.push(event);
    else this.#sink(event);
  }

  /** How long marks have been out since the last of them came back; 0 while none is out. */
  get marksWaitMs(): number {
    return this.#marksOut.size === 0 ? 0 : this.#options.nowMs() - this.#marksWaitSinceMs;
  }

  /** Twilio echoed a mark. */
  markReturned(name: string): 'played' | 'swallowed' | 'unknown' {
    this.#marksWaitSinceMs = this.#options.nowMs();
    if (remove(this.#echoesToSwallow, name)) return 'swallowed';
    if (!this.#marksOut.has(name)) return 'unknown';
    // Echoes come in order: what was sent before this one and never came back has been played too.
    for (const older of [...this.#marksOut.keys()]) {
      if (older === name) break;
      while (remove(this.#marksOut, older)) {
        add(this.#echoesToSwallow, older, 1);
        this.report({ type: 'leg.mark_settled', mark: older, outcome: 'played' });
      }
    }
    remove(this.#marksOut, name);
    this.report({ type: 'leg.mark_settled', mark: name, outcome: 'played' });
    return 'played';
  }

  /** The media is over, whoever ended it: marks still out are dropped, then `leg.closed`. Idempotent. */
  end(cause: LegCloseCause, detail: string): void {
    // One that does not read may still send: what tells is the mark that did not come.
    const silentMs = cause === 'socket_lost' ? this.silentMs : cause === 'stopped_reading' ? this.marksWaitMs : 0;
    this.#open = false;
    this.#settleAll();
    this.report({ type: 'leg.closed', cause, detail, ...(silentMs > 0 ? { silentMs } : {}) });
  }

  /** False when nothing was sent because the leg is closed, or closed over it. */
  #send(kind: string, text: string): boolean {
    if (!this.#open) return false;
    const { wire, counters } = this.#options;
    if (wire.bufferedAmount > this.#maxBufferedBytes) {
      this.#options.onStoppedReading();
      return false;
    }
    wire.send(text);
    counters.message('out', kind);
    return true;
  }

  /** A list first: a call that hears of a dropped mark may well send the next one. */
  #settleAll(): void {
    if (this.#marksOut.size === 0) return;
    const out = [...this.#marksOut];
    this.#marksOut.clear();
    for (const [mark, count] of out) {
      for (let i = 0; i < count; i++) this.report({ type: 'leg.mark_settled', mark, outcome: 'dropped' });
    }
  }

  #dropOldestMark(): void {
    const [mark] = this.#marksOut.keys();
    if (mark === undefined) return;
    remove(this.#marksOut, mark);
    add(this.#echoesToSwallow, mark, 1);
    this.report({ type: 'leg.mark_settled', mark, outcome: 'dropped' });
  }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
  // Echoes that never come are not waited for without end.
  if (counts.size > MAX_MARKS_OUT) counts.delete(counts.keys().next().value as string);
}

function remove(counts: Map<string, number>, name: string): boolean {
  const count = counts.get(name);
  if (count === undefined) return false;
  if (count === 1) counts.delete(name);
  else counts.set(name, count - 1);
  return true;
}
