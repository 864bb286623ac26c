// What an operator's dashboard and alarms read, as Prometheus text. One registry per server, nothing global.
//
// Frames are counted in plain numbers (tally.ts) and handed to prom-client when somebody asks for the text: a scrape costs
// what the frames do not. Label values are closed lists (labels.ts).
import { Registry } from 'prom-client';
import { bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, Onlooker, OnlookerFactory } from '../call/feed.ts';
import type { EndReason } from '../call/termination.ts';
import type { Clock } from '../clock.ts';
import { observeQuality, type QualityFigures } from './call-quality.ts';
import type { LedgerLine } from '../ledger/line.ts';
import { watchEventLoop, watchRecentLoop } from './event-loop.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import * as labels from './labels.ts';
import { observeSpend } from './spend.ts';
import { LatencyTracker, type TurnLatency } from './latency.ts';

export interface MetricsOptions {
  clock: Clock;
  /** The product's version, for `trunkline_build_info`. */
  version: string;
}

/** What a carrier adapter counts. */
export interface CarrierCounters {
  /** A request or socket not served: `kind` is `webhook` or `media`. */
  refused(kind: string, reason: string): void;
  /** A media message; called per frame. */
  message(direction: 'in' | 'out', kind: string): void;
  /** A webhook answered. */
  webhook(route: string, status: number): void;
  /** An order to the carrier beside the media came to its end. */
  ordered(order: string, outcome: string): void;
}

/** What a runner of tools counts. */
export interface ToolCounters {
  tried(name: string): void;
  settled(settled: { status: string; tookMs: number }): void;
  circuit(name: string, state: string): void;
}

export interface Metrics {
  /** The Prometheus text of now; event-loop delays are since the last one. */
  text(): Promise<string>;
  /** The content type that belongs to the text. */
  readonly contentType: string;
  readonly onlooker: OnlookerFactory;
  readonly counters: CarrierCounters;
  /** What the tools of all agents do. */
  readonly tools: ToolCounters;
  /** A call was not let in. */
  rejected(reason: string): void;
  /** A file of a call could not be written, or not to its end: `why` is `failed` or `size`. */
  incomplete(file: string, why: string): void;
  /** A call is over and its quality is known. */
  judged(quality: QualityFigures): void;
  /** A line of the bill of a call that is over. */
  charged(line: LedgerLine): void;
  /** How the way into the database is doing. */
  kept(health: { lagMs: number; journalBytes: number; lost: number; aside: number }): void;
  /** A session was given up on because its sockets would not go. */
  swept(): void;
  /** A thing of a call that is gone was found and closed, by its kind. */
  leftover(kind: string): void;
  /** A webhook or a media connection was passed on to another process. */
  passedOn(what: string): void;
  /** An error of ours, by its code (`TRK_…`). */
  error(code: string): void;
  /** How late the event loop runs of late, whoever scrapes: the 99th percentile of the last 5 to 10 seconds. */
  readonly loopDelayMs: () => number;
  /** Stops watching the event loop. */
  close(): void;
}

export function createMetrics({ clock, version }: MetricsOptions): Metrics {
  const registry = new Registry();
  const m = createInstruments(registry);
  const startedAtMs = clock.nowMs();
  const loop = watchEventLoop(m.loopDelay);
  const recentLoop = watchRecentLoop();
  m.build.set({ version, node: process.version }, 1);

  return {
    text() {
      m.tallies.flush();
      m.uptime.set((clock.nowMs() - startedAtMs) / 1_000);
      m.memory.set(process.memoryUsage.rss());
      loop.show();
      return registry.metrics();
    },
    contentType: registry.contentType,
    onlooker: (facts) => watchCall(facts, m, clock),
    counters: {
      refused: (kind, reason) =>
        m.carrier.refused.inc({ kind: labels.refusalKinds.of(kind), reason: labels.refusalReasons.of(reason) }),
      message: (direction, kind) => m.carrier[direction].add(kind),
      webhook: (route, status) =>
        m.carrier.webhooks.inc({ route: labels.webhookRoutes.of(route), status: statusOf(status) }),
      ordered: (order, outcome) =>
        m.carrier.orders.inc({ order: labels.orders.of(order), outcome: labels.orderOutcomes.of(outcome) }),
    },
    tools: toolCounters(m),
    rejected: (reason) => m.sessions.rejected.add(reason),
    incomplete: (file, why) => m.incomplete.inc({ file: labels.files.of(file), why: labels.incompleteBecause.of(why) }),
    judged: (quality) => observeQuality(quality, m),
    charged: (line) => observeSpend(line, m.spend),
    kept({ lagMs, journalBytes, lost, aside }) {
      m.journal.lag.set(lagMs / 1_000);
      m.journal.bytes.set(journalBytes);
      m.journal.lost.set(lost);
      m.journal.aside.set(aside);
    },
    swept() {
      m.sessions.swept.total += 1;
    },
    leftover: (kind) => m.leftovers.add(kind),
    passedOn: (what) => m.passedOn.add(what),
    error: (code) => m.errors.server.add(code),
    loopDelayMs: recentLoop.p99Ms,
    close() {
      loop.close();
      recentLoop.close();
    },
  };
}

function toolCounters({ tools }: Instruments): ToolCounters {
  /** Names of tools that are not tried. Agents' tools are few. */
  const open = new Set<string>();
  return {
    tried: () => void (tools.tries.total += 1),
    settled({ status, tookMs }) {
      tools.settled.add(status);
      tools.seconds.observe(tookMs / 1_000);
    },
    circuit(name, state) {
      if (state === 'open') open.add(name);
      else open.delete(name);
      tools.circuitsOpen.set(open.size);
    },
  };
}

/** Counts one call from its admission until both its sockets are gone. */
function watchCall(facts: CallFacts, m: Instruments, clock: Clock): Onlooker {
  const { detection } = facts.agent.turnTaking;
  const latency = new LatencyTracker({
    answersTurns: facts.opening.capabilities.answersTurns,
    silenceMs: detection.kind === 'server_vad' ? detection.silenceMs : null,
    measured: (turn) => observeTurn(turn, m),
  });
  const audioToModel = m.model.out.of('audio');
  let ended = false;
  /** When the model reported the speech that a clear of this instant answers. */
  let stoppingSinceMs: number | null = null;
  m.sessions.created.total += 1;
  m.sessions.live.inc();

  function end(reason: EndReason): void {
    if (ended) return;
    ended = true;
    m.sessions.closed.add(reason);
    if (labels.isTimeout(reason)) m.sessions.timedOut.add(reason);
  }

  /**
   * The feed tells of a step before its effects are performed. The clear is the first of them; what the model is told comes
   * next, and where it is told nothing, the time is read when the whole step is done.
   */
  function stopping(sinceMs: number): void {
    stoppingSinceMs = sinceMs;
    queueMicrotask(stopped);
  }

  function stopped(): void {
    if (stoppingSinceMs === null) return;
    m.stop.observe(Math.max(0, clock.nowMs() - stoppingSinceMs) / 1_000);
    stoppingSinceMs = null;
  }

  function caused(effect: CallEffect, event: CallEvent): void {
    switch (effect.do) {
      case 'session.append':
      case 'session.append_silence':
        audioToModel.total += 1;
        return;
      case 'session.open':
        return m.troubles.add(effect.target === 0 ? 'session_opened' : 'fallback_opened');
      case 'session.recall':
        return m.troubles.add('session_took_over');
      case 'leg.recall':
        return m.troubles.add('caller_asked_back');
      case 'note.held':
        return m.troubles.add('caller_held');
      case 'note.transfer':
        return m.transfers.add(effect.stage);
      case 'note.guarded':
        m.guarded.total += 1;
        return;
      case 'note.resumed':
        return m.troubles.add('caller_resumed');
      case 'leg.play':
        m.frames.out.total += bytesToMs(effect.toByte - effect.fromByte + effect.padBytes) / FRAME_MS;
        return;
      case 'leg.clear':
        if (event.type === 'speech.started') stopping(event.atMs);
        return;
      case 'note.stopped':
        if (effect.because === 'caller_spoke') m.bargeIns.total += 1;
        return;
      case 'note.filled':
        m.frames.filled.total += effect.ms / FRAME_MS;
        return;
      case 'note.ignored':
        m.ignored.add(effect.what);
        return;
      case 'note.underrun':
        m.underruns.total += 1;
        return;
      case 'call.end':
        return end(effect.termination.reason);
      default:
    }
  }

  return {
    input(_atMs, input) {
      const kind = modelMessage(input);
      if (kind !== null) m.model.in.add(kind);
    },
    frame({ atMs, chunk }) {
      m.frames.in.total += 1;
      audioToModel.total += 1;
      latency.frame(atMs, chunk.bytes);
    },
    stepped(event, effects) {
      latency.stepped(event, effects);
      if (event.type === 'leg.audio') m.frames.in.total += 1;
      else if (event.type === 'session.closed') m.troubles.add('session_lost');
      else if (event.type === 'session.delayed') m.troubles.add('session_delayed');
      else if (isLegLost(event)) m.troubles.add('leg_lost');
      else if (event.type === 'session.noticed') (event.benign ? m.errors.benign : m.errors.model).add(event.code);
      for (const effect of effects) caused(effect, event);
    },
    sent(_atMs, message) {
      stopped();
      m.model.out.add(typeOf(message));
    },
    played: (startsAtMs) => latency.played(startsAtMs, clock.nowMs()),
    closed() {
      latency.finish();
      // An end that the core never decided is a fault of ours.
      end('internal_error');
      m.sessions.live.dec();
    },
  };
}

function observeTurn(latency: TurnLatency, { turn }: Instruments): void {
  turn.answer.observe(latency.answerMs / 1_000);
  turn.ours.observe(latency.ourMs / 1_000);
  turn.model.observe(latency.modelMs / 1_000);
  turn.queued.observe(latency.queuedMs / 1_000);
  if (latency.toolsMs > 0) turn.tools.observe(latency.toolsMs / 1_000);
  if (latency.endOfTurnWaitMs !== null) turn.endOfTurnWait.observe(latency.endOfTurnWaitMs / 1_000);
  if (latency.carrierMs !== null) turn.carrier.observe(latency.carrierMs / 1_000);
  if (latency.voiceToVoiceMs !== null) turn.voiceToVoice.observe(latency.voiceToVoiceMs / 1_000);
}

/** The media went, by nobody's will: the caller may be brought back. */
const isLegLost = (event: CallEvent): boolean =>
  event.type === 'leg.closed' && (event.cause === 'socket_lost' || event.cause === 'stopped_reading');

/** Three digits of HTTP, or `other`. */
const statusOf = (status: number): string =>
  Number.isInteger(status) && status >= 100 && status <= 599 ? String(status) : labels.OTHER;

/** The kind of a message that came from the model; null for what is no message. Opaque but for its `type`. */
function modelMessage(given: FeedInput): string | null {
  if (given.from !== 'session') return null;
  const { input } = given;
  if (typeof input !== 'object' || input === null) return null;
  if ('message' in input) return typeOf(input.message);
  return 'code' in input && typeof input.code === 'string' ? input.code : null;
}

function typeOf(message: unknown): string {
  if (typeof message !== 'object' || message === null || !('type' in message)) return labels.OTHER;
  return typeof message.type === 'string' ? message.type : labels.OTHER;
}
