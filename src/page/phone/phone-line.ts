// One call from this page: its socket, the media-stream protocol on it, and what the caller is told. Knows neither the browser's
// audio nor its drawing; both are given. So the very same code calls in tests, from Node, without a browser.
import type { LiveEntry } from '../../dashboard/schemas/live.ts';
import type { CannotDo, PhoneEnd, PhoneMessage } from '../../dashboard/phone/phone-messages.ts';
import { MediaStreamClient, type Playback } from './media-stream-client.ts';

/** What a WebSocket is to this file; the browser's own and that of `ws` both are one. */
export interface LineSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(): void;
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
}

/** Where a call stands. `between`: the media is over, and the call may go on. */
export type LinePhase = 'dialling' | 'ringing' | 'connected' | 'between' | 'ended';

/** `socket_refused`: there never was a connection; `socket_lost`: it broke. The server says the others. */
export type LineEnd = { by: 'caller' | 'server'; why: PhoneEnd | 'socket_refused' | 'socket_lost' };

export interface Notice {
  kind: 'say' | CannotDo;
  text: string;
  /** The line of the transcript that was the latest by then; null: there was none. */
  behind: number | null;
}

export interface LineState {
  phase: LinePhase;
  callId: string;
  /** When the first stream opened, by the page's clock; null before. */
  connectedAtMs: number | null;
  endedAtMs: number | null;
  end: LineEnd | null;
  /** The running transcript, by the number of each line. */
  entries: ReadonlyMap<number, LiveEntry>;
  /** What the carrier itself would say or do now, the latest last. */
  notices: readonly Notice[];
}

export interface PhoneLineOptions {
  socket: LineSocket;
  to: string;
  name?: string;
  playback: Playback;
  nowMs: () => number;
  changed: (state: LineState) => void;
  /** Reads a sentence aloud and says when it has; where it cannot, the server waits for as long as that takes. */
  say: (text: string, said: () => void) => void;
}

const OPEN = 1;
/** A page that cannot send loses what it could not; two seconds of audio are too late for a conversation. */
const MAX_BUFFERED_BYTES = 48 * 1024;
const MAX_ENTRIES = 5_000;
const MAX_NOTICES = 50;

export class PhoneLine {
  readonly #options: PhoneLineOptions;
  #stream: MediaStreamClient | null = null;
  #state: LineState = {
    phase: 'dialling',
    callId: '',
    connectedAtMs: null,
    endedAtMs: null,
    end: null,
    entries: new Map(),
    notices: [],
  };

  constructor(options: PhoneLineOptions) {
    const { socket, to, name } = options;
    this.#options = options;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify({ event: 'dial', to, ...(name === undefined ? {} : { name }) }));
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (typeof data === 'string') this.#take(data);
    };
    socket.onclose = () => this.#ended({ by: 'server', why: opened ? 'socket_lost' : 'socket_refused' });
  }

  get state(): LineState {
    return this.#state;
  }

  /** A piece of the caller's line. Lost where the connection does not take it: its time passes all the same. */
  frame(bytes: Uint8Array, atSample: number): void {
    if (this.#options.socket.bufferedAmount < MAX_BUFFERED_BYTES) this.#stream?.frame(bytes, atSample);
  }

  press(digit: string): void {
    this.#stream?.press(digit);
  }

  /** All before this mark has been played, or thrown away. */
  markReturned(name: string): void {
    this.#stream?.markReturned(name);
  }

  hangUp(): void {
    if (this.#state.end !== null) return;
    const { socket } = this.#options;
    this.#stream?.stop();
    this.#ended({ by: 'caller', why: 'hung_up' });
    // An open one is closed by the server, behind the last words.
    if (socket.readyState === OPEN) socket.send(JSON.stringify({ event: 'hang_up' }));
    else socket.close();
  }

  /** Nobody looks at this call any more: hangs up, and does not wait for its last words. */
  leave(): void {
    const { socket } = this.#options;
    this.hangUp();
    socket.onmessage = null;
    socket.close();
  }

  #take(text: string): void {
    let given: unknown;
    try {
      given = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof given !== 'object' || given === null) return;
    if (this.#stream?.take(given as Record<string, unknown>)) return;
    this.#told(given as PhoneMessage);
  }

  #told(message: PhoneMessage): void {
    // The last words may be written down after the end; the server closes the socket behind them.
    if (this.#state.end !== null && message.event !== 'caption') return;
    switch (message.event) {
      case 'ringing':
        return this.#change({ phase: 'ringing' });
      case 'stream': {
        const { callId, customParameters, ...ids } = message;
        const { socket, playback, nowMs } = this.#options;
        this.#stream = new MediaStreamClient(
          ids,
          (frame) => socket.readyState === OPEN && socket.send(frame),
          playback,
        );
        this.#stream.begin(customParameters);
        return this.#change({ phase: 'connected', callId, connectedAtMs: this.#state.connectedAtMs ?? nowMs() });
      }
      case 'stream_over':
        this.#streamOver();
        return this.#change({ phase: 'between' });
      case 'say':
        this.#notice('say', message.text);
        this.#options.say(message.text, () => this.#said());
        return;
      case 'cannot':
        return this.#notice(message.what, message.text);
      case 'caption': {
        const entries = new Map(this.#state.entries);
        // Who is on the phone is the caller: what operators do is not for them, least of all what they whisper.
        for (const entry of message.entries) if (entry.kind !== 'operator') entries.set(entry.entry, entry);
        for (const oldest of [...entries.keys()].slice(0, Math.max(0, entries.size - MAX_ENTRIES)))
          entries.delete(oldest);
        return this.#change({ entries });
      }
      case 'ended':
        return this.#ended({ by: message.by, why: message.why });
      default:
        // A later server may say more.
        message satisfies never;
    }
  }

  #said(): void {
    const { socket } = this.#options;
    if (this.#state.end === null && socket.readyState === OPEN) socket.send(JSON.stringify({ event: 'said' }));
  }

  #notice(kind: 'say' | CannotDo, text: string): void {
    const { notices, entries } = this.#state;
    const behind = entries.size === 0 ? null : Math.max(...entries.keys());
    this.#change({ notices: [...notices, { kind, text, behind }].slice(-MAX_NOTICES) });
  }

  #streamOver(): void {
    this.#stream?.over();
    this.#stream = null;
    // What was not played by now is never heard.
    this.#options.playback.clear();
  }

  #ended(end: LineEnd): void {
    if (this.#state.end !== null) return;
    this.#streamOver();
    this.#change({ phase: 'ended', end, endedAtMs: this.#options.nowMs() });
  }

  #change(changes: Partial<LineState>): void {
    this.#state = { ...this.#state, ...changes };
    this.#options.changed(this.#state);
  }
}
