// The model fails in every way it can: the caller is never left in silence, hears the recorded apology where the call cannot
// go on, and the record names the reason. What is merely broken on the wire the caller does not notice at all.
import { describe, expect, test, vi } from 'vitest';
import { FRAME_BYTES, silence } from '../../src/audio/mulaw.ts';
import type { AgentUtterance, CallRecord } from '../../src/record/call-record.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Garbage, SessionOptions } from '../../src/simulator/options.ts';
import type { Answer, Script } from '../../src/simulator/script.ts';
import { type E2e, question, sampleAgent, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

/** The first words of the recorded apology: enough to know it by. */
const APOLOGY_MS = 1_200;
const { failure } = await sampleAgent();
const apology = failure.apology.subarray(0, APOLOGY_MS * 8);

const NUMBER = '+15005550009';

const farewell: Answer = { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] };
const script: Script = { greeting: { items: [{ say: ['clinic_one_moment'] }] }, turns: [farewell] };

/** The caller's question as soon as the agent has been silent for a moment. */
const asks = { cue: { after: 'agent_silent', forMs: 500, patienceMs: 60_000 }, action: { say: question() } } as const;

interface Heard {
  /** When the apology began to sound, in ms of the stream; undefined when it never did. */
  apologyAtMs: number | undefined;
  /** The longest time in which the caller heard nothing, before the apology. */
  longestSilenceMs: number;
}

/** What reached the caller's ear. */
function listen(phone: PhoneResult): Heard {
  let apologyAtMs: number | undefined;
  let longestSilenceMs = 0;
  let quietSinceMs = 0;
  for (const { atMs, durationMs, bytes } of phone.heard) {
    longestSilenceMs = Math.max(longestSilenceMs, atMs - quietSinceMs);
    quietSinceMs = atMs + durationMs;
    const at = bytes.indexOf(apology);
    if (at < 0) continue;
    apologyAtMs = atMs + at / 8;
    break;
  }
  return { apologyAtMs, longestSilenceMs };
}

interface Fault {
  what: string;
  options: SessionOptions;
  reason: string;
  /** From the start of the stream, or of the caller's turn, to the apology. Default 4 s. */
  withinMs?: number;
}

const BEFORE_A_WORD: Fault[] = [
  { what: 'refuses with 401', options: { refuse: { status: 401 } }, reason: 'model_refused', withinMs: 500 },
  {
    what: 'refuses with 503',
    options: { refuse: { status: 503, retryAfter: 1 } },
    reason: 'model_refused',
    withinMs: 500,
  },
  {
    what: 'refuses with 401 after two seconds',
    options: { refuse: { status: 401 }, handshakeDelayMs: 2_000 },
    reason: 'model_refused',
    withinMs: 2_500,
  },
  { what: 'never answers the handshake', options: { hangHandshake: true }, reason: 'model_unreachable' },
  { what: 'never confirms the configuration', options: { updateDelayMs: 60_000 }, reason: 'model_unreachable' },
  {
    what: 'refuses the configuration',
    options: { refuseUpdate: { code: 'invalid_value', message: 'No.' } },
    reason: 'model_refused',
    withinMs: 500,
  },
  { what: 'makes no response', options: { mute: true }, reason: 'model_stalled' },
  { what: 'makes a response without a sound', options: { stall: true }, reason: 'model_stalled' },
  {
    what: 'goes away before a word',
    options: { mute: true, dropAfterMs: 1_000 },
    reason: 'model_lost',
    withinMs: 1_500,
  },
];

const WHILE_SPEAKING: Fault[] = [
  { what: 'without a word (1006)', options: { dropAfterMs: 1_500 }, reason: 'model_lost' },
  {
    what: 'for a restart (1001)',
    options: { dropAfterMs: 1_500, dropCode: 1001, dropReason: 'restart' },
    reason: 'model_lost',
  },
  {
    what: 'with an internal error (1011)',
    options: { dropAfterMs: 1_500, dropCode: 1011, dropReason: 'oops' },
    reason: 'model_lost',
  },
  { what: 'at the end of its session (1001)', options: { expiresInMs: 1_500 }, reason: 'model_lost' },
];

const withApology = { failure: { ...failure, apology } };

describe.concurrent('a model that cannot go on', () => {
  test.for(BEFORE_A_WORD)(
    '$what: the caller hears the apology and the call ends as $reason',
    { timeout: 25_000 },
    ({ options, reason, withinMs = 4_000 }) =>
      withE2e({ agent: withApology, simulator: { script, ...options } }, async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeLessThan(withinMs);
        await expectFailure(e2e, phone, result, reason);
        expect(result.verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
      }),
  );

  test.for(WHILE_SPEAKING)(
    'goes $what in the middle of an answer: what was sent plays out, then the apology',
    { timeout: 25_000 },
    ({ options, reason }) =>
      withE2e({ agent: withApology, simulator: { script: long, ...options } }, async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        const { apologyAtMs, longestSilenceMs } = listen(result);
        expect(apologyAtMs).toBeGreaterThan(1_500);
        // Four seconds of the answer were at the carrier; the apology follows without a pause.
        expect(longestSilenceMs).toBeLessThan(500);
        const record = await expectFailure(e2e, phone, result, reason);
        const [answer] = agentTurns(record);
        expect(answer).toMatchObject({ outcome: 'interrupted', whole: false });
        // What the record calls heard is what the phone heard until the apology.
        expect(
          Math.abs((apologyAtMs as number) - (result.firstAudioAtMs as number) - (answer?.heardMs ?? 0)),
        ).toBeLessThanOrEqual(20);
        expect(answer?.unheardText).not.toBe('');
      }),
  );

  test('stops sounding in the middle of an answer: the apology comes when nothing follows', { timeout: 25_000 }, () =>
    withE2e(
      {
        agent: withApology,
        simulator: {
          script: {
            ...script,
            greeting: { items: [{ say: ['clinic_greeting'], stallAfterMs: 1_000, stallMs: 30_000 }] },
          },
        },
      },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        const { apologyAtMs, longestSilenceMs } = listen(result);
        expect(apologyAtMs).toBeDefined();
        expect(longestSilenceMs).toBeLessThan(4_000);
        await expectFailure(e2e, phone, result, 'model_stalled');
      },
    ),
  );

  test('fails two answers in a row: asked again once, then the apology', { timeout: 25_000 }, () =>
    withE2e(
      {
        agent: { ...withApology, greeting: null },
        simulator: { script: { turns: [failed, failed, farewell] } },
      },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [{ cue: { atMs: 300 }, action: { say: question() } }] } });
        const session = await e2e.session();
        const result = await phone.ended;
        await expectFailure(e2e, phone, result, 'model_failed');
        expect(session.responses.map(({ status }) => status)).toEqual(['failed', 'failed']);
      },
    ),
  );

  test('fails after it was asked for a goodbye: the caller still hears one', { timeout: 25_000 }, () =>
    withE2e(
      {
        agent: ({ silence }) => ({
          ...withApology,
          silence: { ...silence, promptAfterMs: 1_000, prompt: 'Still there?' },
        }),
        simulator: {
          script: {
            ...script,
            whenInstructions: [
              { contains: 'still there', answer: failed },
              { contains: 'cannot hear', answer: failed },
            ],
          },
        },
      },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeDefined();
        await expectFailure(e2e, phone, result, 'model_failed');
      },
    ),
  );

  test('is forwarded to a person where the agent file names one', { timeout: 25_000 }, () =>
    withE2e(
      { agent: { failure: { ...failure, apology, forwardTo: NUMBER } }, simulator: { refuse: { status: 401 } } },
      async (e2e) => {
        const phone = e2e.call();
        const result = await phone.ended;
        expect(listen(result).apologyAtMs).toBeLessThan(500);
        const [connect, dial] = result.verbs;
        expect([connect?.name, dial?.name]).toEqual(['Connect', 'Dial']);
        expect(JSON.stringify(dial)).toContain(NUMBER);
        const record = await expectFailure(e2e, phone, result, 'model_refused');
        expect(record.end.next).toEqual({ do: 'forward', to: NUMBER });
      },
    ),
  );

  test(
    'is forwarded to a person where the agent file names one, also when the carrier drops the media meanwhile',
    { timeout: 25_000 },
    () =>
      withE2e(
        { agent: { failure: { ...failure, forwardTo: NUMBER } }, simulator: { refuse: { status: 401 } } },
        async (e2e) => {
          const phone = e2e.call();
          await phone.once('firstAudio');
          phone.dropSocket();
          const { verbs } = await phone.ended;
          expect(verbs.map(({ name }) => name)).toEqual(['Connect', 'Dial', 'Hangup']);
        },
      ),
  );
});

const long: Script = { greeting: { items: [{ say: ['clinic_support_long'] }] }, turns: [] };
const failed: Answer = { items: [], status: 'failed', error: { code: 'server_error' } };

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

  test('ends an answer early (max_output_tokens): what was said is heard', { timeout: 25_000 }, () =>
    withE2e(
      { simulator: { script: { ...script, greeting: { items: [{ say: ['short_ok'] }], status: 'incomplete' } } } },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [asks] } });
        const result = await phone.ended;
        expect((await e2e.record(phone.callSid)).end.reason).toBe('agent_goodbye');
        expectHeard(result, 'short_ok', 'short_ok');
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

const agentTurns = (record: CallRecord) => record.turns.filter((turn): turn is AgentUtterance => turn.who === 'agent');

/** The caller heard these clips and nothing else, each filled up to whole frames with silence. */
function expectHeard({ heard }: PhoneResult, ...names: string[]): void {
  const expected = names.flatMap((name) => {
    const { audio } = clip(name);
    return [audio, silence((FRAME_BYTES - (audio.length % FRAME_BYTES)) % FRAME_BYTES)];
  });
  expect(Buffer.concat(heard.map(({ bytes }) => bytes)).equals(Buffer.concat(expected))).toBe(true);
}

/** The call ended for this reason, after the whole apology, by the model's fault. */
async function expectFailure(e2e: E2e, phone: PhoneCall, result: PhoneResult, reason: string): Promise<CallRecord> {
  const record = await e2e.record(phone.callSid);
  expect(record.end).toMatchObject({ reason, by: 'model', result: 'failure' });
  expect(agentTurns(record).at(-1)).toMatchObject({ utterance: 'clip:apology', outcome: 'heard' });
  expect(result).toMatchObject({ unplayedBytes: 0, callStatus: 'completed' });
  expect(await e2e.metric('trunkline_sessions_closed_total', { reason })).toBe(1);
  return record;
}
