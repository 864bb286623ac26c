// What one media stream lets the caller hear: the carrier's play buffer, its marks and what became of them. It sends
// nothing itself; whoever owns it passes the echoes of marks on.
import type { Cancel, Clock } from '../clock.ts';
import type { PhoneFeed } from './phone-events.ts';
import { PlaybackBuffer } from './playback-buffer.ts';
import type { ServerMessage } from './server-message.ts';

export interface StreamPlaybackOptions {
  clock: Clock;
  feed: PhoneFeed;
  keepAudio: boolean;
  /** What earlier streams of the call had played. */
  playedBytesBefore: number;
  /** Clock time that counts as 0; undefined while it is not known. */
  zeroMs: () => number | undefined;
  /** A mark goes back: its audio was played, or cleared. */
  echo(name: string): void;
}

/** Owns one timer, that of the next mark; `end` stops it. Times are ms of the call. */
export class StreamPlayback {
  readonly buffer: PlaybackBuffer;
  receivedBytes = 0;
  unplayedBytes = 0;
  firstAudioAtMs: number | undefined;
  readonly marksReceived: string[] = [];
  readonly clears: { atMs: number; droppedBytes: number; playedBytesTotal: number }[] = [];
  readonly #options: StreamPlaybackOptions;
  #cancelEcho: Cancel | undefined;

  constructor(options: StreamPlaybackOptions) {
    this.#options = options;
    // The result tells of the whole call: what is forgotten would be missing from it as silence.
    this.buffer = new PlaybackBuffer({ keepAudio: options.keepAudio, maxHistoryBytes: Number.POSITIVE_INFINITY });
  }

  /** Carries out a message of the server that arrived at `atMs`. */
  take(message: ServerMessage, atMs: number): void {
    // Marks that fell due before this message must go back first, even if their timer is late.
    this.#echoDue(atMs);
    switch (message.event) {
      case 'media':
        return this.#play(atMs, message.bytes);
      case 'mark':
        this.marksReceived.push(message.name);
        this.buffer.mark(atMs, message.name);
        this.#options.feed.emit('mark', { atMs, name: message.name });
        return this.#echoDue(atMs);
      case 'clear':
        return this.#clear(atMs);
      default:
        message satisfies never;
    }
  }

  /** The stream is over: what was queued is never heard. */
  end(atMs: number): void {
    this.#cancelEcho?.();
    this.unplayedBytes = this.buffer.clear(atMs).droppedBytes;
  }

  #play(atMs: number, bytes: Buffer): void {
    const { feed } = this.#options;
    this.receivedBytes += bytes.length;
    this.buffer.push(atMs, bytes);
    feed.emit('media', { atMs, bytes });
    if (this.firstAudioAtMs !== undefined) return;
    this.firstAudioAtMs = atMs;
    feed.emit('firstAudio', { atMs });
  }

  #clear(atMs: number): void {
    const { marks, droppedBytes, playedBytesTotal } = this.buffer.clear(atMs);
    const clear = { atMs, droppedBytes, playedBytesTotal: this.#options.playedBytesBefore + playedBytesTotal };
    this.clears.push(clear);
    this.#options.feed.emit('clear', clear);
    for (const name of marks) this.#options.echo(name);
    this.#armEcho();
  }

  #echoDue(atMs: number): void {
    for (const name of this.buffer.takeDueMarks(atMs)) this.#options.echo(name);
    this.#armEcho();
  }

  #armEcho(): void {
    const { clock, zeroMs } = this.#options;
    this.#cancelEcho?.();
    this.#cancelEcho = undefined;
    const dueMs = this.buffer.nextMarkDueMs;
    const zero = zeroMs();
    if (dueMs === undefined || zero === undefined) return;
    this.#cancelEcho = clock.at(zero + dueMs, () => this.#echoDue(clock.nowMs() - zero));
  }
}
