// Bounds of the whole server that no smaller test reaches: what is kept, and what cannot be kept.
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StoredCall } from '../../src/call/call-store.ts';
import { trackFromTimeline } from '../../src/phone/caller-track.ts';
import { post, startE2e, webhookParams, within } from '../support/e2e.ts';

test('of the status callbacks of a call the latest 50 are kept', { timeout: 20_000 }, async () => {
  const e2e = await startE2e();
  try {
    const params = webhookParams();
    expect((await post(e2e, '/voice', params)).status).toBe(200);
    for (let i = 1; i <= 60; i++) {
      const status = { ...params, CallStatus: 'in-progress', SequenceNumber: String(i) };
      expect((await post(e2e, '/voice/status', status)).status).toBe(204);
    }
    const path = join(e2e.config.dataDir, 'entries', `twilio-${params.CallSid}.json`);
    const { statuses } = JSON.parse(await readFile(path, 'utf8')) as StoredCall;
    expect(statuses.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 50 }, (_, i) => i + 11));
  } finally {
    await e2e.abandon();
  }
});

test('files of a call that cannot be written are counted, and the call is as good as any', {
  timeout: 20_000,
}, async () => {
  const e2e = await startE2e();
  try {
    // Where the folder of the calls would be.
    await writeFile(join(e2e.config.dataDir, 'calls'), 'in the way');
    const judged = Promise.withResolvers<number | null>();
    e2e.server.records.onRecord(({ quality }) => judged.resolve(quality.score));
    const phone = e2e.call({ track: trackFromTimeline([{ atMs: 1_500, hangup: true }]) });
    const { firstAudioAtMs } = await phone.ended;
    expect(firstAudioAtMs).toBeDefined();
    expect(await within(5_000, 'the quality of the call', judged.promise)).toBeGreaterThan(85);
    for (const file of ['tape', 'recording', 'record'])
      expect(await e2e.metric('trunkline_files_incomplete_total', { file, why: 'failed' }), file).toBe(1);
  } finally {
    await e2e.abandon();
  }
});

test('a request that trickles is cut off after ten seconds; others are served meanwhile', {
  timeout: 30_000,
}, async () => {
  const e2e = await startE2e();
  try {
    const { hostname, port } = new URL(e2e.server.origin);
    const socket = connect(Number(port), hostname);
    const closed = Promise.withResolvers<number>();
    const beganMs = performance.now();
    let answer = '';
    socket.on('data', (part) => (answer += part.toString()));
    socket.on('error', () => {});
    socket.on('close', () => closed.resolve(performance.now() - beganMs));
    socket.write(
      'POST /voice HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9999\r\n\r\n',
    );
    const trickle = setInterval(() => socket.write('a'), 250);
    socket.on('close', () => clearInterval(trickle));
    expect((await post(e2e, '/voice', webhookParams())).status).toBe(200);
    const tookMs = await within(20_000, 'the end of the connection', closed.promise);
    expect(tookMs).toBeGreaterThan(9_500);
    expect(tookMs).toBeLessThan(14_000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  } finally {
    await e2e.abandon();
  }
});
