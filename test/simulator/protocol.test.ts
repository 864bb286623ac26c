// What the reference says beyond a plain conversation: limits, tool choices, items that clients make, transcription in
// all its forms; and that every documented server event is either sent somewhere here or left out for a reason.
import { readFileSync } from 'node:fs';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { clip } from '../../src/simulator/clips.ts';
import { parseScript } from '../../src/simulator/script-file.ts';
import { ManualClock } from './manual-clock.ts';
import { closeSimulators, connect, phoneSession, recorded, simulate, socketUrl } from './socket-client.ts';
import type { ServerEvent, SocketClient } from './socket-client.ts';

afterEach(closeSimulators);

const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0, transcriptDelayMs: 1 };
const tool = (name: string): object => ({ type: 'function', name, parameters: { type: 'object' } });
const tools = [tool('lookup_account'), tool('end_call')];

const scripted = (text: string) => {
  const sessions = parseScript(text, 'test.yaml');
  return (n: number) => ({ ...sessions(n), ...fast });
};

async function answered(client: SocketClient, response: object = {}): Promise<ServerEvent['response']> {
  const count = client.of('response.done').length + 1;
  client.send({ type: 'response.create', response });
  return (await client.seen('response.done', count)).response;
}

async function turn(client: SocketClient): Promise<ServerEvent['response']> {
  const count = client.of('response.done').length + 1;
  client.say('q-weather-short');
  return (await client.seen('response.done', count)).response;
}

async function created(client: SocketClient, item: object): Promise<ServerEvent['item']> {
  const count = client.of('conversation.item.done').length + 1;
  client.send({ type: 'conversation.item.create', item });
  return (await client.seen('conversation.item.done', count)).item;
}

test('never produces more than max_output_tokens, and says that it stopped there', async () => {
  const client = await phoneSession(
    scripted('greeting: { says: [clinic_greeting], calls: [{ tool: end_call }] }'),
    {},
    { tools },
  );
  const { audio, text } = clip('clinic_greeting');
  const cut = await answered(client, { max_output_tokens: 100 });
  expect(cut).toMatchObject({
    status: 'incomplete',
    status_details: { type: 'incomplete', reason: 'max_output_tokens' },
    output: [{ type: 'message', status: 'incomplete' }],
  });
  const heard = client.audioOf(cut.output[0]?.id ?? '');
  expect(heard.equals(audio.subarray(0, heard.length))).toBe(true);
  expect(heard.length % 400).toBe(0);
  expect(text.startsWith(cut.output[0]?.content?.[0]?.transcript ?? '?')).toBe(true);
  expect(cut.usage.output_tokens).toBeGreaterThan(95);
  expect(cut.usage.output_tokens).toBeLessThanOrEqual(100);
  // The limit of the session counts as well, and for texts and tool calls too.
  await client.update({}, { max_output_tokens: 3 });
  const written = await answered(client, { output_modalities: ['text'] });
  expect(written.output).toMatchObject([{ content: [{ type: 'output_text', text: text.slice(0, 12) }] }]);
  const called = await answered(client, { max_output_tokens: 4096 });
  expect(called).toMatchObject({ status: 'completed', output: [{}, { type: 'function_call', arguments: '{}' }] });
  const room = called.usage.output_tokens - 1;
  expect(await answered(client, { max_output_tokens: room })).toMatchObject({
    status: 'incomplete',
    output: [{ status: 'completed' }, { type: 'function_call', status: 'incomplete' }],
  });
  expect(client.invalid).toEqual([]);
});

const CALLS = `
greeting:
  preamble: [clinic_one_moment]
  says: [short_ok]
  calls: [{ tool: lookup_account, with: { account: "1" } }, { tool: end_call }]
after_tool: { lookup_account: { says: [clinic_balance] } }
`;

test('says a preamble, then the answer, then calls tools in parallel, and answers when all outputs are in', async () => {
  const client = await phoneSession(scripted(CALLS), {}, { tools });
  const { output } = await answered(client);
  expect(output).toMatchObject([
    { type: 'message', content: [{ transcript: clip('clinic_one_moment').text }] },
    { type: 'message', content: [{ transcript: clip('short_ok').text }] },
    { type: 'function_call', name: 'lookup_account', arguments: '{"account":"1"}' },
    { type: 'function_call', name: 'end_call', arguments: '{}' },
  ]);
  const calls = output.slice(2) as unknown as { call_id: string }[];
  expect(new Set(calls.map(({ call_id }) => call_id)).size).toBe(2);
  for (const { call_id } of calls) await created(client, { type: 'function_call_output', call_id, output: '{}' });
  // The newest output has no answer of its own in the script, the one before it has.
  expect((await answered(client)).output[0]?.content?.[0]?.transcript).toBe(clip('clinic_balance').text);
  expect(client.invalid).toEqual([]);
});

test('calls only what the tool choice and the ban on parallel calls leave', async () => {
  const client = await phoneSession(scripted(CALLS), {}, { tools });
  const called = async (response: object): Promise<unknown[]> =>
    (await answered(client, response)).output.flatMap(({ name }) => name ?? []);
  expect(await called({ tool_choice: { type: 'function', name: 'end_call' } })).toEqual(['end_call']);
  expect(await called({ tool_choice: 'required' })).toEqual(['lookup_account', 'end_call']);
  expect(await called({ parallel_tool_calls: false })).toEqual(['lookup_account']);
  await client.update({}, { parallel_tool_calls: false });
  expect(await called({})).toEqual(['lookup_account']);
});

test('takes audio items of a client as it takes the voice, and gives them back', async () => {
  const client = await phoneSession(fast);
  const audio = recorded('q-weather-short').toString('base64');
  const image = { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' };
  const item = await created(client, {
    type: 'message',
    role: 'user',
    content: [{ type: 'input_audio', audio, transcript: 'the weather' }, { type: 'input_text', text: 'please' }, image],
  });
  // Audio comes only when it is asked for.
  expect(item.content).toEqual([
    { type: 'input_audio', transcript: 'the weather' },
    { type: 'input_text', text: 'please' },
    image,
  ]);
  expect(client.session.items[0]).toMatchObject({ audioMs: 2040, text: ' please ' });
  client.send({ type: 'conversation.item.retrieve', item_id: item.id });
  expect((await client.seen('conversation.item.retrieved')).item.content[0]).toMatchObject({ audio });
  const { usage } = await answered(client);
  expect(usage.input_token_details.audio_tokens).toBe(21);
  const refused = await client.refused({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'assistant', content: [{ type: 'output_audio', audio }] },
  });
  expect(refused).toMatchObject({ code: 'invalid_value', param: 'item.content' });
  expect(client.invalid).toEqual([]);
});

for (const [model, usage] of [
  ['gpt-transcribe', { type: 'duration', seconds: expect.any(Number) as number }],
  ['whisper-1', { type: 'duration', seconds: expect.any(Number) as number }],
  ['gpt-4o-transcribe-diarize', { type: 'tokens', input_token_details: { text_tokens: 0 } }],
] as const)
  test(`transcribes with ${model}, with the probabilities that were asked for`, async () => {
    const include = ['item.input_audio_transcription.logprobs'];
    const client = await phoneSession(
      scripted('turns: [{ hears: the weather }]'),
      { transcription: { model } },
      { include },
    );
    await turn(client);
    const completed = await client.seen('conversation.item.input_audio_transcription.completed');
    const logprobs = [{ token: 'the' }, { token: ' weather', logprob: expect.any(Number) as number }];
    expect(completed).toMatchObject({ transcript: 'the weather', usage, logprobs });
    expect(client.of('conversation.item.input_audio_transcription.delta')).toMatchObject([
      { delta: 'the weather', logprobs },
    ]);
    const segments = client.of('conversation.item.input_audio_transcription.segment');
    expect(segments).toHaveLength(model.endsWith('diarize') ? 1 : 0);
    expect(client.invalid).toEqual([]);
  });

test('sets tokens aside at the start of a response, and fills the limits up again in a minute', async () => {
  const clock = new ManualClock();
  const client = await connect(await simulate({ clock, session: fast }));
  await client.update();
  const limits = async (): Promise<unknown[]> => {
    const spent = (await answered(client, { max_output_tokens: 1000 })).usage.total_tokens;
    return [spent, client.of('rate_limits.updated').at(-1)?.rate_limits];
  };
  const [spent, first] = await limits();
  expect(first).toEqual([
    { name: 'requests', limit: 5000, remaining: 4999, reset_seconds: 0.012 },
    { name: 'tokens', limit: 200_000, remaining: 199_000, reset_seconds: 0.3 },
  ]);
  expect((await limits())[1]).toMatchObject([{ remaining: 4998 }, { remaining: 199_000 - Number(spent) }]);
  clock.advance(60_000);
  expect((await limits())[1]).toEqual(first);
});

test('drops the oldest items once they are more than the session keeps, and with them the cache', async () => {
  const truncation = { type: 'retention_ratio', retention_ratio: 0.5, token_limits: { post_instructions: 100 } };
  const client = await phoneSession(scripted('{}'), {}, { instructions: 'x'.repeat(40), truncation });
  const text = async (): Promise<ServerEvent['response']['usage']> => {
    await created(client, { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'y'.repeat(160) }] });
    return (await answered(client, { output_modalities: ['text'], tool_choice: 'none' })).usage;
  };
  const answer = Math.ceil(clip('sorry_repeat').text.length / 4);
  expect((await text()).input_tokens).toBe(10 + 40);
  const second = await text();
  expect([second.input_tokens, second.input_token_details.cached_tokens]).toEqual([10 + 80 + answer, 50]);
  const third = await text();
  expect([third.input_tokens, third.input_token_details.cached_tokens]).toEqual([10 + 40 + answer, 10]);
  // They stay away.
  const fourth = await text();
  expect([fourth.input_tokens, fourth.input_token_details.cached_tokens]).toEqual([
    10 + 80 + 2 * answer,
    third.input_tokens,
  ]);
});

test('a deleted item leaves the context, and what came after it the cache', async () => {
  const client = await phoneSession(fast, {}, { instructions: 'x'.repeat(40) });
  const text = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'y'.repeat(40) }] };
  const first = await created(client, text);
  await created(client, text);
  expect((await answered(client, { output_modalities: ['text'] })).usage.input_tokens).toBe(30);
  client.send({ type: 'conversation.item.delete', item_id: first.id });
  const { usage } = await answered(client, { output_modalities: ['text'], instructions: 'x'.repeat(40) });
  expect(usage.input_token_details.cached_tokens).toBe(10);
});

test('tracing cannot be changed once it is on', async () => {
  const client = await phoneSession(fast, {}, { tracing: 'auto' });
  await client.update({}, { tracing: 'auto' });
  const session = { type: 'realtime', tracing: null };
  expect(await client.refused({ type: 'session.update', session })).toMatchObject({ param: 'session.tracing' });
});

test('takes a key as a browser sends it, and does not remember it', async () => {
  const simulator = await simulate({ session: fast });
  const socket = new WebSocket(socketUrl(simulator), ['realtime', 'openai-insecure-api-key.secret']);
  await new Promise((resolve) => socket.once('open', resolve));
  expect(socket.protocol).toBe('realtime');
  expect(JSON.stringify(simulator.sessions[0]?.headers)).not.toContain('secret');
});

/** Documented events that the simulator does not send, and why. */
const NEVER: Record<string, string> = {
  'conversation.item.created': 'a name of the beta; added and done took its place',
  'input_audio_buffer.dtmf_event_received': 'SIP only',
  'output_audio_buffer.started': 'WebRTC and SIP only',
  'output_audio_buffer.stopped': 'WebRTC and SIP only',
  'output_audio_buffer.cleared': 'WebRTC and SIP only',
  'mcp_list_tools.in_progress': 'tools run by the service itself are not simulated',
  'mcp_list_tools.completed': 'as above',
  'mcp_list_tools.failed': 'as above',
  'response.mcp_call_arguments.delta': 'as above',
  'response.mcp_call_arguments.done': 'as above',
  'response.mcp_call.in_progress': 'as above',
  'response.mcp_call.completed': 'as above',
  'response.mcp_call.failed': 'as above',
};

test('sends every documented server event but those of other transports, and each fits the official schema', async () => {
  const clock = new ManualClock();
  const script = scripted(`
greeting: { says: [short_ok], calls: [{ tool: end_call }] }
turns: [{ hears: hello, says: [short_ok] }]
faults: [{ connection: 2, fail_transcription: true }]`);
  const simulator = await simulate({ clock, session: script });
  const clients = [await connect(simulator), await connect(simulator)];
  // Time runs a hundred times as fast, so that the caller's silence is noticed soon.
  const ticking = setInterval(() => clock.advance(100), 1);
  onTestFinished(() => clearInterval(ticking));
  for (const client of clients) {
    const turn_detection = { type: 'server_vad', idle_timeout_ms: 5000 };
    await client.update({ transcription: { model: 'gpt-4o-transcribe-diarize' }, turn_detection }, { tools });
    await answered(client);
    await turn(client);
    await answered(client, { conversation: 'none', output_modalities: ['text'] });
    await client.seen('input_audio_buffer.timeout_triggered');
    const item_id = client.session.items.find(({ role }) => role === 'assistant')?.id;
    client.send({ type: 'conversation.item.retrieve', item_id });
    client.send({ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 1 });
    client.send({ type: 'conversation.item.delete', item_id });
    client.send({ type: 'input_audio_buffer.clear' });
    await client.refused({ type: 'response.cancel' });
  }
  await clients[1]?.seen('conversation.item.input_audio_transcription.failed');
  const sent = new Set(clients.flatMap(({ types }) => types));
  expect([...sent, ...Object.keys(NEVER)].sort()).toEqual(documented().sort());
  expect(clients.flatMap(({ invalid }) => invalid)).toEqual([]);
});

/** The types of all server events in the official schema. */
function documented(): string[] {
  const file = new URL('../fixtures/openai/openai-realtime-server-events.schema.json', import.meta.url);
  const { anyOf, $defs } = JSON.parse(readFileSync(file, 'utf8')) as {
    anyOf: { $ref: string }[];
    $defs: Record<string, { properties: { type: { enum: string[] } } }>;
  };
  return anyOf.flatMap(({ $ref }) => $defs[$ref.replace('#/$defs/', '')]?.properties.type.enum ?? []);
}
