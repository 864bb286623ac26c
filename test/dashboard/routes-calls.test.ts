// The routes that the database answers: the list narrowed and sorted in every way, its cursor, its sums, one call.
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callRoutes } from '../../src/dashboard/routes/calls.ts';
import type { CallAnswer } from '../../src/dashboard/schemas/call.ts';
import type { Database } from '../../src/store/database.ts';
import type { CallSummary } from '../../src/store/queries/calls.ts';
import type { Store } from '../../src/store/store.ts';
import { askOf, inMemory, seed, write, type Seeded, type SeededCall } from '../costs/seed.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { AUTHORIZED, describes, get, refusal, serve, storeOf, watched } from './routes-served.ts';

const seeded: Seeded = seed({ calls: 60, days: 3, answers: 2 });
for (const [i, call] of seeded.calls.entries())
  Object.assign(call, {
    direction: i % 4 === 0 ? 'outbound' : 'inbound',
    result: call.ended_ms === null ? null : i % 5 === 0 ? 'failure' : 'success',
    latency_ms: i % 3 === 0 ? null : 500 + 7 * i,
    disposition: i % 6 === 0 ? 'booked' : null,
  });

let db: Database;
let app: FastifyInstance;
let all: CallSummary[];

beforeAll(async () => {
  db = await inMemory();
  await write(db, seeded);
  app = await serve(callRoutes(storeOf(askOf(db)), new FakeClock()));
  all = await walked('');
});
afterAll(async () => {
  await app.close();
  await db.destroy();
});

interface Page {
  calls: CallSummary[];
  next: string | null;
  count: number;
}

async function page(query: string): Promise<Page> {
  const answer = await get(app, `/calls?${query}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
}

/** All calls of a list, page by page. */
async function walked(query: string, limit = 7): Promise<CallSummary[]> {
  const calls: CallSummary[] = [];
  let next: string | null = '';
  while (next !== null) {
    const cursor: string = next === '' ? '' : `&cursor=${next}`;
    const found: Page = await page(`${query}&limit=${limit}${cursor}`);
    calls.push(...found.calls);
    next = found.next;
    if (next === null) expect(found.count, 'the last page still says how many').toBe(calls.length);
  }
  return calls;
}

const ids = (calls: readonly CallSummary[]): string[] => calls.map(({ callId }) => callId).toSorted();

test('the list is walked, each call once, the newest first', () => {
  expect(all.map(({ callId }) => callId)).toEqual(
    seeded.calls.toSorted((a, b) => b.admitted_ms - a.admitted_ms).map(({ call_id }) => call_id),
  );
});

const first = seeded.calls[0] as SeededCall;
const [some] = seeded.calls.filter(({ ended_ms, from_value }) => ended_ms !== null && from_value !== null);
const middle = seeded.calls.map(({ admitted_ms }) => admitted_ms).toSorted((a, b) => a - b)[30] as number;

test.each<[query: string, fits: (call: CallSummary) => boolean]>([
  [`since=${middle}`, ({ admittedWallMs }) => admittedWallMs >= middle],
  [`until=${middle}`, ({ admittedWallMs }) => admittedWallMs < middle],
  [`since=${new Date(middle).toISOString()}`, ({ admittedWallMs }) => admittedWallMs >= middle],
  ['until=2026-11-02T00:00:00+01:00', ({ admittedWallMs }) => admittedWallMs < Date.UTC(2026, 10, 1, 23)],
  ['day=2026-11-02', ({ admittedWallMs }) => new Date(admittedWallMs).toISOString().startsWith('2026-11-02')],
  [`agent=${encodeURIComponent(some?.agent ?? '')}`, ({ agent }) => agent === some?.agent],
  ['direction=outbound', ({ direction }) => direction === 'outbound'],
  [`from=${encodeURIComponent(some?.from_value ?? '')}`, ({ from }) => from.value === some?.from_value],
  [`from=${some?.from_value}`, ({ from }) => from.value === some?.from_value],
  ['number=0001', ({ from }) => from.value?.includes('0001') ?? false],
  ['number=%2B1%20(555)%20000-0001', ({ from }) => from.value === '+15550000001'],
  ['number=+15550000001', ({ from }) => from.value === '+15550000001'],
  ['number=%2B15550000001', ({ from }) => from.value === '+15550000001'],
  ['reason=agent_goodbye', ({ reason }) => reason === 'agent_goodbye'],
  ['reason=agent_goodbye,model_lost', ({ reason }) => reason === 'agent_goodbye' || reason === 'model_lost'],
  ['result=failure', ({ result }) => result === 'failure'],
  ['min_seconds=100.5', ({ durationMs }) => durationMs !== null && durationMs >= 100_500],
  ['max_seconds=100', ({ durationMs }) => durationMs !== null && durationMs <= 100_000],
  ['min_usd=0.05', ({ cost }) => cost.nanoUsd >= 50_000_000],
  ['max_usd=0.05', ({ cost }) => cost.nanoUsd <= 50_000_000],
  ['min_latency_ms=700', ({ latencyMs }) => latencyMs !== null && latencyMs >= 700],
  ['max_latency_ms=700', ({ latencyMs }) => latencyMs !== null && latencyMs <= 700],
  ['disposition=booked', ({ disposition }) => disposition === 'booked'],
  ['words=friday%20slot', () => true],
  ['words=zebra', () => false],
  [
    'direction=inbound&result=success&min_latency_ms=600',
    (c) => c.direction === 'inbound' && c.result === 'success' && (c.latencyMs ?? 0) >= 600,
  ],
])('?%s narrows the list, its count and its sums', async (query, fits) => {
  const found = await walked(query);
  const expected = all.filter(fits);
  expect(ids(found)).toEqual(ids(expected));
  if (!query.startsWith('words=')) expect(expected.length).toSatisfy((n: number) => n > 0 && n < all.length);
  const stats = (await get(app, `/calls/stats?${query}`)).json();
  expect([stats.calls, stats.failures]).toEqual([
    expected.length,
    expected.filter(({ result }) => result === 'failure').length,
  ]);
});

test.each(['admitted', 'duration', 'cost', 'latency', 'quality'])(
  'sorted by %s in either order, what has none last',
  async (sort) => {
    const valueOf = (call: CallSummary): number | null =>
      ({
        ...{ admitted: call.admittedWallMs, duration: call.durationMs, cost: call.cost.nanoUsd },
        ...{ latency: call.latencyMs, quality: call.quality },
      })[sort] ?? null;
    for (const order of ['asc', 'desc']) {
      const found = await walked(`sort=${sort}&order=${order}`);
      expect(ids(found)).toEqual(ids(all));
      const values = found.map(valueOf);
      const some = values.filter((value) => value !== null);
      expect(some).toEqual(some.toSorted((a, b) => (order === 'asc' ? a - b : b - a)));
      expect(values.slice(some.length).every((value) => value === null)).toBe(true);
    }
  },
);

test('a cursor holds for its own list only', async () => {
  const { next } = await page('sort=cost&limit=5&agent=Night%20Desk');
  expect(next).not.toBe(null);
  for (const query of ['sort=cost&limit=5', 'sort=cost&order=asc&agent=Night%20Desk', 'agent=Night%20Desk', ''])
    expect(await refusal(app, `/calls?${query}&cursor=${next}`)).toEqual([
      400,
      expect.stringContaining('another filter, sort or order'),
    ]);
  // Another size of the page is the same list.
  expect((await page(`sort=cost&agent=Night%20Desk&limit=9&cursor=${next}`)).calls).not.toEqual([]);
});

const forged = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');

test.each([
  ['limit=0', 'limit: expected a whole number from 1 to 200'],
  ['limit=', 'limit: expected a whole number from 1 to 200'],
  ['limit=1.5', 'limit: expected a whole number from 1 to 200'],
  ['since=yesterday', 'since: expected Unix milliseconds, or a time as 2026-11-21T09:00:00Z'],
  ['since=2026-02-31T99:00:00Z', 'since: expected Unix milliseconds'],
  ['since=999999999999999', 'since: expected Unix milliseconds'],
  ['since=2&until=1', 'since: expected no more than until'],
  ['min_seconds=5&max_seconds=4', 'min_seconds: expected no more than max_seconds'],
  ['min_usd=5&max_usd=4', 'min_usd: expected no more than max_usd'],
  ['min_latency_ms=5&max_latency_ms=4', 'min_latency_ms: expected no more than max_latency_ms'],
  ['min_seconds=', 'min_seconds: expected a number from 0'],
  ['min_usd=-1', 'min_usd: expected a number from 0'],
  ['max_usd=Infinity', 'max_usd: expected a number from 0'],
  ['min_latency_ms=1e99', 'min_latency_ms: expected a whole number'],
  ['day=2026-02-30', 'day: expected a day as 2026-11-21'],
  ['day=2026-11-01&day=2026-11-02', 'day: expected'],
  ['number=12ab', 'number: expected 2 to 20 digits'],
  [`number=${'1'.repeat(21)}`, 'number: expected 2 to 20 digits'],
  ['reason=bored', 'reason: expected one of agent_goodbye,'],
  ['reason=agent_goodbye,', 'reason: expected one of agent_goodbye,'],
  ['result=fine', 'result: expected success or failure'],
  ['direction=up', 'direction: expected inbound or outbound'],
  ['sort=name', 'sort: expected admitted, duration, cost, latency or quality'],
  ['order=up', 'order: expected asc or desc'],
  ['words=a%00b', 'words: expected words'],
  [`words=${'a'.repeat(201)}`, 'words: expected words, at most 200'],
  ['agent=', 'agent: expected the name of an agent'],
  ['disposition=%00', 'disposition: expected'],
  ['dya=2026-11-01', 'dya: no such parameter; known are since, until, day, agent,'],
  ['cursor=abc', 'cursor: expected the `next` of the page before'],
  [`cursor=${forged(2, 'x', 1, 'a\0b', 1)}`, 'cursor: expected the `next` of the page before'],
  [`cursor=${forged(2, 'x', '1', 'a', 1)}`, 'cursor: expected the `next` of the page before'],
  [`cursor=${forged(2, 'x', 1e300, 'a', 1)}`, 'cursor: expected the `next` of the page before'],
  [`cursor=${forged(2, 'x', 1, 'a', -1)}`, 'cursor: expected the `next` of the page before'],
  [`cursor=${Buffer.from('null').toString('base64url')}`, 'cursor: expected the `next` of the page before'],
  [`cursor=${'a'.repeat(501)}`, 'cursor: expected the `next` of the page before'],
])('?%s is refused and says what was expected', async (query, message) => {
  expect(await refusal(app, `/calls?${query}`)).toEqual([400, expect.stringContaining(message)]);
});

test.each(['"', "'", '*', 'NEAR(a b)', 'a AND', '-', '%', '\\', 'said:x', '(', '😀', "x' or '1'='1"])(
  'words %s are only words',
  async (words) => {
    const found = await page(`words=${encodeURIComponent(words)}`);
    expect(found.count).toBe(found.calls.length);
  },
);

test('all that a description says is true, and nothing leaves that it does not have', async () => {
  const { call_id: id } = first;
  await describes(app, '/calls', '/calls');
  await describes(app, '/calls/stats', '/calls/stats');
  await describes(app, '/calls/facets', '/calls/facets');
  await describes(app, '/calls/{id}', `/calls/${id}`);
  await describes(app, '/calls/{id}/bill', `/calls/${id}/bill`);
});

test('what a list may be narrowed by is what calls there are have', async () => {
  const facets = (await get(app, '/calls/facets')).json();
  const known = (name: 'agent' | 'reason' | 'disposition') =>
    [...new Set(seeded.calls.flatMap((call) => call[name] ?? []))].toSorted();
  expect(facets).toEqual({ agents: known('agent'), reasons: known('reason'), dispositions: known('disposition') });
});

test('a call comes with its words, its tools, and the parts of each wait', async () => {
  const { call_id: id } = first;
  const call = (await get(app, `/calls/${id}`)).json();
  expect(call).toMatchObject({
    turns: [
      { who: 'agent', latency: null },
      // Kept by an older version: of its latency there is only the whole.
      { said: 'I need a slot on Friday.', latency: null, voiceToVoiceMs: 812 },
      { unheard: 'or at ten?', outcome: 'interrupted' },
    ],
    tools: [{ name: 'find_slot' }],
  });
});

test.each(['/calls/nobody', '/calls/nobody/bill', '/calls/nobody/agent'])('%s is not there', async (url) => {
  expect(await refusal(app, url)).toEqual([404, 'There is no such call.']);
});

test('a call whose agent file nobody kept says so; one whose was kept shows it', async () => {
  const { call_id: id, agent_hash: hash } = first;
  expect(await refusal(app, `/calls/${id}/agent`)).toEqual([404, 'The agent file of this call was not kept.']);
  await askOf(db)('applyEvents', [
    { type: 'agent.known', hash, name: 'Clinic', file: 'clinic.yaml', text: 'agent: Clinic\n', atWallMs: 5 },
  ]);
  await describes(app, '/calls/{id}/agent', `/calls/${id}/agent`);
});

test('a call of 5,000 turns is whole, and holds nothing up while it is printed', async () => {
  const latency = {
    ...{ turn: 't', endOfTurnWaitMs: 400, endOfTurnFrom: 'input_clock', modelMs: 300, toolsMs: 0, ourMs: 0.2 },
    ...{ queuedMs: 0, carrierMs: 30, answerMs: 301, voiceToVoiceMs: 730 },
  };
  const id = 'long-call';
  await db
    .insertInto('calls')
    .values({ ...first, call_id: id, carrier_call_id: 'CAlong' })
    .execute();
  const words = 'The quick "brown" fox jumps over the lazy dog. '.repeat(4);
  const turns = Array.from({ length: 5_000 }, (_, turn) => ({
    ...{ call_id: id, turn, who: turn % 2 === 0 ? 'agent' : 'caller', at_ms: turn * 700, said: words, heard: words },
    facts: JSON.stringify({
      outcome: 'heard',
      heardMs: 500,
      receivedMs: 500,
      latency: turn % 2 === 0 ? null : latency,
    }),
  }));
  for (let at = 0; at < turns.length; at += 500)
    await db
      .insertInto('turns')
      .values(turns.slice(at, at + 500))
      .execute();
  const kept = await askOf(db)('readCall', { callId: id });
  const routes = callRoutes(storeOf((() => Promise.resolve({ ...kept, extra: 'SECRET' })) as unknown as Store['ask']));
  const served = await serve(routes);
  const origin = await served.listen({ port: 0, host: '127.0.0.1' });
  const { answer, turns: others } = await watched(async () => {
    const { headers, body } = await fetch(`${origin}/api/calls/${id}`, { headers: AUTHORIZED });
    let text = '';
    for await (const piece of body ?? []) text += Buffer.from(piece).toString('latin1');
    return { headers, text };
  });
  await served.close();
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(answer.text).not.toContain('SECRET');
  const call = JSON.parse(answer.text) as CallAnswer;
  expect(call.turns).toEqual(kept?.turns);
  // Pieces of 50 turns.
  expect(others).toBeGreaterThan(100);
});

test('the description tells every parameter, what it means and how far it goes', async () => {
  const { paths } = (await get(app, '/openapi.json')).json();
  const parameters: { name: string; description?: string; schema: object }[] = paths['/calls'].get.parameters;
  expect(parameters.length).toBeGreaterThan(20);
  for (const { name, description } of parameters) expect(description, name).toMatch(/\w/);
  expect(parameters.find(({ name }) => name === 'limit')?.schema).toEqual({
    ...{ type: 'integer', minimum: 1, maximum: 200, default: 50 },
  });
  expect(Object.keys(paths['/calls.csv'].get.responses['200'].content)).toEqual(['text/csv']);
  expect((await page('')).calls).toHaveLength(50);
});
