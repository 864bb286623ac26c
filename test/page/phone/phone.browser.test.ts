// The browser phone where it has trouble: no microphone, none allowed, a browser that is too old, one that does not grant 8 kHz,
// a connection that breaks, a server that stops, a guest with a link. In a real Chromium, against the real server.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { silence } from '../../../src/audio/mulaw.ts';
import { readConfig } from '../../../src/config.ts';
import { createLogger } from '../../../src/log.ts';
import { type Server, startServer } from '../../../src/server.ts';
import type { SimulatedSession } from '../../../src/simulator/session.ts';
import type { Script } from '../../../src/simulator/script.ts';
import { builtPage, describeInBrowser, takePictures, useBrowser } from '../../support/browser.ts';
import { interruption, question, sampleAgent } from '../../support/e2e.ts';
import { microphoneWav } from '../../support/microphone.ts';

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ callerTranscript: 'What is the weather like?', items: [{ say: ['clinic_support_long'] }] }],
  fallback: { items: [{ say: ['sorry_repeat'] }] },
};

/** Asks and interrupts, again and again: the fake microphone plays it in a loop from the moment it is opened. */
const HUMAN = Buffer.concat([silence(3_000 * 8), question(), silence(4_500 * 8), interruption(), silence(6_000 * 8)]);

describeInBrowser('the browser phone', { timeout: 90_000 }, () => {
  let folder = '';
  const servers: Server[] = [];
  const microphone = join(tmpdir(), `trunkline-phone-${process.pid}.wav`);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trunkline-phone-'));
    await writeFile(microphone, microphoneWav(HUMAN));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(microphone, { force: true });
  });
  const browser = useBrowser({ microphone });

  const started = async (): Promise<Server> => {
    const dataDir = await mkdtemp(join(folder, 'data-'));
    const server = await startServer({
      config: { ...readConfig({ HOST: '127.0.0.1', DATA_DIR: dataDir, MAX_LOOP_DELAY_MS: '0' }), port: 0 },
      log: createLogger({ level: 'silent' }),
      agents: [await sampleAgent()],
      pageDir: await builtPage(),
      simulator: { session: { script } },
    });
    servers.push(server);
    return server;
  };

  /** The phone's page, with something changed in it before it loads. */
  const phoneOf = async (server: Server, before = '', scope: 'operator' | 'phone' = 'phone'): Promise<Page> => {
    // Nobody is logged in yet, and the browser says so of the first question.
    browser.allow(/401/);
    const page = await browser.open('about:blank', { permissions: ['microphone'] });
    if (before !== '') await page.addInitScript(before);
    await page.goto(server.origin + server.links.make({ scope, minutes: 5 }).path);
    if (scope === 'operator') await page.getByRole('link', { name: 'Phone', exact: true }).click();
    await call(page).waitFor();
    return page;
  };
  const call = (page: Page) => page.getByRole('button', { name: 'Call', exact: true });
  const session = async (server: Server): Promise<SimulatedSession> => {
    await vi.waitFor(() => expect(server.simulator?.sessions).toHaveLength(1), { timeout: 10_000 });
    return server.simulator?.sessions[0] as SimulatedSession;
  };

  const refused = (name: string): string =>
    `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '${name}'))`;
  test.for([
    {
      what: 'a microphone that is blocked',
      before: refused('NotAllowedError'),
      words: 'Allow it beside the address bar',
    },
    { what: 'no microphone', before: refused('NotFoundError'), words: 'Plug one in' },
    { what: 'one that another program has', before: refused('NotReadableError'), words: 'Close that' },
    { what: 'an old browser', before: 'delete globalThis.AudioWorkletNode', words: 'Use a current Chrome' },
  ])('says what to do about $what, and calls nobody', async ({ before, words }) => {
    const server = await started();
    const page = await phoneOf(server, before);
    await call(page).click();
    await page.getByRole('alert').getByText(words).waitFor();
    await call(page).waitFor();
    expect(server.calls.live).toBe(0);
  });

  test.for([
    { rate: '8 kHz', before: '' },
    {
      rate: 'its own rate, where 8 kHz is not granted',
      before:
        'globalThis.AudioContext = class extends AudioContext { constructor(options) { ' +
        "if (options.sampleRate) throw new DOMException('no', 'NotSupportedError'); super(options); } }",
    },
  ])('talks, is interrupted, and hangs up by the keyboard, at $rate', async ({ before }) => {
    const server = await started();
    const page = await phoneOf(server, before, 'operator');
    await page.getByLabel('Number').press('Enter');
    await page.getByText('Connected').waitFor();
    const model = await session(server);
    const captions = page.getByRole('log', { name: 'Live captions' });
    await captions.getByText('What is the weather like?').first().waitFor({ timeout: 30_000 });
    await captions.getByText('Interrupted').first().waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: /^5/ }).click();
    await captions.getByText('Keys').first().waitFor();
    await page.getByRole('button', { name: 'Mute' }).click();
    await page.getByRole('button', { name: 'Muted' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('You hung up.').waitFor();
    await vi.waitFor(() => expect(server.calls.live).toBe(0), { timeout: 5_000 });
    // The caller was heard as speech, not as noise: the simulator's detector found turns in it.
    expect(model.responses.length).toBeGreaterThanOrEqual(2);
    if (before === '') await takePictures(page, 'phone-ended');
  });

  test('a guest has a phone and nothing else', async () => {
    const server = await started();
    const page = await phoneOf(server);
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual(['Phone']);
    expect(await page.getByText('Call under another name').count()).toBe(0);
    await call(page).click();
    await page.getByText('Connected').waitFor();
    expect(await page.getByRole('link', { name: 'Watch this call live' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByText('You hung up.').waitFor();
    expect(await page.getByRole('link', { name: 'What happened' }).count()).toBe(0);
  });

  test('a connection that breaks ends the call, says so, and the next call works', async () => {
    const server = await started();
    const page = await phoneOf(server);
    browser.allow(/WebSocket/);
    let cut: () => Promise<void> = async () => {};
    await page.routeWebSocket(/api\/phone\/socket/, (socket) => {
      const behind = socket.connectToServer();
      cut = async () => {
        await Promise.all([socket.close({ code: 1011 }), behind.close()]);
      };
    });
    await call(page).click();
    await page.getByText('Connected').waitFor();
    await cut();
    await page.getByText('The connection was lost').waitFor();
    await vi.waitFor(() => expect(server.calls.live).toBe(0), { timeout: 5_000 });
    await page.keyboard.press('Enter');
    await page.getByText('Connected').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('You hung up.').waitFor();
  });

  test('a session that is over in the middle of a call does not end the call', async () => {
    const server = await started();
    // Every half minute the frame asks how the server is; here every second.
    const impatient =
      'const later = setTimeout; globalThis.setTimeout = (does, ms) => later(does, ms === 30_000 ? 1_000 : ms);';
    const page = await phoneOf(server, impatient, 'operator');
    await call(page).click();
    await page.getByText('Connected').waitFor();
    await page.context().clearCookies();
    const again = page.getByRole('dialog', { name: 'Your session is over' });
    await again.waitFor();
    // Neither a key of the dialog hangs up, nor is a digit of the token dialled.
    for (const key of ['Escape', 'Escape', '1']) await page.keyboard.press(key);
    expect(server.calls.live).toBe(1);
    await again.getByLabel('Admin token').fill(server.adminToken);
    await page.keyboard.press('Enter');
    await again.waitFor({ state: 'detached' });
    await page.getByText('Connected').waitFor();
    expect(server.calls.live).toBe(1);
    expect(await page.getByText('Keys', { exact: true }).count()).toBe(0);
    await page.keyboard.press('Escape');
    await page.getByText('You hung up.').waitFor();
  });

  test('an agent that answers a number and all others is offered once', async () => {
    const server = await started();
    const page = await phoneOf(server);
    await page.route('**/api/phone', async (route) => {
      const facts = (await (await route.fetch()).json()) as { agents: { answers: string[] }[] };
      const [agent] = facts.agents;
      const agents = [
        { ...agent, answers: ['+15005550001', '+15005550001'] },
        { ...agent, name: 'Night Desk', answers: ['+15005550002'] },
      ];
      await route.fulfill({ json: { ...facts, agents } });
    });
    await page.reload();
    await page.getByRole('option', { name: /Night Desk/ }).waitFor({ state: 'attached' });
    expect(await page.getByLabel('Agent').getByRole('option').count()).toBe(2);
  });

  test('a server that stops says so', async () => {
    const server = await started();
    const page = await phoneOf(server);
    await call(page).click();
    await page.getByText('Connected').waitFor();
    browser.allow(/ERR_|50\d|WebSocket/);
    await server.close();
    await page.getByText('The server is being stopped').first().waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('cannot be reached').first().waitFor();
    await takePictures(page, 'phone-stopped');
  });

  test('leaving the view hangs up and gives the microphone back', async () => {
    const server = await started();
    const page = await phoneOf(
      server,
      'const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);' +
        'navigator.mediaDevices.getUserMedia = async (what) => (globalThis.microphone = await ask(what));',
      'operator',
    );
    await call(page).click();
    await page.getByText('Connected').waitFor();
    await page.getByRole('link', { name: 'Calls', exact: true }).click();
    await vi.waitFor(() => expect(server.calls.live).toBe(0), { timeout: 5_000 });
    expect(await page.evaluate('globalThis.microphone.getTracks().map((track) => track.readyState).join()')).toBe(
      'ended',
    );
  });
});
