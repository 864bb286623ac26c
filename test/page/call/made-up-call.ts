// Calls that nobody made: as many turns as a test wants, with barge-ins, tools, notes and words that try to be more than words;
// the same ones every time. As facts of the database, and as the files that a call leaves.
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSample } from '../../../src/audio/mulaw.ts';
import { wavHeader } from '../../../src/audio/wav.ts';
import type { AgentUtterance, CallerTurn, ToolRecord, Turn } from '../../../src/record/call-record.ts';
import type { LedgerLine } from '../../../src/ledger/line.ts';
import type { StoreEvent } from '../../../src/store/events.ts';
import { seededRandom } from '../../../src/phone/seeded-random.ts';

export const STARTED_MS = Date.UTC(2026, 10, 20, 12);
export const HOSTILE = '<img src=x onerror=alert(1)>';

export interface MadeUp {
  callId: string;
  durationMs: number;
  turns: Turn[];
  tools: ToolRecord[];
  lines: LedgerLine[];
  ended: boolean;
}

export interface MadeUpOptions {
  callId: string;
  minutes: number;
  /** Of both sides. */
  turns: number;
  ended?: boolean;
}

const SAID = [
  "I'd like to speak to somebody about my appointment on Tuesday, please.",
  `My name is ${HOSTILE} and my number is one zero zero zero one nine.`,
  'No, not that one. The other one, later in the week, if you have it.',
  'Yes.',
];
const ANSWERED = [
  'Of course. Let me look that up for you, one moment please.',
  'Doctor Mori is free on Tuesday at half past nine, at ten, and at eleven. Shall I book one of them for you?',
  `I have noted "${HOSTILE}" as your name. Is that right?`,
  'It is booked. Is there anything else that I can do for you today?',
];

export function madeUpCall({ callId, minutes, turns: count, ended = true }: MadeUpOptions): MadeUp {
  const random = seededRandom(7);
  const durationMs = minutes * 60_000;
  const each = (durationMs - 2_000) / count;
  const turns: Turn[] = [];
  const tools: ToolRecord[] = [];
  const lines: LedgerLine[] = [];
  let answerAt = 500;
  for (let n = 0; n < count; n++) {
    // The agent sounds when the latency of the turn before it says, except once, where nobody knows why it took longer.
    const at = n % 2 === 0 ? answerAt : Math.round(500 + n * each);
    if (n % 2 === 0) turns.push(agentTurn(n, at, each, random));
    else {
      const turn = callerTurn(n, at, each, random);
      turns.push(turn);
      const { latency } = turn;
      answerAt = (turn.committedAtMs ?? 0) + (latency?.answerMs ?? 0) + (latency?.queuedMs ?? 0) + (n === 11 ? 700 : 0);
      if (n % 7 === 1) tools.push(toolRun(tools.length, (turn.committedAtMs ?? 0) + 80));
    }
    lines.push(n % 2 === 0 ? answerLine(n, at) : transcriptionLine(n, at));
  }
  lines.push(legLine(minutes, durationMs));
  return { callId, durationMs, turns, tools, lines, ended };
}

function agentTurn(n: number, at: number, each: number, random: () => number): AgentUtterance {
  const text = ANSWERED[(n / 2) % ANSWERED.length] as string;
  const receivedMs = Math.round(each * (0.72 + random() * 0.2));
  const interrupted = n % 10 === 4;
  const heardMs = interrupted ? Math.round(receivedMs * 0.4) : receivedMs;
  const cut = interrupted ? text.indexOf(' ', Math.round(text.length * 0.4)) : text.length;
  return {
    who: 'agent',
    utterance: `u${n}`,
    answer: `resp_${n}`,
    startAtMs: at,
    soundAtMs: at + 1,
    outcome: interrupted ? 'interrupted' : 'heard',
    heardMs,
    sentMs: receivedMs,
    receivedMs,
    text,
    heardText: text.slice(0, cut).trim(),
    unheardText: text.slice(cut).trim(),
    whole: true,
  };
}

function callerTurn(n: number, at: number, each: number, random: () => number): CallerTurn {
  const stop = at + Math.round(each * 0.6);
  const waitMs = 500;
  const slow = n === 15;
  const modelMs = slow ? 2_400 : 120 + Math.round(random() * 500);
  const toolsMs = n % 7 === 1 ? 60 : 0;
  const committed = stop + waitMs;
  const answerMs = modelMs + toolsMs + 1;
  return {
    who: 'caller',
    turn: `item_${n}`,
    speechStartAtMs: at,
    speechStopAtMs: committed,
    committedAtMs: committed,
    transcript: SAID[((n - 1) / 2) % SAID.length] as string,
    latency: {
      turn: `item_${n}`,
      endOfTurnWaitMs: n === 9 ? null : waitMs,
      endOfTurnFrom: n === 9 ? null : 'input_clock',
      modelMs,
      toolsMs,
      ourMs: 0.412,
      queuedMs: n % 5 === 0 ? 180 : 0,
      carrierMs: 34,
      answerMs,
      voiceToVoiceMs: n === 9 ? null : waitMs + answerMs + (n % 5 === 0 ? 180 : 0) + 34,
    },
  };
}

const STATUSES = ['ok', 'ok', 'timeout', 'ok', 'aborted'];

const toolRun = (n: number, atMs: number): ToolRecord => ({
  toolCall: `call_${n}`,
  name: n % 2 === 0 ? 'find_patient' : 'list_slots',
  atMs,
  status: STATUSES[n % STATUSES.length] as string,
  durationMs: 60,
  arguments: JSON.stringify({ number: '1000190210', note: HOSTILE }),
  output: n % 5 === 4 ? null : JSON.stringify({ name: HOSTILE, slots: ['2026-11-24T09:30', '2026-11-24T10:00'] }),
});

const none = { fresh: 0, cached: 0, out: 0 };

function answerLine(n: number, at: number): LedgerLine {
  const quantities = {
    unit: 'tokens' as const,
    text: { fresh: 40 + n, cached: n === 0 ? 0 : 1_200, out: 20 },
    audio: { fresh: 90, cached: n === 0 ? 0 : 300, out: 130 },
    image: none,
  };
  return {
    source: `resp_${n}`,
    what: 'answer',
    seller: 'openai',
    product: 'gpt-realtime-2.1',
    atWallMs: STARTED_MS + at,
    quantities,
    unitPrice: {
      per: 'token',
      text: { fresh: 4_000, cached: 400, out: 24_000 },
      audio: { fresh: 32_000, cached: 400, out: 64_000 },
      image: { fresh: 5_000, cached: 500, out: 0 },
    },
    costNanoUsd:
      quantities.text.fresh * 4_000 +
      quantities.text.cached * 400 +
      20 * 24_000 +
      90 * 32_000 +
      quantities.audio.cached * 400 +
      130 * 64_000,
    state: 'metered',
    priceBook: 'openai.yaml 2026-11-20',
    doubt: n === 4 ? 'more cached tokens than went in' : null,
  };
}

const transcriptionLine = (n: number, at: number): LedgerLine => ({
  source: `item_${n}`,
  what: 'transcription',
  seller: 'openai',
  product: 'gpt-transcribe',
  atWallMs: STARTED_MS + at,
  quantities: { unit: 'seconds', seconds: 3.46 },
  unitPrice: { per: 'hour', nanoUsd: 270_000_000 },
  costNanoUsd: 259_500,
  state: 'metered',
  priceBook: 'openai.yaml 2026-11-20',
  doubt: null,
});

const legLine = (minutes: number, durationMs: number): LedgerLine => ({
  source: 'CA1',
  what: 'leg',
  seller: 'twilio',
  product: 'twilio/inbound_local',
  atWallMs: STARTED_MS + durationMs,
  quantities: { unit: 'minutes', seconds: durationMs / 1_000, minutes: Math.ceil(minutes) },
  unitPrice: { per: 'minute', nanoUsd: 8_500_000 },
  costNanoUsd: Math.ceil(minutes) * 8_500_000,
  state: 'estimated',
  priceBook: 'twilio.yaml 2026-11-20',
  doubt: null,
});

export const AGENT_HASH = 'de65c210bd120230e82b3148691f290f525642beece5a4067027d22b8bc6a940';
export const AGENT_TEXT = `name: Harbor Clinic\nnumbers: ['*']\ninstructions: |\n  You are the front desk. ${HOSTILE}\n`;

/** What the database is told of it. */
export function factsOf(call: MadeUp): StoreEvent[] {
  const { callId } = call;
  const facts: StoreEvent[] = [
    {
      ...{ type: 'call.started', callId, atWallMs: STARTED_MS - 400, carrier: 'twilio', carrierCallId: `CA${callId}` },
      ...{
        direction: 'inbound',
        from: { kind: 'pstn', value: '+15005550006' },
        to: { kind: 'pstn', value: '+15005550001' },
      },
      ...{
        attestation: 'TN-Validation-Passed-A',
        agent: 'Harbor Clinic',
        agentHash: AGENT_HASH,
        model: 'gpt-realtime-2.1',
      },
      ...{ node: 'n1', retention: { audioDays: null, textDays: null, metadataDays: null } },
    },
    ...call.turns.map((said, turn): StoreEvent => ({ type: 'turn.kept', callId, turn, said })),
    ...call.tools.map((run, tool): StoreEvent => ({ type: 'tool.kept', callId, tool, run })),
    ...call.lines.map((line): StoreEvent => ({ type: 'line.charged', callId, line })),
    {
      type: 'agent.known',
      hash: AGENT_HASH,
      name: 'Harbor Clinic',
      file: 'clinic/agent.yaml',
      text: AGENT_TEXT,
      atWallMs: STARTED_MS,
    },
  ];
  if (call.ended)
    facts.push({
      ...{ type: 'call.ended', callId, mediaStartedWallMs: STARTED_MS, endedWallMs: STARTED_MS + call.durationMs },
      ...{ reason: 'caller_hung_up', by: 'caller', result: 'success', detail: '', quality: 93 },
      ...{ latencyMs: 760, disposition: 'appointment', turnCount: call.turns.length, bargeIns: 2 },
    });
  return facts;
}

/** The parts of a record file that only that file has. */
export const recordOf = (call: MadeUp): object => ({
  v: 1,
  callId: call.callId,
  turns: call.turns,
  notes: [{ atMs: call.durationMs - 3_000, disposition: 'appointment', text: `Booked for ${HOSTILE}.` }],
  transfers: [{ atMs: 9_000, target: 'reception', stage: 'missed', why: 'nobody answered' }],
  handOffs: [],
  guarded: [],
  troubles: [{ atMs: 20_000, what: 'session_lost', why: '1006' }],
  keysPressed: 2,
  turnsDropped: 0,
  quality: { score: 93, deductions: [{ part: 'lost_session', points: 7, why: 'a session was lost' }] },
});

/** Frames of 20 ms: tones of 400 and 700 Hz, whole periods of both, so that frames fit each other. */
const tone = (hertz: number, size: number): Uint8Array =>
  Uint8Array.from({ length: 160 }, (_, i) =>
    encodeSample(Math.round(Math.sin((2 * Math.PI * hertz * i) / 8_000) * size)),
  );
const QUIET = new Uint8Array(160).fill(0xff);

/** Writes audio.wav, tape.jsonl and record.json, as far as wanted, below `dataDir/calls/<id>`. */
export async function writeFiles(
  dataDir: string,
  call: MadeUp,
  { audio, tape, record }: { audio: boolean; tape: boolean; record: boolean },
): Promise<void> {
  const folder = join(dataDir, 'calls', call.callId);
  await mkdir(folder, { recursive: true });
  if (audio) await writeAudio(join(folder, 'audio.wav'), call);
  if (tape) await writeFile(join(folder, 'tape.jsonl'), tapeOf(call));
  if (record) await writeFile(join(folder, 'record.json'), JSON.stringify(recordOf(call)));
}

async function writeAudio(path: string, call: MadeUp): Promise<void> {
  const [caller, agent] = [tone(400, 9_000), tone(700, 6_000)];
  const frames = Math.floor(call.durationMs / 20);
  const speaks = new Uint8Array(frames);
  for (const turn of call.turns) {
    const from = turn.who === 'agent' ? turn.soundAtMs : turn.speechStartAtMs;
    const to = turn.who === 'agent' ? (turn.soundAtMs ?? 0) + turn.heardMs : (turn.committedAtMs ?? 0) - 500;
    if (from === null) continue;
    for (let i = Math.floor(from / 20); i < Math.min(frames, to / 20); i++) speaks[i] = turn.who === 'agent' ? 2 : 1;
  }
  const kinds = [interleaved(QUIET, QUIET), interleaved(caller, QUIET), interleaved(QUIET, agent)];
  const file = await open(path, 'w');
  await file.write(wavHeader(frames * 320, 2));
  const AT_ONCE = 5_000;
  for (let i = 0; i < frames; i += AT_ONCE)
    await file.write(Buffer.concat(Array.from(speaks.subarray(i, i + AT_ONCE), (kind) => kinds[kind] as Uint8Array)));
  await file.close();
}

function interleaved(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length * 2);
  for (let i = 0; i < left.length; i++) {
    both[2 * i] = left[i] as number;
    both[2 * i + 1] = right[i] as number;
  }
  return both;
}

/** Lines as the tape's printer writes them: admission, media, keys, speech, what was sent; the end. */
function tapeOf(call: MadeUp): string {
  const baseMs = 12_418.113769;
  const lines: object[] = [
    {
      ...{ v: 2, trunkline: '0.1.0', callId: call.callId, direction: 'inbound', wallMs: STARTED_MS - 400 },
      ...{
        agent: { name: 'Harbor Clinic', file: 'clinic/agent.yaml', hash: AGENT_HASH },
        caller: 'pstn:…06',
        called: 'pstn:…01',
      },
      opening: {
        callId: call.callId,
        atMs: baseMs,
        on: { leg: 'l1', session: 's1', epoch: 0 },
        policy: {},
        capabilities: {},
      },
      sessionConfig: {},
    },
    { t: 5, call: { type: 'call.admitted' } },
    { t: 400, call: { type: 'leg.started' } },
    { t: 5_000, call: { type: 'leg.digit_pressed', digit: '4' } },
    { t: 5_400, call: { type: 'leg.digit_pressed', digit: '2' } },
  ];
  for (const [n, turn] of call.turns.entries()) {
    const at = 400 + (turn.who === 'agent' ? turn.startAtMs : (turn.speechStartAtMs ?? 0));
    for (let i = 0; i < 3; i++) lines.push({ t: at + i * 20, frame: [n * 3 + i, n * 60 + i * 20, 160] });
    if (turn.who === 'caller')
      lines.push({
        t: at + 70,
        session: { kind: 'message', message: { type: 'speech_started', itemId: turn.turn }, eventId: `e${n}` },
      });
    else
      lines.push({
        t: at + 70,
        sent: { type: 'response.create', event_id: `tl_${n}`, response: { instructions: HOSTILE } },
      });
  }
  if (call.ended) lines.push({ t: 400 + call.durationMs, closed: true });
  return `${lines
    .toSorted((a, b) => ((a as { t?: number }).t ?? -1) - ((b as { t?: number }).t ?? -1))
    .map((line) => JSON.stringify(line))
    .join('\n')}\n`;
}
