// Reading the server's JSON: every event a bridge uses, nulls where the service sends them, and whatever else may come.
import { describe, expect, test } from 'vitest';
import { parseServerMessage, printAppend, type ServerMessage } from '../../../src/realtime/openai/messages.ts';
import { expectClientMessage } from './client-schema.ts';
import * as wire from './wire.ts';
import fc from '../../support/fast-check.ts';

const parse = (message: unknown) => parseServerMessage(JSON.stringify(message));
const known = (message: Record<string, unknown>): ServerMessage => {
  const parsed = parse({ event_id: 'event_1', ...message });
  if (parsed.kind !== 'known') throw new Error(`${String(message.type)} parsed as ${parsed.kind}`);
  expect(parsed.eventId).toBe('event_1');
  return parsed.message;
};
const call = {
  itemId: 'item_call_1',
  callId: 'call_1',
  name: 'lookup_order',
  arguments: '{"order":"A17"}',
  status: 'completed',
};
const tokens = {
  textIn: 1410,
  audioIn: 280,
  imageIn: 0,
  cachedTextIn: 1408,
  cachedAudioIn: 128,
  cachedImageIn: 0,
  textOut: 22,
  audioOut: 100,
};

const READ: [Record<string, unknown> & { type: string }, ServerMessage][] = [
  [wire.sessionCreated(), { type: 'session.created' }],
  [wire.sessionUpdated(), { type: 'session.updated', inputFormat: 'audio/pcmu', outputFormat: 'audio/pcmu' }],
  [wire.speechStarted('item_u1', 3120), { type: 'speech_started', audioMs: 3120 }],
  [wire.speechStopped('item_u1', 4200), { type: 'speech_stopped', audioMs: 4200 }],
  [wire.committed('item_u1'), { type: 'committed', itemId: 'item_u1' }],
  [wire.itemAdded('item_u1'), { type: 'item_known', itemId: 'item_u1' }],
  [
    wire.transcribed('item_u1', 'where is my order'),
    { type: 'transcribed', itemId: 'item_u1', text: 'where is my order', usage: { seconds: 2.4 } },
  ],
  [wire.responseCreated('resp_1'), { type: 'response.created', responseId: 'resp_1', outOfBand: false, tag: null }],
  [
    wire.responseCreated('resp_1', { trunkline: 'tl_4' }),
    { type: 'response.created', responseId: 'resp_1', outOfBand: false, tag: 'tl_4' },
  ],
  [
    wire.responseCreated('resp_x', null, null),
    { type: 'response.created', responseId: 'resp_x', outOfBand: true, tag: null },
  ],
  [wire.messageAdded('resp_1', 'item_a1'), { type: 'message_added', responseId: 'resp_1', itemId: 'item_a1' }],
  [wire.messageDone('resp_1', 'item_a1'), { type: 'item_done', responseId: 'resp_1', itemId: 'item_a1' }],
  [
    wire.callAdded('resp_1', 'call_1'),
    {
      type: 'call_added',
      responseId: 'resp_1',
      call: { ...call, arguments: '', status: 'in_progress' } as typeof call & { status: 'in_progress' },
    },
  ],
  [
    wire.callDone('resp_1', 'call_1'),
    { type: 'call_added', responseId: 'resp_1', call: call as typeof call & { status: 'completed' } },
  ],
  [
    wire.audioDelta('resp_1', 'item_a1', 20),
    { type: 'audio', responseId: 'resp_1', itemId: 'item_a1', chunk: { payload: wire.audioOf(20), bytes: 160 } },
  ],
  [wire.textDelta('resp_1', 'item_a1', 'Hi'), { type: 'text', responseId: 'resp_1', itemId: 'item_a1', text: 'Hi' }],
  [
    wire.responseDone('resp_1', {
      status: 'cancelled',
      details: { type: 'cancelled', reason: 'turn_detected' },
      output: [{ id: 'item_a1', type: 'message', content: [] }, wire.callItem('call_1')],
    }),
    {
      type: 'response.done',
      responseId: 'resp_1',
      outOfBand: false,
      tag: null,
      text: '',
      status: 'cancelled',
      detail: 'turn_detected',
      calls: [call as typeof call & { status: 'completed' }],
      usage: tokens,
    },
  ],
  [
    wire.error('conversation_already_has_active_response', 'rc_7', 'Wait.'),
    { type: 'error', code: 'conversation_already_has_active_response', detail: 'Wait.', eventId: 'rc_7' },
  ],
];

describe('reading a server message', () => {
  test.each(READ.map(([message, read]) => [message.type, message, read] as const))(
    'takes what it needs of %s',
    (_, message, read) => {
      expect(known(message)).toEqual(read);
    },
  );

  test('takes null for every field that may be left out', () => {
    expect(parse({ ...wire.speechStarted(), event_id: null, audio_start_ms: null, item_id: null })).toEqual({
      kind: 'known',
      eventId: null,
      message: { type: 'speech_started', audioMs: null },
    });
    expect(known({ ...wire.transcribed('item_u1', 'x', null), transcript: null })).toMatchObject({
      text: '',
      usage: null,
    });
    expect(known({ type: 'session.updated', session: { audio: { input: null, output: { format: null } } } })).toEqual({
      type: 'session.updated',
      inputFormat: '',
      outputFormat: '',
    });
    expect(known({ type: 'session.updated', session: null })).toMatchObject({ inputFormat: '' });
    const response = { id: 'resp_1', status: null, status_details: null, output: null, usage: null, metadata: null };
    expect(known({ type: 'response.done', response })).toEqual({
      type: 'response.done',
      responseId: 'resp_1',
      outOfBand: false,
      tag: null,
      text: '',
      status: 'incomplete',
      detail: '',
      calls: [],
      usage: null,
    });
    expect(known({ type: 'response.created', response })).toMatchObject({ outOfBand: false, tag: null });
    const item = { ...wire.callItem('call_1'), id: 'item_f1', status: null, arguments: null };
    expect(known({ ...wire.callDone('resp_1', 'call_1'), item })).toMatchObject({
      call: { arguments: '', status: null },
    });
    expect(
      known({ type: 'error', error: { type: 'server_error', code: null, message: null, param: null, event_id: null } }),
    ).toEqual({
      type: 'error',
      code: 'server_error',
      detail: '',
      eventId: null,
    });
    expect(known({ type: 'error', error: {} })).toMatchObject({ code: 'unknown' });
  });

  test('says why a response failed or stopped', () => {
    const detail = (details: unknown) => known(wire.responseDone('resp_1', { status: 'failed', details }));
    expect(detail({ type: 'failed', error: { type: 'server_error', code: 'rate_limit_exceeded' } })).toMatchObject({
      status: 'failed',
      detail: 'rate_limit_exceeded',
    });
    expect(detail({ type: 'failed', error: { type: 'server_error', code: null } })).toMatchObject({
      detail: 'server_error',
    });
    expect(detail({ type: 'incomplete', reason: 'max_output_tokens' })).toMatchObject({ detail: 'max_output_tokens' });
  });

  test('leaves out of an answer what is no usable function call', () => {
    const output = [
      null,
      'x',
      { type: 'function_call', call_id: 'c' },
      { type: 'mcp_call', call_id: 'c', name: 'n' },
      wire.callItem('call_1'),
    ];
    expect(known(wire.responseDone('resp_1', { output }))).toMatchObject({ calls: [{ callId: 'call_1' }] });
  });

  test.each([
    [{ type: 'input_audio_buffer.committed' }],
    [{ type: 'conversation.item.added', item: {} }],
    [{ type: 'conversation.item.added', item: null }],
    [{ type: 'conversation.item.input_audio_transcription.completed', transcript: 'x' }],
    [{ type: 'response.created' }],
    [{ type: 'response.created', response: { id: 7 } }],
    [{ type: 'response.done', response: null }],
    [{ type: 'response.done', response: {} }],
    [{ ...wire.messageAdded('resp_1', 'item_a1'), response_id: null }],
    [{ ...wire.messageAdded('resp_1', 'item_a1'), item: { type: 'message' } }],
    [{ ...wire.messageDone('resp_1', 'item_a1'), item: [] }],
    [{ ...wire.audioDelta('resp_1', 'item_a1', 20), delta: null }],
    [{ ...wire.audioDelta('resp_1', 'item_a1', 20), item_id: undefined }],
    [{ ...wire.audioDelta('resp_1', 'item_a1', 20), response_id: 3 }],
    [{ ...wire.textDelta('resp_1', 'item_a1', 'x'), delta: 3 }],
    [{ type: 'error' }],
    [{ type: 'error', error: 'x' }],
    [{ type: '' }],
    [{ type: 3 }],
    [{}],
    [[]],
    [null],
    ['session.created'],
    [7],
  ])('calls %j malformed', (message) => {
    expect(parse(message)).toEqual({ kind: 'malformed' });
  });

  const LONGEST = 'x'.repeat(200);
  const TOO_LONG = 'x'.repeat(201);

  test.each([
    ['event', (id: string) => ({ ...wire.speechStarted('item_u1', 3120), event_id: id })],
    ['item', wire.committed],
    ['item', wire.itemAdded],
    ['item', (id: string) => wire.transcribed(id, 'hello')],
    ['response', (id: string) => wire.responseCreated(id)],
    ['response', (id: string) => wire.responseDone(id, {})],
    ['response', (id: string) => wire.messageAdded(id, 'item_a1')],
    ['item', (id: string) => wire.messageDone('resp_1', id)],
    [
      'call',
      (id: string) => ({ ...wire.callAdded('resp_1', 'call_1'), item: { ...wire.callItem('call_1'), call_id: id } }),
    ],
    ['response', (id: string) => wire.audioDelta(id, 'item_a1', 20)],
    ['item', (id: string) => wire.textDelta('resp_1', id, 'x')],
  ])('calls a message malformed whose %s id no database could index', (_name, message) => {
    expect(parse(message(LONGEST))).toMatchObject({ kind: 'known' });
    expect(parse(message(TOO_LONG))).toEqual({ kind: 'malformed' });
  });

  test('of an answer that names a call with such an id the usage is read all the same', () => {
    const output = [wire.callItem(TOO_LONG), wire.callItem('call_1')];
    expect(known(wire.responseDone('resp_1', { output }))).toMatchObject({ calls: [{ callId: 'call_1' }] });
  });

  test.each(['', '{', 'null', '{"type":"session.created"', '\u0000', 'NaN'])('calls the text %j malformed', (text) => {
    expect(parseServerMessage(text)).toEqual({ kind: 'malformed' });
  });

  test('reads the limits that an endpoint tells, and passes over what is none', () => {
    const tokens = { name: 'tokens', limit: 200_000, remaining: 196_300, reset_seconds: 1.1 };
    expect(parse({ type: 'rate_limits.updated', rate_limits: [tokens, { name: 'x' }, null] })).toEqual({
      kind: 'limits',
      limits: [{ name: 'tokens', limit: 200_000, remaining: 196_300, resetSeconds: 1.1 }],
    });
    expect(parse({ type: 'rate_limits.updated' })).toEqual({ kind: 'limits', limits: [] });
  });

  test.each(['conversation.created', 'conversation.item.created', 'response.output_audio.done'])(
    'knows %s and leaves it alone',
    (type) => {
      expect(parse({ type })).toEqual({ kind: 'unknown', type, unexpected: false });
    },
  );

  test.each(['response.audio.delta', 'session.surprise', 'toString', '__proto__'])(
    'calls %s unknown and unexpected',
    (type) => {
      expect(parse({ type, event_id: 'e' })).toEqual({ kind: 'unknown', type, unexpected: true });
    },
  );

  test('leaves items of other kinds alone without counting them as strange', () => {
    const message = { ...wire.messageAdded('resp_1', 'item_m'), item: { id: 'item_m', type: 'mcp_call' } };
    expect(parse(message)).toMatchObject({ kind: 'unknown', unexpected: false });
  });

  test('never throws, whatever comes', () => {
    const kinds = ['known', 'unknown', 'malformed'];
    fc.assert(fc.property(fc.string(), (text) => kinds.includes(parseServerMessage(text).kind)));
    fc.assert(fc.property(fc.json(), (text) => kinds.includes(parseServerMessage(text).kind)));
    // Real messages with any of their values replaced by anything.
    const damaged = fc
      .constantFrom(...READ.map(([message]) => message))
      .chain((message) =>
        fc
          .dictionary(fc.constantFrom(...Object.keys(message).filter((key) => key !== 'type')), fc.jsonValue())
          .map((damage) => ({ ...message, ...damage })),
      );
    fc.assert(
      fc.property(damaged, (message) => {
        const parsed = parse(message);
        expect(kinds).toContain(parsed.kind);
        if (parsed.kind === 'known') expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed);
      }),
    );
    const response = fc.record({
      id: fc.constant('resp_1'),
      output: fc.jsonValue(),
      usage: fc.jsonValue(),
      status_details: fc.jsonValue(),
    });
    fc.assert(fc.property(response, (r) => kinds.includes(parse({ type: 'response.done', response: r }).kind)));
  });
});

test('caller audio is printed as the API takes it, payload untouched', () => {
  const payload = wire.audioOf(20);
  const message: unknown = JSON.parse(String(printAppend(payload)));
  expect(message).toEqual({ type: 'input_audio_buffer.append', audio: payload });
  expectClientMessage(message);
});
