// Caller files: every key becomes its step, and every mistake is told at its line with what was expected there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { HANG_UP_WHEN_SILENT, loadCaller } from '../../src/replay/caller-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'trunkline-caller-'));
const FILE = join(dir, 'caller.yaml');
/** 1000 ms; each millisecond has a byte of its own row. */
const CLIP = Buffer.from(Array.from({ length: 8_000 }, (_, i) => Math.floor(i / 8) % 100));

beforeAll(() => {
  writeFileSync(join(dir, 'a.wav'), writeWav([CLIP]));
  const pcm = writeWav([CLIP]);
  pcm.writeUInt16LE(1, 20);
  writeFileSync(join(dir, 'pcm.wav'), pcm);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function load(yaml: string) {
  writeFileSync(FILE, yaml);
  return loadCaller(FILE);
}

/** Steps with clips as their length in ms. */
const steps = (yaml: string) =>
  load(yaml).track.steps.map(({ cue, action }) => [cue, 'say' in action ? { ms: action.say.length / 8 } : action]);

const faults = (yaml: string): string => {
  try {
    load(yaml);
    return 'no fault';
  } catch (error) {
    return (error as Error).message.replaceAll(`${FILE}:`, '').replaceAll(`${dir}/`, '');
  }
};

test('every key of the timeline becomes its step', () => {
  expect(
    steps(`
timeline:
  - user: a.wav
  - user: a.wav
    from_ms: 100
    to_ms: 350
    interrupt_at: 1.5
  - user: a.wav
    when_agent_silent: 2
    heard_at_least: 4.5
    patience: 8
  - user: a.wav
    wait: 0.5
  - user: a.wav
    at: 40
  - dtmf: "1#"
    wait: 1
  - when_agent_silent: 1
  - wait: 2
  - user: a.wav
  - hangup
`),
  ).toEqual([
    [{ after: 'agent_silent', forMs: 700 }, { ms: 1000 }],
    [{ after: 'agent_speaking', forMs: 1500 }, { ms: 250 }],
    [{ after: 'agent_silent', forMs: 2000, minHeardMs: 4500, patienceMs: 8000 }, { ms: 1000 }],
    [{ after: 'previous', waitMs: 500 }, { ms: 1000 }],
    [{ atMs: 40_000 }, { ms: 1000 }],
    [{ after: 'previous', waitMs: 1000 }, { press: '1' }],
    [{ after: 'previous', waitMs: 250 }, { press: '#' }],
    [{ after: 'agent_silent', forMs: 1000 }, { pause: true }],
    [{ after: 'previous', waitMs: 2000 }, { pause: true }],
    [{ after: 'previous', waitMs: 0 }, { ms: 1000 }],
    [{ after: 'agent_silent', forMs: 700 }, { hangUp: true }],
  ]);
});

test('a cut takes exactly its milliseconds', () => {
  const [step] = load('timeline: [{ user: a.wav, from_ms: 10, to_ms: 13 }]').track.steps;
  expect(step?.action).toEqual({ say: new Uint8Array(CLIP.subarray(80, 104)) });
});

test('a caller without hangup listens at the end, then hangs up', () => {
  expect(load('timeline: [{ user: a.wav }]').track.steps.at(-1)).toBe(HANG_UP_WHEN_SILENT);
  expect(load('timeline: [{ user: a.wav }, { hangup: true, wait: 1 }]').track.steps).toHaveLength(2);
});

test('who calls, the network, the script beside the file and what is expected', () => {
  const caller = load(`
from: "+15551230001"
to: "+15551230002"
script: model.yaml
max_seconds: 90
network: { delay_ms: 60, jitter_ms: 20, burst: { ms: 400, every_seconds: 5 }, lose_socket_at: 7, seed: 3 }
timeline: [{ user: a.wav, wait: 2 }]
expect:
  turns: 2
`);
  expect(caller).toMatchObject({
    from: '+15551230001',
    to: '+15551230002',
    script: join(dir, 'model.yaml'),
    maxMs: 90_000,
    network: { delay_ms: 60, jitter_ms: 20, burst: { ms: 400, every_seconds: 5 }, lose_socket_at: 7, seed: 3 },
    leastMs: 2_000 + 1_000,
  });
  expect(caller.expectation?.expected).toEqual({ turns: 2 });
  expect(caller.expectation?.where(['turns'])).toBe(`${FILE}:9:10`);
});

describe('a mistake is told at its line, with what was expected', () => {
  test.each([
    [
      'timelin: []',
      '1:1: timeline: expected a list of steps (found nothing)\n1:1: timelin: no such key; did you mean timeline?',
    ],
    ['timeline: []', '1:11: timeline: expected a list with at least one step (found a list)'],
    ['timeline:\n  - usr: a.wav', '2:5: timeline[0].usr: no such key; did you mean user?'],
    [
      'timeline:\n  - user: a.wav\n    wait: soon',
      /^3:11: timeline\[0\]\.wait: expected a number of seconds from 0 to 3600 \(found soon\)/,
    ],
    [
      'timeline: [hang_up]',
      '1:12: timeline[0]: expected a step: user, dtmf, hangup, or a time to wait for (found hang_up)',
    ],
    [
      'timeline: [{ dtmf: 123 }]',
      '1:20: timeline[0].dtmf: expected keys in quotes, of 0-9, * and #: "123#"; YAML takes this for a number: quote it: "123" (found 123)',
    ],
    ['timeline: [{ dtmf: "12a" }]', /^1:20: timeline\[0\]\.dtmf: expected keys in quotes/],
    ['timeline: [{ user: a.wav, dtmf: "1" }]', '1:27: timeline[0].dtmf: expected one of user, dtmf, hangup in a step'],
    [
      'timeline: [{ user: a.wav, at: 1, wait: 1 }]',
      '1:34: timeline[0].wait: expected one of at, wait, when_agent_silent, interrupt_at in a step',
    ],
    ['timeline: [{ patience: 1 }]', /^1:12: timeline\[0\]: expected one of user, dtmf, hangup, or a time to wait for/],
    ['timeline: [{ dtmf: "1", from_ms: 3 }]', '1:25: timeline[0].from_ms: expected only with user'],
    [
      'timeline: [{ user: a.wav, wait: 1, patience: 3 }]',
      '1:36: timeline[0].patience: expected only with when_agent_silent or interrupt_at',
    ],
    [
      'timeline: [{ user: a.wav, at: 9 }, { user: a.wav, at: 8 }]',
      '1:55: timeline[1].at: expected no earlier time than the step before (9) (found 8)',
    ],
    ['timeline: [hangup, { user: a.wav }]', '1:20: timeline[1]: expected nothing after hangup (found a mapping)'],
    [
      'timeline: [{ user: a.wav, from_ms: 1200 }]',
      '1:36: timeline[0].from_ms: expected a time inside the clip; the clip ends at 1000 ms (found 1200)',
    ],
    [
      'timeline: [{ user: a.wav, from_ms: 500, to_ms: 400 }]',
      '1:48: timeline[0].to_ms: expected a time after from_ms (found 400)',
    ],
    ['from: 15551230001\ntimeline: [hangup]', /^1:7: from: expected a phone number in E\.164.*quote it/],
    ['network: { delay: 60 }\ntimeline: [hangup]', '1:12: network.delay: no such key; did you mean delay_ms?'],
    ['timeline: [hangup]\nexpect: { turn: 2 }', '2:11: expect.turn: no such key; did you mean turns?'],
    ['timeline: [hangup]\nexpect: {}', /^2:9: expect: expected at least one key in it/],
    ['timeline: [', /^1:12: not valid YAML/],
    [
      'timeline: [{ user: none.wav }, { user: pcm.wav }]',
      '1:20: timeline[0].user: none.wav: there is no such file; expected a WAV file, 8 kHz mu-law; make it with: sox your-none.wav -r 8000 -c 1 -e u-law -b 8 none.wav (found none.wav)\n' +
        '1:40: timeline[1].user: pcm.wav: this is 8000 Hz, mono, 8-bit PCM; expected 8 kHz mu-law; convert it with: sox pcm.wav -e u-law -b 8 pcm-8k.wav (found pcm.wav)',
    ],
  ])('%s', (yaml, text) => {
    if (typeof text === 'string') expect(faults(yaml)).toBe(text);
    else expect(faults(yaml)).toMatch(text);
  });
});
