// The caller's side of one media stream, as a carrier speaks it: numbers and times what goes up, reads what comes down, gives
// marks back. Pure: no socket, no audio, no clock; whoever owns them passes things on. Tested in Node without a browser.
import { BYTES_PER_MS } from '../mu-law.ts';

/** Whose stream it is, as the server said. */
export interface StreamIds {
  accountSid: string;
  callSid: string;
  streamSid: string;
}

/** What the server may order of the caller's loudspeaker. Marks come back by `markReturned`, in order. */
export interface Playback {
  append(bytes: Uint8Array): void;
  mark(name: string): void;
  clear(): void;
}

const KEY = /^[0-9*#A-D]$/;

/** One stream. Open from `begin` to `stop`. */
export class MediaStreamClient {
  readonly #ids: StreamIds;
  readonly #send: (text: string) => void;
  readonly #playback: Playback;
  #sequence = 0;
  #chunk = 0;
  /** Place of the stream's first sample on the capture's clock. */
  #zero: number | null = null;
  #open = false;

  constructor(ids: StreamIds, send: (text: string) => void, playback: Playback) {
    this.#ids = ids;
    this.#send = send;
    this.#playback = playback;
  }

  begin(customParameters: Record<string, string>): void {
    const { accountSid, callSid, streamSid } = this.#ids;
    this.#open = true;
    this.#send(JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' }));
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 };
    this.#print('start', { accountSid, streamSid, callSid, tracks: ['inbound'], mediaFormat, customParameters });
  }

  /** A piece of the caller's line of any length; `atSample` is its place on a clock of 8 kHz that only grows. */
  frame(bytes: Uint8Array, atSample: number): void {
    if (!this.#open || bytes.length === 0) return;
    this.#zero ??= atSample;
    const timestamp = `${Math.max(0, Math.round((atSample - this.#zero) / BYTES_PER_MS))}`;
    this.#chunk++;
    // Audio first in the text: the server tells it from everything else by its first letters.
    this.#print('media', { track: 'inbound', chunk: `${this.#chunk}`, timestamp, payload: toBase64(bytes) });
  }

  /** @throws RangeError for what is no key */
  press(digit: string): void {
    if (!KEY.test(digit)) throw new RangeError('expected one of 0-9, *, #, A-D');
    if (this.#open) this.#print('dtmf', { track: 'inbound_track', digit });
  }

  /** All before the mark has been played, or thrown away. */
  markReturned(name: string): void {
    if (this.#open) this.#print('mark', { name });
  }

  /** The caller hangs up. */
  stop(): void {
    if (!this.#open) return;
    const { accountSid, callSid } = this.#ids;
    this.#print('stop', { accountSid, callSid });
    this.#open = false;
  }

  /** The stream is over on the other side: nothing more goes up. */
  over(): void {
    this.#open = false;
  }

  /** Takes a message of the server. False: it is none of this stream's. */
  take(message: Readonly<Record<string, unknown>>): boolean {
    if (!this.#open || message['streamSid'] !== this.#ids.streamSid) return false;
    switch (message['event']) {
      case 'media': {
        const bytes = fromBase64((message['media'] as { payload?: unknown } | undefined)?.payload);
        if (bytes !== null) this.#playback.append(bytes);
        return bytes !== null;
      }
      case 'mark': {
        const name = (message['mark'] as { name?: unknown } | undefined)?.name;
        if (typeof name !== 'string') return false;
        this.#playback.mark(name);
        return true;
      }
      case 'clear':
        this.#playback.clear();
        return true;
      default:
        return false;
    }
  }

  #print(event: string, body: object): void {
    const { streamSid } = this.#ids;
    this.#send(JSON.stringify({ event, sequenceNumber: `${++this.#sequence}`, streamSid, [event]: body }));
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(payload: unknown): Uint8Array | null {
  if (typeof payload !== 'string') return null;
  try {
    return Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
