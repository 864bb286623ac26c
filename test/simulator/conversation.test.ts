// A whole conversation with the sample clinic over a socket: order, content and cost of what the simulator sends.
import { afterEach, expect, test } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import { clinicScript } from '../../src/simulator/scripts/clinic.ts';
import { closeSimulators, connect, phoneSession, simulate } from './socket-client.ts';
import type { SocketClient } from './socket-client.ts';

afterEach(closeSimulators);

const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0, transcriptDelayMs: 1 };
const tools = ['lookup_account', 'end_call'].map((name) => ({
  type: 'function',
  name,
  parameters: { type: 'object' },
}));
const withoutDeltas = (types: string[]): string[] => types.filter((type) => !type.endsWith('.delta'));

async function turn(client: SocketClient): Promise<void> {
  const done = client.of('response.done').length + 1;
  client.say('q-weather-short');
  await client.seen('response.done', done);
}

test('greets with the documented defaults', async () => {
  const client = await connect(await simulate());
  const created = await client.seen('session.created');
  expect(client.types).toEqual(['session.created', 'conversation.created']);
  expect(created.session).toMatchObject({
    id: client.session.id,
    type: 'realtime',
    model: 'gpt-realtime-2.1',
    audio: {
      input: {
        format: { type: 'audio/pcm', rate: 24_000 },
        turn_detection: { type: 'server_vad', create_response: true },
      },
      output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy' },
    },
  });
  expect(client.invalid).toEqual([]);
});

test('sends an audio turn in the order of the reference', async () => {
  const client = await phoneSession({ ...fast, transcriptDelayMs: 30 }, { transcription: { model: 'gpt-transcribe' } });
  const before = client.events.length;
  await turn(client);
  await client.seen('conversation.item.input_audio_transcription.completed');
  const types = client.types.slice(before);
  expect(withoutDeltas(types)).toEqual([
    'input_audio_buffer.speech_started',
    'input_audio_buffer.speech_stopped',
    'input_audio_buffer.committed',
    'conversation.item.added',
    'conversation.item.done',
    'response.created',
    'rate_limits.updated',
    'response.output_item.added',
    'conversation.item.added',
    'response.content_part.added',
    'response.output_audio.done',
    'response.output_audio_transcript.done',
    'response.content_part.done',
    'response.output_item.done',
    'conversation.item.done',
    'response.done',
    'conversation.item.input_audio_transcription.completed',
  ]);
  // The transcript runs ahead of the sound.
  expect(types.indexOf('response.output_audio_transcript.delta')).toBeLessThan(
    types.indexOf('response.output_audio.delta'),
  );
  const started = client.of('input_audio_buffer.speech_started')[0];
  expect(client.of('input_audio_buffer.committed')[0]?.item_id).toBe(started?.item_id);
  const answer = client.of('response.done')[0]?.response.output[0];
  expect(client.audioOf(answer?.id ?? '').equals(clip('clinic_support_long').audio)).toBe(true);
  expect(answer?.content?.[0]?.transcript).toBe(clip('clinic_support_long').text);
  expect(client.of('conversation.item.input_audio_transcription.completed')[0]).toMatchObject({
    transcript: "I'd like to speak to customer support",
    usage: { type: 'duration' },
  });
  expect(client.invalid).toEqual([]);
});

test('plays the clinic from greeting to goodbye, every event valid', async () => {
  const client = await phoneSession(fast, { transcription: { model: 'gpt-4o-mini-transcribe' } }, { tools });
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  for (let i = 0; i < 3; i++) await turn(client);
  const called = client.of('response.done')[3]?.response.output;
  expect(called).toMatchObject([
    { type: 'message', status: 'completed' },
    { type: 'function_call', name: 'lookup_account', arguments: '{"account":"100019021001803"}', status: 'completed' },
  ]);
  const call_id = (called?.[1] as { call_id?: string } | undefined)?.call_id;
  client.send({
    type: 'conversation.item.create',
    item: { type: 'function_call_output', call_id, output: '{"due":42.5}' },
  });
  client.send({ type: 'response.create' });
  await client.seen('response.done', 5);
  await turn(client);
  await turn(client);
  const said = client.of('response.done').map(({ response }) => response.output[0]?.content?.[0]?.transcript);
  const clips = ['greeting', 'support_long', 'ask_account', 'one_moment', 'balance', 'anything', 'goodbye'];
  expect(said).toEqual(clips.map((name) => clip(`clinic_${name}`).text));
  expect(client.of('response.done')[6]?.response.output[1]).toMatchObject({ name: 'end_call', arguments: '{}' });
  await client.seen('conversation.item.input_audio_transcription.completed', 5);
  expect(client.session.responses.map(({ origin }) => origin)).toEqual([
    'client',
    'vad',
    'vad',
    'vad',
    'client',
    'vad',
    'vad',
  ]);
  // After the script comes the fallback.
  await turn(client);
  expect(client.of('response.done')[7]?.response.output[0]?.content?.[0]?.transcript).toBe(clip('sorry_repeat').text);
  expect(client.session.errorsSent).toEqual([]);
  expect(client.invalid).toEqual([]);
});

test('leaves out tools that the session does not have or the response may not use', async () => {
  const script = { turns: [], greeting: { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] } };
  const client = await phoneSession({ ...fast, script });
  const output = async (response: object, n: number): Promise<number | undefined> => {
    client.send({ type: 'response.create', response });
    return (await client.seen('response.done', n)).response.output.length;
  };
  expect(await output({}, 1)).toBe(1);
  expect(await output({ tools }, 2)).toBe(2);
  expect(await output({ tools, tool_choice: 'none' }, 3)).toBe(1);
});

test('answers instructions that the script knows before anything else', async () => {
  const client = await phoneSession(fast);
  const phrases = {
    'Ask: are you STILL THERE?': 'still_there',
    'Say you cannot hear them. Goodbye.': 'silence_goodbye',
    'The time limit is over': 'wrap_up',
    'say goodbye': 'clinic_goodbye',
  };
  for (const [i, [instructions, name]] of Object.entries(phrases).entries()) {
    client.send({ type: 'response.create', response: { instructions } });
    const { response } = await client.seen('response.done', i + 1);
    expect(response.output[0]?.content?.[0]?.transcript).toBe(clip(name).text);
  }
});

test('counts tokens, and as cached what the response before had already read', async () => {
  const client = await phoneSession(fast, {}, { instructions: 'x'.repeat(400) });
  client.send({ type: 'response.create' });
  const first = (await client.seen('response.done')).response.usage;
  const { audio, text } = clip('clinic_greeting');
  const spoken = { audio_tokens: Math.ceil(audio.length / 400), text_tokens: Math.ceil(text.length / 4) };
  expect(first.input_token_details).toMatchObject({ text_tokens: 100, audio_tokens: 0, cached_tokens: 0 });
  expect(first.output_token_details).toEqual(spoken);
  await turn(client);
  const second = (await client.seen('response.done', 2)).response.usage;
  const callerMs = client.session.items[1]?.audioMs ?? 0;
  expect(second.input_token_details).toMatchObject({
    text_tokens: 100 + spoken.text_tokens,
    audio_tokens: spoken.audio_tokens + Math.ceil(callerMs / 100),
    cached_tokens: 100,
  });
  await turn(client);
  const third = (await client.seen('response.done', 3)).response.usage;
  expect(third.input_token_details.cached_tokens).toBe(second.input_tokens);
  // A truncation changes the context from there on, new instructions change all of it.
  const greeting = client.session.items[0]?.id;
  client.send({ type: 'conversation.item.truncate', item_id: greeting, content_index: 0, audio_end_ms: 1000 });
  await turn(client);
  expect((await client.seen('response.done', 4)).response.usage.input_token_details.cached_tokens).toBe(100);
  await client.update({}, { instructions: 'other' });
  await turn(client);
  expect((await client.seen('response.done', 5)).response.usage.input_token_details.cached_tokens).toBe(0);
  expect(client.invalid).toEqual([]);
});

test('runs an out-of-band response beside the conversation and leaves no trace in it', async () => {
  const client = await phoneSession({ ...fast, pace: 5 });
  client.send({ type: 'response.create' });
  await client.seen('response.output_audio.delta');
  const items = client.of('conversation.item.added').length;
  const metadata = { topic: 'summary' };
  client.send({ type: 'response.create', response: { conversation: 'none', output_modalities: ['text'], metadata } });
  const { response } = await client.seen('response.done');
  expect(response).toMatchObject({ conversation_id: null, status: 'completed', metadata });
  expect(response.output[0]?.content?.[0]).toEqual({ type: 'output_text', text: 'Okay.' });
  expect(client.of('conversation.item.added')).toHaveLength(items);
  expect(client.session.responses.map(({ outOfBand, status }) => [outOfBand, status])).toEqual([
    [false, 'in_progress'],
    [true, 'completed'],
  ]);
  expect(client.invalid).toEqual([]);
});

test('reports failed and incomplete responses with their reasons', async () => {
  const script = {
    turns: [],
    whenInstructions: [
      { contains: 'fail', answer: { items: [], status: 'failed' as const, error: { code: 'rate_limit_exceeded' } } },
      { contains: 'cut', answer: { items: [{ say: ['short_ok'] }], status: 'incomplete' as const } },
    ],
  };
  const client = await phoneSession({ ...fast, script });
  client.send({ type: 'response.create', response: { instructions: 'fail' } });
  const failed = (await client.seen('response.done')).response;
  expect(failed).toMatchObject({
    status: 'failed',
    status_details: { type: 'failed', error: { code: 'rate_limit_exceeded' } },
  });
  client.send({ type: 'response.create', response: { instructions: 'cut' } });
  expect((await client.seen('response.done', 2)).response).toMatchObject({
    status: 'incomplete',
    status_details: { type: 'incomplete', reason: 'max_output_tokens' },
    output: [{ status: 'incomplete' }],
  });
  expect(client.invalid).toEqual([]);
});

test('retrieves what was said and what was heard, cut where it was truncated', async () => {
  const client = await phoneSession(fast);
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  await turn(client);
  const [greeting, caller] = client.session.items.map(({ id }) => id);
  const audio = async (item_id: string | undefined, n: number): Promise<Buffer> => {
    client.send({ type: 'conversation.item.retrieve', item_id });
    const { item } = await client.seen('conversation.item.retrieved', n);
    return Buffer.from((item.content[0] as { audio?: string }).audio ?? '', 'base64');
  };
  expect((await audio(greeting, 1)).equals(clip('clinic_greeting').audio)).toBe(true);
  expect((await audio(caller, 2)).length).toBe((client.session.items[1]?.audioMs ?? 0) * 8);
  client.send({ type: 'conversation.item.truncate', item_id: greeting, content_index: 0, audio_end_ms: 1480 });
  await client.seen('conversation.item.truncated');
  expect(await audio(greeting, 3)).toHaveLength(1480 * 8);
  expect(client.session.items[0]).toMatchObject({ truncatedAtMs: 1480, transcript: null });
  expect(client.invalid).toEqual([]);
});

test('takes a history, puts items where they belong, and deletes them', async () => {
  const client = await phoneSession(fast);
  const create = (item: object, previous?: string): void =>
    client.send({ type: 'conversation.item.create', item, ...(previous ? { previous_item_id: previous } : {}) });
  create({ id: 'item_a', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Billing, please.' }] });
  create(
    { id: 'item_b', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Of course.' }] },
    'item_a',
  );
  create(
    { id: 'item_0', type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Line dropped.' }] },
    'root',
  );
  await client.seen('conversation.item.done', 3);
  expect(client.of('conversation.item.added').map((event) => event.previous_item_id)).toEqual([null, 'item_a', null]);
  client.send({ type: 'conversation.item.delete', item_id: 'item_b' });
  await client.seen('conversation.item.deleted');
  // The caller has spoken in this history, so a response is an answer and no greeting.
  client.send({ type: 'response.create' });
  const { response } = await client.seen('response.done');
  expect(response.output[0]?.content?.[0]?.transcript).toBe(clip('clinic_support_long').text);
  expect(client.session.items.map(({ id, deleted }) => [id, deleted]).slice(0, 3)).toEqual([
    ['item_a', false],
    ['item_b', true],
    ['item_0', false],
  ]);
  expect(client.invalid).toEqual([]);
});

test('speaks 24 kHz PCM to a client that never asked for telephone audio', async () => {
  const client = await connect(await simulate({ session: fast }));
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  const [item] = client.session.items;
  expect(item?.audioBytes).toBe(clip('clinic_greeting').audio.length * 6);
  expect(client.audioOf(item?.id ?? '')).toHaveLength(item?.audioBytes ?? 0);
});

test('the clinic script names only clips that exist', () => {
  const answers = [
    clinicScript.greeting,
    ...clinicScript.turns,
    ...Object.values(clinicScript.afterTool ?? {}).flat(),
    clinicScript.fallback,
  ];
  const items = answers.flatMap((entry) => (entry && 'answer' in entry ? entry.answer : entry)?.items ?? []);
  const said = items.flatMap((item) => ('say' in item ? item.say : [])).filter((name) => typeof name === 'string');
  expect(said.map((name) => clip(name).audio.length > 0)).not.toContain(false);
});
