// The model's end of a measurement is light, but what it says must be what the API says: other people's clients read it.
import { WebSocket } from 'ws';
import { expect, test } from 'vitest';
import { ModelEnd } from '../../bench/model-end.ts';
import { StampReader, StampWriter } from '../../bench/stamps.ts';
import { throwAwayCa } from '../../bench/throw-away-ca.ts';
import { isServerEvent, type ServerEvent } from '../simulator/socket-client.ts';

test('a conversation over TLS is in the words of the official schema', async () => {
  const { caPem, certPem, keyPem } = throwAwayCa();
  const heard = new StampReader();
  const end = await ModelEnd.start({
    tls: { certPem, keyPem },
    ready: (session) => session.callerStarts(),
    asked(session, metadata) {
      const stamps = new StampWriter(session.number);
      session.speak({ stamps, ms: 400, deltaMs: 200, pace: 20 }, metadata);
    },
    heard(session) {
      session.callerStops();
      // Stopped in the middle, as a caller does.
      session.speak({ stamps: new StampWriter(1), ms: 10_000, deltaMs: 200, pace: 1 });
      session.callerStarts();
    },
  });
  expect(end.origin).toMatch(/^https:/);
  const socket = new WebSocket(`${end.origin.replace('https', 'wss')}/realtime?model=any`, { ca: caPem });
  const send = (event: object): void => socket.send(JSON.stringify(event));
  const events: ServerEvent[] = [];
  const over = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as ServerEvent;
      events.push(event);
      if (event.type === 'session.created') send({ type: 'session.update', session: { type: 'realtime' } });
      if (event.type === 'session.updated') send({ type: 'response.create', response: { metadata: { purpose: 'x' } } });
      if (event.type === 'response.output_audio.delta') heard.read(Buffer.from(String(event['delta']), 'base64'));
      if (event.type === 'response.done' && event.response.status === 'completed')
        send({ type: 'input_audio_buffer.append', audio: new StampWriter(0).take(20).toString('base64') });
      if (event.type === 'response.done' && event.response.status === 'cancelled') {
        const [item] = event.response.output;
        send({ type: 'conversation.item.truncate', item_id: item?.id, content_index: 0, audio_end_ms: 120 });
        send({ type: 'response.cancel' });
      }
      if (event.type === 'error') resolve();
    });
  });
  try {
    await over;
  } finally {
    socket.terminate();
    await end.close();
  }
  const refused = events.filter((event) => !isServerEvent(event));
  expect(refused).toEqual([]);
  expect(new Set(events.map(({ type }) => type))).toEqual(
    new Set([
      'session.created',
      'session.updated',
      'input_audio_buffer.speech_started',
      'input_audio_buffer.speech_stopped',
      'input_audio_buffer.committed',
      'conversation.item.added',
      'conversation.item.truncated',
      'response.created',
      'response.output_item.added',
      'response.output_audio.delta',
      'response.output_audio_transcript.delta',
      'response.output_audio.done',
      'response.output_item.done',
      'response.done',
      'error',
    ]),
  );
  expect({ next: heard.next, missing: heard.missing }).toEqual({ next: 400, missing: 0 });
});

test('nobody is trusted whose authority was not given', async () => {
  const { certPem, keyPem } = throwAwayCa();
  const end = await ModelEnd.start({ tls: { certPem, keyPem }, ready() {}, asked() {} });
  const socket = new WebSocket(`${end.origin.replace('https', 'wss')}/realtime`, { ca: throwAwayCa().caPem });
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve));
  await end.close();
  expect(error.code).toMatch(/SIGNATURE|SELF_SIGNED|VERIFY/);
});
