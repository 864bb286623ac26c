// The page's files: what browsers are told about them, and that nothing else of the disk is served.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pageFiles } from '../../src/dashboard/page-files.ts';

const SCRIPT = 'console.log("the page");\n'.repeat(100);
const DOCUMENT = '<!doctype html><title>Trunkline</title>';

let root: string;
let dir: string;
let app: FastifyInstance;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'trunkline-page-'));
  dir = join(root, 'page');
  mkdirSync(join(dir, 'assets/deeper'), { recursive: true });
  writeFileSync(join(root, 'secret.js'), 'SECRET');
  writeFileSync(join(dir, 'index.html'), DOCUMENT);
  writeFileSync(join(dir, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(dir, 'other.txt'), 'SECRET');
  writeFileSync(join(dir, 'assets/.hidden.js'), 'SECRET');
  writeFileSync(join(dir, 'assets/deeper/in.js'), 'SECRET');
  writeFileSync(join(dir, 'assets/index-Ab12.js'), SCRIPT);
  writeFileSync(join(dir, 'assets/index-Ab12.js.br'), brotliCompressSync(SCRIPT));
  writeFileSync(join(dir, 'assets/index-Ab12.js.gz'), gzipSync(SCRIPT));
  writeFileSync(join(dir, 'assets/index-Ab12.css'), 'body{}');
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(async () => {
  app = await serve({ dir, publicUrl: 'http://127.0.0.1:3000' });
});
afterEach(() => app.close());

async function serve(options: { dir: string; publicUrl: string }): Promise<FastifyInstance> {
  const made = fastify();
  await made.register(pageFiles, options);
  made.get('/healthz', () => ({ status: 'ok' }));
  return made;
}
const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

test.each([
  '/',
  '/login',
  '/live',
  '/live/some-call_1',
  '/calls',
  '/calls/some-call_1',
  '/phone',
  '/audit',
  '/calls?agent=x',
])('%s is the document, asked for anew each time', async (url) => {
  const answer = await get(url, HTML);
  expect([answer.statusCode, answer.body]).toEqual([200, DOCUMENT]);
  expect(answer.headers['content-type']).toMatch(/^text\/html/);
  expect(answer.headers['cache-control']).toBe('no-cache');
  const { etag = '' } = answer.headers;
  expect((await get(url, { ...HTML, 'if-none-match': etag })).statusCode).toBe(304);
  const head = await app.inject({ url, method: 'HEAD' });
  expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', String(DOCUMENT.length)]);
});

test('assets are kept for good, and come compressed to those who take it', async () => {
  const plain = await get('/assets/index-Ab12.js');
  expect([plain.statusCode, plain.body]).toEqual([200, SCRIPT]);
  expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect(plain.headers['content-type']).toMatch(/^(?:text|application)\/javascript/);
  for (const [accepted, encoding, bytes] of [
    ['gzip, deflate, br, zstd', 'br', brotliCompressSync(SCRIPT)],
    ['gzip', 'gzip', gzipSync(SCRIPT)],
  ] as const) {
    const packed = await get('/assets/index-Ab12.js', { 'accept-encoding': accepted });
    expect([packed.statusCode, packed.headers['content-encoding']]).toEqual([200, encoding]);
    expect(packed.rawPayload.length).toBe(bytes.length);
    expect(packed.headers['content-type']).toMatch(/^(?:text|application)\/javascript/);
    expect(packed.headers['vary']).toMatch(/accept-encoding/i);
  }
  const unpacked = await get('/assets/index-Ab12.css', { 'accept-encoding': 'gzip, br' });
  expect([unpacked.body, unpacked.headers['content-encoding']]).toEqual(['body{}', undefined]);
});

/** Paths that have no business here, as they may come over the wire. */
const ELSEWHERE = [
  ...[
    '/assets/../index.html',
    '/assets/../../secret.js',
    '/../secret.js',
    '/%2e%2e/secret.js',
    '/assets/%2e%2e/other.txt',
  ],
  ...['/assets/..%2f..%2fsecret.js', '/assets/%2e%2e%2f%2e%2e%2fsecret.js', '/assets/..%5c..%5csecret.js'],
  ...['/assets/%252e%252e%252fsecret.js', '/assets//index-Ab12.js', '//assets/index-Ab12.js'],
  ...['/assets/', '/assets', '/assets/deeper', '/assets/deeper/in.js', '/assets/deeper%2fin.js', '/assets/.hidden.js'],
  ...[
    '/assets/%2ehidden.js',
    '/assets/index-Ab12.js%00',
    '/assets/index-Ab12.js%00.css',
    '/assets/%',
    '/%c0%ae%c0%ae/secret.js',
  ],
  ...[
    '/assets/index-ab12.js',
    '/other.txt',
    '/index.html',
    '/icon.svg/',
    `/assets/${'x'.repeat(3_000)}`,
    '/etc/passwd',
  ],
  ...[
    '/assets/index-Ab12.js/',
    '/assets/file:%2f%2f%2fetc%2fpasswd',
    '/assets/\u202E',
    '/live/a/b',
    '/calls/%2e%2e%2fx/y',
  ],
];

test.each(ELSEWHERE)('%s is not there', async (url) => {
  for (const headers of [{}, HTML] as Record<string, string>[]) {
    const answer = await get(url, headers);
    expect([400, 403, 404, 414], `${answer.statusCode}`).toContain(answer.statusCode);
    expect(answer.body).not.toMatch(/SECRET|root:/);
  }
});

test('nor is it over a socket, where nothing tidies paths up before', async () => {
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  for (const path of [...ELSEWHERE, '/assets/./index-Ab12.js'].filter((url) => /^[\x21-\x7e]+$/.test(url))) {
    // Not ended: Node answers nobody who has gone.
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    expect(answer, path).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).not.toMatch(/SECRET|root:/);
  }
});

test('a link that somebody laid into the folder leads nowhere new by another name', async () => {
  symlinkSync(join(root, 'secret.js'), join(dir, 'linked.js'));
  expect((await get('/linked.js')).statusCode).toBe(404);
});

test('people who are lost get the page with a 404 that nothing keeps; programs get the shape of all failures', async () => {
  const person = await get('/costs', HTML);
  expect([person.statusCode, person.body, person.headers['cache-control']]).toEqual([404, DOCUMENT, 'no-store']);
  expect(person.headers['etag']).toBeUndefined();
  const again = await get('/costs', { ...HTML, 'if-none-match': '*', 'if-modified-since': new Date().toUTCString() });
  expect([again.statusCode, again.body]).toEqual([404, DOCUMENT]);
  for (const answer of [
    await get('/costs'),
    await app.inject({ url: '/', method: 'POST', headers: HTML }),
    await app.inject({ url: '/calls', method: 'DELETE', headers: HTML }),
    await app.inject({ url: '/', method: 'OPTIONS', headers: HTML }),
    await get('/apis', HTML),
  ]) {
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({ error: { code: 'TRK_NOT_FOUND', message: 'There is nothing here.' } });
  }
});

describe('browsers are told', () => {
  const answers = async () => [
    await get('/', HTML),
    await get('/assets/index-Ab12.js'),
    await get('/icon.svg'),
    await get('/costs', HTML),
    await get('/costs'),
    await get('/assets/none.js'),
    await get('/assets/..%2fx'),
    await app.inject({ url: '/', method: 'POST' }),
    await app.inject({ url: '/phone', method: 'HEAD' }),
  ];

  test('of everything: what may run, and where it may be shown', async () => {
    for (const { headers, statusCode } of await answers()) {
      const policy = String(headers['content-security-policy']);
      expect(policy, String(statusCode)).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
      for (const rule of ["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "connect-src 'self'"])
        expect(policy).toContain(rule);
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'permissions-policy': expect.stringMatching(/^microphone=\(self\), camera=\(\)/),
      });
      expect(headers['strict-transport-security']).toBeUndefined();
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control') || name === 'set-cookie')).toEqual(
        [],
      );
    }
  });

  test('to come by https only, where the public origin is', async () => {
    await app.close();
    app = await serve({ dir, publicUrl: 'https://voice.example.com' });
    for (const { headers } of await answers()) expect(headers['strict-transport-security']).toBe('max-age=31536000');
  });

  test('nothing about what is not the page', async () => {
    expect((await get('/healthz')).headers['content-security-policy']).toBeUndefined();
  });
});

describe('a page that was not built', () => {
  test('says what to run, and is there as soon as it has been', async () => {
    await app.close();
    const later = join(root, 'later');
    app = await serve({ dir: later, publicUrl: 'http://127.0.0.1:3000' });
    for (const url of ['/', '/calls/x', '/costs']) {
      const answer = await get(url, HTML);
      expect([answer.statusCode, answer.headers['cache-control']], url).toEqual([503, 'no-store']);
      expect(answer.body).toContain('npm run build:page');
      expect(answer.headers['content-type']).toMatch(/^text\/html/);
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    }
    expect((await get('/assets/index-Ab12.js')).statusCode).toBe(404);
    mkdirSync(later);
    writeFileSync(join(later, 'index.html'), DOCUMENT);
    expect((await get('/', HTML)).body).toBe(DOCUMENT);
  });
});
