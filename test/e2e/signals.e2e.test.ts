// Real signals and real faults at a real process with a call on the line: what counts as one wish to stop, what as two.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { Script } from '../../src/simulator/script.ts';
import { question, sumOf, within } from '../support/e2e.ts';
import { callProcess, type ServerProcess, withProcesses } from '../support/server-process.ts';

vi.setConfig({ maxConcurrency: 3 });

/** Two signals of one kind within this are one wish (src/main.ts). */
const ONE_PRESS_MS = 500;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trunkline-signals-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [{ items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] }],
};

/** Agents whose tool file throws, or forgets a promise, outside of any call, when it is poked. */
async function faultyAgents(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(root, 'agents-'));
  const tool = `process.on('SIGUSR2', () => { throw new Error('left behind'); });
    process.on('SIGHUP', () => void Promise.reject(new Error('left behind')));
    export default { name: 'idle', description: 'x', parameters: { type: 'object', properties: {} }, run: () => 'ok' };`;
  await writeFile(join(folder, 'tool.mjs'), tool);
  await writeFile(join(folder, 'desk.yaml'), 'answers: ["*"]\ninstructions: Be kind.\ntools: tool.mjs\n');
  return { AGENTS_DIR: folder };
}

/** A process with one caller on the line. */
async function live(server: ServerProcess): Promise<{ origin: string; call: PhoneCall }> {
  const origin = await server.ready();
  const call = callProcess(origin);
  await call.once('firstAudio');
  return { origin, call };
}

/** The caller is answered to the end: nothing was cut. */
async function endsByItself(call: PhoneCall): Promise<void> {
  call.say(question());
  const { verbs } = await call.ended;
  expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
}

const errors = async (origin: string): Promise<number> =>
  sumOf(
    await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text(),
    'trunkline_errors_total',
    {
      side: 'server',
      code: 'other',
    },
  );

describe.concurrent('a process with a call on the line', () => {
  test('takes the doubled signal of one Ctrl-C for one: no call is cut', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start();
        const { call } = await live(server);
        server.signal('SIGINT');
        // Two that are sent at once the system may make one of: the second follows when the first is taken.
        await server.line('draining');
        server.signal('SIGINT');
        await endsByItself(call);
        expect(await within(5_000, 'the end of the process', server.exit)).toBe(0);
        expect(server.lines.filter(({ msg }) => msg === 'stopping now')).toEqual([]);
      },
      { script },
    ),
  );

  test.each([
    ['another kind', 'SIGINT', 0],
    ['the same kind, later', 'SIGTERM', ONE_PRESS_MS + 50],
  ] as const)('stops at once at a second signal of %s', { timeout: 20_000 }, (_, second, afterMs) =>
    withProcesses(
      async (start) => {
        const server = start();
        const { call } = await live(server);
        server.signal('SIGTERM');
        await server.line('draining');
        await sleep(afterMs);
        server.signal(second);
        expect(await within(3_000, 'the end of the process', server.exit)).toBe(1);
        expect(server.lines.at(-1)).toMatchObject({ msg: 'stopping now', signal: second, live: 1 });
        call.hangUp();
        await call.ended;
      },
      { script },
    ),
  );

  test(
    'drains by itself after a throw out of nowhere, and the first signal then cuts nobody',
    { timeout: 40_000 },
    () =>
      withProcesses(
        async (start) => {
          const server = start(await faultyAgents());
          const { origin, call } = await live(server);
          const before = await errors(origin);
          server.signal('SIGUSR2');
          expect(await server.line('uncaught exception')).toMatchObject({ level: 'fatal', err: { type: 'Error' } });
          expect(await server.line('draining')).toMatchObject({ signal: 'uncaughtException', live: 1 });
          expect((await fetch(`${origin}/readyz`)).status).toBe(503);
          expect(await errors(origin)).toBe(before + 1);
          server.signal('SIGTERM');
          expect(await server.line('draining', 2)).toMatchObject({ signal: 'SIGTERM', live: 1 });
          await endsByItself(call);
          expect(await within(5_000, 'the end of the process', server.exit)).toBe(1);
          expect(server.lines.at(-1)).toMatchObject({ msg: 'stopped' });
        },
        { script },
      ),
  );

  test('counts a forgotten promise and goes on', { timeout: 40_000 }, () =>
    withProcesses(
      async (start) => {
        const server = start(await faultyAgents());
        const { origin, call } = await live(server);
        const before = await errors(origin);
        server.signal('SIGHUP');
        await server.line('unhandled rejection');
        expect(await errors(origin)).toBe(before + 1);
        expect((await fetch(`${origin}/readyz`)).status).toBe(200);
        call.hangUp();
        await call.ended;
      },
      { script },
    ),
  );
});
