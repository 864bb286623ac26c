// Five hundred callers who hang up at once, at every moment of a call's beginning: afterwards nothing of them is left.
import { createHook } from 'node:async_hooks';
import { readdirSync, readlinkSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { PhoneCall } from '../../src/phone/phone.ts';
import { startE2e } from '../support/e2e.ts';

const CALLS = 500;
const AT_ONCE = 25;

/** When the caller hangs up. */
const MOMENTS: Record<string, (phone: PhoneCall) => Promise<unknown> | undefined> = {
  'before the webhook is answered': () => Promise.resolve(),
  'while the media socket opens': (phone) => phone.once('verb'),
  'right after the start': (phone) => phone.once('streaming'),
  'in the middle of the greeting': (phone) => phone.once('firstAudio'),
  'after losing the connection': (phone) => phone.once('streaming'),
};

test(`${CALLS} quick calls leave no socket, timer or session`, { timeout: 60_000 }, async () => {
  const timers = watchTimers();
  const e2e = await startE2e({ config: { maxConcurrentCalls: 2 * AT_ONCE } });
  try {
    const before = { sockets: sockets(), timers: timers.count() };
    const most = { sockets: 0, timers: 0 };
    const names = Object.keys(MOMENTS);
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < CALLS) {
          const name = names[next++ % names.length] as string;
          const phone = e2e.call({ keepAudio: false });
          await MOMENTS[name]?.(phone);
          most.sockets = Math.max(most.sockets, sockets());
          most.timers = Math.max(most.timers, timers.count());
          // The carrier would bring a caller back who stays.
          if (name === 'after losing the connection') phone.dropSocket();
          phone.hangUp();
          expect(await phone.ended).toMatchObject({ timedOut: false });
        }
      }),
    );
    expect(e2e.phones).toHaveLength(CALLS);
    // Calls are over when both of their sockets are gone, a moment after the caller.
    await vi.waitFor(() => expect(e2e.server.calls.live).toBe(0), { timeout: 5_000 });
    expect(e2e.server.coordination).toMatchObject({ leases: { leases: 0 }, tokens: { size: 0 } });
    const created = await e2e.metric('trunkline_sessions_created_total');
    expect(created).toBe(e2e.admitted.length);
    expect(created).toBeGreaterThan(CALLS * 0.75);
    expect(await e2e.metric('trunkline_sessions_closed_total')).toBe(created);
    expect(await e2e.metric('trunkline_sessions_closed_total', { reason: 'internal_error' })).toBe(0);
    expect(await e2e.metric('trunkline_calls_live')).toBe(0);
    expect(e2e.logLines.filter(({ level }) => level === 'error')).toEqual([]);
    // Both ends of every socket are in this process: what is counted here was really there.
    expect(most.sockets).toBeGreaterThan(AT_ONCE);
    expect(most.timers).toBeGreaterThan(AT_ONCE);
    await vi.waitFor(() => expect({ sockets: sockets(), timers: timers.count() }).toEqual(before), { timeout: 5_000 });
    expect(openFiles(e2e.config.dataDir)).toEqual([]);
    await e2e.close();
    expect(e2e.simulator.sessions.filter(({ closed }) => !closed)).toEqual([]);
  } finally {
    await e2e.abandon();
    timers.stop();
  }
  // The other end of a socket closes a turn later; one that was left stays.
  await vi.waitFor(() => expect({ timers: timers.count(), sockets: sockets() }).toEqual({ timers: 0, sockets: 0 }), {
    timeout: 5_000,
  });
});

/** Connected TCP sockets of this process. */
const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

/** Files under a folder that this process holds open; nothing where the system does not tell. */
function openFiles(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      // The descriptor of the listing itself is gone by now.
      return [];
    }
  });
}

/** Counts the timers that code of ours has set and that are still to fire, also those that keep no process alive. */
function watchTimers() {
  const open = new Set<number>();
  const hook = createHook({
    init(id, kind) {
      if (kind === 'Timeout' && /\/src\/|node_modules\/(ws|fastify)/.test(new Error('here').stack ?? '')) open.add(id);
    },
    destroy: (id) => void open.delete(id),
  }).enable();
  return { count: () => open.size, stop: () => void hook.disable() };
}
