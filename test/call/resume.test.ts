// The media socket goes away under a call, in virtual time: the same conversation goes on when the carrier brings the
// caller back, and the call ends by name when it does not.
import { expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import { VirtualLine, type VirtualLineOptions } from '../support/virtual-line.ts';

const RESUMES = { holdBytes: 8_000, recoverWithinMs: 8_000, resumeWithinMs: 9_000 } as const;

function answered({ policy, ...options }: VirtualLineOptions = {}): VirtualLine {
  const line = new VirtualLine({ policy: { ...RESUMES, ...policy }, ...options });
  line.startMedia();
  line.advance(50);
  return line;
}

function callerTurn(line: VirtualLine): void {
  line.model.speechStarted();
  line.advance(500);
  line.model.speechStopped();
}

const lose = (line: VirtualLine) =>
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006: the connection broke without a word' });
const sent = (line: VirtualLine, type: string) => line.model.received.filter((message) => message.type === type);
const played = (line: VirtualLine): Extract<CallEffect, { do: 'leg.play' }>[] => line.done('leg.play') as never;

test('in the middle of an answer: cut where the caller heard it last, taken up when the caller is back', () => {
  const line = answered();
  line.model.plans.push({ items: [{ ms: 6_000 }], thinkMs: 50 }, { items: [{ ms: 1_000 }] });
  callerTurn(line);
  line.advance(2_000);
  const heard = line.heardMs(1);
  lose(line);
  line.advance(1_000);
  expect(sent(line, 'conversation.item.truncate')).toMatchObject([{ audio_end_ms: heard }]);
  expect(line.call.state).toMatchObject({ phase: 'talking', away: { owes: true } });
  expect(line.opened).toHaveLength(1);
  line.startMedia();
  line.until(() => played(line).at(-1)?.utterance === 'u2', 2_000);
  expect(JSON.stringify(sent(line, 'conversation.item.create').at(-1))).toContain('the caller is back');
  expect(line.done('note.resumed')).toMatchObject([{ awayMs: 1_000 }]);
  // A conversation like any other.
  line.advance(2_000);
  callerTurn(line);
  line.until(() => played(line).at(-1)?.utterance === 'u3', 2_000);
  expect(line.model.errors).toEqual([]);
  line.report({ type: 'leg.closed', cause: 'caller_hung_up', detail: '' });
  line.advance(5_000);
  expect(line.termination?.reason).toBe('caller_hung_up');
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
});

test('while the caller listens to nothing: nobody speaks when the caller is back', () => {
  const line = answered();
  line.advance(1_000);
  lose(line);
  line.advance(500);
  line.startMedia();
  line.advance(3_000);
  expect(played(line)).toEqual([]);
  expect(line.call.state.phase).toBe('talking');
});

test('what the model says meanwhile waits, and is heard when the caller is back', () => {
  const line = answered();
  line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 400 });
  line.model.speechStarted();
  line.advance(300);
  lose(line);
  line.model.speechStopped();
  line.advance(1_500);
  expect(played(line)).toEqual([]);
  line.startMedia();
  line.advance(1_100);
  expect(line.heardMs(1)).toBe(1_000);
});

test('a carrier that does not come back is asked once, then the call ends by name', () => {
  const line = answered();
  lose(line);
  line.advance(2_900);
  expect(line.recalls).toBe(0);
  line.advance(200);
  expect(line.recalls).toBe(1);
  line.advance(5_800);
  expect(line.termination).toBeNull();
  line.advance(200);
  expect(line.termination).toMatchObject({ reason: 'media_lost', detail: expect.stringContaining('1006') });
  line.advance(5_000);
  expect(line.recalls).toBe(1);
  expect(line.clock.pending).toBe(0);
});

test('the model that fails meanwhile is replaced, and the caller comes back to a conversation', () => {
  const line = answered();
  line.model.plans.push({ items: [{ ms: 6_000 }], thinkMs: 50 });
  callerTurn(line);
  line.advance(1_500);
  lose(line);
  line.models[0]?.lose();
  line.advance(1_000);
  expect(line.opened).toHaveLength(2);
  line.startMedia();
  line.until(() => played(line).at(-1)?.utterance.startsWith('s2.') === true, 2_000);
});

test('a goodbye that was under way is not taken up again', () => {
  const line = answered({ policy: { silenceMs: 1_000 } });
  line.until(() => line.call.state.phase === 'leaving', 20_000);
  lose(line);
  line.advance(10);
  expect(line.termination).toMatchObject({ reason: 'media_lost' });
});

test('the words of a goodbye that was cut off are said by the carrier', () => {
  const cutAfter = (ms: number, silentMs = 0) => {
    const line = answered({ policy: { silenceMs: 1_000 } });
    const goodbye = { ms: 1_000, words: ['Goodbye, ', 'and take care. '] };
    line.model.plans.push({ items: [{ ms: 500 }] }, { items: [goodbye] });
    line.until(() => line.heardMs(2) > 0, 20_000);
    expect(line.call.state.phase).toBe('leaving');
    line.advance(ms);
    line.report({ type: 'leg.closed', cause: 'socket_lost', detail: 'gone', silentMs });
    return { next: line.nexts, reason: line.termination?.reason };
  };
  const words = { do: 'say_and_hang_up', text: 'Goodbye, and take care.' };
  expect(cutAfter(100)).toEqual({ next: [words], reason: 'media_lost' });
  // Heard, by all that the clock says, but nothing came from the carrier meanwhile.
  expect(cutAfter(900, 1_000)).toEqual({ next: [words], reason: 'media_lost' });
});

test('the caller who hangs up meanwhile has hung up', () => {
  const line = answered();
  lose(line);
  line.advance(1_000);
  line.call.receive({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'status completed' });
  line.advance(5_000);
  expect(line.termination?.reason).toBe('caller_hung_up');
  expect(line.clock.pending).toBe(0);
});

test('a carrier that was silent before the loss is asked at once', () => {
  const line = answered();
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: 'nothing came', silentMs: 3_000 });
  expect(line.recalls).toBe(1);
  line.advance(8_900);
  expect(line.termination).toBeNull();
  line.advance(200);
  expect([line.recalls, line.termination?.reason]).toEqual([1, 'media_lost']);
});

test('a tool that is done while the caller is away is spoken about once, when the caller is back', async () => {
  let settle: (outcome: { status: 'ok'; output: string }) => void = () => {};
  const line = answered({ runTool: (_name, done) => (settle = done as never) });
  line.model.plans.push({ items: [], tools: [{ callId: 'call_1', name: 'lookup', arguments: '{}' }], thinkMs: 50 });
  callerTurn(line);
  line.until(() => line.done('tool.run').length === 1);
  lose(line);
  line.advance(300);
  settle({ status: 'ok', output: '{"found":true}' });
  await Promise.resolve();
  line.advance(1_500);
  expect(played(line)).toEqual([]);
  line.startMedia();
  line.advance(4_000);
  expect(line.heardMs(1)).toBe(1_000);
  expect(sent(line, 'response.create')).toHaveLength(1);
  expect([line.model.errors, line.faults]).toEqual([[], []]);
});

test('the caller who talks over "one moment" is heard, and answered once', () => {
  const line = answered();
  line.model.plans.push({ items: [{ ms: 1_000 }], thinkMs: 1e9 }, { items: [{ ms: 1_000 }] });
  callerTurn(line);
  line.until(() => line.done('note.held').length === 1, 3_000);
  line.advance(200);
  callerTurn(line);
  line.advance(4_000);
  expect(line.done('leg.clear')).toHaveLength(1);
  expect([line.opened.length, line.heardMs(1), line.model.items.length]).toEqual([1, 1_000, 1]);
  expect(line.call.state).toMatchObject({ phase: 'talking', trouble: null });
});

const stops = (line: VirtualLine) => line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: 'stop' });

test('an order that meets the question of the carrier on its way takes the caller out again: no hang-up, the call goes on', () => {
  const line = answered();
  line.advance(1_000);
  // Nothing had come for long: the carrier is asked at once, and asks by itself in the same moment.
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006', silentMs: 2_500 });
  expect(line.recalls).toBe(1);
  line.advance(60);
  line.startMedia();
  line.advance(30);
  stops(line);
  expect(line.termination).toBe(null);
  expect(line.call.away).toBe(true);
  line.advance(80);
  line.startMedia();
  line.model.plans.push({ items: [{ ms: 500 }] });
  callerTurn(line);
  line.until(() => played(line).length > 0, 3_000);
  expect(line.termination).toBe(null);
  // Long after it, `stop` is a hang-up again; so it is at any time when the carrier says that the call is over.
  line.advance(7_000);
  stops(line);
  expect(line.termination?.reason).toBe('caller_hung_up');
});

test('a caller who hangs up soon after having been brought back has hung up', () => {
  const line = answered();
  line.advance(1_000);
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '1006', silentMs: 2_500 });
  line.startMedia();
  stops(line);
  line.call.receive({ type: 'leg.closed', cause: 'caller_hung_up', detail: 'status completed' });
  line.advance(2_000);
  expect(line.termination?.reason).toBe('caller_hung_up');
  expect(line.clock.pending).toBe(0);
});
