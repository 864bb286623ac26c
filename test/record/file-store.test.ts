// Stored calls on files: whole for every reader, in order for every writer, private, and never a way out of the folder.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoredCall } from '../../src/call/call-store.ts';
import { FileCallStore } from '../../src/record/file-store.ts';

let dataDir: string;
let warnings: object[];
const log = { warn: (fields: object) => void warnings.push(fields) };
const store = () => new FileCallStore({ dataDir, log });
const entries = () => join(dataDir, 'entries');

const CALL: StoredCall = {
  callId: 'c1',
  carrier: 'twilio',
  carrierCallId: 'CA01',
  node: 'aaaaaaaaaaaa',
  admittedWallMs: 1_795_000_000_000,
  next: { do: 'hang_up' },
  termination: null,
  statuses: [],
  voicemail: null,
};

beforeEach(async () => {
  warnings = [];
  dataDir = await mkdtemp(join(tmpdir(), 'trunkline-store-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('an entry', () => {
  test('is read back as it was put, by another store on the same folder too', async () => {
    await store().put(CALL);
    expect(await store().get('twilio', 'CA01')).toEqual(CALL);
    expect(await store().get('twilio', 'CA02')).toBeNull();
    expect(warnings).toEqual([]);
  });

  test('of a version from before messages were kept is read as one without', async () => {
    await store().put(CALL);
    const path = join(entries(), 'twilio-CA01.json');
    const { voicemail: _, ...older } = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify(older));
    expect(await store().get('twilio', 'CA01')).toEqual({ ...CALL, voicemail: null });
  });

  test('keeps where a message lies', async () => {
    const voicemail = { url: 'https://api.example.com/Recordings/RE1', seconds: 12 };
    await store().put({ ...CALL, next: { do: 'voicemail', say: 'Please speak.', maxSeconds: 60 } });
    await store().update('twilio', 'CA01', (call) => ({ ...call, voicemail }));
    expect(await store().get('twilio', 'CA01')).toMatchObject({ voicemail, next: { do: 'voicemail' } });
  });

  test('is read by another process as soon as put has resolved', async () => {
    await store().put(CALL);
    const script = `process.stdout.write(JSON.parse(require('node:fs').readFileSync(process.argv[1], 'utf8')).callId)`;
    const reader = spawnSync(process.execPath, ['-e', script, join(entries(), 'twilio-CA01.json')], {
      encoding: 'utf8',
    });
    expect(reader.stdout).toBe('c1');
  });

  test('can be read and written by nobody else, and nothing half-written stays beside it', async () => {
    await store().put(CALL);
    expect((await stat(join(entries(), 'twilio-CA01.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(entries())).mode & 0o777).toBe(0o700);
    expect(await readdir(entries())).toEqual(['twilio-CA01.json']);
  });

  test('is changed under its key in the order of the asking, each change seeing the one before', async () => {
    const s = store();
    void s.put(CALL);
    const order = Array.from({ length: 30 }, (_, i) => i);
    const changes = order.map((i) =>
      s.update('twilio', 'CA01', (call) => ({
        ...call,
        statuses: [
          ...call.statuses,
          { carrierCallId: 'CA01', status: 'x', final: false, durationSeconds: null, sequence: i },
        ],
      })),
    );
    // Asked for last, so it sees them all.
    expect((await s.get('twilio', 'CA01'))?.statuses.map((status) => status.sequence)).toEqual(order);
    await Promise.all(changes);
  });

  test('that is not there is not made by a change', async () => {
    await store().update('twilio', 'CA01', () => CALL);
    expect(await store().get('twilio', 'CA01')).toBeNull();
  });

  test('stays as it was when a change throws, and the next change goes on', async () => {
    const s = store();
    await s.put(CALL);
    const failed = s.update('twilio', 'CA01', () => {
      throw new Error('no');
    });
    const next = s.update('twilio', 'CA01', (call) => ({ ...call, next: { do: 'forward', to: '+14155550100' } }));
    await expect(failed).rejects.toThrow('no');
    await next;
    expect((await s.get('twilio', 'CA01'))?.next).toEqual({ do: 'forward', to: '+14155550100' });
  });

  test('that is too large is refused and the one before stays', async () => {
    const s = store();
    await s.put(CALL);
    const large: StoredCall = { ...CALL, next: { do: 'say_and_hang_up', text: 'x'.repeat(70_000) } };
    await expect(s.put(large)).rejects.toThrow(RangeError);
    expect(await s.get('twilio', 'CA01')).toEqual(CALL);
  });
});

describe('a file that is not an entry', () => {
  test.each([
    ['half-written text', '{"callId":"c1","carr'],
    ['another shape', '{"callId":"c1"}'],
    ['an unknown next step', JSON.stringify({ ...CALL, next: { do: 'explode' } })],
    ['null', 'null'],
    ['another call', JSON.stringify({ ...CALL, carrierCallId: 'CA99' })],
    ['too much', ' '.repeat(70_000)],
  ])('(%s) counts as absent, with one warning', async (_, text) => {
    const s = store();
    await mkdir(entries());
    await writeFile(join(entries(), 'twilio-CA01.json'), text);
    expect(await s.get('twilio', 'CA01')).toBeNull();
    await s.update('twilio', 'CA01', () => CALL);
    expect(await s.get('twilio', 'CA01')).toBeNull();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ file: 'twilio-CA01.json' });
    await s.put(CALL);
    expect(await s.get('twilio', 'CA01')).toEqual(CALL);
  });

  test('(a folder) counts as absent too', async () => {
    await mkdir(join(entries(), 'twilio-CA01.json'), { recursive: true });
    expect(await store().get('twilio', 'CA01')).toBeNull();
    expect(warnings).toHaveLength(1);
  });
});

describe('a key', () => {
  test.each(['../../etc/passwd', 'a/b', 'CA 1', '', '.', 'CA\u0000', 'ü', 'x'.repeat(500)])(
    '%j never leaves the folder and is found again',
    async (carrierCallId) => {
      const call = { ...CALL, carrierCallId };
      await store().put(call);
      expect(await store().get('twilio', carrierCallId)).toEqual(call);
      expect(await readdir(dataDir)).toEqual(['entries']);
      expect((await readdir(entries()))[0]).toMatch(/^sha256\.[0-9a-f]{64}\.json$/);
    },
  );

  test('keeps carrier and id apart', async () => {
    const s = store();
    await s.put({ ...CALL, carrier: 'a-b', carrierCallId: 'c', callId: '1' });
    await s.put({ ...CALL, carrier: 'a', carrierCallId: 'b-c', callId: '2' });
    expect((await s.get('a-b', 'c'))?.callId).toBe('1');
    expect((await s.get('a', 'b-c'))?.callId).toBe('2');
  });
});

test('pruning removes what was last changed before, and what a crash left half-written', async () => {
  const s = store();
  expect(await s.prune(Date.now())).toBe(0);
  await s.put(CALL);
  await s.put({ ...CALL, carrierCallId: 'CA02' });
  await writeFile(join(entries(), '.twilio-CA03.json.abc.tmp'), '{');
  await writeFile(join(entries(), 'README'), 'not ours');
  for (const name of ['twilio-CA01.json', '.twilio-CA03.json.abc.tmp', 'README'])
    await utimes(join(entries(), name), 1_000, 1_000);
  expect(await s.prune(2_000_000)).toBe(2);
  expect((await readdir(entries())).sort()).toEqual(['README', 'twilio-CA02.json']);
});

test('an entry of version 0.1 names no process and no message', async () => {
  const { node: _node, voicemail: _voicemail, ...old } = CALL;
  await mkdir(entries(), { recursive: true });
  await writeFile(join(entries(), 'twilio-CA01.json'), JSON.stringify(old));
  expect(await store().get('twilio', 'CA01')).toEqual({ ...old, node: '', voicemail: null });
  expect(warnings).toEqual([]);
});
