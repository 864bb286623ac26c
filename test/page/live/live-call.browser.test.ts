// One live call in a real browser: the transcript that follows, both sides heard, what an operator does and what comes of it,
// and the call's end.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { axeViolations, describeInBrowser, takePictures, useBrowser } from '../../support/browser.ts';
import { liveCall, liveEntry, serverFacts } from './facts.ts';
import { type LiveServer, startLiveServer } from './live-server.ts';

let server: LiveServer;
const CALL = liveCall(4, { state: 'speaking', targets: ['reception', 'emergency'] });
const ID = CALL.callId;
const PATH = `/live/${ID}`;

describeInBrowser('a live call', { timeout: 60_000 }, () => {
  const chromium = useBrowser();
  const open = (url: string): Promise<Page> => chromium.open(url);
  beforeAll(async () => {
    server = await startLiveServer();
  });
  afterAll(async () => {
    await server.close();
  });
  beforeEach(() => {
    const { scene } = server;
    scene.restarted();
    scene.server = serverFacts();
    scene.actions.length = 0;
    scene.outcome = { outcome: 'done' };
    scene.ended.clear();
    scene.calls.set(ID, CALL);
    scene.entries.set(
      ID,
      Array.from({ length: 30 }, (_, n) => liveEntry(n)),
    );
  });

  const enter = async (): Promise<Page> => {
    const page = await server.enter(open, PATH);
    await page.getByRole('heading', { name: 'Transcript' }).waitFor();
    return page;
  };
  const fromEnd = (page: Page): Promise<number> =>
    page.locator('.live-log').evaluate((box) => Math.round(box.scrollHeight - box.scrollTop - box.clientHeight));

  test('shows what was said, heard and never heard, tools, troubles and operators; words are words', async () => {
    server.scene.write(ID, [
      liveEntry(30, {
        kind: 'agent',
        text: 'At half past two. May I have',
        heard: 'At half past',
        unheard: 'two. May I have',
      }),
      liveEntry(31, { kind: 'barge_in', text: 'after 1.9 s; 2.3 s never heard' }),
      liveEntry(32, { kind: 'caller', text: '<img src=x onerror=alert(1)>' }),
      liveEntry(33, {
        ...{ kind: 'tool', text: 'book_appointment' },
        tool: {
          ...{ arguments: '{"day":"2026-11-24"}', output: '{"note":"<script>alert(1)</script>"}' },
          ...{ status: 'ok', durationMs: 812 },
        },
      }),
      liveEntry(34, { kind: 'operator', text: 'Tells the agent: offer the morning too' }),
      liveEntry(35, { kind: 'trouble', text: 'The model was lost; another session takes over' }),
    ]);
    const page = await enter();
    await page.locator('[data-entry="35"]').waitFor();
    expect(await page.locator('[data-entry="30"] del').innerText()).toContain('two. May I have');
    await page.getByText('book_appointment').click();
    await page.getByText('"note": "<script>alert(1)</script>"').waitFor();
    expect(await page.locator('.live-log img, .live-log script').count()).toBe(0);
    expect(await axeViolations(page)).toEqual([]);
    await takePictures(page, 'live-call');
    expect(await axeViolations(page)).toEqual([]);
  });

  test('follows the end, stays where the reader scrolls, and goes back by one press', async () => {
    const page = await enter();
    await expect.poll(() => fromEnd(page)).toBeLessThan(2);
    server.scene.write(ID, [liveEntry(30)]);
    await page.locator('[data-entry="30"]').waitFor();
    expect(await fromEnd(page)).toBeLessThan(2);
    // Another size of the window is not the reader's doing.
    await page.setViewportSize({ width: 700, height: 700 });
    await expect.poll(() => fromEnd(page)).toBeLessThan(2);

    await page.locator('.live-log').evaluate((box) => (box.scrollTop = 100));
    const newest = page.getByRole('button', { name: /newest/ });
    await newest.waitFor();
    server.scene.write(ID, [liveEntry(31), liveEntry(32)]);
    await page.getByRole('button', { name: '↓ newest (2)' }).waitFor();
    expect(await page.locator('.live-log').evaluate((box) => box.scrollTop)).toBe(100);
    await newest.click();
    await expect.poll(() => fromEnd(page)).toBeLessThan(2);
    expect(await newest.count()).toBe(0);
  });

  test('of thousands of lines it draws the latest, and earlier ones without a jump', async () => {
    server.scene.entries.set(
      ID,
      Array.from({ length: 2_000 }, (_, n) => liveEntry(n)),
    );
    const page = await enter();
    await page.locator('[data-entry="1999"]').waitFor();
    expect(await page.locator('[data-entry]').count()).toBe(200);
    await page.locator('.live-log').evaluate((box) => (box.scrollTop = 0));
    const top = page.locator('[data-entry="1800"]');
    const before = (await top.boundingBox())?.y ?? 0;
    await page.getByRole('button', { name: 'Show earlier (1,800)' }).click();
    await page.locator('[data-entry="1600"]').waitFor();
    expect(Math.abs(((await top.boundingBox())?.y ?? 0) - before)).toBeLessThan(60);
  });

  test('reads finished lines out to those who want that, and only those', async () => {
    const page = await enter();
    const aloud = page.getByTestId('read-out');
    server.scene.write(ID, [liveEntry(31, { kind: 'caller', text: 'not wanted', heard: null, unheard: null })]);
    await page.locator('[data-entry="31"]').waitFor();
    expect(await aloud.innerText()).toBe('');
    await page.getByLabel('Screen reader: read new lines').check();
    server.scene.write(ID, [liveEntry(32, { kind: 'agent', text: 'It is gro', heard: null, unheard: null })]);
    await page.getByText('It is gro').waitFor();
    expect(await aloud.innerText()).toBe('');
    server.scene.write(ID, [liveEntry(32, { kind: 'agent', text: 'It is grown', heard: 'It is grown', unheard: '' })]);
    await expect.poll(() => aloud.innerText()).toBe('Agent: It is grown');
  });

  test('both sides are heard, each on its meter, and not any more when stopped', async () => {
    const page = await enter();
    await page.keyboard.press('l');
    await page.getByText('You hear both sides').waitFor();
    const loud = Buffer.alloc(160, 0x90).toString('base64');
    const still = Buffer.alloc(160, 0xff).toString('base64');
    const speak = (side: 'caller' | 'agent'): (() => void) => {
      const since = Date.now();
      const timer = setInterval(() => {
        const at = Date.now() - since + 5_000;
        server.scene.sound(ID, 'caller', at, side === 'caller' ? loud : still);
        if (side === 'agent') server.scene.sound(ID, 'agent', at, loud);
      }, 20);
      return () => clearInterval(timer);
    };
    const level = async (side: string): Promise<number> =>
      Number(await page.getByRole('meter', { name: `Level of the ${side}` }).getAttribute('aria-valuenow'));
    let stop = speak('caller');
    await expect.poll(() => level('caller'), { timeout: 10_000 }).toBeGreaterThan(70);
    expect(await level('agent')).toBe(0);
    stop();
    stop = speak('agent');
    await expect.poll(() => level('agent'), { timeout: 10_000 }).toBeGreaterThan(70);
    await expect.poll(() => level('caller'), { timeout: 10_000 }).toBe(0);
    await page.getByRole('button', { name: 'Stop listening' }).click();
    await expect.poll(() => server.scene.sinks.get(ID)?.size).toBe(0);
    stop();
    expect(await level('agent')).toBe(0);
  });

  test('a whisper is a whisper and a line is a line', async () => {
    const page = await enter();
    await page.keyboard.press('w');
    await page.keyboard.type('offer the morning');
    await page.keyboard.press('Enter');
    await page.getByText('The agent knows. The caller heard nothing.').waitFor();
    await page.getByRole('textbox', { name: 'Say to the caller' }).fill('  One moment, please.  ');
    await page.getByRole('button', { name: 'Say aloud' }).click();
    await page.getByText('The agent will say it.').waitFor();
    expect(server.scene.actions.map(({ action, body }) => [action, body])).toEqual([
      ['whisper', { text: 'offer the morning' }],
      ['say', { text: 'One moment, please.' }],
    ]);
    // Nothing is not sent, and that is said.
    await page.getByRole('button', { name: 'Whisper', exact: true }).click();
    await page.getByText('Write something first.').waitFor();
    expect(server.scene.actions).toHaveLength(2);
  });

  test('a session that is over in the middle of a line costs nobody the line, and shows nothing meanwhile', async () => {
    chromium.allow(/401/);
    const page = await enter();
    await page.getByRole('textbox', { name: 'Say to the caller' }).fill('One moment, please.');
    await page.getByRole('textbox', { name: 'Whisper to the agent' }).fill('offer the morning');
    await page.context().clearCookies();
    await page.keyboard.press('Enter');
    const again = page.getByRole('dialog', { name: 'Your session is over' });
    await again.waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await takePictures(page, 'log-in-again');
    // Nobody hands over, or reads, what lies below; neither do streams go on asking.
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    expect(await page.locator('.live-log').isVisible()).toBe(false);
    for (const key of ['Escape', 'Escape', 'Escape']) await page.keyboard.press(key);
    await again.getByLabel('Admin token').fill('not this one, surely');
    await again.getByRole('button', { name: 'Log in' }).click();
    await again.getByRole('alert').getByText('not the admin token').waitFor();
    expect(asked.map((url) => new URL(url).pathname)).toEqual(['/api/session']);
    await again.getByLabel('Admin token').fill(server.token);
    await page.keyboard.press('Enter');
    await again.waitFor({ state: 'detached' });
    expect(await page.getByRole('textbox', { name: 'Say to the caller' }).inputValue()).toBe('One moment, please.');
    await page.getByRole('textbox', { name: 'Whisper to the agent' }).press('Enter');
    await page.getByText('The agent knows. The caller heard nothing.').waitFor();
    expect(server.scene.actions.map(({ action, body }) => [action, body])).toEqual([
      ['whisper', { text: 'offer the morning' }],
    ]);
    // The stream goes on, too.
    server.scene.write(ID, [liveEntry(77)]);
    await page.locator('[data-entry="77"]').waitFor();
  });

  test('whoever does not log in again leaves all of it', async () => {
    chromium.allow(/401/);
    const page = await enter();
    await page.getByRole('textbox', { name: 'Whisper to the agent' }).fill('offer the morning');
    await page.context().clearCookies();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Give up what was begun' }).click();
    await page.getByRole('heading', { name: 'Trunkline' }).waitFor();
    expect(await page.getByRole('textbox', { name: 'Whisper to the agent' }).count()).toBe(0);
    expect(await page.evaluate('document.activeElement.name')).toBe('token');
  });

  test('says that the simulator says what its script has, where it answers', async () => {
    server.scene.server = { ...serverFacts(), simulated: true };
    const page = await enter();
    await page.getByText('it says what its script has').waitFor();
    // The frame asks how the server is, and by now it is another one.
    server.scene.server = serverFacts();
    const asked = page.waitForResponse(/\/api\/live$/);
    await page.reload();
    await asked;
    await page.getByRole('heading', { name: 'Transcript' }).waitFor();
    expect(await page.getByText('it says what its script has').count()).toBe(0);
  });

  test('hand-over and hang-up ask first; the focus comes back', async () => {
    const page = await enter();
    await page.getByRole('combobox', { name: /^To/ }).selectOption('emergency');
    const hand = page.getByRole('button', { name: 'Hand over…' });
    await hand.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(server.scene.actions).toEqual([]);
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Hand over…');
    await page.keyboard.press('t');
    await page.getByRole('dialog', { name: 'Hand this call over to “emergency”?' }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Hand over', exact: true }).click();
    await page.getByText('is being handed over to “emergency”').waitFor();

    await page.keyboard.press('h');
    await page.getByRole('dialog').getByText('says goodbye').waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('h');
    await page.getByRole('dialog').getByRole('button', { name: 'Hang up', exact: true }).click();
    await page.getByText('The agent says goodbye; then the call ends.').waitFor();
    expect(server.scene.actions.map(({ action, body }) => [action, body])).toEqual([
      ['transfer', { target: 'emergency' }],
      ['hang_up', {}],
    ]);
  });

  test('what cannot be done now is said with why, and the words stay', async () => {
    chromium.allow(/status of 4\d\d/);
    server.scene.outcome = { outcome: 'refused', why: 'The caller is on the way to a person.' };
    const page = await enter();
    await page.getByRole('textbox', { name: 'Say to the caller' }).fill('Hello');
    await page.keyboard.press('Enter');
    await page.getByText('Not done: The caller is on the way to a person.').waitFor();
    expect(await page.getByRole('textbox', { name: 'Say to the caller' }).inputValue()).toBe('Hello');
    server.scene.outcome = { outcome: 'gone' };
    await page.keyboard.press('Enter');
    await page.getByText('Not done: the call is over.').waitFor();
  });

  test('the end is told with why, an open question goes away, and the record is one press further', async () => {
    const page = await enter();
    await page.keyboard.press('h');
    await page.getByRole('dialog').waitFor();
    server.scene.ended.set(ID, { endedWallMs: Date.now(), reason: 'caller_hung_up', by: 'caller' });
    server.scene.tell([], [ID]);
    await page.getByText('The caller hung up.').waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Whisper', exact: true }).isDisabled()).toBe(true);
    expect(await page.getByRole('link', { name: 'Open its record' }).getAttribute('href')).toBe(`/calls/${ID}`);
    expect(await page.locator('[data-entry]').count()).toBe(30);
    expect(await axeViolations(page)).toEqual([]);
  });

  test('a call that is over already, and one that nobody knows', async () => {
    chromium.allow(/status of 404/);
    const other = liveCall(77).callId;
    server.scene.ended.set(other, { endedWallMs: Date.now(), reason: 'agent_goodbye', by: 'agent' });
    const page = await server.enter(open, `/live/${other}`);
    await page.getByText('The agent said goodbye.').waitFor();
    await page.goto(`${server.origin}/live/${liveCall(78).callId}`);
    await page.getByText('No such call').waitFor();
  });

  test('a server that begins anew: the call is looked for until it is there again', async () => {
    chromium.allow(
      /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 404/,
    );
    const page = await enter();
    await server.down();
    await page.getByText('Not connected.').waitFor();
    server.scene.restarted();
    server.scene.ended.set(ID, { endedWallMs: null, reason: null, by: null });
    await server.up();
    await page.getByText('This server does not have the call any more.').waitFor({ timeout: 15_000 });
    server.scene.calls.set(ID, { ...CALL, state: 'listening' });
    server.scene.entries.set(ID, [liveEntry(0, { text: 'Back again' })]);
    await page.getByText('Back again').waitFor({ timeout: 15_000 });
    expect(await page.getByText('This server does not have the call any more.').count()).toBe(0);
    expect(await page.getByText('Not connected.').count()).toBe(0);
  });
});
