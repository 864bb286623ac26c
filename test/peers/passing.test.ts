// Which process answers: whose call it is, who takes new ones, and what is done when that process is gone or says nothing.
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { PassedRequest } from '../../src/carrier/carrier.ts';
import { realClock } from '../../src/clock.ts';
import { NODE_PATH, Nodes } from '../../src/peers/nodes.ts';
import { Passing, type PassingOptions } from '../../src/peers/passing.ts';

const ME = 'aaaaaaaaaaaa';
const OTHER = 'bbbbbbbbbbbb';
const THIRD = 'cccccccccccc';
const PUBLIC_URL = 'https://calls.example.com';
const TOKEN_MARK = '0123456789ab';
const REQUEST: PassedRequest = {
  path: '/voice?x=1',
  headers: { 'x-twilio-signature': 'signed', 'content-type': 'application/x-www-form-urlencoded', connection: 'close' },
  body: 'CallSid=CA1',
};

async function folder(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trunkline-peers-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

const log = { info() {}, warn() {} };

/** A process of the data folder that answers with `answer`. */
async function node(dataDir: string, id: string, answer: RequestListener): Promise<Nodes> {
  const nodes = new Nodes({ id, dataDir, log });
  const server = createHttpServer(answer);
  await nodes.listen((socket) => server.emit('connection', socket));
  onTestFinished(async () => {
    server.closeAllConnections();
    await nodes.close();
  });
  return nodes;
}

/** Says of itself what is given, and answers webhooks with its own name. */
const says =
  (id: string, facts: object, seen: string[] = []): RequestListener =>
  async (request, response) => {
    if (request.url === NODE_PATH) return void response.end(JSON.stringify({ node: id, ...facts }));
    seen.push(
      `${request.method} ${request.url} ${String(request.headers['x-twilio-signature'])} ${await text(request)}`,
    );
    response.setHeader('content-type', 'text/xml').end(`<${id}/>`);
  };

async function passing(dataDir: string, part: Partial<PassingOptions> = {}) {
  const nodes = await node(dataDir, ME, (_request, response) => response.end());
  const passed: string[] = [];
  const of = new Passing({
    nodes,
    clock: realClock,
    publicUrl: PUBLIC_URL,
    tokenMark: TOKEN_MARK,
    ownerOf: async () => null,
    draining: () => false,
    passed: (what) => passed.push(what),
    answerWithinMs: 100,
    ...part,
  });
  return { of, nodes, passed };
}

test('what is nobody else’s is answered here', async () => {
  const { of, passed } = await passing(await folder());
  for (const what of ['voice', 'next', 'status'] as const)
    expect(await of.passOn(what, 'twilio', 'CA1', REQUEST)).toBeNull();
  expect(passed).toEqual([]);
});

test('a webhook about a call of another process goes to that process, as it came', async () => {
  const dataDir = await folder();
  const seen: string[] = [];
  await node(dataDir, OTHER, says(OTHER, {}, seen));
  const { of, passed } = await passing(dataDir, { ownerOf: async () => OTHER });
  expect(await of.passOn('next', 'twilio', 'CA1', REQUEST)).toEqual({
    status: 200,
    contentType: 'text/xml',
    body: `<${OTHER}/>`,
  });
  expect(seen).toEqual(['POST /voice?x=1 signed CallSid=CA1']);
  expect(passed).toEqual(['next']);
});

test('of a process that is gone, this one answers from what is stored', async () => {
  const { of } = await passing(await folder(), { ownerOf: async () => OTHER });
  for (const what of ['voice', 'next', 'status'] as const)
    expect(await of.passOn(what, 'twilio', 'CA1', REQUEST)).toBeNull();
});

test('a living process that says nothing: its call is not let in twice, all else is answered here', async () => {
  const dataDir = await folder();
  await node(dataDir, OTHER, () => {});
  const { of } = await passing(dataDir, { ownerOf: async () => OTHER });
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toMatchObject({ status: 504 });
  expect(await of.passOn('next', 'twilio', 'CA1', REQUEST)).toBeNull();
});

test('a new call that comes while this process drains goes to one that takes calls under the same origin and token', async () => {
  const dataDir = await folder();
  await node(dataDir, OTHER, says(OTHER, { taking: false, publicUrl: PUBLIC_URL, tokenMark: TOKEN_MARK }));
  const { of } = await passing(dataDir, { draining: () => true });
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toBeNull();
  await node(
    dataDir,
    'dddddddddddd',
    says('dddddddddddd', { taking: true, publicUrl: 'https://other.example.com', tokenMark: TOKEN_MARK }),
  );
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toBeNull();
  await node(
    dataDir,
    'eeeeeeeeeeee',
    says('eeeeeeeeeeee', { taking: true, publicUrl: PUBLIC_URL, tokenMark: 'of another token' }),
  );
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toBeNull();
  await node(dataDir, THIRD, says(THIRD, { taking: true, publicUrl: PUBLIC_URL, tokenMark: TOKEN_MARK }));
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toMatchObject({ body: `<${THIRD}/>` });
  expect(await of.passOn('next', 'twilio', 'CA1', REQUEST)).toBeNull();
});

test('a repeated webhook of a call of its own is answered by a process that drains', async () => {
  const dataDir = await folder();
  await node(dataDir, OTHER, says(OTHER, { taking: true, publicUrl: PUBLIC_URL, tokenMark: TOKEN_MARK }));
  const { of, passed } = await passing(dataDir, { draining: () => true, ownerOf: async () => ME });
  expect(await of.passOn('voice', 'twilio', 'CA1', REQUEST)).toBeNull();
  expect(passed).toEqual([]);
});

test('a token that is no process’s names no file', async () => {
  const dataDir = await folder();
  const { of, nodes } = await passing(dataDir);
  for (const token of ['', '.x', '../../etc/passwd.x', `${ME}.x`, 'nodots', '..'])
    expect(await of.handOver(token, {} as never, {} as never, Buffer.alloc(0))).toBe(false);
  expect(nodes.socketOf('../x')).toBeNull();
});

test('the folder of sockets is its owner’s alone', async () => {
  const dataDir = await folder();
  await passing(dataDir);
  expect((await stat(join(dataDir, 'nodes'))).mode & 0o777).toBe(0o700);
});

test('a process that ends takes its socket with it', async () => {
  const dataDir = await folder();
  const { nodes } = await passing(dataDir);
  const path = join(dataDir, 'nodes', `${ME}.sock`);
  await expect(stat(path)).resolves.toBeDefined();
  await nodes.close();
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test('the socket of a process that died is removed, but not one that was made a moment ago', async () => {
  const dataDir = await folder();
  const { nodes } = await passing(dataDir);
  const dead = async (id: string, ageMs: number): Promise<string> => {
    // What a killed process leaves: a path that nobody listens on.
    const path = join(dataDir, 'nodes', `${id}.sock`);
    await writeFile(path, '');
    const atS = (Date.now() - ageMs) / 1_000;
    await utimes(path, atS, atS);
    return path;
  };
  const [old, young] = [await dead('111111111111', 120_000), await dead('222222222222', 1_000)];
  expect(await nodes.others()).toEqual([]);
  await expect(stat(old)).rejects.toThrow('ENOENT');
  await expect(stat(young)).resolves.toBeDefined();
});

test('a process that does not answer is not gone; one that nobody listens for is', async () => {
  const dataDir = await folder();
  const { nodes } = await passing(dataDir);
  await node(dataDir, OTHER, () => {});
  expect(await nodes.others()).toEqual([]);
  expect(await nodes.isGone(OTHER)).toBe(false);
  expect(await nodes.isGone(THIRD)).toBe(true);
});

test('where no socket can be had, the process works alone and says so', async () => {
  const dataDir = await folder();
  await writeFile(join(dataDir, 'nodes'), 'not a folder');
  const warnings: string[] = [];
  const nodes = new Nodes({ id: ME, dataDir, log: { info() {}, warn: (_fields, text) => warnings.push(text) } });
  await nodes.listen(() => {});
  expect(warnings).toEqual([expect.stringContaining('no socket in the data folder')]);
  expect(await nodes.others()).toEqual([]);
  await nodes.close();
});
