// `trunkline replay` with calls: real ones, over loopback and in real time, so few and short. What they are judged by, what
// is kept of them, many at once, a script of their own, and a run that is given up.
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { XMLParser } from 'fast-xml-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CallResult } from '../../src/replay/call-result.ts';
import type { Output } from '../../src/replay/progress.ts';
import { replayFiles } from '../../src/replay/replay.ts';

const CALLS = fileURLToPath(new URL('../fixtures/calls', import.meta.url));
const AGENTS = fileURLToPath(new URL('../fixtures/agents', import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-replay-calls-'));
  await cp(join(CALLS, 'short-billing-department.wav'), join(dir, 'billing.wav'));
  await writeFile(
    join(dir, 'quick.yaml'),
    `
script: model.yaml
timeline:
  - at: 0.7
    user: billing.wav
    from_ms: 520
    to_ms: 2300
  - wait: 1.2
    dtmf: "1#"
  - wait: 0.3
    hangup: true
expect:
  said: { contains: my own words }
`,
  );
  await writeFile(
    join(dir, 'model.yaml'),
    'greeting: { says: [long_story] }\nturns: [{ hears: These are my own words., says: [short_ok] }]\n',
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A terminal that remembers; `status` lines apart. */
function terminal() {
  const lines: string[] = [];
  const statuses: string[] = [];
  const output: Output = {
    out: (line) => lines.push(line),
    err: (line) => lines.push(line),
    status: (line) => statuses.push(line),
    columns: 80,
  };
  return { lines, statuses, output };
}

const env = () => ({ AGENTS_DIR: AGENTS, DATA_DIR: join(dir, 'data') });

test('two callers at once with a script of their own: judged, told, kept, and in the JUnit file', {
  timeout: 40_000,
}, async () => {
  const { lines, statuses, output } = terminal();
  const expectation = join(dir, 'expect.yaml');
  await writeFile(
    expectation,
    'end: { reason: caller_hung_up }\nbarge_ins: { count: 1, stop_ms: 400, truncation_error_ms: 60 }\ntools: none\nverbs: [Connect]\nturns: 7\n',
  );
  const caller = join(dir, 'quick.yaml');
  const out = join(dir, 'kept');
  const junit = join(dir, 'junit.xml');
  const flags = ['--callers', '2', '--stagger', '20', '--delay', '20', '--out', out, '--junit', junit];
  const code = await replayFiles([caller, '--expect', expectation, ...flags], output, { env: env() });
  const text = lines.join('\n');
  // One thing was expected wrongly, and only that is wrong.
  expect(text.match(/FAILED .*/g)).toEqual([
    expect.stringContaining('expect.yaml:5:8: turns: expected 7, found '),
    expect.stringContaining('expect.yaml:5:8: turns: expected 7, found '),
    expect.stringContaining('FAILED in 2 calls: '),
  ]);
  expect(code).toBe(1);
  expect(text.match(/7 of 8 expectations met/g)).toHaveLength(2);
  expect(text).toMatch(/\nfile +good .*\n.*quick\.yaml +0\/2 /);
  expect(statuses.some((line) => /2 calls up, 0 done; the longest has at least \d s left/.test(line))).toBe(true);
  // The status line is taken away before the summary.
  expect(statuses.at(-1)).toBe('');

  expect((await readdir(join(out, 'quick'))).toSorted()).toEqual(['1', '2']);
  const folder = join(out, 'quick', '2');
  const kept = (await readdir(folder)).toSorted();
  expect(kept).toEqual(['events.jsonl', 'record.json', 'result.json', 'stereo.wav']);
  for (const name of kept) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  const result = JSON.parse(await readFile(join(folder, 'result.json'), 'utf8')) as CallResult;
  expect(result).toMatchObject({ v: 1, source: caller, keysPressed: '1#', end: { reason: 'caller_hung_up' } });
  const events = (await readFile(join(folder, 'events.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(events.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(
    expect.arrayContaining(['placed', 'start', 'clear', 'key', 'end']),
  );
  expect(result.turns.map((turn) => turn.text)).toContain('These are my own words.');

  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' });
  const { testsuites } = parser.parse(await readFile(junit, 'utf8')) as {
    testsuites: { testsuite: { name: string; failures: string; testcase: { name: string; failure?: unknown }[] } };
  };
  expect(testsuites.testsuite).toMatchObject({ name: caller, failures: '2' });
  const failures = testsuites.testsuite.testcase.filter(({ failure }) => failure !== undefined);
  expect(failures.map(({ name }) => name)).toEqual(['caller 1: turns', 'caller 2: turns']);
  expect(testsuites.testsuite.testcase.map(({ name }) => name)).toContain('caller 2: said.contains');
});

test('a run that is given up hangs up, keeps what there is and places no more', { timeout: 20_000 }, async () => {
  const { lines, output } = terminal();
  const givenUp = new AbortController();
  const caller = join(dir, 'quick.yaml');
  const out = join(dir, 'given-up');
  const junit = join(dir, 'given-up.xml');
  const watching: Output = {
    ...output,
    // The first call is up: now.
    status: (line) => {
      if (/1 call up/.test(line)) givenUp.abort();
    },
  };
  const flags = ['--callers', '10', '--parallel', '1', '--out', out, '--junit', junit];
  const code = await replayFiles([caller, ...flags], watching, { env: env(), signal: givenUp.signal });
  expect(code).toBe(130);
  expect(lines).toContain('ended: 1 given up');
  expect(lines).toContain('never placed: 9');
  expect(lines.join('\n')).not.toContain('FAILED');
  expect(await readdir(join(out, 'quick'))).toEqual(['1']);
  const xml = await readFile(junit, 'utf8');
  expect(xml).toContain('<skipped message="the run was given up during this call"/>');
  // What was skipped alone would look green.
  expect(xml).toContain('<failure message="it was given up (SIGINT)">');
});

test('a script with faults, or one that is missing, is told before any call', async () => {
  const bad = join(dir, 'bad-model.yaml');
  await writeFile(bad, 'turns: [{ syas: [short_ok] }]\n');
  const { lines, output } = terminal();
  const junit = join(dir, 'scripts.xml');
  const run = (script: string) =>
    replayFiles([join(dir, 'quick.yaml'), '--script', script, '--junit', junit], output, { env: env() });
  expect(await run(bad)).toBe(1);
  expect(await run('/nowhere.yaml')).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/bad-model\.yaml:1:11: turns\[0\]\.syas: no such key; did you mean says\?$/),
    '/nowhere.yaml: expected a script file; there is no such file',
  ]);
  const xml = await readFile(junit, 'utf8');
  expect(xml).toContain('<testsuite name="/nowhere.yaml" tests="1" failures="1"');
});
