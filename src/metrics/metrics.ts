// What an operator's dashboard and alarms read, as Prometheus text. One registry per server, nothing global.
//
// Frames are counted in plain numbers and handed to prom-client when somebody asks for the text: a scrape costs what the
// frames do not. Label values are closed lists (labels.ts).
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { bytesToMs, FRAME_MS } from '../audio/mulaw.ts';
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { CallFacts, FeedInput, Onlooker, OnlookerFactory } from '../call/feed.ts';
import type { EndReason } from '../call/termination.ts';
import type { Clock } from '../clock.ts';
import { ERROR_CODES } from '../errors.ts';
import * as labels from './labels.ts';
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
}

export interface Metrics {
  /** The Prometheus text of now; event-loop delays are since the last one. */
  text(): Promise<string>;
  /** The content type that belongs to the text. */
  readonly contentType: string;
  readonly onlooker: OnlookerFactory;
  readonly counters: CarrierCounters;
  /** A call was not let in. */
  rejected(reason: string): void;
  /** A session was given up on because its sockets would not go. */
  swept(): void;
  /** An error of ours, by its code (`TRK_…`). */
  error(code: string): void;
  /** Stops watching the event loop. */
  close(): void;
}

/** A count that a hot path raises; the registry learns of it at the next scrape. */
interface Tally {
  total: number;
  shown: number;
}

/** Resolution of the event-loop sampler; what it measures includes it. */
const LOOP_RESOLUTION_MS = 10;

const TURN_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10];
const OUR_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1];
const STOP_BUCKETS = [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

const PARTS = ['end_of_turn_wait', 'model', 'tools', 'queued', 'carrier', 'voice_to_voice'] as const;

export function createMetrics({ clock, version }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const startedAtMs = clock.nowMs();
  const flushes: (() => void)[] = [];

  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `trunkline_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `trunkline_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
    new Histogram({ name: `trunkline_${name}`, help, buckets, labelNames, registers });

  /** One tally for a child of a counter. */
  function tally(of: Counter, values: Record<string, string> = {}): Tally {
    const counted: Tally = { total: 0, shown: 0 };
    const child = of.labels(values);
    flushes.push(() => {
      child.inc(counted.total - counted.shown);
      counted.shown = counted.total;
    });
    return counted;
  }

  /** A tally for every word of a list. */
  function tallies(of: Counter, values: Record<string, string>, label: string, words: labels.Words): WordTallies {
    const byWord = new Map(words.all.map((word) => [word, tally(of, { ...values, [label]: word })]));
    return new WordTallies(byWord);
  }

  const created = tally(counter('sessions_created_total', 'Calls let in, each with its model session.'));
  const closed = tallies(
    counter('sessions_closed_total', 'Calls that ended, by reason.', 'reason'),
    {},
    'reason',
    labels.endReasons,
  );
  const rejected = tallies(
    counter('sessions_rejected_total', 'Calls not let in, by reason.', 'reason'),
    {},
    'reason',
    labels.rejections,
  );
  const timedOut = tallies(
    counter('sessions_timed_out_total', 'Calls that a deadline of ours ended, by reason.', 'reason'),
    {},
    'reason',
    labels.timeouts,
  );
  const swept = tally(counter('sessions_swept_total', 'Sessions given up on because their sockets would not close.'));
  const live = gauge('calls_live', 'Calls from admission until both sockets are gone.');

  const messages = counter(
    'messages_total',
    'Messages by side (carrier, model), direction and kind.',
    'side',
    'direction',
    'kind',
  );
  const carrierMessages = {
    in: tallies(messages, { side: 'carrier', direction: 'in' }, 'kind', labels.carrierKinds),
    out: tallies(messages, { side: 'carrier', direction: 'out' }, 'kind', labels.carrierKinds),
  };
  const fromModel = tallies(messages, { side: 'model', direction: 'in' }, 'kind', labels.modelKindsIn);
  const toModel = tallies(messages, { side: 'model', direction: 'out' }, 'kind', labels.modelKindsOut);
  const audioToModel = toModel.of('audio');

  const refusals = counter(
    'carrier_refused_total',
    'Requests and sockets not served, by kind and reason.',
    'kind',
    'reason',
  );
  const webhooks = counter('carrier_webhooks_total', 'Webhooks answered, by route and status.', 'route', 'status');

  const errors = counter(
    'errors_total',
    'Errors by side (model, server) and code; benign ones changed nothing.',
    'side',
    'code',
    'benign',
  );
  const modelErrors = {
    true: tallies(errors, { side: 'model', benign: 'true' }, 'code', labels.modelErrors),
    false: tallies(errors, { side: 'model', benign: 'false' }, 'code', labels.modelErrors),
  };
  const serverErrors = tallies(
    errors,
    { side: 'server', benign: 'false' },
    'code',
    new labels.Words(Object.keys(ERROR_CODES)),
  );

  const frames = counter(
    'frames_total',
    'Frames of 20 ms: from the caller, to the caller, filled in for the caller.',
    'path',
  );
  const framesIn = tally(frames, { path: 'in' });
  const framesOut = tally(frames, { path: 'out' });
  const framesFilled = tally(frames, { path: 'filled' });
  const underruns = tally(counter('underruns_total', 'Gaps that a caller heard inside an utterance.'));
  const bargeIns = tally(counter('barge_ins_total', 'Agent speech stopped because the caller spoke.'));

  const answers = histogram(
    'turn_answer_seconds',
    "Caller's turn committed to first audio sent.",
    TURN_BUCKETS,
  ).labels();
  const ours = histogram('turn_ours_seconds', 'First audio of an answer received to sent.', OUR_BUCKETS).labels();
  const partHistogram = histogram('turn_part_seconds', 'Voice-to-voice latency and its parts.', TURN_BUCKETS, 'part');
  const parts = Object.fromEntries(PARTS.map((part) => [part, partHistogram.labels({ part })])) as Record<
    (typeof PARTS)[number],
    Histogram.Internal<string>
  >;
  const stops = histogram(
    'barge_in_stop_seconds',
    'Speech reported by the model to clear sent to the carrier.',
    STOP_BUCKETS,
  ).labels();

  const uptime = gauge('uptime_seconds', 'Since the server was built.');
  const memory = gauge('resident_memory_bytes', 'Resident memory of the process.');
  const loop = eventLoop(gauge('event_loop_delay_seconds', 'Event-loop delay since the last scrape.', 'quantile'));
  gauge('build_info', 'Always 1.', 'version', 'node').labels({ version, node: process.version }).set(1);

  function measured(latency: TurnLatency): void {
    answers.observe(latency.answerMs / 1_000);
    ours.observe(latency.ourMs / 1_000);
    parts.model.observe(latency.modelMs / 1_000);
    parts.queued.observe(latency.queuedMs / 1_000);
    if (latency.toolsMs > 0) parts.tools.observe(latency.toolsMs / 1_000);
    if (latency.endOfTurnWaitMs !== null) parts.end_of_turn_wait.observe(latency.endOfTurnWaitMs / 1_000);
    if (latency.carrierMs !== null) parts.carrier.observe(latency.carrierMs / 1_000);
    if (latency.voiceToVoiceMs !== null) parts.voice_to_voice.observe(latency.voiceToVoiceMs / 1_000);
  }

  function onlooker(facts: CallFacts): Onlooker {
    const { detection } = facts.agent.turnTaking;
    const latency = new LatencyTracker({
      answersTurns: facts.opening.capabilities.answersTurns,
      silenceMs: detection.kind === 'server_vad' ? detection.silenceMs : null,
      measured,
    });
    let ended = false;
    created.total += 1;
    live.inc();

    function end(reason: EndReason): void {
      if (ended) return;
      ended = true;
      closed.add(reason);
      if (labels.isTimeout(reason)) timedOut.add(reason);
    }

    function caused(effect: CallEffect, event: CallEvent): void {
      switch (effect.do) {
        case 'session.append':
        case 'session.append_silence':
          audioToModel.total += 1;
          return;
        case 'leg.play':
          framesOut.total += bytesToMs(effect.toByte - effect.fromByte + effect.padBytes) / FRAME_MS;
          return;
        case 'leg.clear':
          if (event.type === 'speech.started') timeStop(event.atMs);
          return;
        case 'note.barged_in':
          if (isCallerSpeaking(event)) bargeIns.total += 1;
          return;
        case 'note.filled':
          framesFilled.total += effect.ms / FRAME_MS;
          return;
        case 'note.underrun':
          underruns.total += 1;
          return;
        case 'call.end':
          return end(effect.termination.reason);
        default:
      }
    }

    return {
      input(_atMs, input) {
        const kind = modelMessage(input);
        if (kind !== null) fromModel.add(kind);
      },
      stepped(event, effects) {
        latency.stepped(event, effects);
        if (event.type === 'leg.audio') framesIn.total += 1;
        else if (event.type === 'session.noticed') modelErrors[`${event.benign}`].add(event.code);
        for (const effect of effects) caused(effect, event);
      },
      sent(_atMs, message) {
        toModel.add(typeOf(message));
      },
      played: (startsAtMs) => latency.played(startsAtMs, clock.nowMs()),
      closed() {
        latency.finish();
        // An end that the core never decided is a fault of ours.
        end('internal_error');
        live.dec();
      },
    };
  }

  /** The feed tells of a step before its effects are performed: the time is read when all of them are. */
  function timeStop(sinceMs: number): void {
    queueMicrotask(() => stops.observe(Math.max(0, clock.nowMs() - sinceMs) / 1_000));
  }

  return {
    text() {
      for (const flush of flushes) flush();
      uptime.set((clock.nowMs() - startedAtMs) / 1_000);
      memory.set(process.memoryUsage.rss());
      loop.show();
      return registry.metrics();
    },
    contentType: registry.contentType,
    onlooker,
    counters: {
      refused: (kind, reason) =>
        refusals.inc({ kind: labels.refusalKinds.of(kind), reason: labels.refusalReasons.of(reason) }),
      message: (direction, kind) => carrierMessages[direction].add(kind),
      webhook: (route, status) => webhooks.inc({ route: labels.webhookRoutes.of(route), status: statusOf(status) }),
    },
    rejected: (reason) => rejected.add(reason),
    swept() {
      swept.total += 1;
    },
    error: (code) => serverErrors.add(code),
    close: () => loop.close(),
  };
}

/** The tallies of one list of words. */
class WordTallies {
  readonly #byWord: ReadonlyMap<string, Tally>;
  readonly #other: Tally;

  constructor(byWord: ReadonlyMap<string, Tally>) {
    this.#byWord = byWord;
    this.#other = byWord.get(labels.OTHER) as Tally;
  }

  of(word: string): Tally {
    return this.#byWord.get(word) ?? this.#other;
  }

  add(word: string): void {
    this.of(word).total += 1;
  }
}

/** The caller spoke, or has now spoken long enough to interrupt. */
const isCallerSpeaking = (event: CallEvent): boolean =>
  event.type === 'speech.started' || (event.type === 'timer.fired' && event.timer === 'barge_in');

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

/** Watches how late the event loop runs its timers. */
function eventLoop(delay: Gauge): { show(): void; close(): void } {
  const sampler = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  sampler.enable();
  const p50 = delay.labels({ quantile: '0.5' });
  const p99 = delay.labels({ quantile: '0.99' });
  const max = delay.labels({ quantile: '1' });
  const beyond = (ns: number) => Math.max(0, ns / 1e9 - LOOP_RESOLUTION_MS / 1_000);
  return {
    show() {
      p50.set(beyond(sampler.percentile(50)));
      p99.set(beyond(sampler.percentile(99)));
      max.set(beyond(sampler.max));
      sampler.reset();
    },
    close: () => sampler.disable(),
  };
}
