// How late the event loop runs of late: a stall shows, one alone does not, and what is past is forgotten. Real stalls of the
// real loop, measured by the process itself.
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchRecentLoop } from '../../src/metrics/event-loop.ts';

const HALF_WINDOW_MS = 300;

/** Keeps the CPU to itself. */
function stall(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs; );
}

test('stalls that come again and again show, and are forgotten when they are over', { timeout: 20_000 }, async () => {
  const loop = watchRecentLoop(HALF_WINDOW_MS);
  try {
    expect(loop.p99Ms()).toBe(0);
    // Until the stalls fill what is read; each lets the loop run for a moment.
    let worst = 0;
    for (const endMs = performance.now() + 10_000; worst < 60 && performance.now() < endMs; worst = loop.p99Ms()) {
      stall(100);
      await after(1);
    }
    expect(worst).toBeGreaterThan(60);
    expect(worst).toBeLessThan(1_000);
    let calm = worst;
    for (const endMs = performance.now() + 10_000; calm > 40 && performance.now() < endMs; calm = loop.p99Ms())
      await after(50);
    expect(calm).toBeLessThan(40);
  } finally {
    loop.close();
  }
});

test('nothing is said before half a window was seen', async () => {
  const loop = watchRecentLoop(60_000);
  for (let i = 0; i < 3; i++) {
    stall(60);
    await after(1);
  }
  expect(loop.p99Ms()).toBe(0);
  loop.close();
});
