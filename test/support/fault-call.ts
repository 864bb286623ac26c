// A call whose model fails: what the caller heard of it, what each session was told, and what it cost.
import { expect } from 'vitest';
import type { AgentUtterance, CallRecord } from '../../src/record/call-record.ts';
import type { PhoneCall } from '../../src/phone/phone.ts';
import type { PhoneResult } from '../../src/phone/phone-result.ts';
import type { CallerStep } from '../../src/phone/caller-track.ts';
import type { Answer } from '../../src/simulator/script.ts';
import type { SimulatedSession } from '../../src/simulator/session.ts';
import { type E2e, recorded, sampleAgent } from './e2e.ts';

/** "One moment" is due after 1.7 s of silence; a busy machine may be late. */
export const FILLED_WITHIN_MS = 2_200;
/** While nothing else is to be had the caller is asked for a moment each 5 s. */
export const REASSURED_WITHIN_MS = 5_400;

const { failure } = await sampleAgent();
/** How a call ends that found its way back. */
export const WELL_DONE = { reason: 'agent_goodbye', result: 'success' };
/** What the agent says to thanks. */
export const FAREWELL: Answer = {
  callerTranscript: 'Thank you.',
  items: [{ say: ['farewell'] }, { tool: 'end_call', arguments: {} }],
};

/** The caller's words once the agent was heard for so long and is silent. */
export const says = (bytes: Uint8Array, minHeardMs: number, forMs = 700): CallerStep => ({
  cue: { after: 'agent_silent', forMs, minHeardMs, patienceMs: 25_000 },
  action: { say: bytes },
});
/** 1.1 s of closing words. */
export const thanks = (): Uint8Array => recorded('short-closing-words.wav', 180, 1_300);

/** The first words of the recorded sentences: enough to know them by. */
const sound = (clip: Uint8Array): Buffer => Buffer.from(clip.subarray(0, 800 * 8));
const APOLOGY = sound(failure.apology);
const HOLD = sound(failure.hold);

export interface Ear {
  /** When the apology began to sound, in ms of the stream; undefined when it never did. */
  apologyAtMs: number | undefined;
  /** When the caller was asked for a moment. */
  holdsAtMs: number[];
  /** When anything sounded first. */
  firstAtMs: number;
  /** The longest time in which the caller heard nothing, up to the apology or the last sound. */
  longestSilenceMs: number;
  /** The same from the first sound on. */
  longestPauseMs: number;
}

/** What reached the caller's ear. */
export function listen({ heard }: PhoneResult): Ear {
  const ear: Ear = {
    apologyAtMs: undefined,
    holdsAtMs: [],
    firstAtMs: heard[0]?.atMs ?? Infinity,
    longestSilenceMs: 0,
    longestPauseMs: 0,
  };
  let quietSinceMs = 0;
  for (const { atMs, durationMs, bytes } of heard) {
    ear.longestSilenceMs = Math.max(ear.longestSilenceMs, atMs - quietSinceMs);
    if (quietSinceMs > 0) ear.longestPauseMs = Math.max(ear.longestPauseMs, atMs - quietSinceMs);
    quietSinceMs = atMs + durationMs;
    for (let at = bytes.indexOf(HOLD); at >= 0; at = bytes.indexOf(HOLD, at + 1)) ear.holdsAtMs.push(atMs + at / 8);
    const at = bytes.indexOf(APOLOGY);
    if (at < 0) continue;
    ear.apologyAtMs = atMs + at / 8;
    break;
  }
  return ear;
}

/** What each session was told, in the order of its arrival; caller audio in a row is one `audio`. */
export function watchSessions(e2e: E2e): string[][] {
  const told: string[][] = [];
  e2e.simulator.onSession((session) => {
    const order: string[] = [];
    told.push(order);
    session.on('audio', () => void (order.at(-1) === 'audio' || order.push('audio')));
    session.on('client_event', (event) => void order.push(wordsOf(event)));
  });
  return told;
}

interface WireItem {
  type: string;
  role?: string;
  content?: { text: string }[];
  call_id?: string;
  output?: string;
}

function wordsOf({ type, item }: Record<string, unknown>): string {
  if (type !== 'conversation.item.create') return String(type);
  const { type: kind, role, content, call_id: callId, output } = item as WireItem;
  if (kind === 'message') return `${role}: ${content?.[0]?.text}`;
  return output === undefined ? `${kind} ${callId}` : `${kind} ${callId} ${output}`;
}

/**
 * A session that took over: told what was said before any audio and before any answer was asked for, the note last, and
 * never of another session's items.
 */
export function expectTakenOver(order: readonly string[], ...history: (string | RegExp)[]): void {
  const said = order.filter((words) => !['session.update', 'audio'].includes(words));
  expect(order[0]).toBe('session.update');
  expect(said.slice(0, history.length)).toEqual(
    history.map((words) => (typeof words === 'string' ? words : expect.stringMatching(words))),
  );
  expect(said[history.length]).toMatch(/^system: The call goes on.*Do not greet again/);
  const before = order.slice(0, order.indexOf(said[history.length] as string));
  expect(before, 'before the history was told').not.toContain('audio');
  expect(before).not.toContain('response.create');
  expect(order).not.toContain('conversation.item.truncate');
  expect(order).not.toContain('conversation.item.delete');
}

export const agentTurns = (record: CallRecord): AgentUtterance[] =>
  record.turns.filter((turn): turn is AgentUtterance => turn.who === 'agent');

/** The words of the agent that were heard, recorded sentences left out. */
export const heardWords = (record: CallRecord): string[] =>
  agentTurns(record)
    .filter(({ utterance, heardText }) => !utterance.startsWith('clip:') && heardText !== '')
    .map(({ heardText }) => heardText);

/**
 * Each answer is one line of the bill: metered where its session reported the usage, estimated where the session was lost
 * before it could.
 */
export function expectOneBill(record: CallRecord, sessions: readonly SimulatedSession[]): void {
  const answers = record.cost.lines.filter(({ what }) => what === 'answer');
  const responses = sessions.flatMap((session) => session.responses);
  const sources = (state: string): string[] =>
    answers.flatMap((line) => (line.state === state ? [line.source] : [])).sort();
  const ids = (reported: boolean): string[] =>
    responses.flatMap(({ id, usage }) => ((usage !== null) === reported ? [id] : [])).sort();
  expect(sources('metered')).toEqual(ids(true));
  expect(ids(false)).toEqual(expect.arrayContaining(sources('estimated')));
  expect(new Set(answers.map(({ source }) => source)).size).toBe(answers.length);
  expect(record.cost.unpricedLines).toBe(0);
  const carrier = record.cost.lines.filter(({ what }) => what === 'leg' || what === 'media_stream');
  expect(carrier).toHaveLength(2);
}

/** The call ended for this reason, after the whole apology, by the model's fault. */
export async function expectFailure(
  e2e: E2e,
  phone: PhoneCall,
  result: PhoneResult,
  reason: string,
): Promise<CallRecord> {
  const record = await e2e.record(phone.callSid);
  expect(record.end).toMatchObject({ reason, by: 'model', result: 'failure' });
  expect(agentTurns(record).at(-1)).toMatchObject({ utterance: 'clip:apology', outcome: 'heard' });
  expect(result).toMatchObject({ unplayedBytes: 0, callStatus: 'completed' });
  expect(await e2e.metric('trunkline_sessions_closed_total', { reason })).toBe(1);
  return record;
}
