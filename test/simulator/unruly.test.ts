// A model that calls what it must not: the events stay within the protocol, what they ask for does not.
import { afterEach, expect, test } from 'vitest';
import { callsIn, errand } from './errand.ts';
import { closeSimulators } from './socket-client.ts';

afterEach(closeSimulators);

test('calls tools that there are not, with arguments that are none, only where it is told to', async () => {
  const calls = '{ tool: no_such_tool, with: "{not json {{n}", force: true }, { tool: other }, { tool: book }';
  const call = await errand(`turns: [{ calls: [${calls}] }, { calls: [${calls}] }]`, { book: '{}' });
  const made = async () => callsIn(await call.response(() => call.client.say('q-weather-short')));
  expect((await made()).map(({ name, arguments: args }) => [name, args])).toEqual([
    ['no_such_tool', '{not json {{n}'],
    ['book', '{}'],
  ]);
  await call.client.update({}, { tool_choice: 'none' });
  expect((await made()).map(({ name }) => name)).toEqual(['no_such_tool']);
  expect(call.client.invalid).toEqual([]);
});

test('makes every call when it is unruly, also against the tool choice and the ban on parallel calls', async () => {
  const session = { tool_choice: 'none', parallel_tool_calls: false };
  const call = await errand('{ unruly: true, turns: [{ calls: [{ tool: a }, { tool: b }] }] }', {}, session);
  const made = callsIn(await call.response(() => call.client.say('q-weather-short')));
  expect(made.map(({ name }) => name)).toEqual(['a', 'b']);
});

test('makes 64 calls at once, and the same call twice', async () => {
  const call = await errand(
    `
turns:
  - calls: [{ tool: book, with: { n: "{{n}}", text: "no. {{n}}" }, times: 64 }]
  - calls: [{ tool: book, call_id: call_same }, { tool: book, call_id: call_same }]
  - calls: [{ tool: book, call_id: "call_{{n}}", times: 2 }]`,
    { book: '{}' },
  );
  const made = async () => callsIn(await call.response(() => call.client.say('q-weather-short')));
  const many = await made();
  expect(many.map(({ arguments: args }) => args)).toEqual(
    Array.from({ length: 64 }, (_, i) => `{"n":${i + 1},"text":"no. ${i + 1}"}`),
  );
  expect(new Set(many.map(({ call_id }) => call_id)).size).toBe(64);
  const twice = await made();
  expect(twice.map(({ call_id }) => call_id)).toEqual(['call_same', 'call_same']);
  expect(new Set(twice.map(({ id }) => id)).size).toBe(2);
  expect((await made()).map(({ call_id }) => call_id)).toEqual(['call_1', 'call_2']);
  expect(call.client.invalid).toEqual([]);
  expect(call.client.session.scriptFaults).toEqual([]);
});

test('is interrupted in the middle of the arguments of a call: the call is incomplete', async () => {
  const args = '{ slot: "s-1", patient: "Ada Lovelace", why: "a pain in the arm" }';
  const call = await errand(`turns: [{ calls: [{ tool: book, with: ${args}, pause_ms: 3600000 }] }]`, { book: '{}' });
  const { client } = call;
  client.say('q-weather-short');
  await client.seen('response.function_call_arguments.delta');
  const cut = await call.response(() => client.send({ type: 'response.cancel' }));
  expect(cut).toMatchObject({ status: 'cancelled', status_details: { reason: 'client_cancelled' } });
  expect(callsIn(cut)).toMatchObject([{ name: 'book', status: 'incomplete' }]);
  expect(() => JSON.parse(callsIn(cut)[0]?.arguments ?? '') as unknown).toThrow(SyntaxError);
  expect(client.of('response.function_call_arguments.done')[0]?.arguments).toBe(callsIn(cut)[0]?.arguments);
  expect(client.invalid).toEqual([]);
});

test('is interrupted while it speaks after its calls: they are complete, the response is cancelled', async () => {
  const call = await errand(
    'turns: [{ calls: [{ tool: book }], calls_first: true, says: [long_story], stall: { for_ms: forever } }]',
    { book: '{}' },
  );
  const { client } = call;
  client.say('q-weather-short');
  await client.seen('response.output_audio.delta');
  const cut = await call.response(() => client.say('q-weather-short'));
  expect(cut).toMatchObject({ status: 'cancelled', status_details: { reason: 'turn_detected' } });
  expect(cut.output.map(({ type, status }) => [type, status])).toEqual([
    ['function_call', 'completed'],
    ['message', 'incomplete'],
  ]);
  expect(client.invalid).toEqual([]);
});

test('ends a response cancelled by itself, and goes on with the next', async () => {
  const call = await errand(
    'turns: [{ says: [short_ok], calls: [{ tool: book }], status: cancelled }, { says: [go_on] }]',
    { book: '{}' },
  );
  const { client } = call;
  const cut = await call.response(() => client.say('q-weather-short'));
  expect(cut).toMatchObject({ status: 'cancelled', status_details: { type: 'cancelled', reason: 'turn_detected' } });
  expect(cut.output.map(({ status }) => status)).toEqual(['completed', 'incomplete']);
  const next = await call.response(() => client.say('q-weather-short'));
  expect(next.status).toBe('completed');
  expect(client.invalid).toEqual([]);
});

test('leaves a response unanswered from its beginning or from its creation', async () => {
  const call = await errand('turns: [{ never: begun }, { never: ended }, { says: [go_on] }]');
  const { client } = call;
  client.say('q-weather-short');
  await client.seen('input_audio_buffer.committed');
  client.say('q-weather-short');
  await client.seen('response.created');
  expect(client.of('input_audio_buffer.committed')).toHaveLength(2);
  const cut = await call.response(() => client.send({ type: 'response.cancel' }));
  expect(cut).toMatchObject({ status: 'cancelled', output: [] });
  expect((await call.response(() => client.say('q-weather-short'))).status).toBe('completed');
});
