// What goes wrong with one call of a run is that call's own. The calls are made up: only what a run does with them matters.
import { expect, test } from 'vitest';
import { realClock } from '../../src/clock.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { CallHandlers, PlacedCall } from '../../src/replay/replay-calls.ts';
import { CallRun } from '../../src/replay/replay-calls.ts';
import type { CallInput } from '../../src/replay/replay-inputs.ts';
import { readOptions } from '../../src/replay/replay-options.ts';
import type { Line } from '../../src/replay/replay-servers.ts';
import type { BothEnds } from '../../src/replay/watched-calls.ts';

const RESULT: PhoneResult = {
  callSid: 'CA1',
  streamSid: 'MZ1',
  streams: [{ streamSid: 'MZ1', fromMs: 0, toMs: 1_000 }],
  callStatus: 'completed',
  verbs: [],
  announced: [{ verb: 'Say', about: 'hello', atMs: 0, durationMs: 500 }],
  warnings: [],
  endedBy: 'server',
  timedOut: false,
  webhookMs: 1,
  streamMs: 1_000,
  framesSent: 50,
  framesLate: 0,
  mediaReceivedBytes: 0,
  marksReceived: [],
  clears: [],
  heard: [],
  said: [],
  keys: [],
  recordings: [],
  dials: [],
  stays: [],
  underruns: [],
  unplayedBytes: 0,
  firstAudioAtMs: 0,
  http: [],
};

/** A phone as far as a run looks at it. */
const phone = {
  callSid: 'CA1',
  identity: { from: '+15550001', to: '+15550002' },
  nowMs: 40,
  clock: realClock,
  callerAudio: () => Buffer.alloc(0),
  agentAudio: () => Buffer.alloc(0),
  on: () => phone,
} as unknown as PhoneCall;

const completed = (): Promise<BothEnds> => Promise.resolve({ result: RESULT, record: null, stops: [] });

const lineOf = (ended: () => Promise<BothEnds>, dataDir: string | null = null): Line => ({
  place: () => ({ call: phone, ended: ended() }),
  dataDir,
});

const inputOf = (path: string, expectation: CallInput['caller']['expectation'] = null): CallInput => ({
  kind: 'call',
  path,
  caller: { track: { steps: [] }, network: {}, people: [], expectation, leastMs: 0 },
});

/** Places the calls one after the other; the verdicts that failed, by file. */
async function failures(inputs: CallInput[], line: Line, handlers: Partial<CallHandlers> = {}) {
  const options = readOptions(['a.wav', '--parallel', '1', '--stagger', '0'], {});
  const lines = { of: () => line, close: () => Promise.resolve() };
  const run = new CallRun(
    inputs.map((input) => ({ input, nth: 1 })),
    options,
    lines,
    [],
  );
  const told: string[] = [];
  const over = ({ input }: PlacedCall) => void told.push(input.path);
  const placed = await run.placeAll({ keep: () => Promise.resolve(), over, ...handlers }, new AbortController().signal);
  const failed = placed.map(({ input, verdicts }) => [
    input.path,
    ...verdicts.filter(({ ok }) => !ok).map(({ what, found }) => `${what}: ${found}`),
  ]);
  return { failed, told, state: run.state };
}

const THROWS = {
  expected: { turns: 1 },
  where: () => {
    throw new Error('no such place');
  },
};

test('a throw while one call is judged fails that call alone', async () => {
  const { failed, told, state } = await failures([inputOf('a', THROWS), inputOf('b')], lineOf(completed));
  expect(failed).toEqual([['a', 'judged: no such place'], ['b']]);
  expect(told).toEqual(['a', 'b']);
  expect(state).toMatchObject({ done: 2, failed: 1, up: 0 });
});

test('a folder that cannot be written fails that call alone, and it is told of', async () => {
  const keep = ({ input }: PlacedCall) =>
    input.path === 'a' ? Promise.reject(new Error('EACCES: permission denied')) : Promise.resolve();
  const { failed, told } = await failures([inputOf('a'), inputOf('b')], lineOf(completed), { keep });
  expect(failed).toEqual([['a', 'kept: EACCES: permission denied'], ['b']]);
  expect(told).toEqual(['a', 'b']);
});

test('a call that cannot be followed to its end fails alone, and a report that throws too', async () => {
  let calls = 0;
  const line = lineOf(() => (++calls === 1 ? Promise.reject(new Error('lost sight of')) : completed()));
  expect((await failures([inputOf('a'), inputOf('b')], line)).failed).toEqual([
    ['a', 'followed: lost sight of'],
    ['b'],
  ]);
  const over = () => {
    throw new Error('no columns');
  };
  expect((await failures([inputOf('a')], lineOf(completed), { over })).failed).toEqual([['a', 'told: no columns']]);
});

test('a server of our own that keeps no record of a completed call has lost it; another one owes none', async () => {
  expect((await failures([inputOf('a')], lineOf(completed, 'data'))).failed).toEqual([['a', 'record: none']]);
  expect((await failures([inputOf('a')], lineOf(completed, null))).failed).toEqual([['a']]);
});
