// Every metric that the server has: names, help, labels and buckets.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ERROR_CODES } from '../errors.ts';
import * as labels from './labels.ts';
import { SPEND_KINDS } from './spend.ts';
import { Tallies } from './tally.ts';

const TURN_BUCKETS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10];
const OUR_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1];
const QUALITY_BUCKETS = [10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95, 100];
const TOOL_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30];
const STOP_BUCKETS = [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

/** Statuses of a webhook that somebody is alarmed by. */
const OUR_FAULTS = ['500', '504'];

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
    'Frames of 20 ms: from the caller, to the caller, filled in for the caller, from the caller but late.',
    'path',
  );

  const qualitySeconds = counter('quality_seconds_total', 'Of ended calls: time that callers were not served.', 'what');

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
    spend: {
      usd: fromZero(counter('spend_usd_total', 'Dollars by the price book, by what they were spent on.', 'kind'), {
        kind: SPEND_KINDS,
      }),
      inputTokens: fromZero(
        counter(
          'input_tokens_total',
          'Tokens that answers were sent, by whether the model had them in its cache.',
          'cached',
        ),
        { cached: ['yes', 'no'] },
      ),
      unpriced: counter('unpriced_lines_total', 'Lines of bills for which no price is known.'),
    },
    journal: {
      lag: gauge('journal_lag_seconds', 'Age of the oldest fact that is not in the database.'),
      bytes: gauge('journal_bytes', 'What lies in the journal and is not in the database.'),
      aside: gauge(
        'facts_aside',
        'Facts that could not be read or stored and lie in journal/<process>.bad. Must be 0.',
      ),
      lost: gauge('facts_lost', 'Facts that could not be kept anywhere, since the start. Must be 0.'),
    },
    carrier: {
      in: tallies.each(messages, 'kind', labels.carrierKinds, { side: 'carrier', direction: 'in' }),
      out: tallies.each(messages, 'kind', labels.carrierKinds, { side: 'carrier', direction: 'out' }),
      refused: fromZero(
        counter('carrier_refused_total', 'Requests and sockets not served, by kind and reason.', 'kind', 'reason'),
        { kind: labels.refusalKinds.all, reason: labels.refusalReasons.all },
      ),
      webhooks: fromZero(
        counter('carrier_webhooks_total', 'Webhooks answered, by route and status.', 'route', 'status'),
        { route: labels.webhookRoutes.all, status: OUR_FAULTS },
      ),
      orders: fromZero(
        counter('carrier_orders_total', 'Orders to the carrier by REST, by outcome.', 'order', 'outcome'),
        { order: labels.orders.all, outcome: labels.orderOutcomes.all },
      ),
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
      late: tallies.one(frames, { path: 'late' }),
    },
    tools: {
      settled: tallies.each(
        counter('tool_calls_total', 'Tool calls of models that were answered, by how they ended.', 'status'),
        'status',
        labels.toolStatuses,
      ),
      tries: tallies.one(counter('tool_tries_total', 'Runs of tools, repetitions included.')),
      seconds: histogram('tool_seconds', 'From a tool call to its outcome.', TOOL_BUCKETS),
      circuitsOpen: gauge('tool_circuits_open', 'Tools that are not tried for a while because they failed repeatedly.'),
    },
    transfers: tallies.each(
      counter('transfers_total', 'Hand-overs to people, by how far they got.', 'stage'),
      'stage',
      labels.transferStages,
    ),
    guarded: tallies.one(counter('guardrails_total', 'Utterances and tool calls that a guardrail stopped.')),
    troubles: tallies.each(
      counter('troubles_total', 'What went wrong in a call and what was done about it, by what it is.', 'what'),
      'what',
      labels.troubles,
    ),
    leftovers: tallies.each(
      counter('leftovers_total', 'Found after their call was gone, and closed, by kind.', 'kind'),
      'kind',
      labels.heldKinds,
    ),
    passedOn: tallies.each(
      counter('passed_on_total', 'Passed on to the process that has the call, by what it is.', 'what'),
      'what',
      labels.passed,
    ),
    ignored: tallies.each(
      counter('ignored_total', 'Events that changed nothing in their call, by what they were.', 'what'),
      'what',
      labels.ignored,
    ),
    incomplete: fromZero(
      counter('files_incomplete_total', 'Files of calls that are not whole, by file and why.', 'file', 'why'),
      { file: labels.files.all, why: labels.incompleteBecause.all },
    ),
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
    quality: {
      score: histogram('call_quality_score', 'Ended calls by quality, 0 to 100.', QUALITY_BUCKETS),
      markedDown: tallies.each(
        counter('calls_marked_down_total', 'Ended calls that lost points of quality, by what for.', 'part'),
        'part',
        labels.qualityParts,
      ),
      points: tallies.each(
        counter('quality_points_lost_total', 'Points of quality that ended calls lost, by what for.', 'part'),
        'part',
        labels.qualityParts,
      ),
      firstWord: histogram('first_word_seconds', 'Media start to first sound of the agent.', TURN_BUCKETS),
      deadAir: tallies.one(qualitySeconds, { what: 'dead_air' }),
      talkOver: tallies.one(qualitySeconds, { what: 'talk_over' }),
      underrun: tallies.one(qualitySeconds, { what: 'underrun' }),
    },
    uptime: gauge('uptime_seconds', 'Since the server was built.'),
    memory: gauge('resident_memory_bytes', 'Resident memory of the process.'),
    loopDelay: gauge('event_loop_delay_seconds', 'Event-loop delay since the last scrape.', 'quantile'),
    build: gauge('build_info', 'Always 1.', 'version', 'node'),
  };
}

/** Makes a series of every combination at once: one that appears with its first count hides it from `increase`. */
function fromZero(of: Counter, values: Record<string, readonly string[]>): Counter {
  let combinations: Record<string, string>[] = [{}];
  for (const [label, words] of Object.entries(values))
    combinations = combinations.flatMap((some) => words.map((word) => ({ ...some, [label]: word })));
  for (const combination of combinations) of.labels(combination).inc(0);
  return of;
}
