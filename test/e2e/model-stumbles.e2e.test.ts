// The model stumbles, or what it sends is broken on the wire: the caller notices at most a longer wait.
import { describe, expect, test, vi } from 'vitest';
import { FRAME_BYTES, silence } from '../../src/audio/mulaw.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Garbage } from '../../src/simulator/options.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { question, withE2e } from '../support/e2e.ts';
import { agentTurns } from '../support/fault-call.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 40 });

const farewell: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };
const failed: Answer = { items: [], status: 'failed', error: { code: 'server_error' } };
const script: Script = { greeting: { items: [{ say: ['clinic_one_moment'] }] }, turns: [farewell] };

/** The caller's question as soon as the agent has been silent for a moment. */
const asks = { cue: { after: 'agent_silent', forMs: 500, patienceMs: 60_000 }, action: { say: question() } } as const;

describe.concurrent('a model that stumbles', () => {
  test('fails one answer: it is asked again, and the caller only waits', { timeout: 25_000 }, () =>
    withE2e({ agent: { greeting: null }, simulator: { script: { turns: [failed, farewell] } } }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [{ cue: { atMs: 300 }, action: { say: question() } }] } });
      const session = await e2e.session();
      const result = await phone.ended;
      expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
      expect(session.responses.map(({ status, origin }) => `${origin} ${status}`)).toEqual([
        'vad failed',
        'client completed',
      ]);
      expectHeard(result, 'short_ok');
    }),
  );

  test(
    'ends an answer early (max_output_tokens): what was said is heard, and it is asked to go on, once',
    { timeout: 25_000 },
    () =>
      withE2e(
        { simulator: { script: { ...script, greeting: { items: [{ say: ['short_ok'] }], status: 'incomplete' } } } },
        async (e2e) => {
          const phone = e2e.call({ track: { steps: [asks] } });
          const result = await phone.ended;
          expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
          // Cut off, cut off again, and the answer to the caller's turn.
          expectHeard(result, 'short_ok', 'short_ok', 'short_ok');
        },
      ),
  );

  test('sends late audio of an answer that the caller stopped: none of it is heard', { timeout: 25_000 }, () =>
    withE2e(
      {
        simulator: {
          script: { greeting: { items: [{ stampedMs: 8_000 }] }, turns: [farewell] },
          pace: 2,
          lateDeltas: 3,
          lateDeltasAfterDone: 3,
        },
      },
      async (e2e) => {
        const phone = e2e.call();
        await phone.once('firstAudio');
        phone.say(question());
        const { atMs } = await phone.once('clear');
        const stamped: number[] = [];
        phone.on('media', ({ bytes }) => void (bytes[0] === 0xaa && stamped.push(bytes.length)));
        expect(atMs).toBeLessThan(1_000);
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(stamped).toEqual([]);
        expect(record.notices).toMatchObject({ late_audio: expect.any(Number) });
        expect(record.end.reason).toBe('agent_goodbye');
      },
    ),
  );

  const everywhere = (kind: Garbage['kind'], at: string[]): Garbage[] =>
    at.map((type) => ({ at: type, kind, times: kind === 'huge' ? 1 : 3 }));
  const EVENTS = [
    'session.created',
    'session.updated',
    'response.created',
    'response.output_item.added',
    'response.output_audio.delta',
    'response.output_audio_transcript.delta',
    'response.output_item.done',
    'response.done',
    'input_audio_buffer.speech_started',
    'input_audio_buffer.committed',
    'response.function_call_arguments.done',
    'conversation.item.input_audio_transcription.completed',
  ];
  test.for([
    { kind: 'malformed_json', at: EVENTS },
    { kind: 'not_an_object', at: EVENTS },
    { kind: 'unknown_event', at: EVENTS },
    { kind: 'duplicate', at: EVENTS },
    { kind: 'binary', at: EVENTS },
    { kind: 'bare', at: EVENTS.filter((at) => !at.startsWith('session')) },
    { kind: 'huge', at: ['session.updated', 'response.output_audio.delta'] },
    // Events with another right behind them: what is held back longer is lost, not out of order.
    {
      kind: 'out_of_order',
      at: [
        'session.created',
        'response.created',
        'response.output_item.added',
        'response.function_call_arguments.done',
        'input_audio_buffer.committed',
      ],
    },
  ] as const)('sends $kind: the call goes on', { timeout: 25_000 }, ({ kind, at }) =>
    withE2e({ simulator: { script, garbage: everywhere(kind, [...at]) } }, async (e2e) => {
      const phone = e2e.call({ track: { steps: [asks] } });
      const result = await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(record.end).toMatchObject({ reason: 'agent_goodbye', result: 'success' });
      expect(agentTurns(record).map(({ outcome }) => outcome)).toEqual(['heard', 'heard']);
      // Sound neither lost nor doubled.
      expectHeard(result, 'clinic_one_moment', 'short_ok');
      expect(result.warnings).toEqual([]);
    }),
  );
});

/** The caller heard these clips and nothing else, each filled up to whole frames with silence. */
function expectHeard({ heard }: PhoneResult, ...names: string[]): void {
  const expected = names.flatMap((name) => {
    const { audio } = clip(name);
    return [audio, silence((FRAME_BYTES - (audio.length % FRAME_BYTES)) % FRAME_BYTES)];
  });
  expect(Buffer.concat(heard.map(({ bytes }) => bytes)).equals(Buffer.concat(expected))).toBe(true);
}
