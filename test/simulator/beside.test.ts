// Responses beside the conversation: summaries, guardrails, whispers. The conversation must not notice them.
import { afterEach, expect, test } from 'vitest';
import { clip } from '../../src/simulator/clips.ts';
import { declared, errand, Errand, fast, scripted } from './errand.ts';
import { ManualClock } from './manual-clock.ts';
import { closeSimulators, connect, phoneSession, simulate } from './socket-client.ts';
import type { ServerEvent } from './socket-client.ts';

afterEach(closeSimulators);

const message = (role: 'user' | 'assistant', text: string): object => ({
  type: 'message',
  role,
  content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }],
});

const beside = (fields: object = {}): object => ({
  type: 'response.create',
  response: { conversation: 'none', output_modalities: ['text'], ...fields },
});

const textOf = ({ output }: ServerEvent['response']): string | undefined => output[0]?.content?.[0]?.text;

test('writes what the script has for the metadata, the instructions or the input, else what the input says', async () => {
  const call = await errand(
    `
turns: [{ calls: [{ tool: book }], after: [{ says: [short_ok] }] }]
out_of_band:
  - { metadata: { purpose: summary, lang: en }, text: "Booked {{book.start}} for {{metadata.who}}." }
  - { contains: /^classify/i, input: CANCEL, text: '{"topic":"cancel"}' }
  - { contains: classify, text: '{"topic":"other"}' }
  - { input: nobody says this, text: never }`,
    { book: '{"start":"Monday"}' },
  );
  await call.caller();
  const wrote = async (fields: object): Promise<string | undefined> =>
    textOf(await call.response(() => call.client.send(beside(fields) as Record<string, unknown>)));
  const metadata = { purpose: 'summary', lang: 'en', who: 'Ada {{book.start}}' };
  expect(await wrote({ metadata })).toBe('Booked Monday for Ada {{book.start}}.');
  const input = [message('user', 'please cancel'), message('assistant', 'Of course.')];
  expect(await wrote({ metadata: { purpose: 'summary' }, input })).toBe('2 items: please cancel / Of course.');
  expect(await wrote({ instructions: 'Classify it.', input })).toBe('{"topic":"cancel"}');
  expect(await wrote({ instructions: 'Classify it.' })).toBe('{"topic":"other"}');
  const [caller] = call.client.session.items.filter(({ role }) => role === 'user');
  expect(await wrote({ input: [{ type: 'item_reference', id: caller?.id }] })).toBe('0 items: ');
  expect(await wrote({ input: [message('user', 'x'.repeat(900))] })).toHaveLength(400);
  expect(call.client.session.scriptFaults).toEqual([]);
  expect(call.client.invalid).toEqual([]);
});

test('is not mistaken for a steered answer', async () => {
  const call = await errand('when_instructions: [{ contains: goodbye, says: [farewell] }]');
  const instructions = 'Summarise; leave out the goodbye.';
  const asked = call.response(() => call.client.send(beside({ instructions }) as Record<string, unknown>));
  expect(textOf(await asked)).toBe('Okay.');
});

test('runs while the conversation has an answer, with ids and usage of its own, and leaves that answer as it was', async () => {
  const clock = new ManualClock();
  const script = `
greeting: { says: [clinic_greeting] }
out_of_band: [{ metadata: { purpose: summary }, text: in short, first_delay_ms: 300 }]`;
  const client = await connect(await simulate({ clock, session: (n) => ({ ...scripted(script)(n), pace: 1 }) }));
  await client.update();
  client.send({ type: 'response.create' });
  await client.seen('response.output_audio.delta');
  const items = client.of('conversation.item.added').length;
  const metadata = { purpose: 'summary', tag: 'tl_1' };
  client.send(beside({ metadata, input: [message('user', 'y'.repeat(40))] }) as Record<string, unknown>);
  const created = await client.seen('response.created', 2);
  clock.advance(400);
  const done = (await client.seen('response.done')).response;
  expect(done).toMatchObject({ id: created.response.id, conversation_id: null, status: 'completed', metadata });
  expect(done.usage).toMatchObject({ output_tokens: 2, output_token_details: { text_tokens: 2, audio_tokens: 0 } });
  expect(done.usage.input_tokens).toBeGreaterThanOrEqual(10);
  const own = client.events.filter((event) => event.response_id === done.id).map(({ type }) => type);
  expect(own).toEqual([
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
  ]);
  expect(client.of('conversation.item.added')).toHaveLength(items);
  expect(client.session.items).toHaveLength(1);
  clock.advance(60_000);
  const greeting = (await client.seen('response.done', 2)).response;
  expect(greeting.output[0]?.content?.[0]?.transcript).toBe(clip('clinic_greeting').text);
  expect(client.invalid).toEqual([]);
});

test('speaks without binding the voice of the session, and says what it would have written', async () => {
  const client = await phoneSession(scripted('out_of_band: [{ text: A whisper. }]'));
  client.send({ type: 'response.create', response: { conversation: 'none' } });
  const { response } = await client.seen('response.done');
  expect(response.output[0]?.content?.[0]?.transcript).toBe('A whisper.');
  expect(client.audioOf(response.output[0]?.id ?? '').length).toBeGreaterThan(0);
  client.send({ type: 'session.update', session: { type: 'realtime', audio: { output: { voice: 'cedar' } } } });
  await client.seen('session.updated', 2);
  expect(client.session.errorsSent).toEqual([]);
  expect(client.invalid).toEqual([]);
});

test.each([
  ['failed', 'error: { code: rate_limit_exceeded }', { type: 'failed', error: { code: 'rate_limit_exceeded' } }],
  ['incomplete', 'reason: content_filter', { type: 'incomplete', reason: 'content_filter' }],
  ['cancelled', 'reason: client_cancelled', { type: 'cancelled', reason: 'client_cancelled' }],
])('ends %s where the script says so, billed as far as it came', async (status, why, details) => {
  const client = await phoneSession(scripted(`out_of_band: [{ text: half of it, status: ${status}, ${why} }]`));
  client.send(beside() as Record<string, unknown>);
  const { response } = await client.seen('response.done');
  expect(response).toMatchObject({ status, status_details: details, usage: { output_tokens: 3 } });
  expect(client.invalid).toEqual([]);
});

test('is never begun, never ended, or ends after everything else, and holds up nothing', async () => {
  const clock = new ManualClock();
  const script = `
greeting: { says: [short_ok] }
out_of_band:
  - { metadata: { as: nothing }, never: begun }
  - { metadata: { as: silence }, never: ended }
  - { metadata: { as: late }, text: at last, first_delay_ms: 3600000 }`;
  const session = (n: number) => ({ ...scripted(script)(n), ...fast, expiresInMs: Number.POSITIVE_INFINITY });
  const client = await connect(await simulate({ clock, session }));
  await client.update({}, { tools: declared([]) });
  for (const as of ['nothing', 'silence', 'late']) client.send(beside({ metadata: { as } }) as Record<string, unknown>);
  const call = new Errand(client, {});
  expect(await call.asks()).toEqual(['Okay.']);
  expect(client.of('response.created').map(({ response }) => response.metadata)).toEqual([
    { as: 'silence' },
    { as: 'late' },
    null,
  ]);
  clock.advance(3_600_100);
  expect((await client.seen('response.done', 2)).response).toMatchObject({ metadata: { as: 'late' } });
  const [silent] = client.of('response.created');
  client.send({ type: 'response.cancel', response_id: silent?.response.id });
  expect((await client.seen('response.done', 3)).response).toMatchObject({ status: 'cancelled', output: [] });
  expect(client.invalid).toEqual([]);
});
