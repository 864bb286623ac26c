// The grid in a real browser: what it shows and says, that nothing moves under the reader, a server that goes and comes back,
// and a hundred calls that change four times a second.
import { availableParallelism, loadavg } from 'node:os';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { axeViolations, describeInBrowser, takePictures, useBrowser } from '../../support/browser.ts';
import { liveCall, serverFacts } from './facts.ts';
import { type LiveServer, startLiveServer } from './live-server.ts';

let server: LiveServer;

describeInBrowser('the grid of live calls', { timeout: 60_000 }, () => {
  const chromium = useBrowser();
  const open = (url: string): Promise<Page> => chromium.open(url);
  beforeAll(async () => {
    server = await startLiveServer();
  });
  afterAll(async () => {
    await server.close();
  });
  beforeEach(() => {
    server.scene.restarted();
    server.scene.server = serverFacts();
  });

  const enter = (path = '/live'): Promise<Page> => server.enter(open, path);
  /** Processor time of all renderers; the page under test has the only busy one. */
  const rendererCpuMs = async (): Promise<number> => {
    const session = await chromium.browser().newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    return processInfo.reduce((sum, { type, cpuTime }) => sum + (type === 'renderer' ? cpuTime * 1_000 : 0), 0);
  };
  const order = (page: Page): Promise<string[]> =>
    page.locator('tr[data-call]').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-call') ?? ''));

  test('without a call it says how to make one', async () => {
    const page = await enter();
    await page.getByRole('link', { name: 'Call the agent from this browser' }).waitFor();
    await page.getByText('To connect a number').waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await takePictures(page, 'live-empty');
    server.scene.tell([liveCall(1)]);
    await page.locator('tr[data-call]').waitFor();
  });

  test('shows calls with state, cost and hostile words as words', async () => {
    for (let n = 0; n < 40; n += 1) server.scene.calls.set(liveCall(n).callId, liveCall(n));
    const page = await enter();
    await page.locator('tr[data-call]').nth(39).waitFor();
    expect(await page.getByText('<img src=x onerror=alert(1)>', { exact: false }).count()).toBeGreaterThan(3);
    expect(await page.locator('td img, td script').count()).toBe(0);
    expect(await axeViolations(page)).toEqual([]);
    await takePictures(page, 'live', [1280, 360], false);
    expect(await axeViolations(page)).toEqual([]);
  });

  test('a change is seen within half a second', async () => {
    server.scene.tell([liveCall(1, { state: 'listening' })]);
    const page = await enter();
    await page.locator('.live-is-listening').waitFor();
    const told = Date.now();
    server.scene.tell([liveCall(1, { state: 'tool' })]);
    await page.locator('.live-is-tool').waitFor();
    expect(Date.now() - told).toBeLessThan(500);
  });

  test('rows stay where they are until the reader sorts; new ones come at the end; gone ones stay for a while', async () => {
    server.scene.tell([1, 2, 3].map((n) => liveCall(n, { costNanoUsd: n * 1e7 })));
    const page = await enter();
    await page.getByRole('button', { name: 'Cost' }).click();
    const [one, two, three, four] = [1, 2, 3, 4].map((n) => liveCall(n).callId) as [string, string, string, string];
    await expect.poll(() => order(page)).toEqual([three, two, one]);
    expect(new URL(page.url()).search).toBe('?sort=cost');

    server.scene.tell([liveCall(1, { costNanoUsd: 9e9 }), liveCall(4, { costNanoUsd: 5e9 })]);
    await page.getByText('$9.00').waitFor();
    expect(await order(page)).toEqual([three, two, one, four]);
    await page.keyboard.press('s');
    await expect.poll(() => order(page)).toEqual([one, four, three, two]);

    // The pointer is in the grid: nothing goes away under it.
    await page.locator(`tr[data-call="${two}"]`).hover();
    server.scene.tell([], [four]);
    await page.locator(`tr[data-call="${four}"].live-over`).waitFor();
    const since = await page.evaluate<number>('performance.now()');
    await expect
      .poll(() => page.evaluate<number>('performance.now()'), { timeout: 9_000 })
      .toBeGreaterThan(since + 6_500);
    expect(await order(page)).toEqual([one, four, three, two]);
    await page.mouse.move(5, 5);
    await expect.poll(() => order(page), { timeout: 5_000 }).toEqual([one, three, two]);
  });

  test('is filtered by agent, and the address says so', async () => {
    for (let n = 0; n < 9; n += 1) server.scene.calls.set(liveCall(n).callId, liveCall(n));
    const page = await enter('/live?agent=hotline');
    await expect.poll(() => page.locator('tr[data-call]').count()).toBe(3);
    await page.getByRole('combobox', { name: /^Agent/ }).selectOption('clinic');
    expect(new URL(page.url()).search).toBe('?agent=clinic');
    await page.getByRole('combobox', { name: /^Agent/ }).selectOption('');
    await expect.poll(() => page.locator('tr[data-call]').count()).toBe(9);
  });

  test('the keyboard goes through the calls and opens one', async () => {
    server.scene.tell([1, 2].map((n) => liveCall(n)));
    const page = await enter();
    await page.locator('tr[data-call]').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/live/${liveCall(2).callId}`);
    await page.getByRole('heading', { name: 'Transcript' }).waitFor();
  });

  test('help lists the keys and meanings, and the keys can be turned off', async () => {
    server.scene.tell([liveCall(1)]);
    const page = await enter();
    await page.locator('tr[data-call]').waitFor();
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Keys and meanings' });
    await dialog.getByText('Event-loop delay').waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await dialog.getByLabel('Single keys do this').uncheck();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.keyboard.press('j');
    expect(await page.evaluate('document.activeElement.className')).not.toContain('live-link');
  });

  test('says that the server drains, and that it is full', async () => {
    const page = await enter();
    server.scene.tellFacts({ draining: true });
    await page.getByText('The server takes no new calls').waitFor();
    await page.getByText('none: draining').waitFor();
    server.scene.tellFacts({ draining: false, maxConcurrentCalls: 0 });
    await page.getByText('refused: full').waitFor();
    expect(await page.getByText('The server takes no new calls').count()).toBe(0);
  });

  test('a server that goes away is told, and goes on where it is when it comes back', async () => {
    chromium.allow(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
    server.scene.tell([1, 2].map((n) => liveCall(n)));
    const page = await enter();
    await page.locator('tr[data-call]').nth(1).waitFor();
    await server.down();
    await page.getByText('showing what was known at').waitFor();
    expect(await page.locator('tr[data-call]').count()).toBe(2);
    // It comes back without one, and with another.
    server.scene.restarted();
    server.scene.calls.set(liveCall(2).callId, liveCall(2));
    server.scene.calls.set(liveCall(7).callId, liveCall(7));
    await server.up();
    await page.getByText('showing what was known at').waitFor({ state: 'detached', timeout: 15_000 });
    await expect.poll(() => order(page)).toEqual([1, 2, 7].map((n) => liveCall(n).callId));
    expect(await page.locator('tr.live-over').count()).toBe(1);
  });

  test('a tab that nobody looks at lets its stream go, and has everything again when it is looked at', async () => {
    server.scene.tell([liveCall(1)]);
    const page = await open('about:blank');
    await page.clock.install();
    await server.enter(() => Promise.resolve(page), '/live');
    await page.locator('tr[data-call]').waitFor();
    expect(server.scene.followers).toBe(1);
    const look = (state: string): Promise<unknown> =>
      page.evaluate(
        `Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
        document.dispatchEvent(new Event('visibilitychange'))`,
      );
    await look('hidden');
    await page.clock.fastForward(9_000);
    expect(server.scene.followers).toBe(1);
    await page.clock.fastForward(2_000);
    await expect.poll(() => server.scene.followers).toBe(0);
    server.scene.tell([liveCall(2)], [liveCall(1).callId]);
    await look('visible');
    await page.locator(`tr[data-call="${liveCall(2).callId}"]`).waitFor();
    expect(await page.getByText('Not connected.').count()).toBe(0);
  });

  test('a stream that falls silent without an end is told, and opened anew', async () => {
    server.scene.tell([liveCall(1)]);
    const page = await open('about:blank');
    await page.clock.install();
    await server.enter(() => Promise.resolve(page), '/live');
    await page.locator('tr[data-call]').waitFor();
    server.scene.deafen();
    await page.clock.fastForward(7_500);
    // The new stream brings what the old one kept to itself.
    server.scene.calls.set(liveCall(2).callId, liveCall(2));
    await page.locator(`tr[data-call="${liveCall(2).callId}"]`).waitFor({ timeout: 15_000 });
    expect(server.scene.followers).toBe(1);
    await page.getByText('Not connected.').waitFor({ state: 'detached' });
  });

  test('a session that is over leads to the log-in, and back to where the reader was', async () => {
    chromium.allow(/status of 401/);
    server.scene.tell([liveCall(1)]);
    const page = await enter('/live?sort=cost');
    await page.locator('tr[data-call]').waitFor();
    await page.context().clearCookies();
    chromium.allow(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
    await server.down();
    await server.up();
    await page.getByLabel('Admin token').waitFor({ timeout: 20_000 });
    expect(new URL(page.url()).search).toBe('?sort=cost');
  });

  test('a hundred calls that change four times a second: smooth, and nothing moves', async () => {
    const [calls, seconds] = [100, 7];
    for (let n = 0; n < calls; n += 1) server.scene.calls.set(liveCall(n).callId, liveCall(n));
    const page = await enter();
    await page
      .locator('tr[data-call]')
      .nth(calls - 1)
      .waitFor();
    await page.evaluate(`
      globalThis.seen = { longTasks: [], shifts: 0, frames: [] };
      new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.longTasks.push(duration); })
        .observe({ type: 'longtask' });
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) seen.shifts += entry.value; })
        .observe({ type: 'layout-shift' });
      let before = performance.now();
      const frame = (now) => { seen.frames.push(now - before); before = now; requestAnimationFrame(frame); };
      requestAnimationFrame(frame);`);
    // As the hub gathers: every 150 ms what has changed, which is 60 of 100 calls at four changes a second.
    let turn = 0;
    const states = ['listening', 'caller_speaking', 'thinking', 'speaking', 'tool'] as const;
    const change = (): void => {
      turn += 1;
      const changed = Array.from({ length: 60 }, (_, at) => {
        const n = (turn * 60 + at) % calls;
        const words = 'and so on '.repeat((turn + n) % 12);
        return liveCall(n, {
          state: states[(turn + n) % states.length] as (typeof states)[number],
          stateSinceWallMs: Date.now(),
          costNanoUsd: turn * 1_000_000,
          latencyMs: 300 + ((turn * 331 + n) % 2_400),
          last: { who: n % 2 === 0 ? 'agent' : 'caller', text: `Turn ${turn}: ${words}` },
        });
      });
      server.scene.tell(changed);
    };
    const [cpuMs, begun] = [await rendererCpuMs(), Date.now()];
    const timer = setInterval(change, 150);
    await expect
      .poll(() => page.evaluate<number>('seen.frames.reduce((sum, ms) => sum + ms, 0)'), {
        timeout: 30_000,
        interval: 500,
      })
      .toBeGreaterThan(seconds * 1_000);
    clearInterval(timer);
    const share = ((await rendererCpuMs()) - cpuMs) / (Date.now() - begun);
    const seen = (await page.evaluate('seen')) as { longTasks: number[]; shifts: number; frames: number[] };
    const frames = seen.frames.toSorted((a, b) => a - b);
    const at = (share: number): string => `${(frames[Math.floor(frames.length * share)] ?? 0).toFixed(1)} ms`;
    console.log(
      `100 calls, 400 changes/s for ${seconds} s: ${frames.length} frames, p50 ${at(0.5)}, p99 ${at(0.99)}, ` +
        `longest ${at(0.9999)}; long tasks ${seen.longTasks.length} (longest ${Math.max(0, ...seen.longTasks)} ms); ` +
        `layout shift ${seen.shifts.toFixed(4)}; ${(share * 100).toFixed(0)} % of a core, ${(share * 150).toFixed(1)} ms a round ` +
        `(load of the machine ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores)`,
    );
    expect(turn).toBeGreaterThan(30);
    // Words of other lengths in their places; a row that moved would be ten times that.
    expect(seen.shifts).toBeLessThan(0.004);
    // Frames are late wherever a machine is busy with other things; what the grid itself takes is told by its processor time.
    expect(share).toBeLessThan(0.5);
    const [busy] = loadavg();
    if ((busy ?? 0) < availableParallelism()) expect(frames[Math.floor(frames.length * 0.95)]).toBeLessThan(50);
  });
});
