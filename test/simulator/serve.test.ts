// `trunkline simulator` as a person runs it: a process of its own, its words in the terminal, Ctrl-C.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** The command under way: everything it has written, and its end. */
function simulator(...args: string[]) {
  const child = spawn(process.execPath, ['src/trunkline.mjs', 'simulator', ...args], { cwd: ROOT });
  running.push(child);
  let output = '';
  let heard = (): void => {};
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    heard();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const says = async (pattern: RegExp): Promise<RegExpMatchArray> => {
    for (;;) {
      const found = output.match(pattern);
      if (found) return found;
      await new Promise<void>((resolve) => (heard = resolve));
    }
  };
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, output }));
  return { child, says, ended };
}

test('says where it listens and how to use it, tells of each session, and sums up at Ctrl-C', async () => {
  const { child, says, ended } = simulator(
    '--port',
    '0',
    '--script',
    'test/fixtures/scripts/faults/handshake-429-once.yaml',
  );
  const [, origin = ''] = await says(/simulator at (http:\S+), speaking test\/\S+\.yaml/);
  await says(new RegExp(`OPENAI_BASE_URL=${origin} OPENAI_API_KEY=any npm start`));
  const [, url = ''] = await says(/(ws:\S+)/);
  const options = { headers: { authorization: 'Bearer any' } };
  const refused = new WebSocket(url, options);
  await expect(once(refused, 'open')).rejects.toThrow(/429/);
  await says(/connection 1 refused with HTTP 429/);
  const socket = new WebSocket(url, options);
  await once(socket, 'open');
  await says(/session 2 opened: gpt-realtime-2\.1/);
  socket.send('{"type":"response.cancel"}');
  await says(/session 2 was refused: response_cancel_not_active/);
  child.kill('SIGINT');
  const [code] = (await once(socket, 'close')) as [number];
  expect(code).toBe(1001);
  const { code: exitCode, output } = await ended;
  expect(exitCode).toBe(0);
  expect(output).toMatch(/session 2 closed \(\d+\) after \d+\.\d s: 0 turns, 0 answers, 1 refusal\n/);
  expect(output).toMatch(/^1 session, 0 turns, 0 answers, 1 refusal sent, 1 handshake refused$/m);
});

test.for([
  { args: ['--port', '70000'], says: /^--port: expected a TCP port from 0 to 65535 \(found "70000"\)\nusage: / },
  { args: ['--pace', '0'], says: /^--pace: expected a number from 0\.1, or instant \(found "0"\)\nusage: / },
  { args: ['--prot', '1'], says: /^Unknown option '--prot'[^\n]*\nusage: / },
  { args: ['--script', 'no/such.yaml'], says: /^no\/such\.yaml: expected a script file/ },
  { args: ['--script', 'package.json'], says: /^package\.json:2:3: name: no such key/ },
])('says what is wrong with $args', async ({ args, says }) => {
  const { code, output } = await simulator(...args).ended;
  expect(code).toBe(1);
  expect(output).toMatch(says);
});

test('says that the port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, output } = await simulator('--port', String(port)).ended;
  other.close();
  expect([code, output]).toEqual([
    1,
    `Port ${port} of 127.0.0.1 is taken; choose another with --port, or --port 0 for any free one.\n`,
  ]);
});

test('explains its flags', async () => {
  const { code, output } = await simulator('--help').ended;
  expect([code, output]).toEqual([0, expect.stringMatching(/^usage: trunkline simulator .*--script/)]);
});

test('goes on when whoever read its lines has left, and a client cannot steer the terminal', async () => {
  const { child, says, ended } = simulator('--port', '0');
  const [, url = ''] = await says(/(ws:\S+realtime\?model=)/);
  const connect = async (model: string): Promise<WebSocket> => {
    const socket = new WebSocket(url + encodeURIComponent(model), { headers: { authorization: 'Bearer any' } });
    await once(socket, 'open');
    return socket;
  };
  const first = await connect('\u001b[2Jred\nfake');
  await says(/session 1 opened: \\u001b\[2Jred\\u000afake\n/);
  child.stdout.destroy();
  const closed = once(first, 'close');
  first.close();
  await closed;
  // The line about it meets nobody; the next session is served all the same.
  const second = await connect('gpt-realtime-2.1');
  second.send('{"type":"response.cancel"}');
  await once(second, 'message');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

test('tells what its script wanted and tools have not answered', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-script-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const script = join(folder, 'script.yaml');
  await writeFile(script, 'greeting: { says: [short_ok], transcript: "{{find.name}}" }');
  const { says } = simulator('--port', '0', '--script', script);
  const [, url = ''] = await says(/(ws:\S+)/);
  const socket = new WebSocket(url, { headers: { authorization: 'Bearer any' } });
  await once(socket, 'open');
  socket.send('{"type":"response.create"}');
  await says(/session 1, its script: there is no value for \{\{find\.name\}\}; tools that have answered: none\n/);
  socket.terminate();
});
