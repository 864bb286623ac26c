// Outbound requests over TLS: a service proves who it is by its name, wherever the connection goes.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Hosts } from '../../src/tools/hosts.ts';
import { askService } from '../../src/tools/json-service.ts';
import { OutboundClient } from '../../src/tools/outbound.ts';

const known = getCACertificates();
const pem = (name: string) => readFile(new URL(`../fixtures/tools/shop.${name}.pem`, import.meta.url), 'utf8');
let port = 0;
let names: unknown[] = [];
let end = (): Promise<void> => Promise.resolve();

beforeAll(async () => {
  const server = createServer({ key: await pem('key'), cert: await pem('cert') }, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ host: request.headers.host }));
  });
  server.on('secureConnection', (socket) => names.push(socket.servername));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  end = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
});
afterAll(() => end());
afterEach(() => {
  setDefaultCACertificates(known);
  names = [];
});

async function ask(host: string): Promise<unknown> {
  const client = new OutboundClient(new Hosts({ hosts: [], private: [host] }), () =>
    Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
  );
  const url = new URL(`https://${host}:${port}/`);
  const request = {
    method: 'GET',
    url,
    headers: {},
    body: undefined,
    signal: AbortSignal.timeout(5_000),
    repeatable: true,
  };
  try {
    return await askService(client, request, new Set());
  } finally {
    client.close();
  }
}

test('a service with a certificate of its name is asked, under that name', async () => {
  setDefaultCACertificates([...known, await pem('cert')]);
  expect(await ask('shop.example')).toEqual({ host: `shop.example:${port}` });
  expect(names).toEqual(['shop.example']);
});

test('one with a certificate of another name, or of its own making, is not', async () => {
  await expect(ask('shop.example')).rejects.toMatchObject({
    message: 'The service could not prove who it is.',
    passing: false,
  });
  setDefaultCACertificates([...known, await pem('cert')]);
  await expect(ask('bank.example')).rejects.toThrow('could not prove who it is');
});
