// What a client sees of faults in frames, responses and transcripts; each is a file of test/fixtures/scripts/faults.
import { expect } from 'vitest';
import { greeted, turn, whole } from './played-fault.ts';
import type { Check, Played } from './played-fault.ts';
import type { SocketClient } from './socket-client.ts';

const expectFrames =
  (check: (client: SocketClient) => void) =>
  async (played: Played): Promise<void> => {
    const client = await played.client();
    await whole(client);
    check(client);
  };

/** Frames that follow an event of this type, as they came. */
const frameAfter = (client: SocketClient, type: string): string | Buffer | undefined =>
  client.frames[client.frames.findIndex((frame) => String(frame).startsWith('{') && typeOf(frame) === type) + 1];

const typeOf = (frame: string | Buffer): unknown => (JSON.parse(String(frame)) as { type: unknown }).type;

const expectFailed =
  (code: string, statuses: string[]) =>
  async (played: Played): Promise<void> => {
    const client = await greeted(await played.client());
    await turn(client);
    expect(client.of('response.done')[1]?.response).toMatchObject({
      output: [],
      status_details: { type: 'failed', error: { code } },
    });
    client.send({ type: 'response.create' });
    await client.seen('response.done', 3);
    expect(client.session.responses.map(({ status }) => status)).toEqual(statuses);
  };

const expectIncomplete =
  (reason: string) =>
  async (played: Played): Promise<void> => {
    const client = await greeted(await played.client());
    await turn(client);
    expect(client.of('response.done')[1]?.response).toMatchObject({
      status: 'incomplete',
      status_details: { type: 'incomplete', reason },
      output: [{ status: 'incomplete' }],
    });
    await turn(client);
    expect(client.session.responses.at(-1)?.status).toBe('completed');
  };

async function lateDeltas(played: Played): Promise<{ client: SocketClient; before: number }> {
  const client = await greeted(await played.client({ firstDelayMs: 0 }));
  const deltas = client.of('response.output_audio.delta').length;
  client.say('q-weather-short');
  await client.seen('response.output_audio.delta', deltas + 1);
  const before = client.of('response.output_audio.delta').length;
  client.send({ type: 'response.cancel' });
  await client.seen('response.done', 2);
  return { client, before };
}

/** By the name of the file. */
export const FAULTS_OF_ANSWERS: Record<string, Check> = {
  'frames-malformed-json': expectFrames((client) => {
    for (const type of ['session.created', 'response.created', 'response.done'])
      expect(() => JSON.parse(String(frameAfter(client, type))) as unknown).toThrow(SyntaxError);
  }),
  'frames-not-an-object': expectFrames((client) => {
    expect(frameAfter(client, 'session.updated')).toBe('[null]');
    expect(client.frames.filter((frame) => frame === '[null]')).toHaveLength(27);
  }),
  'frames-unknown-event': expectFrames((client) => {
    expect(typeOf(frameAfter(client, 'response.output_item.added') ?? '')).toBe('response.thought.delta');
  }),
  'frames-duplicate': expectFrames((client) => {
    const [first, second, third, fourth] = client.of('response.output_audio.delta').map(({ event_id }) => event_id);
    expect([first === second, third === fourth, second === third]).toEqual([true, true, false]);
    expect(client.of('session.created')).toHaveLength(2);
  }),
  'frames-binary': expectFrames((client) => {
    expect(frameAfter(client, 'response.created')).toBeInstanceOf(Buffer);
  }),
  'frames-bare': expectFrames((client) => {
    expect(frameAfter(client, 'response.created')).toBe('{"type":"response.created"}');
  }),
  'frames-nulls': expectFrames((client) => {
    expect(client.of('response.done')[0]?.response).toMatchObject({ usage: null, metadata: null });
    expect(client.of('session.updated')[0]?.session).toMatchObject({ tracing: null, audio: { input: {} } });
    // What is null is allowed to be: not one of these is refused by the official schema.
    expect(client.invalid).toEqual([]);
  }),
  'frames-huge': expectFrames((client) => {
    expect(client.of('simulator.huge')).toHaveLength(2);
    expect(Math.max(...client.frames.map(({ length }) => length))).toBeGreaterThan(16 * 1024 * 1024);
  }),
  'frames-out-of-order': expectFrames((client) => {
    expect(client.types.slice(0, 2)).toEqual(['conversation.created', 'session.created']);
    expect(client.types.indexOf('response.created')).toBeGreaterThan(client.types.indexOf('rate_limits.updated'));
    expect(client.invalid).toEqual([]);
  }),
  'failed-rate-limit': expectFailed('rate_limit_exceeded', ['completed', 'failed', 'completed']),
  'failed-server-error': expectFailed('server_error', ['completed', 'failed', 'completed']),
  'failed-twice': expectFailed('server_error', ['completed', 'failed', 'failed']),
  'failed-insufficient-quota': expectFailed('insufficient_quota', ['completed', 'failed', 'failed']),
  'incomplete-max-tokens': expectIncomplete('max_output_tokens'),
  'incomplete-content-filter': expectIncomplete('content_filter'),
  async 'late-deltas'(played) {
    const { client, before } = await lateDeltas(played);
    const types = client.types.slice(0, client.types.lastIndexOf('response.output_audio.done'));
    expect(types.filter((type) => type === 'response.output_audio.delta').length).toBeGreaterThanOrEqual(before + 3);
  },
  async 'late-deltas-after-done'(played) {
    const { client } = await lateDeltas(played);
    const done = client.types.lastIndexOf('response.done');
    const deltas = client.of('response.output_audio.delta').length;
    const behind = client.types.slice(done).filter((type) => type === 'response.output_audio.delta').length;
    await client.seen('response.output_audio.delta', deltas + 3 - behind);
    expect(client.types.slice(done).filter((type) => type === 'response.output_audio.delta')).toHaveLength(3);
  },
  async 'transcription-failed'(played) {
    const client = await greeted(await played.client());
    await turn(client);
    await client.seen('conversation.item.input_audio_transcription.failed');
    expect(client.types).not.toContain('conversation.item.input_audio_transcription.completed');
    expect(client.invalid).toEqual([]);
  },
  async 'arguments-not-json'(played) {
    const client = await greeted(await played.client());
    await turn(client);
    const { arguments: args } = await client.seen('response.function_call_arguments.done');
    expect(() => JSON.parse(String(args)) as unknown).toThrow(SyntaxError);
    expect(client.of('response.done').at(-1)?.response.status).toBe('completed');
  },
};
