// What a service may do wrong, one by one, against a real server: each ends as one sentence, within its bounds, and leaves no
// socket behind.
import type { LookupAddress } from 'node:dns';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { Hosts } from '../../src/tools/hosts.ts';
import { askService } from '../../src/tools/json-service.ts';
import type { JsonRequest } from '../../src/tools/json-service.ts';
import { OutboundClient } from '../../src/tools/outbound.ts';
import { ToolFailure } from '../../src/tools/tool.ts';
import { json, serveLocally } from './local-service.ts';
import type { Answer, LocalService } from './local-service.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function service(answer: Answer): Promise<LocalService> {
  const local = await serveLocally(answer);
  open.push(local);
  return local;
}

function clientFor(hosts: readonly string[], resolve?: (host: string) => Promise<readonly LookupAddress[]>) {
  const client = new OutboundClient(new Hosts({ hosts: [], private: hosts }), resolve);
  open.push(client);
  return client;
}

const request = (url: string, more: Partial<JsonRequest> = {}): JsonRequest => ({
  method: 'GET',
  url: new URL(url),
  headers: {},
  body: undefined,
  signal: AbortSignal.timeout(5_000),
  repeatable: true,
  ...more,
});

const secrets = new Set(['s3cr3t-token']);

/** What a service's answer becomes: a value, or the failure. */
async function asked(
  answer: Answer,
  more: Partial<JsonRequest> = {},
): Promise<{ value?: unknown; failure?: ToolFailure }> {
  const local = await service(answer);
  try {
    return { value: await askService(clientFor([local.host]), request(`${local.url}/orders`, more), secrets) };
  } catch (error) {
    if (error instanceof ToolFailure) return { failure: error };
    throw error;
  }
}

describe('an answer', () => {
  test('in JSON is a value', async () => {
    expect(await asked((_, response) => json(response, 200, { at: 'the depot' }))).toEqual({
      value: { at: 'the depot' },
    });
  });

  test('of a JSON dialect, and compressed although nobody asked for it, is a value too', async () => {
    const packed = gzipSync('{"ok":true}');
    const found = await asked((one, response) => {
      expect(one.headers['accept-encoding']).toBe('identity');
      response
        .writeHead(201, { 'content-type': 'application/hal+json; charset=utf-8', 'content-encoding': 'gzip' })
        .end(packed);
    });
    expect(found).toEqual({ value: { ok: true } });
  });

  test('without a body is no value', async () => {
    expect(await asked((_, response) => void response.writeHead(204).end())).toEqual({ value: undefined });
    expect(await asked((_, response) => void response.writeHead(200, { 'content-length': 0 }).end())).toEqual({
      value: undefined,
    });
  });
});

describe('told as it is, and not to be tried again:', () => {
  test.each([
    [404, { message: 'No order AB123456' }, 'The service knows no such thing (404). It says: No order AB123456'],
    [409, { detail: 'The slot is taken' }, /conflict.*\(409\)\. It says: The slot is taken$/],
    [422, { error: { message: 'birth date  is\nin the future' } }, /\(422\)\. It says: birth date is in the future$/],
    [400, { title: 'Bad', status: 400, trace: 'at Object.<anonymous>' }, /\(400\)\. It says: Bad$/],
    [418, { reason: 'not one of ours' }, 'The service refused (418).'],
    [404, ['a list'], 'The service knows no such thing (404).'],
    [403, { message: 'key s3cr3t-token is blocked' }, 'The service does not let us do this.'],
    [404, { message: 'nothing for s3cr3t-token' }, 'The service knows no such thing (404).'],
  ])('%d %j', async (status, body, expected) => {
    const { failure } = await asked((_, response) => json(response, status, body));
    if (typeof expected === 'string') expect(failure?.message).toBe(expected);
    else expect(failure?.message).toMatch(expected);
    expect(failure).toMatchObject({ passing: false, nothingDone: true });
  });

  test('a long message is cut to one line of 200 characters', async () => {
    const { failure } = await asked((_, response) => json(response, 404, { message: `long\n${'x'.repeat(9_000)}` }));
    expect(failure?.message.replace(/^.*It says: /s, '')).toMatch(/^long x{194}…$/);
  });

  test('an error of 100 MB is not read', async () => {
    const { failure } = await asked((_, response) => {
      response.writeHead(404, { 'content-type': 'application/json', 'content-length': 100_000_000 });
      response.write('{"message":"');
    });
    expect(failure?.message).toBe('The service knows no such thing (404).');
  });

  test('a page instead of data', async () => {
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Log in</h1>');
    });
    expect(failure).toMatchObject({
      message: expect.stringContaining('a page or a file'),
      passing: false,
      nothingDone: false,
    });
  });

  test('JSON that is none', async () => {
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"at": <br>');
    });
    expect(failure).toMatchObject({
      message: expect.stringContaining('not the JSON'),
      passing: false,
      nothingDone: false,
    });
  });

  test('10 MB: reading stops soon after 256 KiB', async () => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const { failure } = await asked((_, response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(64 * 1024, 0x20);
      const more = (): void => {
        while (sent < 10_000_000 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    expect(failure).toMatchObject({
      message: expect.stringContaining('too large'),
      passing: false,
      nothingDone: false,
    });
    await closed.promise;
    expect(sent).toBeLessThan(9_000_000);
  });

  test('a megabyte of zeros packed in a kilobyte', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb);
    });
    expect(failure?.message).toContain('too large');
  });

  test('bytes that are not what they are said to be packed as', async () => {
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('{"plain":1}');
    });
    expect(failure?.message).toContain('a form that we cannot read');
  });

  test('headers without end', async () => {
    const { failure } = await asked((_, response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(1_000)}\r\n`.repeat(200)}`);
    });
    expect(failure?.message).toContain('a form that we cannot read');
  });

  test('no HTTP at all', async () => {
    const { failure } = await asked((_, response) => void response.socket?.end('220 mail.example.com ESMTP\r\n'));
    expect(failure?.message).toContain('a form that we cannot read');
  });
});

describe('may pass:', () => {
  test.each([429, 500, 502, 503])('%d', async (status) => {
    const { failure } = await asked((_, response) => json(response, status, { message: 'stack of s3cr3t-token' }));
    expect(failure).toMatchObject({ passing: true, nothingDone: status === 429 });
    expect(failure?.message).not.toContain('stack');
  });

  test('a body that breaks off', async () => {
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 });
      response.write('{"half":', () => response.socket?.destroy());
    });
    expect(failure).toMatchObject({ message: expect.stringContaining('broke off'), passing: true, nothingDone: false });
  });

  test('a packed body that breaks off', async () => {
    const packed = gzipSync(JSON.stringify({ list: Array.from({ length: 2_000 }, (_, i) => i) }));
    const { failure } = await asked((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.write(packed.subarray(0, 200), () => response.socket?.destroy());
    });
    expect(failure?.passing).toBe(true);
  });

  test('nobody there', async () => {
    const local = await serveLocally(() => {});
    await local.close();
    const failed = askService(clientFor([local.host]), request(local.url), secrets);
    await expect(failed).rejects.toMatchObject({
      passing: true,
      nothingDone: true,
      message: expect.stringContaining('cannot be reached'),
    });
  });
});

describe('the signal ends', () => {
  test.each<[string, Answer]>([
    ['a request that nobody answers', () => {}],
    [
      'a body that never ends',
      (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{'),
    ],
    [
      'a body that drips',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const drip = setInterval(() => response.write(' '), 5);
        response.on('close', () => clearInterval(drip));
      },
    ],
    [
      'a packed body that never ends',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
        response.write(gzipSync('{"a":1}').subarray(0, 12));
      },
    ],
  ])('%s, and its connection', async (_, answer) => {
    const stop = new AbortController();
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const local = await service((one, response, incoming) => {
      response.on('close', () => closed.resolve());
      answer(one, response, incoming);
      arrived.resolve();
    });
    const failed = askService(clientFor([local.host]), request(local.url, { signal: stop.signal }), secrets).catch(
      (error: unknown) => error,
    );
    await arrived.promise;
    stop.abort();
    expect(await failed).toMatchObject({ name: 'ToolFailure', passing: true });
    await closed.promise;
  });

  test('a request before it begins', async () => {
    const local = await service(() => {});
    await expect(
      askService(clientFor([local.host]), request(local.url, { signal: AbortSignal.abort() }), secrets),
    ).rejects.toMatchObject({ passing: true });
    expect(local.asked).toEqual([]);
  });
});

describe('a redirect', () => {
  const to =
    (location: string, status = 302): Answer =>
    (one, response) => {
      if (one.path === '/orders') response.writeHead(status, { location }).end();
      else json(response, 200, { from: one.path });
    };

  test('within the origin is followed', async () => {
    expect(await asked(to('/moved?a=1', 308))).toEqual({ value: { from: '/moved?a=1' } });
  });

  test('in circles ends after three', async () => {
    const local = await service((_, response) => void response.writeHead(302, { location: '/orders' }).end());
    await expect(askService(clientFor([local.host]), request(`${local.url}/orders`), secrets)).rejects.toMatchObject({
      message: expect.stringContaining('elsewhere'),
    });
    expect(local.asked.length).toBe(4);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'https://example.com/',
    'file:///etc/passwd',
    'http://127.0.0.1:1/',
    '//evil.example/x',
    'http://[',
    'javascript:alert(1)',
  ])('to %s is not', async (location) => {
    const { failure } = await asked(to(location));
    expect(failure).toMatchObject({ message: expect.stringContaining('another host'), passing: false });
  });

  test('to the same port of another loopback address is not', async () => {
    const local = await service(
      (_, response) => void response.writeHead(302, { location: local.url.replace('127.0.0.1', 'localhost') }).end(),
    );
    await expect(
      askService(clientFor([local.host, local.host.replace('127.0.0.1', 'localhost')]), request(local.url), secrets),
    ).rejects.toThrow('another host');
    expect(local.asked.length).toBe(1);
  });

  test.each([301, 302, 303, 307, 308])('%d of a write is not followed', async (status) => {
    const local = await service(to('/moved', status));
    await expect(
      askService(clientFor([local.host]), request(`${local.url}/orders`, { method: 'POST', body: { a: 1 } }), secrets),
    ).rejects.toThrow('elsewhere');
    expect(local.asked.map(({ path }) => path)).toEqual(['/orders']);
  });
});

describe('a name', () => {
  const addresses = (...all: string[]) => all.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

  test('that leads to this machine is not connected to unless it is listed', async () => {
    const local = await service((_, response) => json(response, 200, {}));
    const port = local.host.split(':')[1];
    const hosts = new Hosts({ hosts: [`shop.example:${port}`], private: [] });
    const client = new OutboundClient(hosts, () => Promise.resolve(addresses('127.0.0.1')));
    open.push(client);
    await expect(askService(client, request(`https://shop.example:${port}/`), secrets)).rejects.toMatchObject({
      message: 'This service is not one that we may connect to.',
      passing: false,
    });
  });

  test('is resolved once for a connection, and the connection goes where the check looked', async () => {
    const local = await service((_, response) => json(response, 200, { ok: true }));
    const port = local.host.split(':')[1];
    // The second answer would be the attack: the check sees the first address, the connection the next.
    const answers = [addresses('127.0.0.1'), addresses('169.254.169.254')];
    let lookups = 0;
    const client = clientFor([`shop.example:${port}`], () => Promise.resolve(answers[lookups++] ?? []));
    expect(await askService(client, request(`http://shop.example:${port}/`), secrets)).toEqual({ ok: true });
    expect(lookups).toBe(1);
    // On the kept connection nobody is asked again.
    expect(await askService(client, request(`http://shop.example:${port}/`), secrets)).toEqual({ ok: true });
    expect(lookups).toBe(1);
    // A new one asks, and is refused.
    await expect(
      askService(client, request(`http://shop.example:${port}/`, { method: 'POST', repeatable: false }), secrets),
    ).rejects.toThrow('not one that we may connect to');
    expect(lookups).toBe(2);
    expect(local.asked.length).toBe(2);
  });

  test('with good and bad addresses is only connected to at the good ones', async () => {
    const local = await service((_, response) => json(response, 200, { ok: true }));
    const port = local.host.split(':')[1];
    const client = clientFor([`shop.example:${port}`], () =>
      Promise.resolve(addresses('169.254.169.254', '::ffff:127.0.0.1', 'fe80::1', '127.0.0.1')),
    );
    expect(await askService(client, request(`http://shop.example:${port}/`), secrets)).toEqual({ ok: true });
  });

  test('that is not known may be known a moment later', async () => {
    const client = clientFor(['shop.example'], () =>
      Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })),
    );
    await expect(askService(client, request('http://shop.example/'), secrets)).rejects.toMatchObject({ passing: true });
  });
});

describe('a request', () => {
  test('beyond 64 KiB, or with a header that cannot be written, is not sent', async () => {
    const local = await service((_, response) => json(response, 200, {}));
    const client = clientFor([local.host]);
    await expect(
      askService(client, request(local.url, { method: 'POST', body: 'x'.repeat(70_000) }), secrets),
    ).rejects.toThrow('too long');
    await expect(
      askService(client, request(local.url, { headers: { 'x-note': 'a\r\nhost: evil' } }), secrets),
    ).rejects.toThrow('could not be written');
    expect(local.asked).toEqual([]);
  });

  test('that reads uses a kept connection, one that must not be repeated its own', async () => {
    const ports: (number | undefined)[] = [];
    const local = await service((_, response, incoming) => {
      ports.push(incoming.socket.remotePort);
      json(response, 200, {});
    });
    const client = clientFor([local.host]);
    for (const repeatable of [true, true, false]) await askService(client, request(local.url, { repeatable }), secrets);
    expect(ports[0]).toBe(ports[1]);
    expect(ports[2]).not.toBe(ports[0]);
  });

  test('fails when the client is closed meanwhile', async () => {
    const arrived = Promise.withResolvers<void>();
    const local = await service(() => arrived.resolve());
    const client = clientFor([local.host]);
    const failed = askService(client, request(local.url), secrets).catch((error: unknown) => error);
    await arrived.promise;
    client.close();
    expect(await failed).toMatchObject({ passing: true });
  });

  test('is not more than 32 at a time to one host', async () => {
    let now = 0;
    let most = 0;
    const release = Promise.withResolvers<void>();
    const full = Promise.withResolvers<void>();
    const local = await service((_, response) => {
      now += 1;
      most = Math.max(most, now);
      if (now === 32) full.resolve();
      void release.promise.then(() => {
        now -= 1;
        json(response, 200, {});
      });
    });
    const client = clientFor([local.host]);
    const all = Array.from({ length: 60 }, () => askService(client, request(local.url), secrets));
    await full.promise;
    release.resolve();
    await Promise.all(all);
    expect(most).toBe(32);
  });
});
