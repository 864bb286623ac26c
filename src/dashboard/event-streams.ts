// The streams of events that are open, so that there are not too many, and none outlives the session that opened it.
import type { Readable } from 'node:stream';
import type { Cancel, Clock } from '../clock.ts';
import type { Session } from './sessions.ts';

/** Of this process. A browser opens one or two for each page that is looked at. */
const MAX_STREAMS = 100;
const MAX_STREAMS_OF_A_SESSION = 20;

export class EventStreams {
  readonly #clock: Clock;
  /** By stream, the id of the session; null: opened by the admin token. */
  readonly #open = new Map<Readable, string | null>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Notes a stream until it is closed, which it will be when its session has run out: the browser comes back and is asked.
   * @returns false: there is no room, and the stream was destroyed
   */
  add(stream: Readable, session: Session | null): boolean {
    if (!this.#hasRoom(session)) {
      stream.destroy();
      return false;
    }
    this.#open.set(stream, session?.id ?? null);
    const cancel = session === null ? () => {} : this.#atItsEnd(session, () => stream.destroy());
    stream.once('close', () => {
      cancel();
      this.#open.delete(stream);
    });
    return true;
  }

  /** Closes those of a session. */
  endOf(sessionId: string): void {
    for (const [stream, id] of this.#open) if (id === sessionId) stream.destroy();
  }

  #hasRoom(session: Session | null): boolean {
    if (this.#open.size >= MAX_STREAMS) return false;
    let own = 0;
    for (const id of this.#open.values()) if (id === session?.id) own++;
    return own < MAX_STREAMS_OF_A_SESSION;
  }

  #atItsEnd({ expiresWallMs }: Session, end: () => void): Cancel {
    const leftMs = Math.max(0, expiresWallMs - this.#clock.wallMs());
    return this.#clock.at(this.#clock.nowMs() + leftMs, end);
  }
}
