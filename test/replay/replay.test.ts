// `trunkline replay` on files that need no call: bad recordings, missing files, tapes the same and altered. And what makes
// a call a bad one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import type { CallRecord } from '../../src/record/call-record.ts';
import type { PhoneResult } from '../../src/replay/phone-result.ts';
import { faultsOf, replayFiles } from '../../src/replay/replay.ts';
import { printHeader, TapePrinter } from '../../src/tape/tape.ts';
import { playWholeCall, StagedCall, stagedFacts } from '../tape/staged-call.ts';

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
  const code = await replayFiles(args, { out: (l) => out.push(l), err: (l) => err.push(l), columns: 100 }, {});
  return { code, out, err };
}

async function wholeTape(): Promise<string> {
  const { opening } = stagedFacts();
  const printer = new TapePrinter(opening);
  let text = printHeader(stagedFacts(), 'test');
  const add = (lines: string): void => {
    text += lines;
  };
  await playWholeCall(
    new StagedCall(stagedFacts(), [
      () => ({
        input: (atMs, input) => add(printer.input(atMs, input)),
        stepped: (event, effects) => add(printer.stepped(event, effects)),
        sent: (atMs, message) => add(printer.sent(atMs, message)),
        closed: (atMs) => add(printer.closed(atMs)),
      }),
    ]),
  );
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
    expect(err.join('\n')).toMatch(
      /altered\.jsonl: The replay differs at line \d+ of the tape, [\d.]+ s into the call\.\n/,
    );
    expect(err.join('\n')).toContain('expected: {"t":');
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
      err: [`${path}: neither a WAV file nor a tape (tape line 1: not JSON)`],
    });
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
      `${path} is 16000 Hz 8-bit PCM, 1 channel(s); expected 8000 Hz mu-law; convert it with: sox "${path}" -r 8000 -c 1 -e u-law -b 8 "${path.replace('.wav', '-8k.wav')}"`,
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
    [['--server', 'localhost', 'a.wav'], '--server, --public-url: expected an http or https URL'],
    [['--server', 'http://localhost:3000', 'a.wav'], '--server needs --auth-token or TWILIO_AUTH_TOKEN'],
    [['--auth-token', 't', 'a.wav'], '--auth-token and --public-url belong to --server'],
  ])('%j is refused with the usage', async (args, text) => {
    await expect(run(...args)).rejects.toThrow(text);
    await expect(run(...args)).rejects.toThrow('usage: trunkline replay');
  });
});

describe('a call is a bad one', () => {
  const result = {
    warnings: [],
    timedOut: false,
    firstAudioAtMs: 110,
    callStatus: 'completed',
  } as unknown as PhoneResult;
  const record = (result: 'success' | 'failure') =>
    ({ end: { reason: 'model_lost', by: 'model', result } }) as unknown as CallRecord;

  test.each([
    [
      'when it was refused',
      { ...result, callStatus: 'busy', firstAudioAtMs: undefined },
      null,
      'the call was not answered (busy)',
    ],
    ['when nothing was heard', { ...result, firstAudioAtMs: undefined }, null, 'the caller heard nothing'],
    ['when it had to be cut', { ...result, timedOut: true }, null, 'the call went on until --max-seconds'],
    ['when it failed', result, record('failure'), 'the call failed: model_lost, by model'],
    [
      'when the carrier would complain',
      { ...result, warnings: [{ code: 31_951, reason: 'bad' }] },
      record('success'),
      'the carrier would warn: 31951 bad',
    ],
  ])('%s', (_when, phone, recorded, fault) => {
    expect(faultsOf({ result: phone, record: recorded })).toEqual([fault]);
  });

  test('and otherwise not', () => {
    expect(faultsOf({ result, record: record('success') })).toEqual([]);
  });
});
