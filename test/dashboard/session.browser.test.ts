// The front door in a real browser, with real cookies, a real content security policy, and pages of others that try to get in
// with them. Another port of the same host is the same site: cookies go there and back, so SameSite alone keeps nobody out.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { upgradeGate } from '../../src/carrier/twilio/upgrade-gate.ts';
import { realClock } from '../../src/clock.ts';
import { dashboardApi } from '../../src/dashboard/api.ts';
import type { ApiRoute } from '../../src/dashboard/api-route.ts';
import { Entrance } from '../../src/dashboard/entrance.ts';
import { pageFiles } from '../../src/dashboard/page-files.ts';
import { type PageSockets, pageSockets } from '../../src/dashboard/upgrades.ts';
import { describeInBrowser, useBrowser } from '../support/browser.ts';

const TOKEN = 'a-token-of-sixteen';

describeInBrowser('in a browser', () => {
  const browser = useBrowser();
  let dir: string;
  let app: FastifyInstance;
  let sockets: PageSockets;
  let entrance: Entrance;
  let stranger: Server;
  let ours: string;
  let strangers: string;
  let changed: string[];
  let heard: string[];
  let cookiesSeen: (string | undefined)[];

  const ROUTES: ApiRoute[] = [
    {
      ...{ method: 'POST', path: '/changed', summary: '', reply: null, body: z.strictObject({}) },
      async answer({ who }) {
        changed.push(who.actor);
      },
    },
    {
      ...{ method: 'GET', path: '/events', summary: '' },
      reply: { media: 'text/event-stream', description: '', events: {} },
      async answer() {
        return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: new PassThrough() };
      },
    },
  ];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'trunkline-page-'));
    mkdirSync(join(dir, 'assets'));
    const inline = '<script>window.inline = 1</script><style>body { color: rgb(1, 2, 3) }</style>';
    const attributes = '<p id="styled" style="color: rgb(1, 2, 3)" onclick="window.clicked = 1">text</p>';
    writeFileSync(
      join(dir, 'index.html'),
      `<!doctype html><title>t</title><script type="module" crossorigin src="/assets/page-1.js"></script>${inline}${attributes}`,
    );
    writeFileSync(
      join(dir, 'assets/page-1.js'),
      `document.getElementById('styled').style.opacity = 0.5;
       try { window.evaluated = new Function('return 1')(); } catch { window.evaluated = 'refused'; }
       window.loaded = 1;`,
    );
    writeFileSync(join(dir, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    app = fastify({ forceCloseConnections: true });
    app.addHook('onRequest', async ({ headers }) => void cookiesSeen.push(headers.cookie));
    entrance = new Entrance({
      adminToken: TOKEN,
      publicUrl: 'https://voice.example.com',
      clock: realClock,
      append: () => {},
    });
    const log = { warn: () => {}, error: () => {} };
    await app.register(dashboardApi, { routes: ROUTES, entrance, version: '1', clock: realClock, log });
    await app.register(pageFiles, { dir, publicUrl: 'https://voice.example.com' });
    const open = (socket: { send(text: string): void }, _request: unknown, { actor }: { actor: string }) => {
      heard.push(actor);
      socket.send('hello');
    };
    sockets = pageSockets({ entrance, clock: realClock, log, routes: [{ path: '/api/socket', open }] });
    upgradeGate(app.server, '/media', null, sockets.take);
    await app.listen({ port: 0, host: '127.0.0.1' });
    ours = `http://127.0.0.1:${(app.server.address() as { port: number }).port}`;
    stranger = createServer((_request, reply) =>
      reply.setHeader('content-type', 'text/html').end('<title>evil</title>'),
    );
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    strangers = `http://127.0.0.1:${(stranger.address() as { port: number }).port}`;
  });
  afterAll(async () => {
    await sockets.close();
    await app.close();
    stranger.closeAllConnections();
    stranger.close();
    rmSync(dir, { recursive: true });
  });
  beforeEach(() => {
    [changed, heard, cookiesSeen] = [[], [], []];
    browser.allow(/Content Security Policy|favicon/);
  });

  /** Logs in as the page does. @returns the csrf token */
  const logIn = `(async () => {
    const answer = await fetch('/api/session', { method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: '${TOKEN}', name: 'Ada' }) });
    return (await answer.json()).csrf;
  })()`;
  const socketTo = (url: string) => `new Promise((done) => {
    const socket = new WebSocket('${url}');
    socket.onmessage = ({ data }) => done(data);
    socket.onclose = ({ code }) => done(code);
    // What the policy refuses is not even closed.
    socket.onerror = () => done(1006);
  })`;
  const statusOf = (url: string, init: object = {}) =>
    `fetch('${url}', ${JSON.stringify(init)}).then(({ status, type }) => type === 'opaque' ? 'opaque' : status, () => 'failed')`;

  test('a page of ours logs in, reads, changes, follows events and opens sockets; no script sees the cookie', async () => {
    const page = await browser.open(ours);
    const csrf = (await page.evaluate(logIn)) as string;
    expect(await page.evaluate('document.cookie')).toBe('');
    expect((await page.context().cookies())[0]).toMatchObject({
      name: 'trk_session',
      httpOnly: true,
      sameSite: 'Strict',
    });
    expect(await page.evaluate(statusOf('/api/session'))).toBe(200);
    const init = { method: 'POST', headers: { 'x-csrf-token': csrf, 'content-type': 'application/json' }, body: '{}' };
    expect(await page.evaluate(statusOf('/api/changed', init))).toBe(204);
    expect(changed).toEqual(['operator:Ada']);
    expect(
      await page.evaluate(`new Promise((done) => {
      const source = new EventSource('/api/events');
      source.onopen = () => { source.close(); done('open'); };
      source.onerror = () => done('error');
    })`),
    ).toBe('open');
    expect(await page.evaluate(socketTo(`${ours.replace('http', 'ws')}/api/socket`))).toBe('hello');
    expect(heard).toEqual(['operator:Ada']);
  });

  test('the policy lets the script of the page run and style, and nothing that stands in a document', async () => {
    const page = await browser.open(ours);
    await page.waitForFunction('window.loaded === 1');
    await page.click('#styled');
    expect(await page.evaluate('[window.inline, window.clicked, window.evaluated]')).toEqual([
      ...[undefined, undefined, 'refused'],
    ]);
    expect(await page.evaluate(`getComputedStyle(document.getElementById('styled')).color`)).toBe('rgb(0, 0, 0)');
    expect(await page.evaluate(`getComputedStyle(document.getElementById('styled')).opacity`)).toBe('0.5');
    for (const url of [strangers, `${strangers.replace('http', 'ws')}/x`])
      expect(await page.evaluate(url.startsWith('ws') ? socketTo(url) : statusOf(url, { mode: 'no-cors' }))).toBeOneOf([
        'failed',
        1006,
      ]);
  });

  test('a page on another port of this host has the cookie and gets nowhere with it', async () => {
    browser.allow(/CORS policy|403|WebSocket|ERR_FAILED|ERR_BLOCKED/);
    const page = await browser.open(ours);
    const csrf = (await page.evaluate(logIn)) as string;
    await page.goto(strangers);
    // The cookie really goes along: cookies know no ports.
    expect(await page.evaluate(statusOf(`${ours}/api/session`, { credentials: 'include' }))).toBe('failed');
    expect(cookiesSeen.at(-1)).toContain('trk_session=');
    for (const headers of [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json', 'x-csrf-token': csrf },
    ])
      for (const mode of ['cors', 'no-cors']) {
        const init = { method: 'POST', credentials: 'include', mode, headers, body: '{}' };
        expect(await page.evaluate(statusOf(`${ours}/api/changed`, init))).not.toBe(204);
      }
    expect(await page.evaluate(socketTo(`${ours.replace('http', 'ws')}/api/socket`))).toBe(1006);
    // A form needs no script, and reads nothing, but its request arrives.
    await page.evaluate(`(() => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action: '${ours}/api/changed', enctype: 'text/plain' });
      document.body.append(form);
      form.submit();
    })()`);
    await page.waitForURL(`${ours}/api/changed`);
    expect([changed, heard]).toEqual([[], []]);
  });

  test('a page of another site cannot put ours into a frame, nor log anybody in', async () => {
    browser.allow(/frame|CORS policy|403|ERR_FAILED|ERR_BLOCKED|refused/i);
    const page = await browser.open(strangers);
    const framed = await page.evaluate(`new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.src = '${ours}/';
      frame.onload = () => { try { done(frame.contentDocument === null ? 'kept out' : 'same') } catch { done('kept out') } };
      document.body.append(frame);
    })`);
    expect(framed).toBe('kept out');
    for (const frame of page.frames().slice(1)) expect(await frame.evaluate('window.loaded')).toBeUndefined();
    const init = { method: 'POST', mode: 'no-cors', credentials: 'include', body: JSON.stringify({ token: TOKEN }) };
    await page.evaluate(statusOf(`${ours}/api/session`, init));
    expect(await page.context().cookies(ours)).toEqual([]);
  });
});
