// Prints what the carrier sends down the media stream, field by field as captured: counters are strings, rates numbers.

/** Prints the messages of one stream and counts them. */
export class StreamMessages {
  readonly #ids: { accountSid: string; callSid: string; streamSid: string };
  #sequence = 0;
  #chunk = 0;

  constructor(ids: { accountSid: string; callSid: string; streamSid: string }) {
    this.#ids = ids;
  }

  connected(): string {
    return JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' });
  }

  start(customParameters: Record<string, string>): string {
    const { accountSid, streamSid, callSid } = this.#ids;
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 };
    return this.#print('start', { accountSid, streamSid, callSid, tracks: ['inbound'], mediaFormat, customParameters });
  }

  /** `again` repeats the number of the chunk before. */
  media(timestampMs: number, bytes: Buffer, again = false): string {
    if (!again) this.#chunk++;
    const payload = bytes.toString('base64');
    return this.#print('media', { track: 'inbound', chunk: `${this.#chunk}`, timestamp: `${timestampMs}`, payload });
  }

  dtmf(digit: string): string {
    return this.#print('dtmf', { track: 'inbound_track', digit });
  }

  mark(name: string): string {
    return this.#print('mark', { name });
  }

  stop(): string {
    const { accountSid, callSid } = this.#ids;
    return this.#print('stop', { accountSid, callSid });
  }

  #print(event: string, body: object): string {
    const sequenceNumber = `${++this.#sequence}`;
    return JSON.stringify({ event, sequenceNumber, streamSid: this.#ids.streamSid, [event]: body });
  }
}

// Captured timestamps wander by a few ms around multiples of 20 and come back: 72 chunks spanned 1438 ms, not 1440.
const WANDER_MS = [0, -1, -2, -1, 0, 1, 1];

/** The timestamp of frame `index` when the first frame had `firstMs`. */
export const frameTimestampMs = (firstMs: number, index: number): number =>
  firstMs + index * 20 + (WANDER_MS[index % WANDER_MS.length] ?? 0);
