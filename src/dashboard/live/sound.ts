// Who listens in to a call: both sides as they go by. While nobody does, a frame costs one look at a field.
import type { AudioChunk } from '../../audio/chunk.ts';
import { bytesToMs } from '../../audio/mulaw.ts';
import type { CallEffect } from '../../call/effect.ts';
import type { CallEvent } from '../../call/event.ts';
import { isHarmless } from './harmless.ts';
import type { ListenSink } from './listen-socket.ts';

/** At one call; each costs every frame of it a little. */
const MAX_SINKS = 8;

/** Sinks are called on the frame path and must return at once; times are told since the call's media started. */
export class Sound {
  /** Null: nobody listens. */
  #sinks: readonly ListenSink[] | null = null;
  #startedAtMs: number | null = null;

  /** Returns how to stop; null: too many listen already. */
  listen(sink: ListenSink): (() => void) | null {
    const sinks = this.#sinks ?? [];
    if (sinks.length >= MAX_SINKS) return null;
    this.#sinks = [...sinks, sink];
    return () => this.#drop(sink);
  }

  /** A frame of the caller, as it came; silence where what is keyed in is secret. */
  caller(atMs: number, chunk: AudioChunk): void {
    if (this.#sinks === null) return;
    this.#each((sink) => sink.frame('caller', this.#since(atMs), chunk.payload));
  }

  /** Sound of the agent, handed to the carrier and expected to be heard from `startsAtMs`. */
  agent(startsAtMs: number, pieces: readonly AudioChunk[]): void {
    if (this.#sinks === null) return;
    let at = this.#since(startsAtMs);
    for (const { payload, bytes } of pieces) {
      this.#each((sink) => sink.frame('agent', at, payload));
      at += bytesToMs(bytes);
    }
  }

  /** Where the carrier dropped what it had, or went away, nothing of the agent is heard beyond this moment. */
  stepped(event: CallEvent, effects: readonly CallEffect[]): void {
    if (event.type === 'leg.started') this.#startedAtMs ??= event.atMs;
    if (this.#sinks === null) return;
    if (event.type === 'leg.closed' || effects.some((effect) => effect.do === 'leg.clear'))
      this.#each((sink) => sink.cleared(this.#since(event.atMs)));
  }

  /** The call is over; nothing follows. */
  over(): void {
    this.#each((sink) => sink.gone());
    this.#sinks = null;
  }

  #since(atMs: number): number {
    return atMs - (this.#startedAtMs ?? atMs);
  }

  /** One that throws is not told anything more. */
  #each(give: (sink: ListenSink) => void): void {
    for (const sink of this.#sinks ?? []) if (!isHarmless(() => give(sink))) this.#drop(sink);
  }

  #drop(sink: ListenSink): void {
    const sinks = (this.#sinks ?? []).filter((one) => one !== sink);
    this.#sinks = sinks.length === 0 ? null : sinks;
  }
}
