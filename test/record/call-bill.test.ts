// The bill of a call: what nobody reported, by the model that was speaking; tools with a price; each stream by itself; and
// that every line is told when it is charged.
import { expect, test } from 'vitest';
import type { UnaddressedEffect } from '../../src/call/effect.ts';
import type { UnstampedEvent } from '../../src/call/event.ts';
import type { LedgerLine } from '../../src/ledger/line.ts';
import type { Usage } from '../../src/realtime/session.ts';
import { CallBill } from '../../src/record/call-bill.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { ADMITTED_MS, ADMITTED_WALL_MS, callFacts, type Given } from './story.ts';

const FALLBACK = { name: 'gpt-realtime-mini', endpoint: 'https://models.example.com/v1', voice: 'marin' };

interface Told extends Given {
  target?: number;
  /** Audio that came of every answer. */
  receivedMs?: number;
}

function bill({ target, receivedMs = 500, ...given }: Told = {}) {
  const facts = callFacts(given);
  const { agent, opening } = facts;
  const told: LedgerLine[] = [];
  const made = new CallBill(
    {
      ...facts,
      agent: { ...agent, failure: { ...agent.failure, fallback: FALLBACK } },
      opening: target === undefined ? opening : { ...opening, target },
    },
    { charged: (line) => told.push(line) },
    () => receivedMs,
  );
  const stamp = (atMs: number, on: { session?: string; leg?: string }) => ({
    atMs: ADMITTED_MS + atMs,
    on: { leg: 'l1', session: 's1', epoch: 1, ...on },
  });
  return {
    told,
    happened: (event: UnstampedEvent, atMs = 0, on = {}) => made.happened({ ...event, ...stamp(atMs, on) }),
    caused: (effect: UnaddressedEffect, atMs = 0, on = {}) => {
      const at = stamp(atMs, on);
      made.caused({ ...effect, on: at.on }, at);
    },
    finish: (atMs: number) => {
      made.finish(ADMITTED_MS + atMs, ADMITTED_MS + atMs);
      return made.cost();
    },
  };
}

const used = (source: string, part: Partial<Usage> = {}): UnaddressedEffect => ({
  do: 'ledger.charge',
  usage: { source, what: 'answer', model: 'gpt-realtime-2.1', unit: 'seconds', seconds: 1, ...part } as Usage,
});
const ended = (answer: string, status: 'completed' | 'cancelled' | 'failed' | 'incomplete'): UnstampedEvent => ({
  type: 'answer.ended',
  answer,
  status,
  detail: '',
});
const lost: UnstampedEvent = { type: 'session.closed', cause: 'lost', detail: '1006', fatal: false };
const answersOf = (lines: readonly LedgerLine[]) =>
  lines.flatMap(({ what, source, product, seller, state, doubt }) =>
    what === 'answer' ? [[source, product, seller, state, doubt]] : [],
  );

test('what an answer said is charged when its session is lost, by the model and the seller that spoke', () => {
  const { happened, caused, told, finish } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  happened(lost, 2_000);
  expect(told).toMatchObject([
    { source: 'a1', state: 'estimated', doubt: 'session_lost', atWallMs: ADMITTED_WALL_MS + 2_000 },
  ]);
  caused({ do: 'session.open', session: 's2', agent: 'clinic', target: 1, afterMs: 0 });
  happened({ type: 'answer.started', answer: 'a2' }, 3_000, { session: 's2' });
  // The socket of a session that is gone already says so again: nothing of the new one is touched.
  happened(lost, 3_100);
  expect(answersOf(finish(4_000).lines)).toEqual([
    ['a1', 'gpt-realtime-2.1', 'openai', 'estimated', 'session_lost'],
    ['a2', 'gpt-realtime-mini', 'models.example.com', 'estimated', 'session_lost'],
  ]);
});

test('knows a call that began with the other model', () => {
  const { happened, finish } = bill({ target: 1 });
  happened({ type: 'answer.started', answer: 'a1' });
  expect(answersOf(finish(1_000).lines)).toEqual([
    ['a1', 'gpt-realtime-mini', 'models.example.com', 'estimated', 'session_lost'],
  ]);
});

test.each(['completed', 'cancelled', 'incomplete', 'failed'] as const)(
  'an answer that is %s without usage is charged for what was heard of it, and doubted',
  (status) => {
    const { happened, finish } = bill();
    happened({ type: 'answer.started', answer: 'a1' });
    happened(ended('a1', status));
    const { lines, doubtedLines } = finish(1_000);
    expect(lines[0]).toMatchObject({
      source: 'a1',
      state: 'estimated',
      doubt: 'usage_missing',
      quantities: { audio: { fresh: 0, cached: 0, out: 10 } },
      costNanoUsd: 10 * 64_000,
    });
    expect(doubtedLines).toBe(1);
  },
);

test.each([
  ['completed', [['a1', 'usage_missing']]],
  ['cancelled', [['a1', 'usage_missing']]],
  ['incomplete', [['a1', 'usage_missing']]],
  // Nothing was made, so nothing is billed.
  ['failed', []],
] as const)('an answer that is %s without usage or sound: %j', (status, expected) => {
  const { happened, finish } = bill({ receivedMs: 0 });
  happened({ type: 'answer.started', answer: 'a1' });
  happened(ended('a1', status));
  const { lines } = finish(1_000);
  expect(lines.filter(({ what }) => what === 'answer').map(({ source, doubt }) => [source, doubt])).toEqual(expected);
});

test('usage that comes after an answer ended, even after the hang-up, is what counts', () => {
  const { happened, caused, finish } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  happened(ended('a1', 'incomplete'));
  caused(used('a1'), 5_000);
  expect(answersOf(finish(6_000).lines)).toEqual([['a1', 'gpt-realtime-2.1', 'openai', 'metered', null]]);
});

test('usage that comes for an answer that was estimated takes the place of the estimate', () => {
  const { happened, caused, told, finish } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  happened(lost, 1_000);
  caused(used('a1'), 1_200);
  expect(answersOf(told)).toEqual([
    ['a1', 'gpt-realtime-2.1', 'openai', 'estimated', 'session_lost'],
    ['a1', 'gpt-realtime-2.1', 'openai', 'metered', null],
  ]);
  expect(answersOf(finish(2_000).lines)).toHaveLength(1);
});

test('a usage whose counts make no sense is charged for what was heard at least', () => {
  const { happened, caused, finish } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  const none = { textIn: 0, audioIn: 0, imageIn: 0, cachedTextIn: 0, cachedAudioIn: 0, cachedImageIn: 0 };
  const usage = { unit: 'tokens', ...none, textOut: 7, audioOut: 0, doubt: 'absurd_count' } as const;
  caused(used('a1', usage));
  expect(finish(1_000).lines[0]).toMatchObject({
    state: 'estimated',
    doubt: 'absurd_count',
    quantities: { text: { out: 7 }, audio: { out: 10 } },
  });
});

test('a session that is sold by time counts up, and is told each time', () => {
  const { caused, told, finish } = bill();
  const counted = (seconds: number) =>
    caused(used('live_1', { what: 'session', model: 'gpt-live-1', seconds } as never));
  for (const seconds of [12, 60, 36]) counted(seconds);
  expect(told.map(({ what, source, costNanoUsd }) => [what, source, costNanoUsd])).toEqual([
    ['session', 'live_1', 10_000_000],
    ['session', 'live_1', 50_000_000],
  ]);
  expect(finish(60_000).lines.map(({ what }) => what)).toEqual(['session', 'leg']);
});

test('usage for an answer of which the call knows nothing is a line', () => {
  const { caused, finish } = bill();
  caused(used('a9', { doubt: 'unknown_answer' }));
  expect(answersOf(finish(1_000).lines)).toEqual([['a9', 'gpt-realtime-2.1', 'openai', 'metered', 'unknown_answer']]);
});

test('a transcription whose time makes no sense is charged for as long as the caller spoke', () => {
  const { happened, caused, finish } = bill();
  happened({ type: 'speech.started', audioMs: null }, 1_000);
  happened({ type: 'speech.stopped', audioMs: null }, 3_000);
  happened({ type: 'turn.committed', turn: 'i1' }, 3_100);
  happened({ type: 'turn.transcribed', turn: 'i1', text: 'Hello' }, 3_200);
  caused(used('i1', { what: 'transcription', model: 'whisper-1', seconds: 0, doubt: 'absurd_count' } as never), 3_200);
  expect(finish(4_000).lines.filter(({ what }) => what === 'transcription')).toMatchObject([
    { quantities: { seconds: 2 }, state: 'estimated', doubt: 'absurd_count' },
  ]);
});

test('a caller turn that was written down without usage is charged for as long as it was', () => {
  const { happened, finish } = bill();
  happened({ type: 'speech.started', audioMs: 1_000 });
  happened({ type: 'speech.stopped', audioMs: 3_400 });
  happened({ type: 'turn.committed', turn: 'i1' });
  happened({ type: 'turn.transcribed', turn: 'i1', text: 'Hello' });
  expect(finish(9_000).lines[0]).toMatchObject({
    what: 'transcription',
    source: 'i1',
    product: 'whisper-1',
    quantities: { unit: 'seconds', seconds: 2.4 },
    costNanoUsd: 240_000,
    state: 'estimated',
    doubt: 'usage_missing',
  });
});

test('each media stream is a line of its own, told when it ends', () => {
  const { happened, told, finish } = bill();
  happened({ type: 'leg.started' }, 1_000);
  happened({ type: 'leg.closed', cause: 'socket_lost', detail: '' }, 31_000);
  expect(told).toMatchObject([{ what: 'media_stream', source: 'l1', quantities: { seconds: 30, minutes: 1 } }]);
  happened({ type: 'leg.started' }, 33_000, { leg: 'l2' });
  const { lines } = finish(94_000);
  expect(lines.map(({ what, source, quantities }) => [what, source, quantities])).toEqual([
    ['media_stream', 'l1', { unit: 'minutes', seconds: 30, minutes: 1 }],
    ['media_stream', 'l2', { unit: 'minutes', seconds: 61, minutes: 2 }],
    ['leg', 'l1', { unit: 'minutes', seconds: 94, minutes: 2 }],
  ]);
});

test('a leg that goes on when the call hands it over says so', () => {
  const { caused, finish } = bill();
  caused({ do: 'leg.close', next: { do: 'forward', to: '+14155550123' } });
  expect(finish(61_000).lines).toMatchObject([
    { source: 'l1', product: 'twilio/inbound_local', quantities: { minutes: 2 }, doubt: 'leg_goes_on' },
    { source: 'l1/forward', product: 'twilio/outbound', quantities: { minutes: 0 }, doubt: 'leg_unseen' },
  ]);
});

test.each([
  ['answered for a moment', [5_000, 5_300], { seconds: 0.3, minutes: 1 }, 14_000_000],
  ['answered', [5_000, 66_000], { seconds: 61, minutes: 2 }, 28_000_000],
  ['not answered', [null, 30_000], { seconds: 0, minutes: 0 }, 0],
] as const)('a call of ours that was %s', (_, [answeredMs, endedMs], quantities, costNanoUsd) => {
  const { happened, finish } = bill({ incoming: { direction: 'outbound' } });
  if (answeredMs !== null) happened({ type: 'leg.started' }, answeredMs);
  expect(finish(endedMs).lines.find(({ what }) => what === 'leg')).toMatchObject({
    product: 'twilio/outbound',
    quantities,
    costNanoUsd,
  });
});

const tool = (part: Partial<Tool>): Tool => ({
  name: 'credit_check',
  description: 'Checks.',
  parameters: { type: 'object' },
  run: () => 'ok',
  ...part,
});
const called: UnstampedEvent = {
  type: 'tool.called',
  toolCall: 'c1',
  name: 'credit_check',
  arguments: '{}',
  answer: 'a1',
};
const settled = (status: string): UnstampedEvent => ({ type: 'tool.settled', toolCall: 'c1', status, output: '' });

test.each([
  ['ok', [['tool', 'credit_check', 25_000_000, null]]],
  ['failed', [['tool', 'credit_check', 25_000_000, 'tool_failed']]],
  ['timed_out', [['tool', 'credit_check', 25_000_000, 'tool_timed_out']]],
  ['invalid', []],
  ['unknown', []],
] as const)('a run of a tool with a price that is %s: %j', (status, expected) => {
  const { happened, finish } = bill({ agent: { tools: [tool({ priceUsd: 0.025 })] } });
  happened(called);
  happened(settled(status));
  // It is told twice by nobody, but would be charged once.
  happened(settled(status));
  const lines = finish(1_000).lines.filter(({ what }) => what === 'tool');
  expect(lines.map(({ seller, product, costNanoUsd, doubt }) => [seller, product, costNanoUsd, doubt])).toEqual(
    expected,
  );
  for (const { priceBook, unitPrice } of lines) {
    expect(priceBook).toBe('clinic.yaml aaaaaaaaaaaa');
    expect(unitPrice).toEqual({ per: 'piece', nanoUsd: 25_000_000 });
  }
});

test('a tool that runs when the call ends may be billed; one without a price is not', () => {
  const tools = [tool({ priceUsd: 0.025 }), tool({ name: 'lookup' })];
  const { happened, caused, finish } = bill({ agent: { tools } });
  happened(called);
  happened({ ...called, toolCall: 'c2', name: 'lookup' } as UnstampedEvent);
  caused({ do: 'tool.abort', toolCall: 'c1' });
  caused({ do: 'tool.abort', toolCall: 'c2' });
  expect(finish(1_000).lines.map(({ what, source, doubt }) => [what, source, doubt])).toEqual([
    ['tool', 'c1', 'tool_aborted'],
    ['leg', 'l1', null],
  ]);
});

test('an answer that ended without usage is charged at once, not at the end of the call', () => {
  const { happened, told } = bill();
  happened({ type: 'answer.started', answer: 'a1' });
  happened(ended('a1', 'completed'), 1_000);
  expect(answersOf(told)).toMatchObject([['a1', 'gpt-realtime-2.1', 'openai', 'estimated', 'usage_missing']]);
});

test('an answer that was lost before its first sound is a line too, with what it must have been sent', () => {
  const { happened, caused, told } = bill({ receivedMs: 0 });
  const tokens = { unit: 'tokens', textIn: 100, audioIn: 50, imageIn: 0, textOut: 7, audioOut: 20 };
  const cached = { cachedTextIn: 0, cachedAudioIn: 0, cachedImageIn: 0 };
  caused(used('a1', { ...tokens, ...cached } as Partial<Usage>));
  happened({ type: 'answer.started', answer: 'a2' });
  happened(lost, 2_000);
  expect(told.at(-1)).toMatchObject({
    ...{ source: 'a2', state: 'estimated', doubt: 'session_lost' },
    quantities: { text: { fresh: 7, cached: 100, out: 0 }, audio: { fresh: 20, cached: 50, out: 0 } },
  });
});

test('an id that the next session uses again is another answer', () => {
  const { caused, finish } = bill();
  caused(used('resp_1'));
  caused(used('resp_1'));
  caused(used('resp_1'), 5_000, { session: 's2' });
  const { lines } = finish(9_000);
  expect(answersOf(lines).map(([source]) => source)).toEqual(['resp_1', 's2/resp_1']);
});
