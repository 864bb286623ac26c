// Rate limits as the endpoint reports them, and when new calls have to wait for them.
import { expect, test } from 'vitest';
import { ModelHealth } from '../../src/realtime/model-health.ts';
import { type RateLimitFact, Throttle } from '../../src/realtime/throttle.ts';
import { FakeClock } from '../support/fake-clock.ts';

const fact = (remaining: number, resetSeconds: number, part: Partial<RateLimitFact> = {}): RateLimitFact => ({
  ...{ name: 'tokens', limit: 200_000, remaining, resetSeconds },
  ...part,
});

function desk() {
  const clock = new FakeClock();
  return { clock, throttle: new Throttle({ clock }) };
}

test('nothing reported, nothing throttled', () => {
  expect(desk().throttle.throttled).toBe(false);
});

test.each([
  [200_000, 0, false],
  [20_000, 54, false],
  [19_999, 54, true],
  [0, 60, true],
  [-3, 60, true],
])('with %i of 200,000 tokens left throttled is %s', (remaining, resetSeconds, throttled) => {
  const { throttle } = desk();
  throttle.updated([fact(remaining, resetSeconds)]);
  expect(throttle.throttled).toBe(throttled);
});

test('any limit that is low is enough', () => {
  const { throttle } = desk();
  throttle.updated([fact(200_000, 0), fact(10, 59, { name: 'requests', limit: 5_000 })]);
  expect(throttle.throttled).toBe(true);
});

test('ends when the limit has filled up to a tenth, which is before it is full', () => {
  const { clock, throttle } = desk();
  // Empty, and full again in a minute: a tenth of it is there after six seconds.
  throttle.updated([fact(0, 60)]);
  clock.advance(5_999);
  expect(throttle.throttled).toBe(true);
  clock.advance(1);
  expect(throttle.throttled).toBe(false);
});

test.each([
  ['a limit of a day', fact(0, 86_400)],
  ['a reset in thirty years', fact(0, 1e9)],
  ['less than nothing, for ever', fact(-5, 1e308, { limit: 1e308 })],
])('%s closes the door for a minute; then it has to be reported again', (_what, told) => {
  const { clock, throttle } = desk();
  throttle.updated([told]);
  clock.advance(59_999);
  expect(throttle.throttled).toBe(true);
  clock.advance(1);
  expect(throttle.throttled).toBe(false);
  throttle.updated([told]);
  expect(throttle.throttled).toBe(true);
});

test('the latest report counts', () => {
  const { throttle } = desk();
  throttle.updated([fact(0, 60)]);
  throttle.updated([fact(150_000, 15)]);
  expect(throttle.throttled).toBe(false);
});

test('what cannot be true is passed over', () => {
  const { throttle } = desk();
  throttle.updated([fact(0, Number.NaN), fact(0, -1), fact(0, 60, { limit: 0 }), fact(Number.NaN, 60)]);
  expect(throttle.throttled).toBe(false);
});

test('a server that invents names does not fill the memory, and the limits it reports go on counting', () => {
  const { throttle } = desk();
  for (let i = 0; i < 1_000; i++) throttle.updated([fact(200_000, 0, { name: `limit ${i}` })]);
  throttle.updated([fact(0, 60)]);
  for (let i = 0; i < 15; i++) throttle.updated([fact(200_000, 0, { name: `limit ${i}` })]);
  expect(throttle.throttled).toBe(true);
  throttle.updated([fact(200_000, 0, { name: 'one more' })]);
  expect(throttle.throttled).toBe(false);
});

test('endpoints have a health each, and admission reads "open" while a probe is out', () => {
  const clock = new FakeClock();
  const changes: string[] = [];
  const health = new ModelHealth({ clock, changed: (...change) => changes.push(change.join(' ')) });
  const { circuit, throttle } = health.of('eu model');
  throttle.updated([fact(0, 60)]);
  for (let i = 0; i < 5; i++) circuit.failed('timeout');
  expect(health.read('eu model')).toEqual({ circuit: 'open', throttled: true });
  expect(health.read('us model')).toEqual({ circuit: 'closed', throttled: false });
  clock.advance(6_000);
  expect(health.read('eu model')).toEqual({ circuit: 'half_open', throttled: false });
  expect(circuit.tryAcquire()).toBe(true);
  expect(health.read('eu model')).toMatchObject({ circuit: 'open' });
  circuit.succeeded();
  expect(health.read('eu model')).toMatchObject({ circuit: 'closed' });
  expect(changes).toEqual(['eu model open timeout', 'eu model closed ']);
});
