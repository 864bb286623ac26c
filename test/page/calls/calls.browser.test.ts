// The list of calls in a real Chromium, against the real API over a database: filter, order, pages, columns and export by what
// a person does, with the mouse, the keyboard, and on a narrow screen.
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { axeViolations, describeInBrowser, takePictures, useBrowser } from '../../support/browser.ts';
import { callId, type CallsServer, madeUpCall, startCallsServer, writeCalls, writeWords } from './calls-server.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const CALLS = 230;
const EVERY_MS = 15_000;

describeInBrowser('the list of calls', () => {
  const chromium = useBrowser();
  let server: CallsServer;
  beforeAll(async () => {
    server = await startCallsServer();
    const calls = Array.from({ length: CALLS }, (_, n) => madeUpCall(n));
    calls[3] = madeUpCall(3, { agent: HOSTILE, from_value: HOSTILE, from_kind: 'sip', disposition: HOSTILE });
    calls[4] = madeUpCall(4, UNDER_WAY);
    calls[5] = madeUpCall(5, { media_started_ms: null, from_kind: 'withheld', from_value: '', latency_ms: null });
    calls[6] = madeUpCall(6, { from_value: null, to_value: null, ended_ms: madeUpCall(6).admitted_ms + 3 * 3_600_000 });
    await writeCalls(server.db, calls);
    await writeWords(server.db, callId(7), 'Is there a slot for my zebra on Friday?');
    await writeWords(server.db, callId(8), `Zebra crossing ${HOSTILE}`);
  });
  afterAll(() => server.close());
  beforeEach(() => {
    server.before.ask = null;
    server.asked.length = 0;
  });

  const enter = (path: string, width = 1280): Promise<Page> =>
    server.enter((url) => chromium.open(url, { width, timezoneId: 'Europe/Berlin', locale: 'en-US' }), path);
  /** The list has come, with so many calls in all. */
  const counted = (page: Page, of: string): Promise<void> =>
    page
      .getByRole('navigation', { name: 'Pages', exact: true })
      .getByText(new RegExp(` of ${of}$`))
      .waitFor();
  const rows = (page: Page) => page.locator('tbody tr:not(.calls-ghost)');
  const chips = (page: Page): Promise<string[]> => page.locator('.calls-chip-text').allInnerTexts();

  test('light, dark, wide and narrow; nothing for axe to find; what comes from outside is text', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByText('all priced').waitFor();
    expect(await rows(page).count()).toBe(50);
    expect(await page.getByText(HOSTILE).count()).toBeGreaterThan(2);
    expect(await page.locator('img[src="x"]').count()).toBe(0);
    await takePictures(page, 'calls', [1280, 360], false);
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1280, 360]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        expect(await axeViolations(page), `${colorScheme} ${width}`).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth'), 'no scrolling sideways').toBe(width);
      }
  });

  test('what a row tells, with its meaning on hover', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    const cells = (n: number): Promise<string[]> => rows(page).nth(n).locator('td').allInnerTexts();
    expect(await cells(0)).toEqual([
      ...['Nov 20, 01:00:00 PM', '+15550000000 → +15559990000', 'Night Desk', '1:00'],
      ...[expect.stringContaining('The agent said goodbye'), '600 ms', '$0.0500', '100', 'booked'],
    ]);
    expect((await cells(4)).slice(3, 7)).toEqual(['–', 'under way', '–', '$0.0540']);
    expect((await cells(5))[1]).toBe('withheld → +15559990000');
    expect((await cells(6)).slice(1, 4)).toEqual(['forgotten → forgotten', 'Night Desk', '2:59:59']);
    for (const name of ['Time', 'Duration', 'Latency', 'Cost', 'Quality'])
      expect(await page.getByRole('columnheader', { name }).getAttribute('title')).toMatch(/\w+ \w+ \w+/);
    const figures = page.locator('.calls-figures > div');
    expect(await figures.count()).toBe(6);
    for (const title of (await page.evaluate(TITLES)) as string[]) expect(title.length).toBeGreaterThan(30);
  });

  test('a filter is a chip and the address; "back" and a reload keep to it', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('button', { name: '+ Add filter' }).click();
    await page.getByRole('button', { name: 'End reason' }).click();
    await takePictures(page, 'calls-filter', [1280, 360], false);
    expect(await axeViolations(page)).toEqual([]);
    await page.getByLabel('The model went away').check();
    await page.getByLabel('The caller hung up').check();
    await page.getByRole('button', { name: 'Apply' }).click();
    await counted(page, '115');
    expect(await chips(page)).toEqual(['End reason The caller hung up or The model went away']);
    expect(new URL(page.url()).search).toBe('?reason=caller_hung_up%2Cmodel_lost');

    await page.getByRole('button', { name: '+ Add filter' }).click();
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: 'Duration' }).click();
    await page.getByLabel('At least').fill('2:00');
    await page.getByLabel('At most').fill('1:30');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('alert').getByText('the least is more than the most').waitFor();
    await page.getByLabel('At most').fill('2:09');
    await page.keyboard.press('Enter');
    await counted(page, '10');
    expect(await chips(page)).toEqual(['End reason The caller hung up or The model went away', 'Duration 2:00 – 2:09']);
    await takePictures(page, 'calls-filtered', [1280, 360], false);

    await page.reload();
    await counted(page, '10');
    await page.goBack();
    await counted(page, '115');
    await page.goForward();
    await counted(page, '10');
    await page.getByRole('button', { name: /Remove the filter End reason/ }).click();
    expect(await chips(page)).toEqual(['Duration 2:00 – 2:09']);
    await page.getByRole('button', { name: /^Duration 2:00/ }).click();
    expect(await page.getByLabel('At least').inputValue()).toBe('2:00');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /Remove the filter Duration/ }).click();
    await counted(page, '230');
    expect(new URL(page.url()).search).toBe('');
    await expect.poll(() => focused(page)).toBe('+ Add filter');
  });

  test.each([
    [
      'Agent',
      async (page: Page) => page.getByLabel('Answered by').selectOption('Night Desk'),
      'Agent Night Desk',
      '76',
    ],
    ['Cost', async (page: Page) => page.getByLabel('At least').fill('0.25'), 'Cost ≥ $0.25', '30'],
    ['Latency', async (page: Page) => page.getByLabel('At most').fill('0.7 s'), 'Latency ≤ 700 ms', '28'],
    ['Number', async (page: Page) => page.getByLabel('Number of').fill('0000123'), 'Number 0000123', '1'],
    [
      'Disposition',
      async (page: Page) => page.getByLabel('The agent noted').selectOption('booked'),
      'Disposition booked',
      '57',
    ],
  ] as const)('the form of %s', async (kind, fill, chip, count) => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('button', { name: '+ Add filter' }).click();
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: kind }).click();
    await fill(page);
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Apply' }).click();
    await counted(page, count);
    expect(await chips(page)).toEqual([chip]);
  });

  test('dates are days of the viewer', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('button', { name: '+ Add filter' }).click();
    await page.getByRole('button', { name: 'Date' }).click();
    await page.getByLabel('First day').fill('2026-11-19');
    await page.getByLabel('Last day').fill('2026-11-20');
    await page.getByRole('button', { name: 'Apply' }).click();
    await counted(page, '230');
    expect(await chips(page)).toEqual(['Date Nov 19 – Nov 20, 2026']);
    // Midnight of Berlin.
    expect(new URL(page.url()).searchParams.get('since')).toBe('2026-11-18T23:00:00.000Z');
    await page.getByRole('button', { name: /^Date Nov 19/ }).click();
    await page.getByRole('button', { name: 'Today' }).click();
    await page.getByText('No call fits').waitFor();
    await takePictures(page, 'calls-none', [1280], false);
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Clear the filters' }).click();
    await counted(page, '230');
  });

  test('words are looked for when the typing pauses, and at once by Enter', async () => {
    const page = await enter('/calls?result=success');
    await counted(page, '206');
    const field = page.getByRole('searchbox');
    await field.pressSequentially('zeb');
    await counted(page, '2');
    await field.fill('zebra fri');
    await field.press('Enter');
    await counted(page, '1');
    expect(await chips(page)).toEqual(['Result success', 'Words of the transcript “zebra fri”']);
    await field.fill('"); drop table calls; -- * NEAR(');
    await page.getByText('No call fits').waitFor();
    // One step back is before the search, whatever was typed on the way.
    await page.goBack();
    await counted(page, '206');
    expect(await field.inputValue()).toBe('');
    await page.goForward();
    await expect.poll(() => field.inputValue()).toContain('drop table');
  });

  test('sorts in the database, either way round', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('button', { name: 'Cost' }).click();
    const first = (): Promise<string> => rows(page).first().locator('td').nth(6).innerText();
    await expect.poll(first).toBe('$0.2790');
    expect(await page.getByRole('columnheader', { name: 'Cost' }).getAttribute('aria-sort')).toBe('descending');
    expect(await page.locator('[aria-sort]').count()).toBe(1);
    await page.getByRole('button', { name: 'Cost' }).click();
    await expect.poll(first).toBe('$0.0500');
    expect(new URL(page.url()).search).toBe('?sort=cost&order=asc');
    await page.getByRole('button', { name: 'Time' }).click();
    await expect.poll(() => new URL(page.url()).search).toBe('');
  });

  test('pages forward and back, by its links, by the browser, and from a link into the middle', async () => {
    const page = await enter('/calls?result=success');
    const pages = page.getByRole('navigation', { name: 'Pages', exact: true });
    const place = (text: string): Promise<void> => pages.getByText(text, { exact: true }).waitFor();
    await place('1–50 of 206');
    await pages.getByRole('link', { name: 'Older' }).click();
    await place('51–100 of 206');
    await page.getByRole('navigation', { name: 'Pages, below the list' }).getByRole('link', { name: 'Older' }).click();
    await place('101–150 of 206');
    await pages.getByRole('link', { name: 'Newer' }).click();
    await place('51–100 of 206');
    await page.goBack();
    await place('101–150 of 206');
    const middle = page.url();
    await pages.getByRole('link', { name: 'Older' }).click();
    await place('151–200 of 206');
    await pages.getByRole('link', { name: 'Older' }).click();
    await place('201–206 of 206');
    expect(await pages.getByRole('link', { name: 'Older' }).count()).toBe(0);
    await pages.getByRole('link', { name: 'Newest' }).click();
    await place('1–50 of 206');

    const other = await server.enter((url) => chromium.open(url), middle.slice(server.origin.length));
    const there = other.getByRole('navigation', { name: 'Pages', exact: true });
    await there.getByText('50 of 206', { exact: true }).waitFor();
    expect(await there.getByRole('link', { name: 'Newer' }).count()).toBe(0);
    await there.getByRole('link', { name: 'Newest' }).click();
    await there.getByText('1–50 of 206', { exact: true }).waitFor();
  });

  test('each call comes once through all pages', async () => {
    const page = await enter('/calls?sort=quality&order=asc');
    const seen: string[] = [];
    const pages = page.getByRole('navigation', { name: 'Pages', exact: true });
    for (const place of ['1–50', '51–100', '101–150', '151–200', '201–230']) {
      await pages.getByText(`${place} of 230`, { exact: true }).waitFor();
      seen.push(...((await page.evaluate(LINKS)) as string[]));
      if (place !== '201–230') await pages.getByRole('link', { name: 'Next' }).click();
    }
    expect(new Set(seen).size).toBe(CALLS);
    expect(seen.length).toBe(CALLS);
  });

  test('rows are links: by the mouse anywhere on them, by the middle button, by the keyboard', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await rows(page).nth(2).getByText('Harbor Clinic').click();
    await page.waitForURL(`**/calls/${callId(2)}`);
    await page.goBack();
    await counted(page, '230');

    const opened = page.context().waitForEvent('page');
    await rows(page).nth(3).getByText('1:03').click({ button: 'middle' });
    expect((await opened).url()).toBe(`${server.origin}/calls/${callId(3)}`);
    const alsoOpened = page.context().waitForEvent('page');
    await rows(page)
      .nth(1)
      .locator('a')
      .click({ modifiers: ['Control'] });
    expect((await alsoOpened).url()).toBe(`${server.origin}/calls/${callId(1)}`);
    expect(page.context().pages().length).toBe(3);
    chromium.allow(/404/);

    await page.bringToFront();
    await rows(page).nth(0).locator('a').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => focused(page)).toBe('Nov 20, 12:59:00 PM');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => focused(page)).toBe('Nov 20, 12:11:00 PM');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/calls/${callId(49)}`);
  });

  test('whoever comes back from a call finds the row again; another page begins at its top', async () => {
    chromium.allow(/404/);
    const page = await enter('/calls');
    await counted(page, '230');
    await rows(page).nth(40).scrollIntoViewIfNeeded();
    const at = Number(await page.evaluate('scrollY'));
    expect(at).toBeGreaterThan(500);
    await rows(page).nth(40).getByText('1:40').click();
    await page.waitForURL(`**/calls/${callId(40)}`);
    await page.goBack();
    await counted(page, '230');
    await expect.poll(() => page.evaluate('scrollY')).toBe(at);
    await page.getByRole('navigation', { name: 'Pages, below the list' }).getByRole('link', { name: 'Older' }).click();
    await page
      .getByRole('navigation', { name: 'Pages', exact: true })
      .getByText('51–100 of 230', { exact: true })
      .waitFor();
    await expect
      .poll(async () => Math.round((await page.locator('.calls-bar').first().boundingBox())?.y ?? 0))
      .toBe(64);
  });

  test('whoever goes back before a call has come stays with the list', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    const script = gate();
    let asked = 0;
    // The code of the call's page: its name begins like its source's.
    await page.route(/\/assets\/call-[^/]+\.js$/, async (route) => {
      asked++;
      await script.open;
      await route.continue();
    });
    await rows(page).nth(0).locator('a').click();
    await expect.poll(() => asked).toBe(1);
    await page.goBack();
    await counted(page, '230');
    const came = page.waitForResponse(/\/assets\/call-[^/]+\.js$/);
    script.pass();
    // It runs once, for the page and for whoever asks here; then two frames for the page to draw what came of it.
    await page.evaluate(`import(${JSON.stringify((await came).url())})`);
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    await counted(page, '230');
  });

  test('the filter by the keyboard alone', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('searchbox').focus();
    await page.keyboard.press('Tab');
    await expect.poll(() => focused(page)).toBe('+ Add filter');
    await page.keyboard.press('Enter');
    await expect.poll(() => focused(page)).toBe('Date');
    await page.keyboard.press('Escape');
    await expect.poll(() => focused(page)).toBe('+ Add filter');
    await page.keyboard.press('Enter');
    for (let n = 0; n < 4; n++) await page.keyboard.press('Tab');
    await expect.poll(() => focused(page)).toBe('Result');
    await page.keyboard.press('Enter');
    await expect.poll(() => focused(page)).toBe('Success');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await counted(page, '23');
    await expect.poll(() => focused(page)).toBe('+ Add filter');
    // A click elsewhere closes the menu and takes the focus where it went.
    await page.keyboard.press('Enter');
    await page.getByRole('searchbox').click();
    expect(await page.getByRole('group', { name: 'Filters' }).count()).toBe(0);
    expect(await page.evaluate('document.activeElement.name')).toBe('words');
  });

  test('columns are chosen, and stay so in this browser', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Quality' }).uncheck();
    await page.getByRole('checkbox', { name: 'Call id' }).check();
    await page.reload();
    await counted(page, '230');
    const titles = await page.getByRole('columnheader').allInnerTexts();
    expect(titles.map((title) => title.replace(/\W+$/, ''))).toEqual([
      ...['Time', 'Caller → called', 'Agent', 'Duration', 'End', 'Latency', 'Cost', 'Disposition', 'Call id'],
    ]);
    expect(await rows(page).first().innerText()).toContain(callId(0));
    // Wider than the page: it scrolls in its own box.
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1280);
  });

  test('all calls of the filter as files', async () => {
    const page = await enter('/calls?reason=model_lost&sort=cost');
    await counted(page, '23');
    await page.getByRole('button', { name: 'Export' }).click();
    expect(await axeViolations(page)).toEqual([]);
    for (const format of ['CSV', 'JSON']) {
      const download = page.waitForEvent('download');
      await page.getByRole('link', { name: format }).click();
      const file = await download;
      expect(file.suggestedFilename()).toMatch(new RegExp(`^trunkline-calls-.*\\.${format.toLowerCase()}$`));
      const text = await readFile(await file.path(), 'utf8');
      if (format === 'CSV') expect(text.trim().split('\r\n').length).toBe(24);
      else expect((JSON.parse(text) as { callId: string }[]).map((call) => call.callId)[0]).toBe(callId(229));
    }
  });

  test('a narrow screen has cards, and its own way to sort', async () => {
    const page = await enter('/calls', 360);
    await counted(page, '230');
    const card = await rows(page).nth(1).innerText();
    expect(card).toContain('The caller hung up');
    expect(await page.getByRole('columnheader').count()).toBe(0);
    await page.getByLabel('Sorted by').selectOption('Dearest first');
    await expect.poll(() => rows(page).first().innerText()).toContain('$0.2790');
    // Every panel fits on the screen.
    for (const name of ['+ Add filter', 'Columns', 'Export']) {
      await page.getByRole('button', { name }).click();
      const box = await page.locator('.calls-panel').boundingBox();
      expect(box?.x, name).toBeGreaterThanOrEqual(0);
      expect((box?.x ?? 0) + (box?.width ?? 0), name).toBeLessThanOrEqual(360);
      await page.keyboard.press('Escape');
    }
  });

  test.each([1280, 360])('nothing moves while figures and rows come late, %s wide', async (width) => {
    const gates = { stats: gate(), list: gate() };
    server.before.ask = (name) =>
      name === 'callStats' ? gates.stats.open : name === 'listCalls' ? gates.list.open : done;
    const page = await enter('/calls', width);
    const box = async (selector: string): Promise<unknown> => page.locator(selector).first().boundingBox();
    await page.locator('.calls-ghost').first().waitFor();
    const parts = ['.calls-figures', '.calls-filter', '.calls-bar', 'thead', 'th:nth-child(4)', 'th:last-child'];
    const before = await Promise.all(parts.map(box));
    await takePictures(page, 'calls-loading', [1280], false);
    gates.list.pass();
    await counted(page, '230');
    expect(await Promise.all(parts.map(box))).toEqual(before);
    expect(await page.locator('.calls-figures').innerText()).toMatch(/Calls\n230\n[^]*…/);
    gates.stats.pass();
    await page.getByText('all priced').waitFor();
    expect(await Promise.all(parts.map(box))).toEqual(before);
  });

  test('the rows of before stay until the next ones have come, and are not taken for them', async () => {
    const page = await enter('/calls');
    await counted(page, '230');
    const list = gate();
    server.before.ask = (name) => (name === 'listCalls' ? list.open : done);
    await page.getByRole('button', { name: 'Duration' }).click();
    await page.locator('table[aria-busy="true"]').waitFor();
    expect(await rows(page).count()).toBe(50);
    list.pass();
    await page.locator('table[aria-busy="false"]').waitFor();
    expect(await rows(page).first().innerText()).toContain('2:59:59');
  });

  describe('when something is wrong', () => {
    test('an address that the server does not take says so, and how to go on', async () => {
      chromium.allow(/400/);
      const page = await enter('/calls?colour=red&agent=Night+Desk');
      await page.getByRole('alert').getByText('colour').waitFor();
      expect(await rows(page).count()).toBe(0);
      expect(await axeViolations(page)).toEqual([]);
      await takePictures(page, 'calls-refused', [1280], false);
      await page.getByRole('button', { name: 'Remove the filter colour: red' }).click();
      await counted(page, '76');
      await page.goto(`${server.origin}/calls?agent=Night+Desk&cursor=nonsense`);
      await page.getByRole('alert').getByText('cursor').waitFor();
      await page.getByRole('link', { name: 'show all calls' }).click();
      await counted(page, '230');
    });

    test('figures that cannot be had leave the list alone', async () => {
      chromium.allow(/500/);
      server.before.ask = (name) => (name === 'callStats' ? Promise.reject(new Error('broken')) : done);
      const page = await enter('/calls');
      await counted(page, '230');
      await page.getByText('not known now').first().waitFor();
      expect(await rows(page).count()).toBe(50);
    });

    test('a session that is over asks to log in, and comes back to the same list', async () => {
      chromium.allow(/401/);
      const page = await enter('/calls?agent=Night+Desk');
      await counted(page, '76');
      await page.context().clearCookies();
      await page.getByRole('button', { name: 'Cost' }).click();
      await page.getByLabel('Admin token').waitFor();
      expect(new URL(page.url()).search).toBe('?agent=Night+Desk&sort=cost');
      await page.getByLabel('Admin token').fill('token-of-the-test-of-the-list');
      await page.getByRole('button', { name: 'Log in' }).click();
      await counted(page, '76');
      expect(await page.getByRole('columnheader', { name: 'Cost' }).getAttribute('aria-sort')).toBe('descending');
    });

    test('while the server restarts the list stays, and comes back by itself', async () => {
      chromium.allow(/ERR_/);
      const page = await enter('/calls');
      await counted(page, '230');
      await page.route('**/api/**', (route) => route.abort('connectionrefused'));
      await page.getByRole('button', { name: 'Cost' }).click();
      await page.getByRole('alert').getByText('cannot be reached').waitFor();
      expect(await rows(page).count()).toBe(50);
      await page.unroute('**/api/**');
      await expect.poll(() => rows(page).first().innerText(), { timeout: 8_000 }).toContain('$0.2790');
      expect(await page.getByRole('alert').count()).toBe(0);
    });
  });

  test('new calls are told and move nothing; calls under way end where they stand', async () => {
    const page = await server.enter(async (url) => {
      const opened = await chromium.open(url, { timezoneId: 'Europe/Berlin', locale: 'en-US' });
      await opened.clock.install();
      return opened;
    }, '/calls');
    await counted(page, '230');
    const open = rows(page).nth(4);
    expect(await open.innerText()).toContain('under way');
    const fifth = madeUpCall(4);
    await server.db
      .updateTable('calls')
      .set({ ended_ms: fifth.ended_ms ?? null, reason: 'agent_goodbye', result: 'success', ended_by: 'agent' })
      .where('call_id', '=', callId(4))
      .execute();
    const later = [1_000, 1_001].map((n) =>
      madeUpCall(n, { admitted_ms: madeUpCall(0).admitted_ms + n, ...UNDER_WAY }),
    );
    await writeCalls(server.db, later);
    try {
      const scrolled = await page.evaluate('scrollTo(0, 300), scrollY');
      await page.clock.fastForward(EVERY_MS);
      const hint = page.getByRole('button', { name: '↑ 2 new calls' });
      await hint.waitFor();
      expect(await page.evaluate('scrollY')).toBe(scrolled);
      expect(await open.innerText()).toContain('The agent said goodbye');
      expect(await rows(page).first().innerText()).toContain('+15550000000');
      await takePictures(page, 'calls-new', [1280, 360], false);
      await hint.click();
      await counted(page, '232');
      expect(await rows(page).first().innerText()).toContain('+15550001001');
      expect(await hint.count()).toBe(0);
    } finally {
      const ids = later.map(({ call_id: id }) => id);
      await server.db.deleteFrom('lines').where('call_id', 'in', ids).execute();
      await server.db.deleteFrom('calls').where('call_id', 'in', ids).execute();
    }
  });

  test('a page that nobody looks at asks for nothing', async () => {
    const page = await server.enter(async (url) => {
      const opened = await chromium.open(url);
      await opened.clock.install();
      return opened;
    }, '/calls');
    await counted(page, '230');
    await page.getByText('all priced').waitFor();
    await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true })`);
    const asked = server.asked.length;
    await page.clock.fastForward(EVERY_MS * 5);
    expect(server.asked.length).toBe(asked);
    await page.evaluate(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`);
    await expect.poll(() => server.asked.length).toBe(asked + 2);
  });
});

describeInBrowser('where no call has come in yet', () => {
  const chromium = useBrowser();
  let server: CallsServer;
  beforeAll(async () => {
    server = await startCallsServer();
  });
  afterAll(() => server.close());

  test('the page says how one comes, and shows the first by itself', async () => {
    const page = await server.enter(async (url) => {
      const opened = await chromium.open(url);
      await opened.clock.install();
      return opened;
    }, '/calls');
    await page.getByText('No call has come in yet').waitFor();
    expect(await page.getByRole('link', { name: 'Call the agent from this browser' }).getAttribute('href')).toBe(
      '/phone',
    );
    await page.getByText(`POST ${server.origin}/voice`).waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await takePictures(page, 'calls-first-day', [1280, 360], false);
    await writeCalls(server.db, [madeUpCall(0)]);
    await page.clock.fastForward(EVERY_MS);
    await page.locator('tbody tr').getByText('+15550000000').waitFor();
  });
});

const UNDER_WAY = {
  ...{ ended_ms: null, reason: null, ended_by: null, result: null, quality: null, latency_ms: null },
  disposition: null,
};

const done: Promise<void> = Promise.resolve();

function gate(): { open: Promise<void>; pass(): void } {
  let pass = (): void => {};
  const open = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return { open, pass: () => pass() };
}

const TITLES = `[...document.querySelectorAll('.calls-figures > div')].map((one) => one.title)`;
const LINKS = `[...document.querySelectorAll('a.calls-open')].map((one) => one.pathname)`;

/** What the keyboard is on. */
const focused = async (page: Page): Promise<string> =>
  String(await page.evaluate('document.activeElement.innerText')).trim();
