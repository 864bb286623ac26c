// What the phone saw of one call, as `events.jsonl`: one JSON object a line, in order of time, without audio. `atMs` is whole ms of the call: since the start of its first media stream, negative before that; without a
// stream, since the call was answered. Fields beside `atMs` and `event`:
//
//   placed     callSid from to          the call exists
//   http       path status ms           an exchange with the server, when it was over; status 0: no answer
//   verb       name about               a TwiML verb begins
//   announced  verb about durationMs    the carrier let the caller hear something; `atMs` is its start
//   dialled    to status answeredAtMs endMs   a Dial of a number is over; `atMs` is its start
//   waiting    room                     in a conference, with music until somebody comes
//   together   room party callSid       with somebody; once for each
//   left       room endedBy with        in the conference no more; `with`: who was there, from when to when
//   start      streamSid                a media stream was started
//   media      toMs messages bytes      agent audio arrived, `atMs` to `toMs`, without a pause of more than 500 ms
//   sound                               the stream's first agent audio began to be heard
//   mark       name                     a mark arrived
//   echo       name                     it went back: its audio was played, or cleared
//   clear      droppedBytes playedBytesTotal   the server stopped the agent
//   said       durationMs               the caller spoke
//   key        digit                    the caller pressed a key
//   warning    code reason              what the carrier's debugger would list
//   close      by code                  the stream's socket is gone; by phone, server or network
//   end        by callStatus framesSent framesLate unplayedBytes timedOut   the call is over
import type { PhoneCall } from './phone.ts';
import type { PhoneResult } from './phone-result.ts';

/** Messages further apart are told as two stretches of media. */
const MEDIA_PAUSE_MS = 500;

interface Entry {
  clockMs: number;
  event: string;
  fields: Record<string, unknown>;
}

/** Listens to one call from its beginning. Lines are complete when the call has ended. */
export class PhoneLog {
  readonly #call: PhoneCall;
  readonly #entries: Entry[] = [];
  #media: { entry: Entry; lastMs: number; messages: number; bytes: number } | undefined;

  constructor(call: PhoneCall) {
    this.#call = call;
    const { callSid, identity } = call;
    this.#add('placed', { callSid, from: identity.from, to: identity.to });
    call.on('http', ({ path, status, ms }) =>
      this.#add('http', { path: withoutToken(path), status, ms: Math.round(ms) }),
    );
    call.on('verb', ({ name, about }) => this.#add('verb', { name, about }));
    call.on('announced', ({ verb, about, atMs, durationMs }) => {
      this.#addAt(atMs, 'announced', { verb, about, durationMs: Math.round(durationMs) });
    });
    call.on('dialled', ({ to, status, atMs, answeredAtMs, endMs }) => {
      const answered = answeredAtMs === undefined ? {} : { answeredAtMs: Math.round(answeredAtMs) };
      this.#addAt(atMs, 'dialled', { to, status, ...answered, endMs: Math.round(endMs) });
    });
    call.on('waiting', ({ atMs, room }) => void this.#addAt(atMs, 'waiting', { room }));
    call.on(
      'together',
      ({ atMs, room, party, callSid }) => void this.#addAt(atMs, 'together', { room, party, callSid }),
    );
    call.on('left', ({ toMs, room, endedBy, with: others }) => {
      const met = others.map((other) => ({ ...other, fromMs: Math.round(other.fromMs), toMs: Math.round(other.toMs) }));
      this.#addAt(toMs, 'left', { room, endedBy, with: met });
    });
    call.on('streaming', ({ streamSid }) => this.#add('start', { streamSid }));
    call.on('media', ({ atMs, bytes }) => this.#mediaCame(atMs, bytes.length));
    call.on('firstAudio', ({ atMs }) => void this.#addAt(atMs, 'sound', {}));
    call.on('mark', ({ atMs, name }) => void this.#addAt(atMs, 'mark', { name }));
    call.on('echo', ({ atMs, name }) => void this.#addAt(atMs, 'echo', { name }));
    call.on('clear', ({ atMs, droppedBytes, playedBytesTotal }) => {
      this.#media = undefined;
      this.#addAt(atMs, 'clear', { droppedBytes, playedBytesTotal });
    });
    call.on('key', ({ digit }) => this.#add('key', { digit }));
    call.on('warning', ({ code, reason }) => this.#add('warning', { code, reason: withoutToken(reason) }));
    call.on('closed', ({ by, code }) => this.#add('close', { by, code }));
    call.on('ended', (result) => this.#ended(result));
  }

  /** The file's content. */
  text(): string {
    const lines = this.#entries.map(({ clockMs, event, fields }) => ({
      atMs: Math.round(clockMs - this.#call.zeroMs),
      event,
      ...fields,
    }));
    return lines
      .toSorted((a, b) => a.atMs - b.atMs)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('');
  }

  #add(event: string, fields: Record<string, unknown>): void {
    this.#entries.push({ clockMs: this.#call.clock.nowMs(), event, fields });
  }

  /** Something that knows its own time of the call. */
  #addAt(atMs: number, event: string, fields: Record<string, unknown>): Entry {
    const entry = { clockMs: this.#call.zeroMs + atMs, event, fields };
    this.#entries.push(entry);
    return entry;
  }

  #mediaCame(atMs: number, bytes: number): void {
    const last = this.#media;
    const span =
      last && atMs - last.lastMs <= MEDIA_PAUSE_MS
        ? { ...last, lastMs: atMs, messages: last.messages + 1, bytes: last.bytes + bytes }
        : { entry: this.#addAt(atMs, 'media', {}), lastMs: atMs, messages: 1, bytes };
    this.#media = span;
    span.entry.fields = { toMs: Math.round(atMs), messages: span.messages, bytes: span.bytes };
  }

  #ended({ said, endedBy, callStatus, framesSent, framesLate, unplayedBytes, timedOut }: PhoneResult): void {
    for (const { atMs, endMs } of said) this.#addAt(atMs, 'said', { durationMs: Math.round(endMs - atMs) });
    this.#add('end', { by: endedBy, callStatus, framesSent, framesLate, unplayedBytes, timedOut });
  }
}

/** The last part of a media path is a token. */
const withoutToken = (text: string): string => text.replace(/\/media\/[^\s?"]+/g, '/media/…');
