// Every metric that the server has: names, help, labels and buckets.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ERROR_CODES } from '../errors.ts';
import * as labels from './labels.ts';
import { Tallies } from './tally.ts';

const TURN_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10];
const OUR_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1];
const STOP_BUCKETS = [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

export type Instruments = ReturnType<typeof createInstruments>;

/** Declares all metrics in a registry. Children are resolved here, once. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const tallies = new Tallies();

  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `trunkline_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `trunkline_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
    new Histogram({ name: `trunkline_${name}`, help, buckets, labelNames, registers });

  const closed = counter('sessions_closed_total', 'Calls that ended, by reason.', 'reason');
  const rejected = counter('sessions_rejected_total', 'Calls not let in, by reason.', 'reason');
  const timedOut = counter('sessions_timed_out_total', 'Calls that a deadline of ours ended, by reason.', 'reason');

  const messageLabels = ['side', 'direction', 'kind'];
  const messages = counter(
    'messages_total',
    'Messages by side (carrier, model), direction and kind.',
    ...messageLabels,
  );
  const errorLabels = ['side', 'code', 'benign'];
  const errors = counter(
    'errors_total',
    'By side (model, server) and code; benign ones changed nothing.',
    ...errorLabels,
  );
  const serverCodes = new labels.Words(Object.keys(ERROR_CODES));

  const frames = counter(
    'frames_total',
    'Frames of 20 ms: from the caller, to the caller, filled in for the caller.',
    'path',
  );

  const parts = histogram('turn_part_seconds', 'Voice-to-voice latency and its parts.', TURN_BUCKETS, 'part');
  const part = (name: string) => {
    parts.zero({ part: name });
    return parts.labels({ part: name });
  };

  return {
    tallies,
    sessions: {
      created: tallies.one(counter('sessions_created_total', 'Calls let in, each with its model session.')),
      closed: tallies.each(closed, 'reason', labels.endReasons),
      rejected: tallies.each(rejected, 'reason', labels.rejections),
      timedOut: tallies.each(timedOut, 'reason', labels.timeouts),
      swept: tallies.one(
        counter('sessions_swept_total', 'Sessions given up on because their sockets would not close.'),
      ),
      live: gauge('calls_live', 'Calls from admission until both sockets are gone.'),
    },
    carrier: {
      in: tallies.each(messages, 'kind', labels.carrierKinds, { side: 'carrier', direction: 'in' }),
      out: tallies.each(messages, 'kind', labels.carrierKinds, { side: 'carrier', direction: 'out' }),
      refused: counter(
        'carrier_refused_total',
        'Requests and sockets not served, by kind and reason.',
        'kind',
        'reason',
      ),
      webhooks: counter('carrier_webhooks_total', 'Webhooks answered, by route and status.', 'route', 'status'),
    },
    model: {
      in: tallies.each(messages, 'kind', labels.modelKindsIn, { side: 'model', direction: 'in' }),
      out: tallies.each(messages, 'kind', labels.modelKindsOut, { side: 'model', direction: 'out' }),
    },
    errors: {
      server: tallies.each(errors, 'code', serverCodes, { side: 'server', benign: 'false' }),
      model: tallies.each(errors, 'code', labels.modelErrors, { side: 'model', benign: 'false' }),
      benign: tallies.each(errors, 'code', labels.modelErrors, { side: 'model', benign: 'true' }),
    },
    frames: {
      in: tallies.one(frames, { path: 'in' }),
      out: tallies.one(frames, { path: 'out' }),
      filled: tallies.one(frames, { path: 'filled' }),
    },
    underruns: tallies.one(counter('underruns_total', 'Gaps that a caller heard inside an utterance.')),
    bargeIns: tallies.one(counter('barge_ins_total', 'Agent speech stopped because the caller spoke.')),
    turn: {
      answer: histogram('turn_answer_seconds', "Caller's turn committed to first audio sent.", TURN_BUCKETS),
      ours: histogram('turn_ours_seconds', 'First audio of an answer received to sent.', OUR_BUCKETS),
      endOfTurnWait: part('end_of_turn_wait'),
      model: part('model'),
      tools: part('tools'),
      queued: part('queued'),
      carrier: part('carrier'),
      voiceToVoice: part('voice_to_voice'),
    },
    stop: histogram(
      'barge_in_stop_seconds',
      'Speech reported by the model to clear sent to the carrier.',
      STOP_BUCKETS,
    ),
    uptime: gauge('uptime_seconds', 'Since the server was built.'),
    memory: gauge('resident_memory_bytes', 'Resident memory of the process.'),
    loopDelay: gauge('event_loop_delay_seconds', 'Event-loop delay since the last scrape.', 'quantile'),
    build: gauge('build_info', 'Always 1.', 'version', 'node'),
  };
}
