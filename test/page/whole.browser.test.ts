// The whole page as an operator uses it, in a real Chromium against the real server: log in by the one-time link, call the agent
// from the browser with a recorded human as the microphone, interrupt it, hang up, and look at what is kept of the call.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { renderTrack, trackFromTimeline } from '../../src/phone/caller-track.ts';
import { type Server, startServer } from '../../src/server.ts';
import { axeViolations, builtPage, describeInBrowser, takePictures, useBrowser } from '../support/browser.ts';
import { recordedPath, sampleAgent } from '../support/e2e.ts';
import { microphoneWav } from '../support/microphone.ts';

/** The human: waits for the greeting, asks for support, and speaks up in the middle of the long answer. */
const HUMAN = renderTrack(
  trackFromTimeline([
    { atMs: 6_500, wav: recordedPath('q-customer-support.wav') },
    { atMs: 13_000, wav: recordedPath('short-billing-department.wav') },
    { atMs: 60_000, wav: recordedPath('short-yes.wav') },
  ]),
);

const AGENTS = fileURLToPath(new URL('../fixtures/agents', import.meta.url));

let folder = '';
let server: Server;

describeInBrowser('the whole page', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trunkline-whole-'));
    await writeFile(microphone, microphoneWav(HUMAN));
    server = await startServer({
      config: { ...readConfig({ HOST: '127.0.0.1', DATA_DIR: join(folder, 'data'), AGENTS_DIR: AGENTS }), port: 0 },
      log: createLogger({ level: 'warn' }),
      agents: [await sampleAgent()],
      pageDir: await builtPage(),
    });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  // Named before the browser is launched, written before anybody speaks.
  const microphone = join(tmpdir(), `trunkline-microphone-${process.pid}.wav`);
  afterAll(() => rm(microphone, { force: true }));
  const { open, allow } = useBrowser({ microphone });

  const linked = (): string => server.origin + server.links.make({ scope: 'operator', minutes: 5 }).path;
  const accessible = async (page: Page, name: string): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await axeViolations(page), `${name}, ${colorScheme}`).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: null });
  };

  test('log in, dial, talk, interrupt, hang up; the call is there with waveform, words and bill', async () => {
    // Nobody is logged in yet, and the browser says so of the first question.
    allow(/401/);
    const page = await open(server.origin, { permissions: ['microphone'] });
    await page.getByLabel('Admin token').waitFor();
    await accessible(page, 'login');
    await takePictures(page, 'login');
    await page.goto(linked());
    await page.getByRole('link', { name: 'Live', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Phone', exact: true }).click();
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByText('Connected').waitFor();

    const captions = page.getByRole('log', { name: 'Live captions' });
    await captions.getByText("I'd like to speak to customer support").waitFor({ timeout: 20_000 });

    // A second pair of eyes, while they talk.
    const live = await page.context().newPage();
    await live.goto(`${server.origin}/live`);
    const row = live.getByRole('link', { name: /Harbor Clinic|client/ }).first();
    await row.waitFor();
    await takePictures(live, 'live');
    await accessible(live, 'live');
    const [{ callId = '' } = {}] = (await live.evaluate(
      `fetch('/api/live').then((answer) => answer.json()).then((live) => live.calls)`,
    )) as { callId?: string }[];
    await live.goto(`${server.origin}/live/${callId}`);
    await live.getByText("I'd like to speak to customer support").waitFor();
    await takePictures(live, 'live-call');
    await accessible(live, 'live call');

    await captions.getByText('billing department', { exact: true }).waitFor({ timeout: 20_000 });
    await captions.getByText('Interrupted').first().waitFor();
    await takePictures(page, 'phone');
    await accessible(page, 'phone');
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByRole('link', { name: 'What happened in this call' }).click();

    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByText('The caller hung up').first().waitFor();
    await page.locator('del').first().waitFor();
    await page
      .getByText(/billing department/)
      .first()
      .waitFor();
    await takePictures(page, 'call');
    await accessible(page, 'call');
    for (const [tab, text] of [
      ['Turns', /p50|worst/i],
      ['Bill', /\$0\.\d/],
      ['Events', /speech/],
      ['Agent', /greeting/],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await page.getByRole('tabpanel').getByText(text).first().waitFor();
      await takePictures(page, `call-${tab.toLowerCase()}`);
      await accessible(page, `call, ${tab}`);
    }
    await page.getByRole('link', { name: 'Calls', exact: true }).click();
    await page.getByRole('table').getByText('The caller hung up').waitFor();
    await takePictures(page, 'calls');
    await accessible(page, 'calls');
    await page.getByRole('link', { name: 'Audit', exact: true }).click();
    await page.getByRole('table').getByText('log_in').first().waitFor();
    await takePictures(page, 'audit');
    await accessible(page, 'audit');

    // What the page showed is what the server kept, and the caller was heard.
    const authorization = `Bearer ${server.adminToken}`;
    const answer = await fetch(`${server.origin}/api/calls/${callId}`, { headers: { authorization } });
    const kept = (await answer.json()) as {
      reason: string;
      turns: { outcome: string | null; unheard: string | null }[];
    };
    expect(kept.reason).toBe('caller_hung_up');
    expect(kept.turns.some(({ outcome, unheard }) => outcome === 'interrupted' && unheard !== '')).toBe(true);
  });
});
