// Turn detection, interruption and truncation as a client meets them on the socket.
import { afterEach, expect, test } from 'vitest';
import { silence } from '../../src/audio/mulaw.ts';
import { audioFormat } from '../../src/simulator/audio-format.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import recordings from '../fixtures/openai/audio/recordings.json' with { type: 'json' };
import { ManualClock } from './manual-clock.ts';
import { closeSimulators, connect, phoneSession, recorded, simulate } from './socket-client.ts';

afterEach(closeSimulators);

const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0, transcriptDelayMs: 1 };
const stamped = { greeting: { items: [{ stampedMs: 5000 }] }, turns: [{ items: [{ stampedMs: 2000 }] }] };
const exact = { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 0, silence_duration_ms: 500 };

for (const [name, { speechMs, durationMs }] of Object.entries(recordings)) {
  test(`announces the speech of ${name} on the clock of the appended audio`, async () => {
    const client = await phoneSession(fast, { turn_detection: exact });
    client.append(silence(16_000));
    client.say(name);
    const started = await client.seen('input_audio_buffer.speech_started');
    const stopped = await client.seen('input_audio_buffer.speech_stopped');
    const [startMs, endMs] = speechMs[0] as [number, number];
    expect(Math.abs(Number(started.audio_start_ms) - 2000 - startMs)).toBeLessThanOrEqual(100);
    expect(Math.abs(Number(stopped.audio_end_ms) - 2500 - endMs)).toBeLessThanOrEqual(300);
    // Events are taken in order: after the answer to this one all audio is in.
    await client.update({ turn_detection: exact });
    expect(
      client.session
        .heardAudio()
        .subarray(16_000, 16_000 + durationMs * 8)
        .equals(recorded(name)),
    ).toBe(true);
  });
}

test('hears PCM and cuts turns at any append size', async () => {
  const client = await connect(await simulate({ session: fast }));
  const pcm = audioFormat({ type: 'audio/pcm' }).fromMulaw(
    Buffer.concat([recorded('cmd-turn-on-lamp'), silence(8000)]),
  );
  for (let i = 0; i < pcm.length; i += 1111)
    client.send({ type: 'input_audio_buffer.append', audio: pcm.subarray(i, i + 1111).toString('base64') });
  const started = await client.seen('input_audio_buffer.speech_started');
  expect(Math.abs(Number(started.audio_start_ms) + 300 - 440)).toBeLessThanOrEqual(100);
  await client.seen('input_audio_buffer.committed');
});

test('stops a running answer when the caller speaks, and the client truncates at what was heard', async () => {
  const client = await phoneSession({ script: stamped, firstDelayMs: 0, lateDeltas: 2 });
  client.send({ type: 'response.create' });
  const { item_id } = await client.seen('response.output_audio.delta', 3);
  client.append(recorded('q-weather-short'));
  const done = await client.seen('response.done');
  expect(done.response).toMatchObject({
    status: 'cancelled',
    status_details: { type: 'cancelled', reason: 'turn_detected' },
    output: [{ id: item_id, status: 'incomplete' }],
  });
  const types = client.types.slice(client.types.indexOf('input_audio_buffer.speech_started'));
  expect(types.filter((type) => !type.includes('transcript.delta')).slice(0, 9)).toEqual([
    'input_audio_buffer.speech_started',
    'response.output_audio.delta',
    'response.output_audio.delta',
    'response.output_audio.done',
    'response.output_audio_transcript.done',
    'response.content_part.done',
    'response.output_item.done',
    'conversation.item.done',
    'response.done',
  ]);
  const [item] = client.session.items;
  const produced = client.audioOf(item_id);
  expect(item).toMatchObject({ audioMs: produced.length / 8, stamp: 1, status: 'incomplete' });
  expect(readStamps(produced).get(1)).toEqual({ heardMs: item?.audioMs, maxMs: (item?.audioMs ?? 0) - 1 });
  expect(done.response.usage.output_token_details.audio_tokens).toBe(Math.ceil((item?.audioMs ?? 0) / 50));

  client.send({ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 333 });
  await client.seen('conversation.item.truncated');
  expect(item).toMatchObject({ truncatedAtMs: 333, transcript: null });
  expect(client.invalid).toEqual([]);
});

test('sends stray deltas of a cancelled answer even after its end when asked to', async () => {
  const client = await phoneSession({ script: stamped, firstDelayMs: 0, lateDeltasAfterDone: 3 });
  client.send({ type: 'response.create' });
  await client.seen('response.output_audio.delta');
  client.send({ type: 'response.cancel' });
  const deltas = client.of('response.output_audio.delta').length;
  const done = await client.seen('response.done');
  expect(done.response.status_details).toEqual({ type: 'cancelled', reason: 'client_cancelled' });
  await client.seen('response.output_audio.delta', deltas + 3);
  expect(client.types.lastIndexOf('response.output_audio.delta')).toBeGreaterThan(
    client.types.indexOf('response.done'),
  );
});

test('leaves the answer running when interrupt_response is off, and cannot answer over it', async () => {
  const client = await phoneSession(
    { script: stamped, pace: 1 },
    { turn_detection: { ...exact, interrupt_response: false } },
  );
  client.send({ type: 'response.create' });
  await client.seen('response.output_audio.delta');
  client.say('q-weather-short');
  await client.seen('input_audio_buffer.committed');
  const { error } = await client.seen('error');
  expect(error).toMatchObject({ code: 'conversation_already_has_active_response', event_id: null });
  expect(client.session.responses).toMatchObject([{ status: 'in_progress' }]);
});

test('commits but does not answer when create_response is off', async () => {
  const client = await phoneSession(
    { ...fast, script: stamped },
    { turn_detection: { ...exact, create_response: false } },
  );
  client.say('q-weather-short');
  await client.seen('conversation.item.done');
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  expect(client.session.responses).toMatchObject([{ origin: 'client', status: 'completed' }]);
  expect(client.session.items[1]).toMatchObject({ audioMs: 2000, stamp: 1 });
});

test('commits by hand when turn detection is off', async () => {
  const client = await phoneSession(fast, { turn_detection: null, transcription: { model: 'whisper-1' } });
  client.append(recorded('q-weather-short'));
  client.send({ type: 'input_audio_buffer.commit' });
  await client.seen('input_audio_buffer.committed');
  await client.seen('conversation.item.input_audio_transcription.completed');
  expect(client.types).not.toContain('input_audio_buffer.speech_started');
  expect(client.types).not.toContain('response.created');
  expect(client.session.items).toMatchObject([{ role: 'user', audioMs: 2040 }]);
  client.append(silence(160));
  client.send({ type: 'input_audio_buffer.clear' });
  await client.seen('input_audio_buffer.cleared');
  expect((await client.refused({ type: 'input_audio_buffer.commit' })).code).toBe('input_audio_buffer_commit_empty');
});

test('semantic detection waits longer the less eager it is', async () => {
  const endOf = async (eagerness: string): Promise<number> => {
    const client = await phoneSession(fast, { turn_detection: { type: 'semantic_vad', eagerness } });
    client.append(Buffer.concat([recorded('q-weather-short'), silence(40_000)]));
    return Number((await client.seen('input_audio_buffer.speech_stopped')).audio_end_ms);
  };
  const [high, auto, low] = [await endOf('high'), await endOf('auto'), await endOf('low')];
  expect(high).toBeLessThan(auto);
  expect(auto).toBeLessThan(low);
});

test('reports a silent caller once, after the answer has been played and the timeout is over', async () => {
  const clock = new ManualClock();
  const client = await connect(
    await simulate({ clock, session: { ...fast, script: { ...stamped, onSilence: { items: [{ stampedMs: 500 }] } } } }),
  );
  await client.update({ turn_detection: { ...exact, idle_timeout_ms: 6000 } });
  client.append(silence(8000));
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  clock.advance(5000 + 5999);
  expect(client.session.responses).toHaveLength(1);
  clock.advance(1);
  const triggered = await client.seen('input_audio_buffer.timeout_triggered');
  expect(triggered).toMatchObject({ audio_start_ms: 0, audio_end_ms: 1000 });
  expect((await client.seen('input_audio_buffer.committed')).item_id).toBe(triggered.item_id);
  await client.seen('response.done', 2);
  clock.advance(60_000);
  expect(client.session.responses).toHaveLength(2);
  expect(client.invalid).toEqual([]);
});

test('keeps the pace asked for and the pauses in generation', async () => {
  const clock = new ManualClock();
  const script = {
    turns: [],
    greeting: { firstDelayMs: 300, items: [{ stampedMs: 1000, stallAfterMs: 400, stallMs: 700 }] },
  };
  const client = await connect(await simulate({ clock, session: { script, pace: 2 } }));
  await client.update();
  client.send({ type: 'response.create' });
  await client.seen('response.created');
  const producedAt: number[] = [];
  client.session.on('server_event', ({ type }) => {
    if (type === 'response.output_audio.delta') producedAt.push(clock.nowMs());
  });
  clock.advance(5000);
  expect(producedAt).toEqual([300, 400, 1200, 1300, 1400]);
});

test('cuts deltas into the sizes it is given', async () => {
  const client = await phoneSession({ ...fast, script: stamped, deltaMs: [7, 1601, 160] });
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  const sizes = client
    .of('response.output_audio.delta')
    .map(({ delta }) => Buffer.from(String(delta), 'base64').length);
  expect(sizes.slice(0, 4)).toEqual([7, 1601, 160, 7]);
  expect(client.session.items[0]?.audioBytes).toBe(40_000);
});
