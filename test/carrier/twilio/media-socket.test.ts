import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { CarrierLeg } from '../../../src/carrier/carrier.ts';
import { CLAIM, type Edge, markMessage, mediaMessage, type Peer, STREAM_SID, startEdge, startMessage } from './edge.ts';

const CHUNK = { payload: '/////w==', bytes: 4 };
const dtmf = (digit: string) => ({ event: 'dtmf', sequenceNumber: '9', streamSid: STREAM_SID, dtmf: { digit } });

/** A stream that has started. */
async function streaming(): Promise<Edge & { peer: Peer; leg: CarrierLeg }> {
  const edge = await startEdge();
  const peer = await edge.open();
  peer.start();
  await edge.intake.event('leg.started');
  return { ...edge, peer, leg: edge.intake.leg as CarrierLeg };
}

describe('a stream', () => {
  test('is reported as it comes, message by message', async () => {
    const edge = await startEdge();
    const peer = await edge.open();
    const lines = readFileSync(new URL('../../fixtures/twilio/stream.jsonl', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    for (const line of lines) peer.send(line);
    await edge.intake.event('leg.closed');
    expect(edge.intake.events).toEqual([
      { type: 'leg.started' },
      {
        type: 'leg.audio',
        sequence: 1,
        timestampMs: 155,
        chunk: { payload: JSON.parse(lines[2] as string).media.payload, bytes: 160 },
      },
      { type: 'leg.digit_pressed', digit: '1' },
      { type: 'leg.closed', cause: 'carrier_stopped', detail: 'stop' },
    ]);
    expect((await peer.closed).code).toBe(1000);
    expect(edge.counted).toContain('in unknown_mark');
  });

  test('carries what the call sends, in order and as text', async () => {
    const { peer, leg, intake } = await streaming();
    leg.play(CHUNK);
    leg.mark('1:1');
    leg.clear();
    expect(await peer.gets(3)).toEqual([
      { event: 'media', streamSid: STREAM_SID, media: { payload: CHUNK.payload } },
      { event: 'mark', streamSid: STREAM_SID, mark: { name: '1:1' } },
      { event: 'clear', streamSid: STREAM_SID },
    ]);
    leg.mark('2:1');
    peer.send(markMessage('1:1'));
    peer.send(markMessage('2:1'));
    await intake.when(() => intake.ofType('leg.mark_settled').length === 2);
    expect(intake.ofType('leg.mark_settled')).toEqual([
      { type: 'leg.mark_settled', mark: '1:1', outcome: 'dropped' },
      { type: 'leg.mark_settled', mark: '2:1', outcome: 'played' },
    ]);
  });

  test('may be spoken into from within attach', async () => {
    const edge = await startEdge();
    edge.intake.onAttach = (leg) => leg.play(CHUNK);
    const peer = await edge.open();
    peer.start();
    expect(await peer.gets(1)).toMatchObject([{ event: 'media' }]);
  });

  test('may start without the word connected', async () => {
    const edge = await startEdge();
    const peer = await edge.open();
    peer.send(startMessage());
    expect(await edge.intake.event('leg.started')).toEqual({ type: 'leg.started' });
  });
});

describe('the end of a stream', () => {
  test('asked for by the call closes with 1000 and is reported once', async () => {
    const { peer, leg, intake, clock } = await streaming();
    leg.mark('a');
    leg.close();
    leg.close();
    expect((await peer.closed).code).toBe(1000);
    await intake.event('leg.closed');
    expect(intake.events.slice(1)).toEqual([
      { type: 'leg.mark_settled', mark: 'a', outcome: 'dropped' },
      { type: 'leg.closed', cause: 'closed_by_us', detail: 'closed by the call' },
    ]);
    expect(clock.pending).toBe(0);
  });

  test('reads nothing more once the call has asked for it', async () => {
    const { peer, leg, intake } = await streaming();
    leg.close();
    peer.send(mediaMessage(1));
    peer.send({ event: 'stop', streamSid: STREAM_SID });
    await intake.event('leg.closed');
    expect(intake.events.map(({ type }) => type)).toEqual(['leg.started', 'leg.closed']);
  });

  test('is forced after a second when the other side does not answer', async () => {
    const { peer, leg, intake, clock } = await streaming();
    peer.socket.pause();
    leg.close();
    clock.advance(999);
    expect(intake.ofType('leg.closed')).toEqual([]);
    clock.advance(1);
    await intake.event('leg.closed');
    expect(clock.pending).toBe(0);
  });

  test('without a word is a lost socket, reported once with its marks', async () => {
    const { peer, leg, intake } = await streaming();
    leg.mark('a');
    await peer.gets(1);
    peer.socket.terminate();
    await intake.event('leg.closed');
    expect(intake.events.slice(1)).toEqual([
      { type: 'leg.mark_settled', mark: 'a', outcome: 'dropped' },
      { type: 'leg.closed', cause: 'socket_lost', detail: expect.stringMatching(/^closed with 1006: \S/) },
    ]);
  });

  test('comes when Twilio stops reading', async () => {
    const { peer, leg, intake } = await streaming();
    peer.socket.pause();
    const second = { payload: 'A'.repeat(10_664) + 'AAA=', bytes: 8000 };
    for (let sent = 0; sent < 5000 && intake.ofType('leg.closed').length === 0; sent++) leg.play(second);
    expect(intake.ofType('leg.closed')).toMatchObject([{ cause: 'stopped_reading' }]);
    peer.socket.resume();
    expect((await peer.closed).code).toBe(1006);
    expect(intake.ofType('leg.closed')).toHaveLength(1);
  });

  test('is reported once when stop, close and error come together', async () => {
    const { peer, intake } = await streaming();
    peer.send({ event: 'stop', streamSid: STREAM_SID });
    peer.send({ event: 'stop', streamSid: STREAM_SID });
    peer.socket.close(1000);
    await peer.closed;
    await intake.event('leg.closed');
    expect(intake.ofType('leg.closed')).toEqual([{ type: 'leg.closed', cause: 'carrier_stopped', detail: 'stop' }]);
  });

  test('of one call by a bug does not end the process, and is reported', async () => {
    const { peer, intake, logged } = await streaming();
    intake.onEvent = (event) => {
      if (event.type === 'leg.digit_pressed') throw new Error('bug');
    };
    peer.send(dtmf('1'));
    expect((await peer.closed).code).toBe(1011);
    expect(intake.ofType('leg.closed')).toMatchObject([{ detail: 'internal error' }]);
    expect(logged).toHaveLength(1);
  });

  test('comes for a call that cannot be joined because attach failed', async () => {
    const edge = await startEdge();
    edge.intake.onAttach = () => {
      throw new Error('bug');
    };
    const peer = await edge.open();
    peer.start();
    expect((await peer.closed).code).toBe(1011);
    expect(edge.intake.abandoned).toMatchObject([{ cause: 'never_started' }]);
  });
});

describe('a stream that never starts', () => {
  test('is given up after its deadline', async () => {
    const { open, intake, clock } = await startEdge();
    const peer = await open();
    peer.send({ event: 'connected', protocol: 'Call', version: '1.0.0' });
    clock.advance(9_999);
    expect(intake.abandoned).toEqual([]);
    clock.advance(1);
    expect(intake.abandoned).toEqual([{ claim: CLAIM, cause: 'never_started', detail: 'no start within 10000 ms' }]);
    expect((await peer.closed).code).toBe(1008);
  });

  test('is given up at once when its socket goes', async () => {
    const { open, intake, clock } = await startEdge();
    const peer = await open();
    peer.socket.close(1000);
    await intake.when(() => intake.abandoned.length > 0);
    expect(intake.abandoned).toMatchObject([
      { cause: 'never_started', detail: expect.stringMatching(/^closed before start with 1000: \S/) },
    ]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['another call', { callSid: `CA${'f'.repeat(32)}` }],
    ['another account', { accountSid: `AC${'f'.repeat(32)}` }],
    ['other audio', { mediaFormat: { encoding: 'audio/l16', sampleRate: 16_000, channels: 1 } }],
  ])('because it names %s is refused and abandoned', async (_what, extra) => {
    const { open, intake, logged } = await startEdge();
    const peer = await open();
    peer.start(extra);
    expect((await peer.closed).code).toBe(1008);
    expect(intake.abandoned).toMatchObject([{ cause: 'protocol_violation' }]);
    expect(intake.leg).toBeNull();
    expect(logged).toHaveLength(1);
  });

  test('may name any account where none is configured', async () => {
    const { open, intake } = await startEdge({ accountSid: null });
    const peer = await open();
    peer.start({ accountSid: `AC${'f'.repeat(32)}` });
    await intake.event('leg.started');
  });

  test('because its call is gone closes quietly', async () => {
    const { open, intake } = await startEdge();
    intake.attached = false;
    const peer = await open();
    peer.start();
    expect((await peer.closed).code).toBe(1000);
    expect(intake.abandoned).toEqual([]);
  });
});

describe('what is not in the protocol', () => {
  test('is counted and ignored', async () => {
    const { peer, intake, counted } = await streaming();
    peer.send('garbage');
    peer.socket.send(Buffer.from([1, 2, 3]), { binary: true });
    peer.send({ event: 'weather' });
    peer.send(startMessage());
    peer.send({ event: 'connected' });
    peer.send({ ...mediaMessage(1), streamSid: 'MZother' });
    peer.send(dtmf('7'));
    expect(await intake.event('leg.digit_pressed')).toMatchObject({ digit: '7' });
    expect(intake.events.map(({ type }) => type)).toEqual(['leg.started', 'leg.digit_pressed']);
    expect(counted).toEqual(
      expect.arrayContaining(['in malformed', 'in binary', 'in unknown', 'in start', 'in misplaced']),
    );
  });

  test('before start is ignored too', async () => {
    const { open, intake } = await startEdge();
    const peer = await open();
    peer.send(mediaMessage(1));
    peer.start();
    peer.send(dtmf('7'));
    await intake.event('leg.digit_pressed');
    expect(intake.ofType('leg.audio')).toEqual([]);
  });

  test('ends the stream when there is too much of it', async () => {
    const { peer, intake } = await streaming();
    for (let i = 0; i < 101; i++) peer.send('garbage');
    expect((await peer.closed).code).toBe(1008);
    expect(intake.ofType('leg.closed')).toMatchObject([{ cause: 'protocol_violation' }]);
  });

  test('abandons the call when there is too much of it before start', async () => {
    const { open, intake } = await startEdge();
    const peer = await open();
    for (let i = 0; i < 101; i++) peer.send('garbage');
    expect((await peer.closed).code).toBe(1008);
    expect(intake.abandoned).toMatchObject([{ cause: 'protocol_violation' }]);
  });

  test('does not end the stream while it is only new to us', async () => {
    const { peer, intake } = await streaming();
    for (let i = 0; i < 500; i++) peer.send({ event: 'weather' });
    peer.send(dtmf('7'));
    await intake.event('leg.digit_pressed');
  });

  test('ends the stream when a message is beyond 64 KiB', async () => {
    const { peer, intake, logged } = await streaming();
    peer.send('x'.repeat(65_537));
    expect((await peer.closed).code).toBe(1009);
    expect(intake.ofType('leg.closed')).toEqual([
      { type: 'leg.closed', cause: 'protocol_violation', detail: 'oversize' },
    ]);
    expect(logged).toHaveLength(1);
  });

  test('ends the stream when it breaks the WebSocket protocol', async () => {
    const { peer, intake } = await streaming();
    const tcp = Reflect.get(peer.socket, '_socket') as Socket;
    tcp.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await intake.event('leg.closed');
    expect(intake.ofType('leg.closed')).toMatchObject([{ cause: 'protocol_violation' }]);
  });
});

describe('a flood', () => {
  test('ends the stream, while a burst after a stall does not', async () => {
    const { peer, intake } = await streaming();
    // `connected` and `start` have taken two of the 2000.
    for (let i = 1; i <= 1998; i++) peer.send(mediaMessage(i));
    await intake.when(() => intake.ofType('leg.audio').length === 1998);
    expect(intake.ofType('leg.closed')).toEqual([]);
    peer.send(mediaMessage(1999));
    expect((await peer.closed).code).toBe(1008);
    expect(intake.ofType('leg.closed')).toMatchObject([{ cause: 'protocol_violation', detail: 'flood' }]);
  });

  test('is forgiven at the rate of 400 messages a second', async () => {
    const { peer, intake, clock } = await streaming();
    for (let i = 1; i <= 1998; i++) peer.send(mediaMessage(i));
    await intake.when(() => intake.ofType('leg.audio').length === 1998);
    clock.advance(1000);
    for (let i = 1; i <= 400; i++) peer.send(mediaMessage(1998 + i));
    await intake.when(() => intake.ofType('leg.audio').length === 2398);
    expect(intake.ofType('leg.closed')).toEqual([]);
  });

  // `ws` itself only ends a socket whose pongs it cannot get rid of (`maxPendingAutoPongs`).
  test('counts pings too', async () => {
    const { peer, intake } = await streaming();
    for (let i = 1; i <= 1998; i++) peer.send(mediaMessage(i));
    peer.socket.ping();
    expect((await peer.closed).code).toBe(1008);
    expect(intake.ofType('leg.closed')).toMatchObject([{ detail: 'flood' }]);
  });
});

describe('a socket that looks open', () => {
  test('is pinged after a second and a half of silence, and lives while pongs come', async () => {
    const { peer, clock, intake, origin } = await streaming();
    for (let i = 0; i < 3; i++) {
      const pinged = once(peer.socket, 'ping');
      clock.advance(1_500);
      await pinged;
      // The pong lies at the server by now; whoever answers this has read it.
      for (let round = 0; round < 3; round++) await fetch(`http://${origin}/healthz`);
    }
    expect(intake.ofType('leg.closed')).toEqual([]);
    peer.send({ event: 'stop', streamSid: STREAM_SID });
    expect(await intake.event('leg.closed')).toMatchObject({ cause: 'carrier_stopped' });
    await peer.closed;
  });

  test('and does not even pong is lost', async () => {
    const { peer, clock, intake, counted, leg } = await streaming();
    peer.socket.pause();
    leg.mark('a');
    clock.advance(2_999);
    expect(intake.ofType('leg.closed')).toEqual([]);
    clock.advance(1);
    expect(intake.events.slice(1)).toEqual([
      { type: 'leg.mark_settled', mark: 'a', outcome: 'dropped' },
      {
        type: 'leg.closed',
        cause: 'socket_lost',
        detail: 'nothing came for 3000 ms, not even a pong',
        silentMs: 3_000,
      },
    ]);
    expect(counted).toContain('refused media socket_lost');
    peer.socket.resume();
    expect((await peer.closed).code).toBe(1006);
  });

  test('and returns no mark for two and a half seconds has stopped reading', async () => {
    const { peer, clock, intake, leg } = await streaming();
    const hear = async (digit: string) => {
      peer.send(dtmf(digit));
      await intake.when(() => intake.ofType('leg.digit_pressed').at(-1)?.digit === digit);
    };
    leg.mark('heard');
    clock.advance(1_000);
    peer.send(markMessage('heard'));
    await intake.event('leg.mark_settled');
    leg.mark('never');
    for (const digit of '12') {
      await hear(digit);
      clock.advance(1_000);
    }
    expect(intake.ofType('leg.closed')).toEqual([]);
    await hear('3');
    clock.advance(1_000);
    expect(intake.ofType('leg.closed')).toMatchObject([
      { type: 'leg.closed', cause: 'stopped_reading', detail: 'no mark came back for 2500 ms' },
    ]);
    expect((await peer.closed).code).toBe(1006);
  });
});
