// `trunkline replay` on files that need no call: bad recordings, missing files, tapes the same and altered, and commands
// that make no sense.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { networkOptions } from '../../src/replay/replay-network.ts';
import { readOptions } from '../../src/replay/replay-options.ts';
import { replayFiles } from '../../src/replay/replay.ts';
import { tapeText } from '../../bench/tape-text.ts';
import { playWholeCall, StagedCall, stagedFacts } from '../tape/staged-call.ts';

const PARSING = { ignoreAttributes: false, attributeNamePrefix: '', htmlEntities: true };

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-replay-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function fileWith(name: string, content: string | Buffer): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const output = { out: (l: string) => out.push(l), err: (l: string) => err.push(l), status: null, columns: 100 };
  const code = await replayFiles(args, output, { env: {} });
  return { code, out, err };
}

async function wholeTape(): Promise<string> {
  let text = '';
  await playWholeCall(new StagedCall(stagedFacts(), [tapeText((lines) => void (text += lines))]));
  return text;
}

describe('a tape', () => {
  test('that is decided the same way again is identical, whatever it is called', async () => {
    const path = await fileWith('tape.txt', await wholeTape());
    const { code, out, err } = await run(path);
    expect(out).toEqual([
      expect.stringMatching(/tape\.txt: identical: [\d,]+ steps, [\d,]+ decisions \([\d.]+ s of call in \d+ ms\)$/),
    ]);
    expect({ code, err }).toEqual({ code: 0, err: [] });
  });

  test('that was altered shows where it parts, and fails the run', async () => {
    const altered = (await wholeTape()).replace(/"heardMs":(\d+)/, (_, ms: string) => `"heardMs":${Number(ms) + 1}`);
    const path = await fileWith('altered.jsonl', altered);
    const { code, out, err } = await run(path);
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err.join('\n')).toMatch(/altered\.jsonl: decided differently: 1 difference in 1 turn\n/);
    expect(err.join('\n')).toContain('      raw then: {"t":');
  });

  test('goes into the JUnit file, the same and altered and damaged', async () => {
    const tape = await wholeTape();
    const same = await fileWith('same.jsonl', tape);
    const altered = await fileWith('other.jsonl', tape.replace('"heardMs":3360', '"heardMs":3361'));
    const junit = join(dir, 'out', 'tapes.xml');
    expect((await run(same, altered, '--junit', junit)).code).toBe(1);
    const { testsuites } = new XMLParser(PARSING).parse(await readFile(junit, 'utf8')) as {
      testsuites: { tests: string; failures: string; testsuite: unknown };
    };
    expect(testsuites).toMatchObject({
      tests: '2',
      failures: '1',
      testsuite: [
        { name: same, testcase: { name: 'the same decisions' } },
        {
          name: altered,
          testcase: {
            failure: {
              message: 'decided differently: 1 difference in 1 turn',
              '#text': expect.stringContaining('turn 4, the caller at 00:11.3: "No, Tuesday."') as string,
            },
          },
        },
      ],
    });
    expect((await stat(junit)).mode & 0o777).toBe(0o600);
    const damaged = await fileWith('cut.jsonl', tape.slice(0, 300));
    expect((await run(same, damaged, '--junit', junit)).code).toBe(1);
    const second = new XMLParser(PARSING).parse(await readFile(junit, 'utf8')) as typeof testsuites & object;
    expect(second).toMatchObject({
      testsuites: { testsuite: { name: damaged, testcase: { name: 'can be used', failure: {} } } },
    });
  });

  test('that ends before the call is said to', async () => {
    const lines = (await wholeTape()).split('\n');
    const path = await fileWith('short.jsonl', `${lines.slice(0, 200).join('\n')}\n`);
    const { code, out } = await run(path);
    expect(out[0]).toMatch(/identical: .*; the tape ends before the call$/);
    expect(code).toBe(0);
  });

  test('that is none, or damaged, is told by its line', async () => {
    const lines = (await wholeTape()).split('\n');
    const damaged = await fileWith('damaged.jsonl', [...lines.slice(0, 4), '{"t":1}', ...lines.slice(4)].join('\n'));
    expect((await run(damaged)).err).toEqual([
      `${damaged}: a damaged tape (tape line 5: neither input, effects nor message)`,
    ]);
    const path = await fileWith('none.jsonl', 'hello\n');
    expect(await run(path)).toEqual({
      code: 1,
      out: [],
      err: [`${path}: not a tape, a WAV file or a caller file (tape line 1: not JSON)`],
    });
  });
});

test('a tape with a byte order mark is read; one of a header alone is a fault', async () => {
  const tape = await wholeTape();
  const marked = await fileWith('marked', `\ufeff${tape}`);
  expect(await run(marked)).toMatchObject({ code: 0, err: [] });
  const header = await fileWith('header.jsonl', `${tape.split('\n')[0]}\n`);
  expect(await run(header)).toEqual({
    code: 1,
    out: [],
    err: [`${header}: a tape without a single step: nothing was decided, and nothing can be compared`],
  });
});

describe('a file that cannot be replayed', () => {
  test('is named with the cure when it is no telephone WAV', async () => {
    const wav = writeWav([new Uint8Array(160)]);
    wav.writeUInt16LE(1, 20);
    wav.writeUInt32LE(16_000, 24);
    const path = await fileWith('speech.wav', wav);
    const { code, err } = await run(path);
    expect(code).toBe(1);
    expect(err).toEqual([
      `${path}: this is 16000 Hz, mono, 8-bit PCM; expected 8 kHz mu-law; convert it with: sox ${path} -r 8000 -e u-law -b 8 ${path.replace('.wav', '-8k.wav')}`,
    ]);
  });

  test('is one clear sentence when it is missing, a folder or empty', async () => {
    const empty = await fileWith('empty.wav', '');
    const folder = join(dir, 'folder');
    await mkdir(folder);
    const { code, err } = await run(join(dir, 'missing.wav'), folder, empty);
    expect(code).toBe(1);
    expect(err).toEqual([
      `${join(dir, 'missing.wav')}: there is no such file`,
      `${folder}: this is a folder; name the files in it`,
      `${empty}: the file is empty`,
    ]);
  });

  test('is told by the lines of a caller file, whatever it is called', async () => {
    const yaml = await fileWith('caller.yml', 'timeline:\n  - usr: a.wav\n');
    const text = await fileWith('caller.txt', 'timeline:\n  - dtmf: 1\n');
    expect((await run(yaml, text)).err).toEqual([
      `${yaml}:2:5: timeline[0].usr: no such key; did you mean user?`,
      expect.stringMatching(/caller\.txt:2:11: timeline\[0\]\.dtmf: expected keys in quotes/),
    ]);
  });

  test('is an expectation too', async () => {
    const good = await fileWith('good.wav', writeWav([new Uint8Array(160)]));
    const bad = await fileWith('bad.yaml', 'turn: 1\n');
    expect(await run(good, '--expect', bad, '--expect', '/nowhere.yaml')).toEqual({
      code: 1,
      out: [],
      err: [`${bad}:1:1: turn: no such key; did you mean turns?`, '/nowhere.yaml: there is no such file'],
    });
  });

  test('keeps the good ones beside it from being replayed', async () => {
    const good = await fileWith('good.jsonl', await wholeTape());
    expect(await run(good, join(dir, 'missing.wav'))).toMatchObject({ code: 1, out: [] });
  });
});

describe('a command that makes no sense', () => {
  test.each([
    [[], 'There is no file to replay.'],
    [['--wrong', 'a.wav'], "Unknown option '--wrong'"],
    [['--max-seconds', '0', 'a.wav'], '--max-seconds: expected a number from 1 to 3600'],
    [['--max-seconds', 'ten', 'a.wav'], '--max-seconds: expected a number from 1 to 3600 (found ten)'],
    [['--callers', '0', 'a.wav'], '--callers: expected a number from 1 to 500'],
    [['--callers', '1.5', 'a.wav'], '--callers: expected a whole number'],
    [['--parallel', '501', 'a.wav'], '--parallel: expected a number from 1 to 500'],
    [['--delay', '-1', 'a.wav'], "Option '--delay' argument is ambiguous"],
    [['--jitter', '9999', 'a.wav'], '--jitter: expected a number from 0 to 5000'],
    [['--burst', '5', 'a.wav'], '--burst: expected a number from 20 to 30000 (found 5)'],
    [['--burst', '400/5/6', 'a.wav'], '--burst: expected milliseconds, or MS/SECONDS such as 400/10'],
    [['--from', 'abc', 'a.wav'], '--from: expected a phone number in E.164'],
    [['--to', 'xyz', 'a.wav'], '--to: expected a phone number in E.164'],
    [['--seed', '1.5', 'a.wav'], '--seed: expected a whole number (found 1.5)'],
    [['--script', 's.yaml', '--server', 'http://h', 'a.wav'], '--script is for the simulator'],
    [['--server', 'localhost', 'a.wav'], '--server, --public-url: expected an http or https URL'],
    [['--server', 'http://localhost:3000', 'a.wav'], '--server needs --auth-token or TWILIO_AUTH_TOKEN'],
    [['--auth-token', 't', 'a.wav'], '--auth-token and --public-url belong to --server'],
  ])('%j is refused with the usage', async (args, text) => {
    await expect(run(...args)).rejects.toThrow(text);
    await expect(run(...args)).rejects.toThrow('usage: trunkline replay');
  });
});

test('a place that cannot be written is told before anything is replayed', async () => {
  const tape = await fileWith('place.jsonl', await wholeTape());
  await expect(run(tape, '--out', join(tape, 'kept'))).rejects.toThrow(
    /--out .*kept: it cannot be written \(ENOTDIR\)/,
  );
  await expect(run(tape, '--junit', dir)).rejects.toThrow(/--junit .*: it cannot be written \(EISDIR\)/);
});

test('the JUnit file fails where a run breaks off before its first call', async () => {
  const wav = await fileWith('calls.wav', writeWav([new Uint8Array(160)]));
  const junit = join(dir, 'broken.xml');
  const nowhere = { env: { AGENTS_DIR: join(dir, 'nowhere'), DATA_DIR: join(dir, 'data') } };
  const output = { out: () => {}, err: () => {}, status: null, columns: 100 };
  await expect(replayFiles([wav, '--junit', junit], output, nowhere)).rejects.toThrow(/nowhere/);
  expect(await readFile(junit, 'utf8')).toMatch(/tests="1" failures="1"[^]*<failure message="it broke off: .*nowhere/);
});

test('a JUnit file that is one of the files of the run is refused, and nothing is lost', async () => {
  const tape = await wholeTape();
  const path = await fileWith('precious.jsonl', tape);
  await expect(run(path, '--junit', path)).rejects.toThrow(`--junit ${path}: this file is no JUnit file`);
  expect(await readFile(path, 'utf8')).toBe(tape);
});

test('an expectation without a call to judge is refused', async () => {
  const tape = await fileWith('lone.jsonl', await wholeTape());
  const yaml = await fileWith('expect.yaml', 'turns: 1\n');
  await expect(run(tape, '--expect', yaml)).rejects.toThrow('a tape is judged by its own decisions');
});

test('flags become what a run does', () => {
  const options = readOptions(
    [
      'a.wav',
      '--callers',
      '20',
      '--delay',
      '60',
      '--burst',
      '400',
      '--lose-socket-at',
      '3.5',
      '--expect',
      'e',
      '--expect',
      'f',
    ],
    {},
  );
  expect(options).toMatchObject({
    callers: 20,
    parallel: 20,
    staggerMs: 100,
    maxMs: null,
    expectFiles: ['e', 'f'],
    network: { delay_ms: 60, burst: { ms: 400, every_seconds: 5 }, lose_socket_at: 3.5 },
  });
  expect(readOptions(['a.wav', '--callers', '20', '--parallel', '4'], {})).toMatchObject({ callers: 20, parallel: 4 });
  expect(readOptions(['a.wav', '--server', 'http://h:1/x'], { TWILIO_AUTH_TOKEN: 't' }).remote).toEqual({
    server: 'http://h:1',
    publicUrl: 'http://h:1',
    authToken: 't',
  });
});

test('the network is what the caller file says, unless a flag says otherwise; every caller has chances of its own', () => {
  const file = { delay_ms: 60, jitter_ms: 20, burst: { ms: 400, every_seconds: 5 }, lose_socket_at: [2, 7.5], seed: 3 };
  expect(networkOptions(file, {}, 0)).toEqual({
    toServerMs: 60,
    fromServerMs: 60,
    jitterMs: 20,
    burstMs: 400,
    burstEveryMs: 5_000,
    loseSocketAtMs: [2_000, 7_500],
    seed: 3,
  });
  const flags = { delay_ms: 0, burst: { ms: 30, every_seconds: 1 }, lose_socket_at: 1, seed: 9 };
  expect(networkOptions(file, flags, 4)).toMatchObject({
    toServerMs: 0,
    jitterMs: 20,
    burstMs: 30,
    loseSocketAtMs: [1_000],
    seed: 13,
  });
  expect(networkOptions({}, {}, 0)).toEqual({
    toServerMs: 0,
    fromServerMs: 0,
    jitterMs: 0,
    loseSocketAtMs: [],
    seed: 1,
  });
});
