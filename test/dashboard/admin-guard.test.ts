// Who carries the operators' token, and what becomes of those who try others.
import { expect, test } from 'vitest';
import { AdminGuard, MAX_FAILED_CLIENTS } from '../../src/dashboard/admin-guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

const TOKEN = 'a-token-of-sixteen';
const RIGHT = `Bearer ${TOKEN}`;

function guarded() {
  const clock = new FakeClock();
  return { clock, guard: new AdminGuard({ token: TOKEN, clock }) };
}

/** How many of so many wrong tokens were looked at. */
const lookedAt = (guard: AdminGuard, client: string, tries: number): number =>
  Array.from({ length: tries }, () => guard.check('Bearer no', client)).filter((outcome) => outcome === 'refused')
    .length;

test('passes the token, whatever the case of its scheme', () => {
  const { guard } = guarded();
  expect(guard.check(RIGHT, '192.0.2.1')).toBe('passed');
  expect(guard.check(`bearer   ${TOKEN}`, '192.0.2.1')).toBe('passed');
  expect(guard.check(`Bearer ${TOKEN.toUpperCase()}`, '192.0.2.1')).toBe('refused');
  expect(guard.check(undefined, '192.0.2.1')).toBe('refused');
});

test('five failures at once and five a second are looked at, however many are tried', () => {
  const { clock, guard } = guarded();
  expect(lookedAt(guard, '192.0.2.1', 100)).toBe(5);
  let seen = 0;
  for (let ms = 0; ms < 10_000; ms += 50) {
    clock.advance(50);
    seen += lookedAt(guard, '192.0.2.1', 3);
  }
  expect(seen).toBe(50);
});

test('who has the token may ask as often as they like', () => {
  const { guard } = guarded();
  for (let i = 0; i < 1_000; i++) expect(guard.check(RIGHT, '192.0.2.1')).toBe('passed');
  expect(guard.failedClients).toBe(0);
});

test('the addresses of one IPv6 network are one client, those of another are not', () => {
  const { guard } = guarded();
  expect(lookedAt(guard, '2001:db8:1:2::1', 5)).toBe(5);
  expect(guard.check(RIGHT, '2001:db8:1:2:ffff::9')).toBe('throttled');
  expect(guard.check(RIGHT, '2001:db8:1:3::1')).toBe('passed');
  expect(lookedAt(guard, '::ffff:192.0.2.1', 5)).toBe(5);
  expect(guard.check(RIGHT, '::ffff:192.0.2.2')).toBe('passed');
});

test('what is remembered has a bound, and failures are forgotten', () => {
  const { clock, guard } = guarded();
  for (let i = 0; i < MAX_FAILED_CLIENTS + 50; i++) guard.check(undefined, `client-${i}`);
  expect(guard.failedClients).toBe(MAX_FAILED_CLIENTS);
  clock.advance(1_000);
  guard.check(undefined, 'one more');
  expect(guard.failedClients).toBe(1);
});
