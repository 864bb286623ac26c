// The calls of this process as operators watch them: an onlooker on every call, and the streams of news that pages follow.
// News are gathered and told a few times a second by one timer, which runs only while somebody follows.
import type { CallFacts, Onlooker, OnlookerFactory } from '../../call/feed.ts';
import type { Cancel, Clock } from '../../clock.ts';
import type { StoreEvent } from '../../store/events.ts';
import type { LiveCall, LiveEntry, LiveSnapshot, ServerFacts } from '../schemas/live.ts';
import { Channel, type Listener } from './channel.ts';
import { isHarmless } from './harmless.ts';
import { LiveFold } from './live-fold.ts';
import type { ListenSink } from './listen-socket.ts';
import { Sound } from './sound.ts';

export interface LiveCallsOptions {
  clock: Clock;
  /** Names this life of the process: numbers of another one's streams mean nothing here. Without a dot. */
  nodeId: string;
  /** Facts of the server as they are now; asked once a second while the grid is followed. */
  server(): ServerFacts;
}

/** A stream that is followed; `gone`: there is no such call; `full`: too many are followed already. */
export type Followed = { close(): void } | 'gone' | 'full';

const TELL_EVERY_MS = 150;
const SERVER_EVERY_MS = 1_000;
/** Of this process. */
const MAX_FOLLOWERS = 200;
/** Calls that ended while nobody followed the grid; with more, whoever comes back begins anew. */
const MAX_GONE = 1_000;

/** One call that is under way. */
interface Watched {
  fold: LiveFold;
  sound: Sound;
  /** Null until somebody has opened the call. */
  channel: Channel | null;
  /** Not told yet to those who follow the call. */
  untold: boolean;
}

export class LiveCalls {
  readonly #options: LiveCallsOptions;
  readonly #calls = new Map<string, Watched>();
  readonly #grid: Channel;
  /** Calls that are not as the grid was told last, and those that are over since. */
  readonly #changed = new Set<Watched>();
  #gone: string[] = [];
  #timer: Cancel | null = null;
  #serverToldMs = Number.NEGATIVE_INFINITY;

  constructor(options: LiveCallsOptions) {
    this.#options = options;
    this.#grid = new Channel(options.nodeId);
  }

  /** Looks on at every call. */
  readonly onlooker: OnlookerFactory = (facts) => this.#watch(facts);

  get size(): number {
    return this.#calls.size;
  }

  /** Everything, as it is now. */
  snapshot(): LiveSnapshot {
    return { server: this.#options.server(), calls: [...this.#calls.values()].map(({ fold }) => fold.call) };
  }

  /** One call with its running transcript; null: it is not under way here. */
  one(callId: string): { call: LiveCall; entries: LiveEntry[] } | null {
    const watched = this.#calls.get(callId);
    return watched === undefined ? null : { call: watched.fold.call, entries: watched.fold.entries };
  }

  /** A fact that the record of a call keeps: what it costs, how long its answers took. */
  kept(fact: StoreEvent): void {
    if (fact.type === 'line.charged') return this.#calls.get(fact.callId)?.fold.charged(fact.line);
    if (fact.type !== 'turn.kept' || fact.said.who !== 'caller' || fact.said.latency === null) return;
    const { voiceToVoiceMs, answerMs } = fact.said.latency;
    this.#calls.get(fact.callId)?.fold.answered(voiceToVoiceMs ?? answerMs);
  }

  /**
   * Follows all calls: `snapshot`, then `changed` and `server`. With the id of the last event that somebody has, what came
   * behind it and nothing else; where that is not known any more, a snapshot. The first events come before this returns.
   */
  followGrid(listener: Listener, lastId: string | null = null): Followed {
    if (this.#followers >= MAX_FOLLOWERS) return 'full';
    this.#tellGrid();
    return this.#follow(this.#grid, listener, lastId, () => this.snapshot());
  }

  /** Follows one call: `snapshot`, then `changed`, then `gone`; resumed like the grid. */
  followCall(callId: string, listener: Listener, lastId: string | null = null): Followed {
    const watched = this.#calls.get(callId);
    if (watched === undefined) return 'gone';
    if (this.#followers >= MAX_FOLLOWERS) return 'full';
    const { fold } = watched;
    if (watched.channel === null) {
      watched.channel = new Channel(this.#options.nodeId);
      fold.takeChanged();
      watched.untold = false;
    }
    this.#tellCall(watched);
    return this.#follow(watched.channel, listener, lastId, () => ({ call: fold.call, entries: fold.entries }));
  }

  /** Listens in to both sides of a call; returns how to stop. Null: there is no such call, or too many listen already. */
  listen(callId: string, sink: ListenSink): (() => void) | null {
    return this.#calls.get(callId)?.sound.listen(sink) ?? null;
  }

  /** The process ends: nobody is told anything more. */
  close(): void {
    this.#timer?.();
    this.#timer = null;
    this.#grid.close();
    for (const { channel } of this.#calls.values()) channel?.close();
  }

  #watch(facts: CallFacts): Onlooker {
    const { callId } = facts.opening;
    const watched: Watched = {
      fold: new LiveFold(facts, () => {
        watched.untold = true;
        this.#changed.add(watched);
      }),
      sound: new Sound(),
      channel: null,
      untold: true,
    };
    const { fold, sound } = watched;
    this.#calls.set(callId, watched);
    this.#changed.add(watched);
    return {
      frame: (event) => sound.caller(event.atMs, event.chunk),
      stepped(event, effects) {
        if (event.type === 'leg.audio') return sound.caller(event.atMs, event.chunk);
        sound.stepped(event, effects);
        fold.stepped(event, effects);
      },
      played: (startsAtMs, pieces) => sound.agent(startsAtMs, pieces),
      closed: () => this.#over(watched),
    };
  }

  #over(watched: Watched): void {
    const { callId } = watched.fold;
    watched.sound.over();
    this.#tellCall(watched);
    watched.channel?.tell('gone', { callId });
    watched.channel?.close();
    this.#changed.delete(watched);
    // A call of the same name may have been let in since: it stays.
    if (this.#calls.get(callId) !== watched) return;
    this.#calls.delete(callId);
    this.#gone.push(callId);
    if (this.#gone.length <= MAX_GONE) return;
    this.#gone = [];
    this.#grid.forget();
  }

  get #followers(): number {
    let count = this.#grid.size;
    for (const { channel } of this.#calls.values()) count += channel?.size ?? 0;
    return count;
  }

  #follow(channel: Channel, listener: Listener, lastId: string | null, snapshot: () => unknown): Followed {
    const missed = channel.since(lastId) ?? [channel.now('snapshot', snapshot())];
    for (const told of missed) if (!isHarmless(() => listener(told))) return 'gone';
    const unfollow = channel.follow(listener);
    this.#wind();
    return { close: unfollow };
  }

  #wind(): void {
    const { clock } = this.#options;
    this.#timer ??= clock.at(clock.nowMs() + TELL_EVERY_MS, () => {
      this.#timer = null;
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#followers === 0) return;
    this.#tellGrid();
    for (const watched of this.#calls.values()) this.#tellCall(watched);
    const nowMs = this.#options.clock.nowMs();
    if (this.#grid.size > 0 && nowMs - this.#serverToldMs >= SERVER_EVERY_MS) {
      this.#serverToldMs = nowMs;
      this.#grid.pass(this.#grid.now('server', this.#options.server()));
    }
    this.#wind();
  }

  /** What was gathered for the grid. */
  #tellGrid(): void {
    if (this.#changed.size === 0 && this.#gone.length === 0) return;
    const calls = [...this.#changed].map(({ fold }) => fold.call);
    const gone = this.#gone;
    this.#changed.clear();
    this.#gone = [];
    this.#grid.tell('changed', { calls, gone });
  }

  /** What was gathered for those who have opened a call. */
  #tellCall(watched: Watched): void {
    const { fold, channel } = watched;
    if (channel === null || !watched.untold) return;
    watched.untold = false;
    channel.tell('changed', { call: fold.call, entries: fold.takeChanged() });
  }
}
