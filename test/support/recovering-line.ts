// A call in virtual time whose model fails: what the test makes happen on it, what its sessions were told and what its
// caller heard.
import { expect } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { Plan } from './scripted-model.ts';
import { VirtualLine, type VirtualLineOptions } from './virtual-line.ts';

/** A model is given 8 s to be back, and the caller is asked for a moment meanwhile. */
export const RECOVERS = { holdBytes: 8_000, recoverWithinMs: 8_000 } as const;
/** The model greets. */
export const GREETING = { by: 'model', say: 'Say exactly this: "Hello."', protected: false } as const;
/** Sessions end soon, and the caller may be silent for as long as they like. */
export const ROLLS_OVER = { rolloverAfterMs: 55_000, silenceMs: 600_000 } as const;
/** An answer that never begins. */
export const MUTE: Plan = { items: [{ ms: 1_000 }], thinkMs: 1e9 };
/** A model that never confirms its session. */
export const HANGS = { readyAfterMs: 1e9 } as const;

/** A call whose caller is on the line. */
export function answered({ policy, ...options }: VirtualLineOptions = {}): VirtualLine {
  const line = new VirtualLine({ policy: { ...RECOVERS, ...policy }, ...options });
  line.startMedia();
  line.advance(50);
  return line;
}

/** The caller says something that lasts 500 ms, and is understood where there is a text. */
export function callerTurn(line: VirtualLine, text: string | null = null): void {
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
  if (text === null) return;
  const turn = line.events.findLast((event) => event.type === 'turn.committed');
  line.model.send({
    type: 'conversation.item.input_audio_transcription.completed',
    item_id: turn?.type === 'turn.committed' ? turn.turn : '',
    transcript: text,
  });
}

/** The line is sound: its frames reach us for so long. */
export function frames(line: VirtualLine, ms: number): void {
  for (let t = 0; t < ms; t += 20) {
    line.frame(line.clock.nowMs());
    line.advance(20);
  }
}

/** The answer that was asked for last fails. */
export function failAnswer(line: VirtualLine, code: string): void {
  const create = creates(line).at(-1)?.response as { metadata?: object } | undefined;
  const id = `resp_f${line.events.length}`;
  line.model.send({
    type: 'response.created',
    response: { id, conversation_id: 'c', metadata: create?.metadata ?? {} },
  });
  line.model.send({
    type: 'response.done',
    response: { id, conversation_id: 'c', status: 'failed', status_details: { error: { code } } },
  });
}

interface WireItem {
  type: string;
  role?: string;
  call_id?: string;
  content?: { text: string }[];
}

/** What a session was told and asked for, in order; the n-th, else the latest. */
export const told = (line: VirtualLine, n = line.models.length - 1): string[] =>
  (line.models[n]?.received ?? []).flatMap(({ type, item }) => {
    if (type === 'response.create') return ['response.create'];
    if (type !== 'conversation.item.create') return [];
    const { type: kind, role, call_id: callId, content } = item as WireItem;
    return kind === 'message' ? [`${role}: ${content?.[0]?.text}`] : [`${kind} ${callId}`];
  });
/** The same without what it was asked for. */
export const items = (line: VirtualLine, n?: number): string[] =>
  told(line, n).filter((words) => words !== 'response.create');
/** The answers that the latest session was asked for. */
export const creates = (line: VirtualLine) => line.model.received.filter(({ type }) => type === 'response.create');
/** Which sessions were opened, each with the model that it is of. */
export const opened = (line: VirtualLine): string[] => line.opened.map(({ session, target }) => `${session}/${target}`);

type Played = Extract<CallEffect, { do: 'leg.play' }> & { atMs: number };

export const played = (line: VirtualLine): Played[] => line.done('leg.play') as never;
/** When an utterance began to be played; a clip is named without its number. Undefined when it never was. */
export const began = (line: VirtualLine, utterance: string): number | undefined =>
  played(line).find((play) => play.utterance.startsWith(utterance) && play.fromByte === 0)?.atMs;
/** How often the caller was asked for a moment. */
export const holds = (line: VirtualLine): Played[] =>
  played(line).filter(({ utterance, fromByte }) => utterance.startsWith('clip:hold') && fromByte === 0);

/** The longest time in which the caller heard nothing, from `fromMs` to now. */
export function longestSilenceMs(line: VirtualLine, fromMs: number): number {
  let longest = 0;
  let heardUntil = fromMs;
  for (const { atMs, bytes } of line.buffer.heard(line.clock.nowMs())) {
    longest = Math.max(longest, atMs - heardUntil);
    heardUntil = Math.max(heardUntil, atMs + bytes.length / 8);
  }
  return Math.max(longest, line.clock.nowMs() - heardUntil);
}

/** The call is over and left nothing behind. */
export function expectGone(line: VirtualLine): void {
  line.advance(5_000);
  expect(line.call.state.phase).toBe('ended');
  // One that was refused never lived.
  expect(line.models.every(({ closed, received }) => closed || received.length === 0)).toBe(true);
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
}
