// A call's files by the API: real ones, written by the product's own writers, served whole and in parts, measured and read a
// page at a time; and nothing that lies outside of the call's folder.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWav, wavHeader, writeWav } from '../../src/audio/wav.ts';
import { callFileRoutes } from '../../src/dashboard/routes/call-files.ts';
import type { Levels, TapeEvents } from '../../src/dashboard/schemas/timeline.ts';
import { createLogger } from '../../src/log.ts';
import type { Store } from '../../src/store/store.ts';
import { parseTape } from '../../src/tape/tape.ts';
import { recordingOnlooker } from '../../src/tape/recording.ts';
import { tapeRecorder } from '../../src/tape/recorder.ts';
import { playWholeCall, StagedCall, stagedFacts } from '../tape/staged-call.ts';
import { describes, get, refusal, serve, watched } from './routes-served.ts';

const facts = stagedFacts(true);
const { callId: CALL } = facts.opening;
const log = createLogger({ level: 'silent' });

let dataDir: string;
let app: FastifyInstance;
let tape: Buffer;
let audio: Buffer;
/** What the store answers about a call. */
let kept: unknown = null;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trunkline-call-files-'));
  const staged = new StagedCall(facts, [
    tapeRecorder({ dataDir, log, flushEveryMs: 5 }),
    recordingOnlooker({ dataDir, log }),
  ]);
  await playWholeCall(staged);
  await staged.call.closed;
  tape = await readFile(pathOf('tape.jsonl'));
  audio = await readFile(pathOf('audio.wav'));
  await writeFile(pathOf('record.json'), '{"v":1}\n');
  const ask = ((name: string) => Promise.resolve(name === 'readCall' ? kept : null)) as unknown as Store['ask'];
  app = await serve(callFileRoutes({ store: { ask }, dataDir, log }));
});
afterAll(async () => {
  await app.close();
  await rm(dataDir, { recursive: true, force: true });
});

const pathOf = (name: string, callId = CALL): string => join(dataDir, 'calls', callId, name);

/** A call of its own with one file in it. */
async function fileOf(callId: string, name: string, content: Buffer | string): Promise<string> {
  await mkdir(join(dataDir, 'calls', callId), { recursive: true });
  await writeFile(pathOf(name, callId), content);
  return callId;
}

test('record and tape are downloaded as they lie there', async () => {
  for (const [name, file] of [
    ['tape', 'tape.jsonl'],
    ['record', 'record.json'],
  ] as const) {
    const answer = await get(app, `/calls/${CALL}/${name}`, { range: 'bytes=0-5' });
    expect(answer.statusCode).toBe(200);
    expect(answer.rawPayload.equals(await readFile(pathOf(file)))).toBe(true);
    expect(answer.headers['content-disposition']).toBe(`attachment; filename="trunkline-${CALL}-${file}"`);
  }
});

test.each([
  ['tape', 'There is no tape.jsonl of this call here'],
  ['record', 'it is written when the call is over'],
  ['audio', 'its agent does not record calls'],
  ['events', 'or the call was on another machine, whose DATA_DIR has it'],
])('a call without a %s is told why there may be none', async (name, why) => {
  expect(await refusal(app, `/calls/nobody/${name}`)).toEqual([404, expect.stringContaining(why)]);
});

test('a recording is served in parts, from anywhere in it', async () => {
  const whole = await get(app, `/calls/${CALL}/audio`);
  expect([whole.statusCode, whole.headers['content-type'], whole.headers['accept-ranges']]).toEqual([
    200,
    'audio/wav',
    'bytes',
  ]);
  expect(whole.rawPayload.equals(audio)).toBe(true);
  const size = audio.length;
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 1],
    ['bytes=0-', 0, size],
    ['bytes=10-70', 10, 71],
    ['bytes=58-58', 58, 59],
    [`bytes=100000-${size + 50}`, 100_000, size],
    ['bytes=-5', size - 5, size],
    [`bytes=-${size + 1}`, 0, size],
    [`bytes=${size - 1}-`, size - 1, size],
  ] as const) {
    const part = await get(app, `/calls/${CALL}/audio`, { range });
    expect(part.statusCode, range).toBe(206);
    expect(part.headers['content-range']).toBe(`bytes ${from}-${to - 1}/${size}`);
    expect(part.headers['content-length']).toBe(String(to - from));
    expect(part.rawPayload.equals(audio.subarray(from, to)), range).toBe(true);
  }
});

test.each([
  'bytes=5-4',
  'bytes=-',
  'bytes=a-b',
  'chars=0-5',
  'bytes=0-1,5-6',
  'bytes=1e3-',
  `bytes=${'9'.repeat(30)}-`,
  'bytes',
  '',
])('range %j means all of it', async (range) => {
  const answer = await get(app, `/calls/${CALL}/audio`, { range });
  expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, audio.length]);
});

test('a part that is not there is refused with how long it is', async () => {
  for (const range of [`bytes=${audio.length}-`, 'bytes=999999999999-', 'bytes=-0']) {
    const answer = await get(app, `/calls/${CALL}/audio`, { range });
    expect([answer.statusCode, answer.headers['content-range']]).toEqual([416, `bytes */${audio.length}`]);
    expect(answer.rawPayload.length).toBe(0);
  }
});

test('HEAD tells the length and reads nothing', async () => {
  const { authorization } = { authorization: 'Bearer a-token-of-sixteen' };
  const answer = await app.inject({ method: 'HEAD', url: `/api/calls/${CALL}/audio`, headers: { authorization } });
  expect([answer.statusCode, answer.headers['content-length'], answer.rawPayload.length]).toEqual([
    200,
    String(audio.length),
    0,
  ]);
});

test('a recording that is still being written is as long as what is there', async () => {
  const data = randomBytes(40_001);
  // The header is of some seconds ago, and half a sample is on its way.
  const id = await fileOf('live-1', 'audio.wav', Buffer.concat([wavHeader(16_000, 2), data]));
  const { rawPayload } = await get(app, `/calls/${id}/audio`);
  expect(rawPayload.length).toBe(58 + 40_000);
  expect(readWav(rawPayload).durationMs).toBe(20_000 / 8);
  expect(rawPayload.subarray(58).equals(data.subarray(0, 40_000))).toBe(true);
  const head = await get(app, `/calls/${id}/audio`, { range: 'bytes=40-60' });
  expect(head.rawPayload.equals(rawPayload.subarray(40, 61))).toBe(true);
  const { durationMs } = await levelsOf(id);
  expect(durationMs).toBe(2_500);
});

test('a recording without sound yet, or that is none of ours, is not there', async () => {
  for (const [name, content] of [
    ['empty', Buffer.alloc(0)],
    ['header', wavHeader(0, 2)],
    ['mono', writeWav([Buffer.alloc(1_000)])],
    ['text', 'x'.repeat(500)],
  ] as const) {
    const id = await fileOf(`none-${name}`, 'audio.wav', content);
    expect((await refusal(app, `/calls/${id}/audio`))[0], name).toBe(404);
  }
});

test.each(['..', '.', '%2e%2e', '..%2f..%2fetc', 'a%00b', '%2fetc', 'a/../b', 'x'.repeat(101), "x' or 1=1"])(
  'id %s opens nothing',
  async (id) => {
    for (const name of ['audio', 'tape', 'record', 'events', 'levels']) {
      const answer = await get(app, `/calls/${id}/${name}`);
      expect(answer.statusCode, name).toSatisfy((status: number) => [400, 404, 414].includes(status));
    }
  },
);

test('nothing outside of the folder of a call is opened, whatever link leads there', async () => {
  const outside = join(dataDir, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'tape.jsonl'), 'SECRET');
  await writeFile(join(outside, 'audio.wav'), writeWav([randomBytes(2_000), randomBytes(2_000)]));
  await symlink(outside, join(dataDir, 'calls', 'linked'));
  await mkdir(join(dataDir, 'calls', 'link-in'));
  await symlink(join(outside, 'tape.jsonl'), pathOf('tape.jsonl', 'link-in'));
  await symlink(join(outside, 'audio.wav'), pathOf('audio.wav', 'link-in'));
  await mkdir(pathOf('tape.jsonl', 'folder'), { recursive: true });
  for (const id of ['linked', 'link-in', 'folder'])
    for (const name of ['tape', 'audio', 'events'])
      expect((await refusal(app, `/calls/${id}/${name}`))[0], `${id} ${name}`).toBe(404);
});

test.runIf(process.platform === 'linux')('files that were served are closed, read to their end or not', async () => {
  const openFiles = async () =>
    (await import('node:fs/promises')).readdir('/proc/self/fd').then(({ length }) => length);
  await get(app, `/calls/${CALL}/audio`);
  const before = await openFiles();
  for (let i = 0; i < 30; i++) {
    await get(app, `/calls/${CALL}/audio`);
    await get(app, `/calls/${CALL}/audio`, { range: 'bytes=999999999-' });
    await app.inject({
      method: 'HEAD',
      url: `/api/calls/${CALL}/audio`,
      headers: { authorization: 'Bearer a-token-of-sixteen' },
    });
    await get(app, `/calls/${CALL}/events?limit=5`);
    await get(app, `/calls/${CALL}/levels?buckets=${60 + i}`);
    await get(app, '/calls/none-text/audio');
  }
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  expect(await openFiles()).toBeLessThanOrEqual(before + 1);
});

// --- levels

async function levelsOf(callId: string, buckets = 100): Promise<Levels> {
  const answer = await get(app, `/calls/${callId}/levels?buckets=${buckets}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
}

test('levels are the loudest sample of each side in each stretch', async () => {
  const caller = Buffer.alloc(80_000, 0xff);
  const agent = Buffer.alloc(80_000, 0xff);
  // Full scale for one sample at 2.5 s; a low tone from 5 s to 7.5 s.
  caller[20_000] = 0x80;
  agent.fill(0xcf, 40_000, 60_000);
  const id = await fileOf('tones', 'audio.wav', writeWav([caller, agent]));
  const levels = await levelsOf(id);
  expect(levels).toMatchObject({ from: 'audio', durationMs: 10_000, bucketMs: 100 });
  expect(levels.caller.map((level, i) => [i, level]).filter(([, level]) => level !== 0)).toEqual([[25, 1]]);
  expect(levels.agent.map((level, i) => (level === 0 ? -1 : i)).filter((i) => i >= 0)).toEqual(
    Array.from({ length: 25 }, (_, i) => 50 + i),
  );
  expect(new Set(levels.agent).size).toBe(2);
  expect((await levelsOf(id, 4_000)).caller.length).toBe(500);
});

test('every sample counts in one stretch, however they are cut', async () => {
  const sound = randomBytes(12_345);
  const id = await fileOf('random', 'audio.wav', writeWav([sound, Buffer.alloc(12_345, 0xff)]));
  for (const buckets of [50, 51, 77]) {
    const { caller } = await levelsOf(id, buckets);
    expect(caller).toHaveLength(buckets);
    const loudest = (from: number, to: number) => Math.max(...sound.subarray(from, to).map((byte) => ~byte & 0x7f));
    const expected = caller.map((_, i) =>
      loudest(Math.ceil((i * 12_345) / buckets), Math.ceil(((i + 1) * 12_345) / buckets)),
    );
    const order = (values: readonly number[]) => values.map((a) => values.filter((b) => b < a).length);
    expect(order(caller)).toEqual(order(expected));
  }
});

test('without a recording the tape says who spoke when, without a tape the turns', async () => {
  const measured = await levelsOf(CALL, 400);
  expect(measured.from).toBe('audio');
  await fileOf('taped', 'tape.jsonl', tape);
  const drawn = await levelsOf('taped', 400);
  expect(drawn.from).toBe('tape');
  expect(Math.abs(drawn.durationMs - measured.durationMs)).toBeLessThan(50);
  // The staged caller speaks four times and is silent in every frame; the agent's sound is silence as well.
  const spurts = (side: number[]) => side.filter((level, i) => level > 0 && !((side[i - 1] ?? 0) > 0)).length;
  expect(spurts(drawn.caller)).toBe(3);
  expect(spurts(drawn.agent)).toBeGreaterThanOrEqual(4);
  kept = {
    ...{ mediaStartedWallMs: 1_000, endedWallMs: 11_000 },
    turns: [
      { who: 'agent', soundAtMs: 0, heardMs: 2_000 },
      { who: 'caller', speechStartAtMs: 3_000, speechStopAtMs: 5_000, committedAtMs: 5_500 },
      { who: 'caller', speechStartAtMs: null, speechStopAtMs: null, committedAtMs: 7_000 },
    ],
  };
  const told = await levelsOf('elsewhere', 100);
  kept = null;
  expect(told).toMatchObject({ from: 'turns', durationMs: 10_000, bucketMs: 100 });
  expect(told.agent.map((level) => level > 0)).toEqual(told.agent.map((_, i) => i < 20));
  expect(told.caller.map((level) => level > 0)).toEqual(told.caller.map((_, i) => i >= 30 && i < 50));
  expect(await refusal(app, '/calls/nobody/levels')).toEqual([404, 'There is no such call.']);
});

test('what the agent was to say and never said is not drawn', async () => {
  const line = (t: number, rest: object) => `${JSON.stringify({ t, ...rest })}\n`;
  const play = (startsAtMs: number, toByte: number) => ({
    do: 'leg.play',
    utterance: 'u1',
    fromByte: 0,
    toByte,
    startsAtMs,
  });
  const header = tape.subarray(0, tape.indexOf(10) + 1).toString();
  const base = (JSON.parse(header) as { opening: { atMs: number } }).opening.atMs;
  const id = await fileOf(
    'cleared',
    'tape.jsonl',
    [
      header,
      line(1_000, { call: { type: 'leg.started' } }),
      line(1_500, { after: 'utterance.audio', do: [play(base + 2_000, 16_000), { do: 'leg.mark', mark: 'm' }] }),
      line(1_600, { after: 'utterance.audio', do: [play(base + 4_000, 16_000)] }),
      line(3_000, { after: 'speech.started', do: [{ do: 'leg.clear' }] }),
      line(11_000, { closed: true }),
    ].join(''),
  );
  const { agent, durationMs } = await levelsOf(id, 100);
  expect(durationMs).toBe(10_000);
  expect(agent.map((level, i) => (level > 0 ? i : -1)).filter((i) => i >= 0)).toEqual(
    Array.from({ length: 10 }, (_, i) => 10 + i),
  );
});

// --- events

async function eventsOf(callId: string, query = ''): Promise<TapeEvents> {
  const answer = await get(app, `/calls/${callId}/events?${query}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
}

async function walked(callId: string, query: string): Promise<TapeEvents['events']> {
  const events: TapeEvents['events'] = [];
  for (let next: number | null = 0; next !== null; ) {
    const page: TapeEvents = await eventsOf(callId, `${query}&after=${next}`);
    expect(page.next === null || page.next > next).toBe(true);
    events.push(...page.events);
    next = page.next;
  }
  return events;
}

test('the events of a call are every line of its tape, frames gathered, in readable names', async () => {
  const { entries } = parseTape(tape.toString());
  const events = await walked(CALL, 'limit=1000');
  expect(events.reduce((sum, { count }) => sum + count, 0)).toBe(entries.length + 1);
  const frames = entries.filter(({ kind }) => kind === 'frame').length;
  const gathered = events.filter(({ name }) => name === 'media');
  expect(gathered.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(frames);
  expect(gathered.length).toBeLessThan(frames / 20);
  const names = new Set(events.map(({ from, name }) => `${from} ${name}`));
  for (const name of [
    ...['carrier start', 'carrier mark', 'carrier dtmf', 'model session.created', 'to_model session.update'],
    ...['model input_audio_buffer.speech_started', 'model response.done', 'to_model response.create', 'call closed'],
    ...['model response.output_audio.delta', 'call timer.fired', 'to_model conversation.item.truncate'],
  ])
    expect(names, name).toContain(name);
  expect([...names].some((name) => /^call speech\.started → .*leg\.clear/.test(name))).toBe(true);
  expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  expect(events.find(({ name }) => name === 'start')?.atMs).toBe(0);
  expect(events[1]?.atMs).toBeLessThan(0);
  const lines = tape.toString().split('\n');
  for (const { line, body } of events) expect(body.startsWith('{"v":') || lines[line - 1] === body, body).toBe(true);
});

test('pages of any size, sides and words give the same events', async () => {
  const all = await walked(CALL, 'limit=1000');
  expect(
    (await walked(CALL, 'limit=7'))
      .filter(({ name }) => name !== 'media' && !name.includes('audio') && !name.includes('shelf'))
      .map(({ line }) => line),
  ).toEqual(
    all
      .filter(({ name }) => name !== 'media' && !name.includes('audio') && !name.includes('shelf'))
      .map(({ line }) => line),
  );
  for (const from of ['carrier', 'model', 'call', 'to_model'] as const)
    expect((await walked(CALL, `limit=1000&from=${from}`)).map(({ line }) => line)).toEqual(
      all.filter((event) => event.from === from).map(({ line }) => line),
    );
  const tuesday = await walked(CALL, 'limit=1000&text=TUESDAY');
  expect(tuesday.length).toBeGreaterThan(0);
  expect(tuesday.every(({ body }) => body.toLowerCase().includes('tuesday'))).toBe(true);
});

test('a place in the middle of a line, or behind the end, gives what follows', async () => {
  const [second] = (await eventsOf(CALL, 'limit=1&after=5')).events;
  expect(second?.line).toBe(2);
  for (const after of [tape.length, tape.length + 5, 9e15])
    expect(await eventsOf(CALL, `after=${after}`)).toEqual({ events: [], next: null, complete: true });
  expect(await refusal(app, `/calls/${CALL}/events?after=-1`)).toEqual([
    400,
    expect.stringContaining('after: expected the `next`'),
  ]);
  expect(await refusal(app, `/calls/${CALL}/events?limit=1001`)).toEqual([
    400,
    expect.stringContaining('limit: expected 1 to 1000'),
  ]);
});

test('a tape that is being written, was cut off, or is none, is read as far as it goes', async () => {
  const cut = tape.subarray(0, Math.floor(tape.length / 2));
  await fileOf('cut', 'tape.jsonl', cut);
  const events = await walked('cut', 'limit=1000');
  expect(events.length).toBeGreaterThan(10);
  expect((await eventsOf('cut', 'limit=1000')).complete).toBe(false);
  expect((await eventsOf(CALL)).complete).toBe(true);
  for (const [id, text] of [
    ['garbage', randomBytes(300_000)],
    ['empty', ''],
    ['lines', '\n'.repeat(1_000)],
    [
      'odd',
      '{"t":1,"call":null}\n{"t":1e999,"call":{}}\n{"t":2,"after":5,"do":7}\n{"t":3,"session":[1]}\n{"t":4,"sent":"x"}\n',
    ],
    ['deep', `{"t":1,"session":${'['.repeat(5_000)}${']'.repeat(5_000)}}\n`],
  ] as const) {
    await fileOf(`tape-${id}`, 'tape.jsonl', text);
    expect((await eventsOf(`tape-${id}`)).complete).toBe(false);
    await describes(app, '/calls/{id}/events', `/calls/tape-${id}/events`);
    expect((await get(app, `/calls/tape-${id}/levels`)).statusCode).toBe(404);
  }
});

test('a line without end is told by its beginning', async () => {
  const long = `{"t":1,"sent":{"type":"session.update","session":{"instructions":"${'é'.repeat(300_000)}"}}}\n`;
  const id = await fileOf('long', 'tape.jsonl', `${long}{"t":2,"closed":true}\n`);
  const { events } = await eventsOf(id);
  expect(events.map(({ line, name }) => [line, name])).toEqual([
    [1, 'session.update'],
    [2, 'closed'],
  ]);
  expect(events[0]?.body).toHaveLength(4_000);
});

test('what the description says of levels and events is true', async () => {
  await describes(app, '/calls/{id}/levels', `/calls/${CALL}/levels`);
  await describes(app, '/calls/{id}/events', `/calls/${CALL}/events`);
});

// --- long calls

test('a recording of three hours is measured in seconds, a piece at a time', async () => {
  const id = await fileOf('hours', 'audio.wav', wavHeader(0, 2));
  const file = await open(pathOf('audio.wav', id), 'a');
  const minute = randomBytes(2 * 8 * 60_000);
  for (let i = 0; i < 180; i++) await file.write(minute);
  await file.close();
  const { answer, tookMs, turns } = await watched(() => levelsOf(id, 1_200));
  expect(answer).toMatchObject({ from: 'audio', durationMs: 3 * 3_600_000 });
  expect(Math.min(...answer.caller, ...answer.agent)).toBeGreaterThan(0.9);
  expect(tookMs).toBeLessThan(6_000);
  // 2,600 pieces.
  expect(turns).toBeGreaterThan(2_000);
  const again = await watched(() => levelsOf(id, 1_200));
  expect(again.answer).toEqual(answer);
  expect(again.tookMs).toBeLessThan(Math.max(50, tookMs / 5));
  const seek = await watched(() => get(app, `/calls/${id}/audio`, { range: 'bytes=100000000-100065535' }));
  expect(seek.answer.rawPayload.length).toBe(65_536);
  await rm(join(dataDir, 'calls', id), { recursive: true });
});

test('a tape of 64 MiB is drawn and read from anywhere, a piece at a time', async () => {
  const lines = tape.toString().split('\n').slice(0, -1);
  const body = Buffer.from(`${lines.slice(1, -1).join('\n')}\n`);
  const id = await fileOf('long-tape', 'tape.jsonl', `${lines[0]}\n`);
  const file = await open(pathOf('tape.jsonl', id), 'a');
  const copies = Math.ceil((64 * 1024 * 1024) / body.length);
  for (let i = 0; i < copies; i++) await file.write(body);
  const { size } = await file.stat();
  await file.close();
  const drawn = await watched(() => levelsOf(id, 1_200));
  expect(drawn.answer.from).toBe('tape');
  const far = await watched(() => eventsOf(id, `after=${size - 1_000_000}`));
  expect(far.answer.events[0]?.line).toBeGreaterThan(copies * (lines.length - 2) * 0.95);
  const next = await watched(() => eventsOf(id, `after=${far.answer.next}`));
  const nothing = await watched(() => eventsOf(id, 'text=no%20such%20words'));
  expect(nothing.answer.events).toEqual([]);
  expect(nothing.answer.next).toBeGreaterThan(8 * 1024 * 1024 - 1);
  expect(nothing.answer.next).toBeLessThan(9 * 1024 * 1024);
  for (const [name, { tookMs }] of Object.entries({ drawn, far, next, nothing }))
    expect(tookMs, name).toBeLessThan(6_000);
  // By pieces of 16 KiB where lines are read, of 64 where they are counted.
  expect(drawn.turns).toBeGreaterThan(3_000);
  expect(far.turns).toBeGreaterThan(900);
  expect(nothing.turns).toBeGreaterThan(400);
  // The place where a page began is known: nothing is counted again.
  expect(next.turns).toBeLessThan(far.turns / 3);
  await rm(join(dataDir, 'calls', id), { recursive: true });
});
