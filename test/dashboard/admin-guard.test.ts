// What becomes of those who keep trying tokens and codes.
import { expect, test } from 'vitest';
import { AdminGuard, clientOf, MAX_FAILED_CLIENTS } from '../../src/dashboard/admin-guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

const HERE = '192.0.2.1';

function guarded() {
  const clock = new FakeClock();
  const lockedOut: string[] = [];
  const guard = new AdminGuard({ clock, lockedOut: (tries, ms) => lockedOut.push(`${tries} tries, ${ms} ms`) });
  const wrong = (client = HERE) => guard.try(client, () => false);
  const right = (client = HERE) => guard.try(client, () => true);
  return { clock, guard, lockedOut, wrong, right };
}

test('after five wrong tries in a row none is looked at for 30 s, not even a right one', () => {
  const { clock, guard, wrong, right, lockedOut } = guarded();
  expect(Array.from({ length: 5 }, () => wrong())).toEqual(Array(5).fill('refused'));
  let looked = false;
  expect(guard.try(HERE, () => (looked = true))).toEqual({ lockedMs: 30_000 });
  expect(looked).toBe(false);
  clock.advance(29_999);
  expect(right()).toEqual({ lockedMs: 1 });
  clock.advance(1);
  expect(right()).toBe('passed');
  expect(lockedOut).toEqual(['5 tries, 30000 ms']);
  expect(guard.failedClients).toBe(0);
});

test('each further wrong one costs twice as long, up to 15 minutes', () => {
  const { clock, wrong } = guarded();
  for (let i = 0; i < 4; i++) wrong();
  const locks: number[] = [];
  for (let i = 0; i < 8; i++) {
    expect(wrong()).toBe('refused');
    const { lockedMs } = wrong() as { lockedMs: number };
    locks.push(lockedMs / 1_000);
    clock.advance(lockedMs);
  }
  expect(locks).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
});

test('a right one ends the row, and so does a quarter of an hour without a wrong one', () => {
  const { clock, wrong, right } = guarded();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 4; i++) expect(wrong()).toBe('refused');
    expect(right()).toBe('passed');
  }
  for (let i = 0; i < 4; i++) wrong();
  clock.advance(15 * 60_000);
  for (let i = 0; i < 4; i++) expect(wrong()).toBe('refused');
  expect(right()).toBe('passed');
});

test('one client is locked out, others are not', () => {
  const { wrong, right } = guarded();
  for (let i = 0; i < 5; i++) wrong();
  expect(right('192.0.2.2')).toBe('passed');
  expect(right()).toHaveProperty('lockedMs');
});

test('the addresses of one IPv6 network are one client, those of another are not', () => {
  const network = clientOf('2001:db8:1:2::1', undefined);
  expect(clientOf('2001:db8:1:2:ffff::9', undefined)).toBe(network);
  expect(clientOf('2001:db8:1:3::1', undefined)).not.toBe(network);
  expect(clientOf('::ffff:192.0.2.1', undefined)).not.toBe(clientOf('::ffff:192.0.2.2', undefined));
});

test('a proxy on this machine speaks for its clients, nobody else does, and only what it appended itself counts', () => {
  for (const proxy of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    expect(clientOf(proxy, '203.0.113.9')).toBe('203.0.113.9');
    expect(clientOf(proxy, '198.51.100.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(clientOf(proxy, ['198.51.100.1', '2001:db8:1:2::7'])).toBe(clientOf('2001:db8:1:2::8', undefined));
    // Some append the port too: another one for each connection.
    expect(clientOf(proxy, '203.0.113.9:50123')).toBe('203.0.113.9');
    expect(clientOf(proxy, '[2001:db8:1:2::7]:50123')).toBe(clientOf('2001:db8:1:2::8', undefined));
    expect(clientOf(proxy, undefined)).toBe(clientOf(proxy, ''));
    expect(clientOf(proxy, 'x'.repeat(5_000))).toBe(clientOf(proxy, ''));
  }
  expect(clientOf('198.51.100.1', '203.0.113.9')).toBe('198.51.100.1');
  expect(clientOf('10.0.0.7', '203.0.113.9')).toBe('10.0.0.7');
});

test('what is remembered has a bound, and is forgotten', () => {
  const { clock, guard, wrong } = guarded();
  for (let i = 0; i < MAX_FAILED_CLIENTS + 50; i++) wrong(`client-${i}`);
  expect(guard.failedClients).toBe(MAX_FAILED_CLIENTS);
  clock.advance(15 * 60_000);
  wrong('one more');
  expect(guard.failedClients).toBe(1);
});
