// The circuit breaker: when it opens, how long it stays open, who may try meanwhile.
import { describe, expect, test } from 'vitest';
import { Circuit } from '../../src/realtime/circuit.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A jitter of nothing: 0.5 lies in the middle. */
function desk(random = () => 0.5) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const circuit = new Circuit({ clock, random, changed: (state, detail) => changes.push(`${state} ${detail}`.trim()) });
  const fail = (times: number, everyMs = 0) => {
    for (let i = 0; i < times; i++) {
      if (i > 0) clock.advance(everyMs);
      circuit.failed('503');
    }
  };
  /** Lets pause after pause pass without a success, and tells how long each was. */
  const pauseMs = () => {
    let ms = 0;
    for (; circuit.state === 'open'; ms += 100) clock.advance(100);
    return ms;
  };
  return { clock, circuit, changes, fail, pauseMs };
}

describe('closed', () => {
  test('lets everybody try', () => {
    const { circuit } = desk();
    expect(circuit.state).toBe('closed');
    expect([circuit.tryAcquire(), circuit.tryAcquire(), circuit.tryAcquire()]).toEqual([true, true, true]);
  });

  test('opens at the fifth failure in a row, and says why', () => {
    const { circuit, changes, fail } = desk();
    fail(4);
    expect(circuit.state).toBe('closed');
    fail(1);
    expect(circuit.state).toBe('open');
    expect(circuit.tryAcquire()).toBe(false);
    expect(changes).toEqual(['open 503']);
  });

  test('a success in between begins the row anew', () => {
    const { circuit, fail } = desk();
    fail(4);
    circuit.succeeded();
    fail(4);
    expect(circuit.state).toBe('closed');
  });

  test('five failures within 30 s open it, five in more time do not, the latest five count', () => {
    const { circuit, clock, fail } = desk();
    fail(5, 7_501);
    expect(circuit.state).toBe('closed');
    clock.advance(7_499);
    fail(1);
    // 30,002 ms since the second of the six.
    expect(circuit.state).toBe('closed');
    fail(1);
    expect(circuit.state).toBe('open');
  });

  test('five failures in exactly 30 s open it', () => {
    const { circuit, fail } = desk();
    fail(5, 7_500);
    expect(circuit.state).toBe('open');
  });
});

describe('open', () => {
  test('half opens after 5 s', () => {
    const { clock, circuit, fail } = desk();
    fail(5);
    clock.advance(4_999);
    expect(circuit.state).toBe('open');
    clock.advance(1);
    expect(circuit.state).toBe('half_open');
  });

  test('late failures of earlier tries do not make it longer', () => {
    const { clock, circuit, fail } = desk();
    fail(5);
    clock.advance(4_000);
    fail(20);
    clock.advance(1_000);
    expect(circuit.state).toBe('half_open');
  });

  test('a late success of an earlier try closes it', () => {
    const { circuit, changes, fail } = desk();
    fail(5);
    circuit.succeeded();
    expect(circuit.state).toBe('closed');
    expect(changes).toEqual(['open 503', 'closed']);
  });

  test('each failed probe doubles the pause, up to a minute', () => {
    const { circuit, fail, pauseMs } = desk();
    fail(5);
    const pauses = [];
    for (let i = 0; i < 6; i++) {
      pauses.push(pauseMs());
      expect(circuit.tryAcquire()).toBe(true);
      circuit.failed('still down');
    }
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test('after a success the next pause is short again', () => {
    const { circuit, fail, pauseMs } = desk();
    fail(5);
    pauseMs();
    circuit.tryAcquire();
    circuit.failed('still down');
    pauseMs();
    circuit.tryAcquire();
    circuit.succeeded();
    fail(5);
    expect(pauseMs()).toBe(5_000);
  });

  test.each([
    [0, 4_000],
    [1, 6_000],
  ])('jitter of %s makes the first pause %s ms', (random, ms) => {
    const { fail, pauseMs } = desk(() => random);
    fail(5);
    expect(pauseMs()).toBe(ms);
  });
});

describe('half open', () => {
  test('lets one try', () => {
    const { clock, circuit, fail } = desk();
    fail(5);
    clock.advance(5_000);
    expect(circuit.available).toBe(true);
    expect([circuit.tryAcquire(), circuit.tryAcquire()]).toEqual([true, false]);
    expect(circuit.available).toBe(false);
    expect(circuit.state).toBe('half_open');
  });

  test('a probe that succeeds lets everybody in', () => {
    const { clock, circuit, changes, fail } = desk();
    fail(5);
    clock.advance(5_000);
    circuit.tryAcquire();
    circuit.succeeded();
    expect([circuit.tryAcquire(), circuit.tryAcquire()]).toEqual([true, true]);
    expect(changes).toEqual(['open 503', 'closed']);
  });

  test('a probe that never says how it ended makes room for another', () => {
    const { clock, circuit, fail } = desk();
    fail(5);
    clock.advance(5_000);
    circuit.tryAcquire();
    clock.advance(9_999);
    expect(circuit.tryAcquire()).toBe(false);
    clock.advance(1);
    expect(circuit.tryAcquire()).toBe(true);
    expect(circuit.tryAcquire()).toBe(false);
  });

  test('after a failed probe the next pause has a probe of its own', () => {
    const { clock, circuit, fail } = desk();
    fail(5);
    clock.advance(5_000);
    circuit.tryAcquire();
    circuit.failed('still down');
    expect(circuit.tryAcquire()).toBe(false);
    clock.advance(10_000);
    expect(circuit.tryAcquire()).toBe(true);
  });
});
