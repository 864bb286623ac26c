// The metrics text: counts from whole calls, bounded labels, and no registry shared between servers.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import type { UnstampedEvent } from '../../src/call/event.ts';
import * as labels from '../../src/metrics/labels.ts';
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts';
import { answer, answerEnds, callFacts, type Given, Story, StoryClock } from '../record/story.ts';

const made: Metrics[] = [];
afterEach(() => {
  for (const metrics of made.splice(0)) metrics.close();
});

function server() {
  const clock = new StoryClock();
  const metrics = createMetrics({ clock, version: '0.1.0' });
  made.push(metrics);
  const call = (given: Given = {}) => {
    const facts = callFacts(given);
    const onlooker = metrics.onlooker(facts) ?? {};
    const story = new Story(facts, onlooker, clock);
    story.at(0, { type: 'call.admitted' }).at(100, { type: 'session.ready' }).at(200, { type: 'leg.started' });
    return { story, onlooker };
  };
  return { clock, metrics, call };
}

/** The value of one series, by its name and labels as the text prints them. */
async function valueOf(metrics: Metrics, series: string): Promise<number | null> {
  const line = (await metrics.text()).split('\n').find((l) => l.startsWith(`trunkline_${series} `));
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

const hangUp: UnstampedEvent = { type: 'leg.closed', cause: 'caller_hung_up', detail: '' };

test('sessions are counted from creation to close, by reason', async () => {
  const { metrics, call } = server();
  const first = call();
  const second = call();
  expect(await valueOf(metrics, 'calls_live')).toBe(2);
  first.story.at(1_000, hangUp);
  await first.story.closed(1_100);
  second.story.at(20_000, { type: 'timer.fired', timer: 'stall' }).at(40_000, hangUp);
  await second.story.closed(40_000);
  // Neither ended by the core nor twice.
  await call().story.closed(41_000);
  expect(await valueOf(metrics, 'sessions_created_total')).toBe(3);
  expect(await valueOf(metrics, 'calls_live')).toBe(0);
  expect(await valueOf(metrics, 'sessions_closed_total{reason="caller_hung_up"}')).toBe(2);
  expect(await valueOf(metrics, 'sessions_closed_total{reason="internal_error"}')).toBe(1);
  expect(await valueOf(metrics, 'sessions_closed_total{reason="model_lost"}')).toBe(0);
});

test('a call that a deadline ended counts as timed out', async () => {
  const { metrics } = server();
  const facts = callFacts();
  new Story(facts, metrics.onlooker(facts) ?? {})
    .at(0, { type: 'call.admitted' })
    .at(10_000, { type: 'timer.fired', timer: 'media' });
  expect(await valueOf(metrics, 'sessions_timed_out_total{reason="media_never_started"}')).toBe(1);
});

test('what was turned away, swept or failed is counted', async () => {
  const { metrics } = server();
  metrics.rejected('full');
  metrics.swept();
  metrics.error('TRK_BAD_WEBHOOK');
  metrics.counters.refused('webhook', 'signature_wrong');
  metrics.counters.webhook('/voice', 200);
  expect(await valueOf(metrics, 'sessions_rejected_total{reason="full"}')).toBe(1);
  expect(await valueOf(metrics, 'sessions_swept_total')).toBe(1);
  expect(await valueOf(metrics, 'errors_total{side="server",benign="false",code="TRK_BAD_WEBHOOK"}')).toBe(1);
  expect(await valueOf(metrics, 'carrier_refused_total{kind="webhook",reason="signature_wrong"}')).toBe(1);
  expect(await valueOf(metrics, 'carrier_webhooks_total{route="/voice",status="200"}')).toBe(1);
});

test('messages are counted on both sides', async () => {
  const { metrics, call } = server();
  const { story, onlooker } = call();
  for (let i = 0; i < 50; i++) metrics.counters.message('in', 'media');
  metrics.counters.message('out', 'clear');
  story.frames(220, 10);
  onlooker.input?.(1, {
    from: 'session',
    session: 's1',
    input: { kind: 'message', message: { type: 'response.done' }, eventId: null },
  });
  onlooker.input?.(1, { from: 'session', session: 's1', input: { kind: 'noticed', code: 'message_malformed' } });
  onlooker.input?.(1, { from: 'call', event: { type: 'call.admitted' } });
  onlooker.sent?.(1, { type: 'response.create' });
  onlooker.sent?.(1, null);
  expect(await valueOf(metrics, 'messages_total{side="carrier",direction="in",kind="media"}')).toBe(50);
  expect(await valueOf(metrics, 'messages_total{side="carrier",direction="out",kind="clear"}')).toBe(1);
  expect(await valueOf(metrics, 'messages_total{side="model",direction="out",kind="audio"}')).toBe(10);
  expect(await valueOf(metrics, 'messages_total{side="model",direction="in",kind="response.done"}')).toBe(1);
  expect(await valueOf(metrics, 'messages_total{side="model",direction="in",kind="message_malformed"}')).toBe(1);
  expect(await valueOf(metrics, 'messages_total{side="model",direction="out",kind="response.create"}')).toBe(1);
  expect(await valueOf(metrics, 'messages_total{side="model",direction="out",kind="other"}')).toBe(1);
});

test('nothing from outside makes a new series', async () => {
  const { metrics, call } = server();
  const { story, onlooker } = call();
  const series = async () =>
    (await metrics.text())
      .split('\n')
      .filter((line) => /^trunkline_\w+\{/.test(line))
      .map((line) => line.replace(/ \S+$/, ''));
  metrics.counters.refused('other', 'other');
  metrics.counters.webhook('elsewhere', 9_999);
  const before = await series();
  for (const hostile of ['+14155550142', '"}\n', 'constructor', '__proto__', 'x'.repeat(10_000)]) {
    metrics.rejected(hostile);
    metrics.error(hostile);
    metrics.counters.refused(hostile, hostile);
    metrics.counters.message('in', hostile);
    metrics.counters.webhook(hostile, Number(hostile));
    onlooker.sent?.(1, { type: hostile });
    onlooker.input?.(1, { from: 'session', session: 's1', input: { message: { type: hostile } } });
    story.at(1_000, { type: 'session.noticed', code: hostile, benign: false });
  }
  expect(await series()).toEqual(before);
  expect(await metrics.text()).not.toContain('4155550142');
  expect(await valueOf(metrics, 'errors_total{side="model",benign="false",code="other"}')).toBe(5);
});

test('frames are counted in, out and filled', async () => {
  const { metrics, call } = server();
  const { story } = call();
  const chunk = { payload: '', bytes: 160 };
  story.frames(220, 5).at(800, { type: 'leg.audio', sequence: 6, timestampMs: 500, chunk });
  story.at(1_000, ...answer('a1', 'u1', 'one', 1_010)).at(1_000, ...answerEnds('a1', 'u1'));
  expect(await valueOf(metrics, 'frames_total{path="in"}')).toBe(6);
  expect(await valueOf(metrics, 'frames_total{path="filled"}')).toBe(20);
  expect(await valueOf(metrics, 'frames_total{path="out"}')).toBe(51);
});

test('an answered turn is observed once, by its parts', async () => {
  const { metrics, call } = server();
  const { story } = call();
  story
    .at(1_000, { type: 'speech.started', audioMs: null })
    .at(1_750, { type: 'speech.stopped', audioMs: null })
    .at(1_750, { type: 'turn.committed', turn: 't1' });
  story
    .at(2_150, ...answer('a1', 'u1', 'one', 500))
    .at(2_200, ...answerEnds('a1', 'u1'))
    .at(9_000, hangUp);
  await story.closed(9_000);
  expect(await valueOf(metrics, 'turn_answer_seconds_count')).toBe(1);
  expect(await valueOf(metrics, 'turn_answer_seconds_sum')).toBeCloseTo(0.4, 6);
  expect(await valueOf(metrics, 'turn_part_seconds_sum{part="end_of_turn_wait"}')).toBeCloseTo(0.5, 6);
  expect(await valueOf(metrics, 'turn_part_seconds_sum{part="voice_to_voice"}')).toBeCloseTo(0.9, 6);
  expect(await valueOf(metrics, 'turn_part_seconds_count{part="carrier"}')).toBe(0);
});

test('stopping at a barge-in is timed to the end of the step, below a millisecond too', async () => {
  const { clock, metrics, call } = server();
  const { story } = call();
  story.at(1_000, ...answer('a1', 'u1', 'one', 3_000)).at(2_000, { type: 'speech.started', audioMs: null });
  // What performing the effects takes, before the stack is empty.
  clock.ms += 0.15;
  await Promise.resolve();
  expect(await valueOf(metrics, 'barge_ins_total')).toBe(1);
  expect(await valueOf(metrics, 'barge_in_stop_seconds_sum')).toBeCloseTo(0.00015, 9);
  expect(await valueOf(metrics, 'barge_in_stop_seconds_bucket{le="0.0001"}')).toBe(0);
  expect(await valueOf(metrics, 'barge_in_stop_seconds_bucket{le="0.0002"}')).toBe(1);
});

test('stopping at a barge-in is timed to what the model is told next, which follows the clear', async () => {
  const { clock, metrics, call } = server();
  const { story, onlooker } = call();
  story.at(1_000, ...answer('a1', 'u1', 'one', 3_000)).at(2_000, { type: 'speech.started', audioMs: null });
  clock.ms += 0.15;
  onlooker.sent?.(2_000, { type: 'conversation.item.truncate' });
  clock.ms += 50;
  onlooker.sent?.(2_000, { type: 'response.create' });
  await Promise.resolve();
  expect(await valueOf(metrics, 'barge_in_stop_seconds_count')).toBe(1);
  expect(await valueOf(metrics, 'barge_in_stop_seconds_sum')).toBeCloseTo(0.00015, 9);
});

test('the process says what it is, since when, and how late its loop runs', async () => {
  const { clock, metrics } = server();
  clock.ms += 12_500;
  expect(await valueOf(metrics, `build_info{version="0.1.0",node="${process.version}"}`)).toBe(1);
  expect(await valueOf(metrics, 'uptime_seconds')).toBe(12.5);
  expect(await valueOf(metrics, 'resident_memory_bytes')).toBeGreaterThan(1e6);
  for (const quantile of ['0.5', '0.99', '1'])
    expect(await valueOf(metrics, `event_loop_delay_seconds{quantile="${quantile}"}`)).toBeGreaterThanOrEqual(0);
  expect(metrics.contentType).toContain('text/plain');
});

test('what is alarmed by its first count is there from the start, at 0', async () => {
  const { metrics } = server();
  for (const series of [
    'carrier_refused_total{kind="webhook",reason="signature_wrong"}',
    'carrier_refused_total{kind="media",reason="token_foreign"}',
    'carrier_webhooks_total{route="/voice",status="500"}',
    'carrier_orders_total{order="redirect",outcome="failed"}',
    'files_incomplete_total{file="record",why="failed"}',
    'sessions_closed_total{reason="internal_error"}',
  ])
    expect(await valueOf(metrics, series), series).toBe(0);
});

test('the quality of ended calls is counted, by what it lost', async () => {
  const { metrics } = server();
  const fine = {
    score: 100,
    deductions: [],
    frames: { late: 2 },
    underruns: { ms: 0 },
    deadAir: { beyondMs: 0 },
    talkOverMs: 500,
    firstWordMs: 120,
  };
  metrics.judged(fine);
  metrics.judged({
    ...fine,
    score: 62,
    deductions: [
      { part: 'dead_air', points: 8 },
      { part: 'unfinished', points: 30 },
      { part: '+14155550142', points: 1 },
    ],
    underruns: { ms: 250 },
    deadAir: { beyondMs: 1_600 },
    firstWordMs: null,
  });
  // Media that never started: nothing was heard, nothing is judged.
  metrics.judged({ ...fine, score: null, frames: { late: 0 }, talkOverMs: 0, firstWordMs: null });
  expect(await valueOf(metrics, 'call_quality_score_count')).toBe(2);
  expect(await valueOf(metrics, 'call_quality_score_sum')).toBe(162);
  expect(await valueOf(metrics, 'call_quality_score_bucket{le="70"}')).toBe(1);
  expect(await valueOf(metrics, 'calls_marked_down_total{part="dead_air"}')).toBe(1);
  expect(await valueOf(metrics, 'calls_marked_down_total{part="other"}')).toBe(1);
  expect(await valueOf(metrics, 'quality_points_lost_total{part="unfinished"}')).toBe(30);
  expect(await valueOf(metrics, 'quality_points_lost_total{part="dead_air"}')).toBe(8);
  expect(await valueOf(metrics, 'quality_seconds_total{what="dead_air"}')).toBeCloseTo(1.6, 9);
  expect(await valueOf(metrics, 'quality_seconds_total{what="talk_over"}')).toBeCloseTo(1, 9);
  expect(await valueOf(metrics, 'quality_seconds_total{what="underrun"}')).toBeCloseTo(0.25, 9);
  expect(await valueOf(metrics, 'first_word_seconds_count')).toBe(1);
  expect(await valueOf(metrics, 'frames_total{path="late"}')).toBe(4);
});

test('media that went by nobody’s will is counted, whichever way it was found', async () => {
  const { metrics, call } = server();
  const causes = ['socket_lost', 'stopped_reading', 'caller_hung_up', 'closed_by_us'] as const;
  for (const cause of causes) call().story.at(300, { type: 'leg.closed', cause, detail: '' });
  expect(await valueOf(metrics, 'troubles_total{what="leg_lost"}')).toBe(2);
});

test('what was ignored, and files that are not whole, are counted by name', async () => {
  const { metrics, call } = server();
  const { story } = call();
  story.at(300, { type: 'leg.mark_settled', mark: 'nobody.1', outcome: 'played' });
  metrics.incomplete('tape', 'size');
  metrics.incomplete('/etc/passwd', 'because');
  expect(await valueOf(metrics, 'ignored_total{what="mark_unknown"}')).toBe(1);
  expect(await valueOf(metrics, 'files_incomplete_total{file="tape",why="size"}')).toBe(1);
  expect(await valueOf(metrics, 'files_incomplete_total{file="other",why="other"}')).toBe(1);
});

test('every word of note.ignored has its series', () => {
  const folder = new URL('../../src/call/', import.meta.url);
  const words = readdirSync(folder).flatMap((name) =>
    [...readFileSync(new URL(name, folder), 'utf8').matchAll(/\bwhat: '(\w+)'/g)].map(([, word = '']) => word),
  );
  expect(words.length).toBeGreaterThan(5);
  expect([...new Set([...words, 'other'])].toSorted()).toEqual([...labels.ignored.all].toSorted());
});

test('two servers in one process count apart', async () => {
  const [a, b] = [server(), server()];
  a.metrics.rejected('full');
  expect(await valueOf(a.metrics, 'sessions_rejected_total{reason="full"}')).toBe(1);
  expect(await valueOf(b.metrics, 'sessions_rejected_total{reason="full"}')).toBe(0);
});
