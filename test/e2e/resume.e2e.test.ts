// A call that goes on after its media was lost, over real sockets: what the model is told was heard, what the caller hears
// next, and what becomes of a caller who does not come back, comes back twice, or hangs up meanwhile.
import { describe, expect, test, vi } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { soundSpans } from '../../src/replay/loudness.ts';
import type { Agent } from '../../src/agent/agent.ts';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import type { PhoneFault } from '../../src/phone/phone-faults.ts';
import type { Answer } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { readStamps } from '../../src/simulator/stamp.ts';
import {
  type E2e,
  interruption,
  mediaUrl,
  post,
  question,
  recorded,
  type Upgrade,
  upgrade,
  webhookParams,
  withE2e,
  within,
} from '../support/e2e.ts';
import { longestStallMs } from '../support/stall.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 12 });

const says = (...ms: number[]): Answer => ({ items: ms.map((stampedMs) => ({ stampedMs })) });
const goodbye: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };

/** The caller speaks as soon as the agent has said so much and is silent. */
const replies = (minHeardMs: number, say = question()): CallerStep => ({
  cue: { after: 'agent_silent', forMs: 700, minHeardMs, patienceMs: 60_000 },
  action: { say },
});

/** What the model was told of the caller's return. */
const told = ({ clientEvents }: SimulatedSession): string[] =>
  clientEvents.flatMap(({ event }) => (/line was broken/i.test(JSON.stringify(event)) ? [String(event['type'])] : []));

/** Who speaks next is a matter of milliseconds where the whole suite begins at once: a stall there is no fault of the call. */
const REAL_TIME = { timeout: 30_000, retry: 1 };

describe.concurrent('an answer that was cut off by the loss', () => {
  test.for<{ what: string; fault: PhoneFault; boundMs: number }>([
    { what: 'of the socket', fault: { kind: 'socket_lost', atMs: 2_000 }, boundMs: 100 },
    {
      what: 'by a half-open socket, found a second later,',
      fault: { kind: 'half_open', atMs: 2_000, noticedAfterMs: 1_000 },
      boundMs: 100,
    },
    { what: 'that only the carrier sees', fault: { kind: 'stale_socket', atMs: 2_000 }, boundMs: 100 },
  ])('$what counts as far as it was heard, and is taken up', REAL_TIME, ({ fault, boundMs }) =>
    withE2e({ simulator: { script: { greeting: says(5_000), turns: [goodbye] } } }, async (e2e) => {
      const phone = e2e.call({ idle: 'silence', track: { steps: [replies(4_000)] }, faults: [fault] });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      const session = await e2e.session();
      expect(record.end.reason).toBe('agent_goodbye');
      expect(told(session)).toHaveLength(1);
      // The first item was cut where the caller's ear was; the second is said whole, on the second stream.
      const heard = readStamps(Buffer.concat(result.heard.map(({ bytes }) => bytes)));
      const [first, again] = session.items.filter(({ stamp }) => stamp !== null);
      const heardMs = heard.get(first?.stamp as number)?.heardMs ?? 0;
      expect(heardMs).toBeGreaterThan(1_000);
      expect(Math.abs((first?.truncatedAtMs ?? Number.NaN) - heardMs)).toBeLessThanOrEqual(
        boundMs + 2 * longestStallMs(),
      );
      expect(again?.truncatedAtMs).toBeNull();
      expect(heard.get(again?.stamp as number)?.heardMs).toBe(5_000);
      const noticedMs = fault.atMs + ('noticedAfterMs' in fault ? (fault.noticedAfterMs ?? 0) : 0);
      expect(result.heard.find(({ atMs }) => atMs > fault.atMs)?.atMs).toBeLessThan(
        noticedMs + 600 + 2 * longestStallMs(),
      );
    }),
  );
});

describe.concurrent('a call', () => {
  test('is recorded on one timeline, as both sides heard it', { timeout: 30_000 }, () => {
    const script = { greeting: { items: [{ say: ['clinic_greeting'] }] }, turns: [goodbye] };
    return withE2e({ simulator: { script } }, async (e2e) => {
      const faults: PhoneFault[] = [{ kind: 'half_open', atMs: 1_500, noticedAfterMs: 700 }];
      const phone = e2e.call({ idle: 'silence', track: { steps: [replies(3_000)] }, faults });
      await phone.ended;
      const file = (await e2e.audioFile(phone.callSid)) as Buffer;
      const [caller = new Uint8Array(), agent = new Uint8Array()] = readWav(file).channels;
      const spans = (line: Uint8Array) => soundSpans(line).flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
      const heard = spans(phone.agentAudio());
      expect(heard.length).toBeGreaterThanOrEqual(4);
      const apart = (one: number[], other: number[]) => one.map((ms, i) => Math.abs(ms - (other[i] ?? Number.NaN)));
      // The phone's clock and the server's are some milliseconds of a busy machine apart.
      for (const [recorded, truth] of [
        [spans(agent), heard] as const,
        [spans(caller), spans(phone.callerAudio())] as const,
      ]) {
        expect(recorded).toHaveLength(truth.length);
        expect(Math.max(...apart(recorded, truth))).toBeLessThan(600);
      }
    });
  });

  test('survives three losses, and each time the agent goes on', { timeout: 40_000 }, () =>
    withE2e({ simulator: { script: { greeting: says(4_000), turns: [goodbye] } } }, async (e2e) => {
      const faults: PhoneFault[] = [1_500, 3_500, 5_500].map((atMs) => ({ kind: 'socket_lost', atMs }));
      const phone = e2e.call({ idle: 'silence', track: { steps: [replies(8_000)] }, faults });
      const result = await phone.ended;
      expect(result.streams).toHaveLength(4);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      expect(e2e.simulator.sessions).toHaveLength(1);
      expect(told(await e2e.session())).toHaveLength(3);
    }),
  );

  test('that is lost before its first word greets once', { timeout: 30_000 }, () =>
    withE2e({ simulator: { firstDelayMs: 600, script: { greeting: says(1_500), turns: [goodbye] } } }, async (e2e) => {
      const phone = e2e.call({
        idle: 'silence',
        track: { steps: [replies(1_000)] },
        faults: [{ kind: 'socket_lost', atMs: 100 }],
      });
      const result = await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      const heard = readStamps(Buffer.concat(result.heard.map(({ bytes }) => bytes)));
      expect([...heard.values()].map(({ heardMs }) => heardMs)).toEqual([1_500]);
      expect(result.firstAudioAtMs).toBeLessThan(2_500);
    }),
  );

  test('that is lost while the caller speaks understands what is said after it', { timeout: 30_000 }, () =>
    withE2e({ simulator: { script: { greeting: says(800), turns: [goodbye] } } }, async (e2e) => {
      const phone = e2e.call({ idle: 'silence', track: { steps: [replies(0, recorded('speech-jfk.wav', 0, 6_000))] } });
      const session = await e2e.session();
      await session.next('speech_started');
      phone.dropSocket();
      const result = await phone.ended;
      expect(result.streams).toHaveLength(2);
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
    }),
  );

  test('that is lost while a tool runs tells what the tool found', { timeout: 30_000 }, () => {
    const lookup: Answer = { items: [{ tool: 'lookup_account', arguments: { account: '100019021001803' } }] };
    const script = { greeting: says(800), turns: [lookup, goodbye], afterTool: { lookup_account: says(2_000) } };
    const running = Promise.withResolvers<void>();
    const back = Promise.withResolvers<void>();
    const agent = ({ tools }: Agent): Partial<Agent> => ({
      tools: tools.map((tool) => ({
        ...tool,
        async run(args, context) {
          running.resolve();
          await back.promise;
          return tool.run(args, context);
        },
      })),
    });
    return withE2e({ agent, simulator: { script } }, async (e2e) => {
      const steps = [replies(0), replies(1_500, interruption())];
      const phone = e2e.call({ idle: 'silence', track: { steps } });
      const { streamSid } = await phone.once('streaming');
      await within(10_000, 'the tool', running.promise);
      phone.dropSocket();
      await phone.once('streaming', { where: (stream) => stream.streamSid !== streamSid });
      back.resolve();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end.reason).toBe('agent_goodbye');
      expect(record.tools.map(({ name, status }) => `${name} ${status}`)).toEqual([
        'lookup_account ok',
        'end_call built_in',
      ]);
    });
  });
});

/** A carrier by hand: a call whose stream has started. */
async function streaming(e2e: E2e) {
  const params = webhookParams();
  const { body } = await post(e2e, '/voice', params);
  const stream = await open(e2e, body, params);
  const next = async (more: Record<string, string> = {}) =>
    (await post(e2e, '/voice/next', { ...params, CallStatus: 'in-progress', ...more })).body;
  const callSid = params['CallSid'] as string;
  return { params, callSid, stream, next };
}

async function open(e2e: E2e, twiml: string, params: Record<string, string>): Promise<Upgrade> {
  const stream = await upgrade(e2e, mediaUrl(twiml));
  const { AccountSid: accountSid, CallSid: callSid } = params;
  const streamSid = `MZ${'0'.repeat(31)}${twiml.length % 10}`;
  const start = { accountSid, callSid, streamSid, tracks: ['inbound'], customParameters: {} };
  const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 };
  stream.socket?.send(
    JSON.stringify({ event: 'start', sequenceNumber: '1', streamSid, start: { ...start, mediaFormat } }),
  );
  return stream;
}

/** The next message of our agent on a stream. */
const speech = ({ socket }: Upgrade): Promise<unknown> =>
  within(5_000, 'sound', new Promise((resolve) => socket?.once('message', resolve)));

describe.concurrent('a caller who was lost', () => {
  const script = { greeting: says(3_000), turns: [] };

  test('and does not come back is given up by a name, and what follows is what was agreed', { timeout: 30_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const { callSid, stream, next } = await streaming(e2e);
      await speech(stream);
      const lostMs = performance.now();
      stream.socket?.terminate();
      const ended = new Promise<void>((resolve) => void e2e.server.records.onRecord(() => resolve()));
      await within(15_000, 'the end', ended);
      expect(performance.now() - lostMs).toBeLessThan(12_000);
      expect((await e2e.record(callSid)).end.reason).toBe('media_lost');
      expect(await next()).toMatch(/<Hangup\/>/);
      expect(await next()).not.toMatch(/<Stream/);
    }),
  );

  test('may ask twice: either answer opens one stream, and no more than one', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const { params, callSid, stream, next } = await streaming(e2e);
      await speech(stream);
      stream.socket?.terminate();
      const [first, repeated] = [await next(), await next()];
      const back = await open(e2e, repeated, params);
      expect(back.status).toBe(101);
      await speech(back);
      const late = await open(e2e, first, params);
      if (late.status === 101) expect(await within(5_000, 'its end', late.closed)).not.toBe(1006);
      expect(back.socket?.readyState).toBe(1);
      back.socket?.send(JSON.stringify({ event: 'stop', sequenceNumber: '9', streamSid: `MZ${'0'.repeat(32)}` }));
      await post(e2e, '/voice/status', { ...params, CallStatus: 'completed', CallDuration: '5' });
      expect((await e2e.record(callSid)).end.reason).toBe('caller_hung_up');
    }),
  );

  test('and hangs up meanwhile ends the call at once', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const { params, callSid, stream } = await streaming(e2e);
      await speech(stream);
      stream.socket?.terminate();
      await stream.closed;
      await post(e2e, '/voice/status', { ...params, CallStatus: 'completed', CallDuration: '5' });
      expect((await e2e.record(callSid)).end.reason).toBe('caller_hung_up');
      expect(e2e.server.calls.live).toBe(0);
    }),
  );

  test('when the carrier says in the same question that the call is over is not waited for', { timeout: 20_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const { callSid, stream, next } = await streaming(e2e);
      await speech(stream);
      stream.socket?.terminate();
      expect(await next({ CallStatus: 'completed' })).not.toMatch(/<Stream/);
      expect((await e2e.record(callSid)).end.reason).toBe('caller_hung_up');
    }),
  );

  test('while the process drains still comes back, and hears the goodbye', { timeout: 30_000 }, () =>
    withE2e({ simulator: { script } }, async (e2e) => {
      const { params, callSid, stream, next } = await streaming(e2e);
      await speech(stream);
      const drained = e2e.server.drain(3_000);
      stream.socket?.terminate();
      const back = await open(e2e, await next(), params);
      await speech(back);
      await within(20_000, 'the drain', drained);
      expect((await e2e.record(callSid)).end.reason).toBe('drained');
    }),
  );
});
