// A sample business as a process: ready when it says so, gone with whoever started it, and wrong in every way it is told to be.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startClinic } from '../../agents/clinic/service/start.ts';
import type { RunningService } from '../../agents/services/child-service.ts';
import type { Fault } from '../../agents/services/faults.ts';
import { ClinicClient, readOperations, setFaults, TODAY } from './clinic-client.ts';

const START = new URL('../../agents/clinic/service/start.ts', import.meta.url).href;
const MAIN = fileURLToPath(new URL('../../agents/clinic/service/main.ts', import.meta.url));

async function withClinic(body: (service: RunningService) => Promise<void>): Promise<void> {
  const service = await startClinic({ today: TODAY });
  try {
    await body(service);
  } finally {
    await service.close();
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Resolves when nothing listens there any more. */
async function silent(origin: string): Promise<void> {
  const until = performance.now() + 10_000;
  while (performance.now() < until) {
    try {
      await (await fetch(`${origin}/openapi.yaml`, { headers: { connection: 'close' } })).text();
    } catch {
      return;
    }
  }
  throw new Error(`${origin} still answers`);
}

test('it serves its own document, is ended by close, any number of times, and leaves nothing', async () => {
  const service = await startClinic({ today: TODAY });
  const document = await fetch(`${service.origin}/openapi.yaml`);
  expect(await document.text()).toContain('operationId: bookAppointment');
  expect(isAlive(service.process.pid!)).toBe(true);
  await Promise.all([service.close(), service.close()]);
  await service.close();
  expect(service.process.exitCode).toBe(0);
  expect(isAlive(service.process.pid!)).toBe(false);
});

test.each([
  [{ today: '2026-02-30' }, /--today: expected a day such as 2026-11-21 \(found 2026-02-30\)/],
  [{ port: 65_536 }, /--port: expected a port from 0 to 65535 \(found 65536\)/],
  [{ database: '/nowhere/at/all.db' }, /unable to open database file/],
])('%o: it does not start, and says why', async (options, reason) => {
  await expect(startClinic(options)).rejects.toThrow(reason);
});

test('a port that is taken is told as such', async () => {
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = taken.address() as { port: number };
    await expect(startClinic({ port })).rejects.toThrow(/EADDRINUSE/);
  } finally {
    taken.close();
  }
});

test.each(['SIGKILL', 'SIGTERM'] as const)('its parent is ended by %s: it goes too', async (signal) => {
  const code = `const { startClinic } = await import(${JSON.stringify(START)});
    const { origin, process: { pid } } = await startClinic();
    console.log(JSON.stringify({ origin, pid }));
    setInterval(() => {}, 1000);`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code];
  const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const { origin, pid } = JSON.parse(line) as { origin: string; pid: number };
    expect(isAlive(pid)).toBe(true);
    parent.kill(signal);
    await silent(origin);
  } finally {
    parent.kill('SIGKILL');
  }
});

test('a parent that is done is not kept alive by it', async () => {
  const code = `const { startClinic } = await import(${JSON.stringify(START)}); console.log((await startClinic()).origin);`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code];
  const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [[origin], [status]] = (await Promise.all([
      once(createInterface({ input: parent.stdout }), 'line'),
      once(parent, 'close'),
    ])) as [[string], [number]];
    expect(status).toBe(0);
    await silent(origin);
  } finally {
    parent.kill('SIGKILL');
  }
});

test('started by hand it listens without a parent, ends on SIGTERM, and its faults are not there', async () => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const origin = /http:\S+/.exec(line)?.[0] ?? '';
    const slots = await fetch(`${origin}/slots`, { headers: { authorization: 'Bearer demo' } });
    expect(slots.status).toBe(200);
    const faults = { method: 'POST', headers: { authorization: 'Bearer demo', 'content-type': 'application/json' } };
    expect((await fetch(`${origin}/_faults`, { ...faults, body: '{"faults":[]}' })).status).toBe(404);
    child.kill('SIGTERM');
    const [status] = (await once(child, 'close')) as [number];
    expect(status).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});

/** A request with plain headers. */
interface Init {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
}

const slotsOf = (service: RunningService, signal = AbortSignal.timeout(10_000)) =>
  fetch(`${service.origin}/slots`, { headers: { authorization: `Bearer ${service.token}` }, signal });

test('an error, a page, a long wait, too much, a cut and silence: each as it is asked for, and then it is well again', async () => {
  await withClinic(async (service) => {
    const only = (fault: Fault) => setFaults(service, [{ times: 1, operation: 'listSlots', ...fault }]);

    await only({ kind: 'error', status: 500 });
    const error = await slotsOf(service);
    expect([error.status, ((await error.json()) as { error: { code: string } }).error.code]).toEqual([500, 'internal']);

    await only({ kind: 'html' });
    const page = await slotsOf(service);
    expect([page.status, page.headers.get('content-type')]).toEqual([502, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('<h1>Bad Gateway</h1>');

    await only({ kind: 'huge' });
    const huge = await slotsOf(service);
    expect((await huge.arrayBuffer()).byteLength).toBeGreaterThan(10 * 1024 * 1024);

    await only({ kind: 'latency', ms: 300 });
    const before = performance.now();
    expect((await slotsOf(service)).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(290);

    await only({ kind: 'cut' });
    const cut = await slotsOf(service);
    expect(cut.status).toBe(200);
    await expect(cut.text()).rejects.toThrow(/terminated/);

    await only({ kind: 'lost' });
    await expect(slotsOf(service)).rejects.toThrow(/fetch failed/);

    await only({ kind: 'hang' });
    await expect(slotsOf(service, AbortSignal.timeout(500))).rejects.toThrow(/timeout/);

    expect((await slotsOf(service)).status).toBe(200);
    expect(await setFaults(service, [])).toEqual([{ kind: 'hang', struck: 1 }]);
  });
});

test('chance is seeded, and a fault meets only its operation', async () => {
  await withClinic(async (service) => {
    const round = async (seed: number) => {
      await setFaults(service, [{ kind: 'error', operation: 'listSlots', rate: 0.5 }], seed);
      const statuses: number[] = [];
      for (let i = 0; i < 20; i++) statuses.push((await slotsOf(service)).status);
      return statuses;
    };
    const first = await round(7);
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await round(7)).toEqual(first);
    expect(await round(8)).not.toEqual(first);
    await setFaults(service, [{ kind: 'error', operation: 'bookAppointment' }]);
    expect((await slotsOf(service)).status).toBe(200);
  });
});

test('it ends in time although clients are waiting for an answer that does not come', async () => {
  const service = await startClinic({ today: TODAY });
  await setFaults(service, [{ kind: 'hang' }, { kind: 'latency', ms: 60_000 }]);
  const waiting = Array.from({ length: 20 }, () => slotsOf(service).then(String, (error: Error) => error.message));
  // The last has been taken up when the one after it is; faults are set on a connection of their own.
  await setFaults(service, [{ kind: 'latency', ms: 60_000 }]);
  const late = slotsOf(service).then(String, (error: Error) => error.message);
  const before = performance.now();
  await service.close();
  expect(performance.now() - before).toBeLessThan(3_500);
  expect(service.process.exitCode).toBe(0);
  for (const message of await Promise.all([...waiting, late])) expect(message).toMatch(/fetch failed|terminated/);
});

test('faults that there are not are refused', async () => {
  await withClinic(async ({ origin, adminToken }) => {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    for (const faults of [
      [{ kind: 'explode' }],
      [{ kind: 'latency', ms: 3_600_000 }],
      [{}],
      'all',
      [{ kind: 'error', rate: 2 }],
    ]) {
      const answer = await fetch(`${origin}/_faults`, { method: 'POST', headers, body: JSON.stringify({ faults }) });
      expect(answer.status).toBe(400);
    }
  });
});

test('what is no request of its document is refused in its own words', async () => {
  const operations = await readOperations();
  await withClinic(async (service) => {
    const client = new ClinicClient(service, operations);
    const ask = async (path: string, { headers: more = {}, ...init }: Init = {}) => {
      const headers = { authorization: `Bearer ${service.token}`, 'content-type': 'application/json', ...more };
      const response = await fetch(`${service.origin}${path}`, { ...init, headers });
      return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
    };
    const post = (body: string, headers = {}) => ask('/patients/find', { method: 'POST', body, headers });
    expect(await post('{"number":')).toEqual([400, 'invalid_request']);
    expect(await post('')).toEqual([400, 'invalid_request']);
    expect(await post('null')).toEqual([400, 'invalid_request']);
    expect(await post('[]')).toEqual([400, 'invalid_request']);
    expect(await post(JSON.stringify({ number: '1'.repeat(20_000) }))).toEqual([413, 'invalid_request']);
    expect(await post('<xml/>', { 'content-type': 'text/xml' })).toEqual([415, 'invalid_request']);
    expect(await ask('/slots/../patients')).toEqual([404, 'not_found']);
    expect(await ask('/slots', { method: 'DELETE' })).toEqual([404, 'not_found']);
    const { body } = await client.ask('listSlots', { doctor: 'who' });
    expect(body.error.message).toBe(
      'querystring/doctor must be equal to one of the allowed values: mori, okafor, lindt, sato.',
    );
  });
});
