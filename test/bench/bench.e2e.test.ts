// The bench itself, as a person runs it: two calls for a second, and an end by Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BenchResults } from '../../bench/results.ts';

const BENCH = new URL('../../bench/bench.ts', import.meta.url).pathname;
const TINY = ['--short', '--calls', '2', '--seconds', '1', '--rounds', '1'];

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
  mkdirSync(join(folder, 'tmp'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a bench in a process group of its own, whose temporary files lie in a folder of its own. */
function bench(...args: string[]) {
  const child = spawn(process.execPath, [BENCH, ...args], {
    detached: true,
    env: { ...process.env, TMPDIR: join(folder, 'tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  const said = { out: '', err: '' };
  child.stdout.on('data', (text: string) => (said.out += text));
  child.stderr.on('data', (text: string) => (said.err += text));
  return { child, said, closed: once(child, 'close') as Promise<[number | null]> };
}

/** Neither a process of the group nor a temporary file. */
async function expectNothingLeft(group: number): Promise<void> {
  await vi.waitFor(() => expect(membersOf(group)).toEqual([]), 5_000);
  expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
}

/** Processes of a group that run; one that has ended and waits to be collected does not. */
function membersOf(group: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, , ofGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(ofGroup) === group && state !== 'Z';
    } catch {
      return false; // Gone since it was listed.
    }
  });
}

test('two calls for a second leave tables, JSON, plots and a page, and nothing else', { timeout: 60_000 }, async () => {
  const out = join(folder, 'out');
  const { child, said, closed } = bench(...TINY, '--out', out);
  await closed;
  expect(said.err).toContain('round 1 of 1, TLS, 2 calls, trunkline');
  expect(said.out).toContain('| relay ');
  const results = JSON.parse(readFileSync(join(out, 'bench.json'), 'utf8')) as BenchResults;
  expect(results.tls?.runs.map(({ subject }) => subject)).toEqual(['relay', 'trunkline']);
  for (const run of results.tls?.runs ?? []) {
    expect(run).toMatchObject({ calls: 2, tls: true, orderly: true, wrong: [], provoked: [] });
    expect(run.cpuMsPerCallSecond).toBeGreaterThan(0);
    // A second of two callers, give or take the beat on which the window opened.
    expect(run.toModelMs.count).toBeGreaterThan(80);
    for (const way of [run.toModel, run.toCarrier]) {
      expect(way.sent).toBeGreaterThan(0);
      expect(way).toMatchObject({ lost: 0, repeated: 0, disordered: 0, strays: 0, foreignBytes: 0 });
    }
  }
  // So few calls say nothing about a ratio, which is all that may have failed.
  expect(results.faults.filter((fault) => !fault.includes('CPU'))).toEqual([]);
  expect(readdirSync(out).sort()).toEqual(['bench-cpu-ratio.svg', 'bench-memory.svg', 'bench.json', 'performance.md']);
  expect(readFileSync(join(out, 'performance.md'), 'utf8')).toContain('![cpu ratio](bench-cpu-ratio.svg)');
  await expectNothingLeft(child.pid as number);
});

test('Ctrl-C leaves no process and no temporary folder', { timeout: 30_000 }, async () => {
  const { child, said, closed } = bench(...TINY, '--seconds', '30', '--subjects', 'trunkline');
  await new Promise<void>((resolve) => {
    child.stderr.on('data', () => said.err.includes('of 30 s') && resolve());
    void closed.then(() => resolve());
  });
  expect(readdirSync(join(folder, 'tmp')).length).toBeGreaterThan(0);
  expect(membersOf(child.pid as number).length).toBeGreaterThan(3);
  process.kill(-(child.pid as number), 'SIGINT');
  expect((await closed)[0]).toBe(130);
  await expectNothingLeft(child.pid as number);
});
