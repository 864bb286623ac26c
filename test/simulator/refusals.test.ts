// Each request that the documentation says is refused, and that a refusal changes nothing.
import { afterEach, expect, test } from 'vitest';
import { closeSimulators, connect, phoneSession, simulate } from './socket-client.ts';
import type { SocketClient } from './socket-client.ts';

afterEach(closeSimulators);

const fast = { pace: Number.POSITIVE_INFINITY, firstDelayMs: 0 };
const script = { turns: [], greeting: { items: [{ stampedMs: 3700 }] } };
const truncate = (item_id: string | undefined, audio_end_ms: number, content_index = 0): Record<string, unknown> => ({
  type: 'conversation.item.truncate',
  event_id: 'tr_1',
  item_id,
  content_index,
  audio_end_ms,
});

async function greeted(): Promise<SocketClient> {
  const client = await phoneSession({ ...fast, script });
  client.send({ type: 'response.create' });
  await client.seen('response.done');
  return client;
}

test('refuses to truncate beyond the audio produced, and truncates nothing', async () => {
  const client = await greeted();
  const [item] = client.session.items;
  expect(await client.refused(truncate(item?.id, 3760))).toEqual({
    type: 'invalid_request_error',
    code: 'invalid_value',
    message: 'Audio content of 3700ms is already shorter than 3760ms',
    param: 'audio_end_ms',
    event_id: 'tr_1',
  });
  expect(item?.truncatedAtMs).toBeNull();
  client.send(truncate(item?.id, 3700));
  await client.seen('conversation.item.truncated');
  client.send(truncate(item?.id, 100));
  await client.seen('conversation.item.truncated', 2);
  expect((await client.refused(truncate(item?.id, 200))).message).toBe(
    'Audio content of 100ms is already shorter than 200ms',
  );
  expect(client.session.errorsSent).toHaveLength(2);
});

test('refuses truncations of what is not there, not audio, or not whole', async () => {
  const client = await greeted();
  const [item] = client.session.items;
  client.send({
    type: 'conversation.item.create',
    item: { id: 'item_text', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'x' }] },
  });
  const codes = async (...events: Record<string, unknown>[]): Promise<string[]> => {
    const seen: string[] = [];
    for (const event of events) seen.push((await client.refused(event)).code);
    return seen;
  };
  expect(
    await codes(
      truncate('item_none', 1),
      truncate('item_text', 0),
      truncate(item?.id, -1),
      truncate(item?.id, 12.5),
      truncate(item?.id, 1, 1),
    ),
  ).toEqual(['item_not_found', 'unsupported_content_type', 'invalid_value', 'invalid_value', 'invalid_value']);
});

test('refuses to truncate an item that has no audio yet', async () => {
  const client = await phoneSession({ script: { turns: [], greeting: { items: [{ say: [] }, { stampedMs: 100 }] } } });
  client.send({ type: 'response.create' });
  const { item } = await client.seen('response.output_item.added');
  expect(await client.refused(truncate(item.id, 0))).toMatchObject({
    code: 'unsupported_content_type',
    message: 'Only model output audio messages can be truncated.',
  });
});

test('refuses a second response and sends nothing else for it', async () => {
  const client = await phoneSession({ script, stall: true });
  client.send({ type: 'response.create' });
  await client.seen('response.created');
  const error = await client.refused({ type: 'response.create', event_id: 'rc_2' });
  expect(error).toMatchObject({ code: 'conversation_already_has_active_response', event_id: 'rc_2' });
  client.send({ type: 'response.cancel' });
  await client.seen('response.done');
  expect(client.of('response.created')).toHaveLength(1);
});

test('refuses to cancel when nothing is running', async () => {
  const client = await greeted();
  expect(await client.refused({ type: 'response.cancel' })).toMatchObject({ code: 'response_cancel_not_active' });
  expect((await client.refused({ type: 'response.cancel', response_id: 'resp_0' })).code).toBe(
    'response_cancel_not_active',
  );
});

test('refuses another voice after the first audio, and with it the whole update', async () => {
  const client = await greeted();
  const update = { type: 'realtime', instructions: 'new', audio: { output: { voice: 'cedar' } } };
  const error = await client.refused({ type: 'session.update', event_id: 'su_2', session: update });
  expect(error).toMatchObject({ code: 'cannot_update_voice', event_id: 'su_2' });
  expect(client.session.sessionConfig).toMatchObject({ audio: { output: { voice: 'marin' } } });
  expect(client.session.sessionConfig.instructions).not.toBe('new');
  await client.update({}, { instructions: 'new' });
  expect(client.session.sessionConfig.instructions).toBe('new');
});

test('changes only what an update names, and clears what it sets to null or empty', async () => {
  const client = await phoneSession(
    fast,
    { transcription: { model: 'gpt-transcribe' } },
    { instructions: 'a', tool_choice: 'none' },
  );
  client.send({
    type: 'session.update',
    session: {
      type: 'realtime',
      instructions: '',
      audio: { input: { transcription: null, turn_detection: { type: 'server_vad', create_response: false } } },
    },
  });
  const { session } = await client.seen('session.updated', 2);
  expect(session).toMatchObject({
    instructions: '',
    tool_choice: 'none',
    audio: {
      input: {
        format: { type: 'audio/pcmu' },
        transcription: null,
        turn_detection: { threshold: 0.5, silence_duration_ms: 500, create_response: false, interrupt_response: true },
      },
      output: { voice: 'marin' },
    },
  });
});

test('refuses updates that name unknown fields, another model, or reasoning where there is none', async () => {
  const client = await connect(await simulate({ session: fast }));
  const update = async (session: object): Promise<string[]> => {
    const { code, param } = await client.refused({ type: 'session.update', session });
    return [code, param ?? ''];
  };
  expect(await update({ instructions: 'x' })).toEqual(['missing_required_parameter', 'session.type']);
  expect(await update({ type: 'realtime', temperature: 1 })).toEqual(['unknown_parameter', 'session.temperature']);
  expect(await update({ type: 'realtime', model: 'gpt-realtime' })).toEqual(['invalid_value', 'session.model']);
  client.session.options.refuseUpdate = { code: 'server_error', message: 'no' };
  expect((await update({ type: 'realtime' }))[0]).toBe('server_error');
  expect(client.types).not.toContain('session.updated');
});

test('refuses items that cannot be placed and references to what is not there', async () => {
  const client = await phoneSession(fast);
  const text = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'x' }] };
  client.send({ type: 'conversation.item.create', item: { ...text, id: 'item_1' } });
  await client.seen('conversation.item.done');
  const refusals: [Record<string, unknown>, string][] = [
    [{ type: 'conversation.item.create', item: { ...text, id: 'item_1' } }, 'invalid_value'],
    [{ type: 'conversation.item.create', item: text, previous_item_id: 'item_9' }, 'item_not_found'],
    [
      { type: 'conversation.item.create', item: { type: 'function_call_output', call_id: 'call_9', output: '' } },
      'invalid_tool_call_id',
    ],
    [{ type: 'conversation.item.retrieve', item_id: 'item_9' }, 'item_not_found'],
    [{ type: 'conversation.item.delete', item_id: 'item_9' }, 'item_not_found'],
    [{ type: 'response.create', response: { input: [{ type: 'item_reference', id: 'item_9' }] } }, 'item_not_found'],
    [{ type: 'input_audio_buffer.commit' }, 'input_audio_buffer_commit_empty'],
    [{ type: 'input_audio_buffer.append', audio: '%%%%' }, 'invalid_value'],
    [{ type: 'output_audio_buffer.clear' }, 'invalid_value'],
    [{ type: 'nonsense' }, 'invalid_value'],
  ];
  for (const [event, code] of refusals) expect((await client.refused(event)).code, JSON.stringify(event)).toBe(code);
  const errors = client.of('error').length;
  client.socket.send('{"type":');
  expect((await client.seen('error', errors + 1)).error.code).toBe('invalid_event');
  client.socket.send(Buffer.from([1, 2]));
  expect((await client.seen('error', errors + 2)).error.code).toBe('invalid_event');
  expect(client.session.closed).toBeUndefined();
  expect(client.invalid).toEqual([]);
});
