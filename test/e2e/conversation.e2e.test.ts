// Recorded callers talk to the whole product: question, barge-in, tool, goodbye. What the record says is compared with what
// the phone really heard and what the model's side really did.
import { describe, expect, test, vi } from 'vitest';
import { bytesToMs, msToBytes } from '../../src/audio/mulaw.ts';
import { readWav } from '../../src/audio/wav.ts';
import type { AgentUtterance, CallerTurn, CallRecord } from '../../src/record/call-record.ts';
import { trackFromTimeline, trackFromWav } from '../../src/phone/caller-track.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import { clip } from '../../src/simulator/clips.ts';
import type { Script } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import type { Tape } from '../../src/tape/tape.ts';
import { recordedPath, question, withE2e } from '../support/e2e.ts';

// Calls speak in real time: waiting costs nothing, so they wait together.
vi.setConfig({ maxConcurrency: 20 });

/** For track-barge-in.wav: a question at 1.5 s, an interruption at 6.9 s, more words at 16.2 s, closing words at 21.8 s. */
const script: Script = {
  greeting: { items: [{ say: ['short_ok'] }] },
  turns: [
    { callerTranscript: 'What is the weather like?', items: [{ say: ['clinic_support_long'] }] },
    {
      callerTranscript: 'Turn on the lamp.',
      items: [{ say: ['clinic_one_moment'] }, { tool: 'lookup_account', arguments: { account: '100019021001803' } }],
    },
    { callerTranscript: 'Not so sure.', items: [{ say: ['sorry_repeat'] }] },
    { callerTranscript: 'Thank you.', items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] },
  ],
  afterTool: { lookup_account: { items: [{ say: ['clinic_anything'] }] } },
};

const agentTurns = (record: CallRecord) => record.turns.filter((turn): turn is AgentUtterance => turn.who === 'agent');
const callerTurns = (record: CallRecord) => record.turns.filter((turn): turn is CallerTurn => turn.who === 'caller');

describe.concurrent('a recorded caller', () => {
  test.for([
    { who: 'the model interrupts and answers; the agent records', by: 'model', records: true },
    { who: 'we interrupt and answer; the agent does not record', by: 'trunkline', records: false },
  ] as const)('asks, interrupts, gets a looked-up answer and a goodbye: $who', { timeout: 60_000 }, ({ by, records }) =>
    withE2e(
      {
        agent: ({ turnTaking, recording }) => ({
          turnTaking: { ...turnTaking, interruptsBy: by, answersBy: by },
          recording: records ? recording : null,
        }),
        simulator: { script },
      },
      async (e2e) => {
        const phone = e2e.call({ track: trackFromWav(recordedPath('tracks/track-barge-in.wav')) });
        const session = await e2e.session();
        const heard = await phone.ended;
        const record = await e2e.record(phone.callSid);

        expect(phone.warnings).toEqual([]);
        expect(phone.verbs.map(({ name }) => name)).toEqual(['Connect', 'Hangup']);
        expect(heard).toMatchObject({ endedBy: 'server', callStatus: 'completed', unplayedBytes: 0 });
        const http = heard.http.map(({ path, status }) => `${path.replace(/media\/.*/, 'media')} ${status}`);
        expect(http.filter((line) => !line.startsWith('/voice/status'))).toEqual([
          '/voice 200',
          '/media 101',
          '/voice/next 200',
        ]);
        // The stream started, the stream stopped, the call completed.
        expect(http.filter((line) => line.startsWith('/voice/status'))).toEqual(Array(3).fill('/voice/status 204'));
        expect(record.end).toMatchObject({ reason: 'agent_goodbye', by: 'agent', result: 'success' });
        expectTurns(record, session, heard);
        expectBill(record, session);

        const audio = await e2e.audioFile(phone.callSid);
        if (records) expectSameSound(phone, heard, audio as Buffer, lateFirstFrame(await e2e.tape(phone.callSid)));
        else expect(audio).toBeNull();
      },
    ),
  );

  test('presses keys, which the model is told as text', { timeout: 30_000 }, () =>
    withE2e({ simulator: { script: { ...script, turns: [{ items: [{ say: ['short_ok'] }] }] } } }, async (e2e) => {
      const phone = e2e.call({
        track: trackFromTimeline([
          { atMs: 1_000, dtmf: '42#' },
          { atMs: 4_500, hangup: true },
        ]),
      });
      const session = await e2e.session();
      await phone.ended;
      const record = await e2e.record(phone.callSid);
      expect(session.items.map(({ text }) => text)).toContain('[The caller pressed keys: 4 2 #]');
      expect(agentTurns(record).map(({ outcome }) => outcome)).toEqual(['heard', 'heard']);
      expect(record).toMatchObject({ keysPressed: 3, end: { reason: 'caller_hung_up', by: 'caller' } });
    }),
  );

  test('says nothing, is asked once and then told goodbye', { timeout: 30_000 }, () =>
    withE2e(
      {
        agent: ({ silence }) => ({
          silence: { ...silence, promptAfterMs: 1_200, goodbye: 'I cannot hear you. Goodbye.' },
        }),
        simulator: { script: { ...script, whenInstructions: silentAnswers } },
      },
      async (e2e) => {
        const phone = e2e.call();
        const { verbs, unplayedBytes } = await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(agentTurns(record).map(({ heardText }) => heardText)).toEqual([
          clip('short_ok').text,
          clip('still_there').text,
          clip('silence_goodbye').text,
        ]);
        expect(record.end).toMatchObject({ reason: 'caller_silent', result: 'success' });
        expect(unplayedBytes).toBe(0);
        expect(verbs.at(-1)?.name).toBe('Hangup');
      },
    ),
  );

  test('speaks up during the goodbye: the call goes on until the next one', { timeout: 30_000 }, () =>
    withE2e(
      {
        agent: { greeting: null },
        simulator: {
          script: {
            turns: [
              { items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }] },
              { items: [{ say: ['short_ok'] }, { tool: 'end_call', arguments: {} }] },
            ],
          },
        },
      },
      async (e2e) => {
        const phone = e2e.call({ track: { steps: [{ cue: { atMs: 300 }, action: { say: question() } }] } });
        const session = await e2e.session();
        // The whole goodbye is at the carrier by then, and end_call was asked for.
        await session.next('response_done');
        phone.say(question());
        await phone.once('clear');
        await phone.ended;
        const record = await e2e.record(phone.callSid);
        expect(agentTurns(record).map(({ outcome }) => outcome)).toEqual(['interrupted', 'heard']);
        expect(session.items.some(({ text }) => text?.includes('The call goes on'))).toBe(true);
        expect(record.end.reason).toBe('agent_goodbye');
      },
    ),
  );
});

const silentAnswers = [
  { contains: 'still there', answer: { items: [{ say: ['still_there'] }] } },
  { contains: 'cannot hear', answer: { items: [{ say: ['silence_goodbye'] }] } },
];

/** The record's turns against the phone's ear and the model's items. */
function expectTurns(record: CallRecord, session: SimulatedSession, heard: PhoneResult): void {
  expect(callerTurns(record).map(({ transcript }) => transcript)).toEqual(
    script.turns.map(({ callerTranscript }) => callerTranscript),
  );
  const turns = agentTurns(record);
  expect(turns.map(({ outcome }) => outcome)).toEqual(['heard', 'interrupted', 'heard', 'heard', 'heard', 'heard']);
  for (const turn of turns) expect(`${turn.heardText} ${turn.unheardText}`.trim()).toBe(turn.text);

  const interrupted = turns[1] as AgentUtterance;
  expect(interrupted.heardText).toMatch(/^I can help with that\. \S/);
  expect(interrupted.unheardText).toMatch(/Which of these would you like\?$/);
  const [clear] = heard.clears;
  const stretch = heard.heard.find(({ atMs, durationMs }) => clear && atMs + durationMs > clear.atMs - 1);
  expect(heard.clears).toHaveLength(1);
  expect(Math.abs(interrupted.heardMs - (stretch?.durationMs ?? 0))).toBeLessThanOrEqual(20);
  const item = session.items.find(({ truncatedAtMs }) => truncatedAtMs !== null);
  expect(item?.truncatedAtMs).toBe(interrupted.heardMs);
  expect(record.stops).toMatchObject([{ because: 'caller_spoke' }]);

  expect(record.tools).toMatchObject([
    { name: 'lookup_account', status: 'ok', output: '{"balance_usd":42.5,"due":"June 3"}' },
    { name: 'end_call', status: 'built_in' },
  ]);
  for (const { latency } of callerTurns(record)) {
    expect(latency).toMatchObject({ toolsMs: 0 });
    expect(latency?.ourMs).toBeLessThan(20);
    // The agent's silence_ms, which the model waits for before it takes a turn as over.
    expect(Math.abs((latency?.endOfTurnWaitMs ?? 0) - 500)).toBeLessThan(100);
  }
}

/** Every response and every transcription is one line, metered, with the tokens that the model reported. */
function expectBill(record: CallRecord, session: SimulatedSession): void {
  const { lines } = record.cost;
  for (const { id, usage } of session.responses) {
    const line = lines.find(({ source }) => source === id);
    const { input_token_details: input, output_token_details: output } = usage as NonNullable<typeof usage>;
    const count = (kind: 'text' | 'audio') => {
      const cached = input.cached_tokens_details[`${kind}_tokens`];
      return { fresh: input[`${kind}_tokens`] - cached, cached, out: output[`${kind}_tokens`] };
    };
    expect(line).toMatchObject({
      what: 'answer',
      state: 'metered',
      doubt: null,
      quantities: { text: count('text'), audio: count('audio'), image: { fresh: 0, cached: 0, out: 0 } },
    });
  }
  // Nothing beside them: what the bill says was used is what the model says it was.
  const answers = lines.flatMap(({ what, quantities: q }) => (what === 'answer' && q.unit === 'tokens' ? [q] : []));
  const tokens = answers
    .flatMap(({ text, audio, image }) => [text, audio, image])
    .reduce((sum, { fresh, cached, out }) => sum + fresh + cached + out, 0);
  expect(tokens).toBe(session.responses.reduce((sum, { usage }) => sum + (usage?.total_tokens ?? 0), 0));
  const callerItems = session.items.filter(({ role }) => role === 'user').map(({ id }) => id);
  expect(lines.filter(({ what }) => what === 'transcription').map(({ source }) => source)).toEqual(callerItems);
  const carrier = lines.filter(({ what }) => what === 'leg' || what === 'media_stream');
  expect(carrier.map(({ what, product, state }) => [what, product, state])).toEqual([
    ['media_stream', 'twilio/media_stream', 'estimated'],
    ['leg', 'twilio/inbound_local', 'estimated'],
  ]);
  expect(new Set(lines.map(({ source, what }) => `${what} ${source}`)).size).toBe(lines.length);
  expect(record.cost.unpricedLines).toBe(0);
  expect(record.cost.totalNanoUsd).toBe(lines.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0), 0));
}

/** The call's recording against the phone's own: the same sound on each side, at most 40 ms apart. */
function expectSameSound(phone: PhoneCall, { said, heard }: PhoneResult, file: Buffer, lateMs: number): void {
  const ours = readWav(file).channels;
  const theirs = readWav(phone.stereoWav()).channels;
  expect(ours).toHaveLength(2);
  const agent = heard.map(({ atMs, durationMs }) => ({ atMs, endMs: atMs + durationMs }));
  const [left = [], right = []] = [said, agent].map((stretches, side) =>
    stretches.flatMap((stretch) => shiftsOf(ours[side] as Uint8Array, theirs[side] as Uint8Array, stretch)),
  );
  expect(Math.min(left.length, right.length), 'pieces of sound').toBeGreaterThan(20);
  // The agent sounds where the ledger expects it, the caller's first frame lies where it arrived, and neither side moves
  // against the other afterwards. When each side saw the start, and the first frame, is the machine's doing.
  const begin = right[0] as number;
  for (const shift of right) expect(Math.abs(shift - begin), 'the agent').toBeLessThanOrEqual(TOLERANCE_MS);
  for (const shift of left) expect(Math.abs(shift - lateMs), 'the caller').toBeLessThanOrEqual(TOLERANCE_MS);
  expect(Math.abs(begin), 'the start').toBeLessThanOrEqual(TOLERANCE_MS + START_SLACK_MS);
}

/** How much later than its timestamp the caller's first frame came, by the server's clock since the start. */
function lateFirstFrame({ entries }: Tape): number {
  const started = entries.find(({ text }) => text.includes('"leg.started"'));
  const frame = entries.find((entry) => entry.kind === 'frame');
  if (!started || !frame) throw new Error('the tape has no start or no frame');
  return frame.atMs - started.atMs - frame.timestampMs;
}

const TOLERANCE_MS = 40;
/** How late a busy machine may tell the server of the start. */
const START_SLACK_MS = 200;
const PIECE = msToBytes(100);
const SEARCH = msToBytes(200);

/**
 * For every tenth of a second of a stretch that is all sound: by how many ms the first line is later; NaN where the sound
 * differs. The end of a stretch is left out: where a clear cut it, the two may part by the tolerance.
 */
function shiftsOf(line: Uint8Array, reference: Uint8Array, stretch: { atMs: number; endMs: number }): number[] {
  const shifts: number[] = [];
  const end = Math.floor(msToBytes(stretch.endMs - TOLERANCE_MS)) - PIECE;
  for (let at = msToBytes(stretch.atMs); at <= end; at += PIECE) {
    const piece = Buffer.from(reference.subarray(at, at + PIECE));
    // Nearly silent pieces look alike everywhere.
    if (new Set(piece).size < 40) continue;
    const from = Math.max(0, at - SEARCH);
    const found = Buffer.from(line.subarray(from, at + PIECE + SEARCH)).indexOf(piece);
    shifts.push(found < 0 ? Number.NaN : bytesToMs(from + found - at));
  }
  return shifts;
}
