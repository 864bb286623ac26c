// Guardrails: what offends is not heard whole, the agent is told what to do instead, and one that does nothing else is ended.
import { expect, test } from 'vitest';
import type { Guardrail } from '../../src/call/policy.ts';
import type { VirtualLine } from '../support/virtual-line.ts';
import {
  answered,
  callerSays,
  calls,
  did,
  type ErrandLineOptions,
  foldsTheSame,
  outputsOf,
  says,
} from '../support/errand-line.ts';

const GUARDRAILS: readonly Guardrail[] = [
  { name: 'no promises', watch: 'speech', pattern: 'guarantee|zusichern', instead: 'Say that you cannot promise it.' },
  { name: 'no foreign numbers', watch: 'arguments', pattern: '\\+49', instead: 'Ask for a number of this country.' },
];
const OFFENDS = says(6_000, ['We ', 'guaran', 'tee it, for sure.']);

const line = (options: ErrandLineOptions = {}): VirtualLine =>
  answered({ ...options, errands: { guardrails: GUARDRAILS, ...options.errands } });

test('speech that offends, also across pieces of its words, is stopped before it is heard whole; the agent says something else', () => {
  const on = line();
  on.model.plans.push(OFFENDS, says(800, ['I cannot promise it.']));
  callerSays(on);
  on.advance(4_000);
  expect(on.heardMs(1)).toBeLessThan(500);
  expect(on.heardMs(2)).toBe(800);
  expect(did(on, 'note.guarded')).toMatchObject([{ guardrail: 'no promises' }]);
  expect(did(on, 'session.tell').at(-1)?.text).toContain('Say that you cannot promise it.');
  // Stopped in the step in which the words came.
  const clear = on.effects.find((e) => e.do === 'leg.clear');
  const words = on.events.find((e) => e.type === 'utterance.text' && e.text === 'tee it, for sure.');
  expect(clear?.atMs).toBe(words?.atMs);
  expect(foldsTheSame(on)).toBe(true);
});

test('case does not matter, other words do', () => {
  const on = line();
  on.model.plans.push(says(500, ['GUARANTEE']), says(400, ['fine']), says(1_000, ['No grants, no warranties.']));
  callerSays(on);
  on.advance(2_500);
  callerSays(on);
  on.advance(2_500);
  expect(did(on, 'note.guarded')).toHaveLength(1);
  expect(on.heardMs(3)).toBe(1_000);
});

test('three in a row end the call with the apology, and the third is not heard either', () => {
  const on = line();
  on.model.plans.push(OFFENDS, OFFENDS, OFFENDS);
  callerSays(on);
  on.advance(20_000);
  for (const stamp of [1, 2, 3]) expect(on.heardMs(stamp)).toBeLessThan(500);
  expect(did(on, 'leg.play').at(-1)).toMatchObject({ utterance: 'clip:apology' });
  expect(on.termination).toMatchObject({ reason: 'model_failed', detail: 'guardrail' });
  expect(on.clock.pending).toBe(0);
  expect(foldsTheSame(on)).toBe(true);
});

test('what offends nobody in between counts: six in one call, never three in a row', () => {
  const on = line();
  for (let i = 0; i < 3; i++) {
    on.model.plans.push(OFFENDS, OFFENDS, says(500, ['all right']));
    callerSays(on);
    on.advance(5_000);
  }
  expect(did(on, 'note.guarded')).toHaveLength(6);
  expect(on.call.state.phase).toBe('talking');
});

test.each<[string, string]>([
  ['as it is', '{"to":"+4915112345678"}'],
  ['written as escapes', '{"to":"\\u002b\\u00349151"}'],
  ['in text that is no JSON', 'to: +49'],
])('arguments that offend (%s) are refused, and run nothing', (_how, args) => {
  const ran: string[] = [];
  const on = line({ runTool: (name) => void ran.push(name), errands: { guardrails: GUARDRAILS, pressesKeys: true } });
  on.model.plans.push(
    { items: [], thinkMs: 50, tools: [...calls('a', 'send', args).tools!, ...calls('b', 'send_dtmf', args).tools!] },
    says(300),
  );
  callerSays(on);
  on.advance(3_000);
  expect(ran).toEqual([]);
  for (const id of ['a', 'b'])
    expect(outputsOf(on, id)).toEqual(['Not done: a rule forbids it. Ask for a number of this country.']);
  expect(on.heardMs(1)).toBe(300);
});

test('a pattern for arguments does not watch speech, and the other way round', () => {
  const on = line({ runTool: (_name, settle) => settle({ status: 'ok', output: 'fine' }) });
  on.model.plans.push(
    { ...says(600, ['call +49 151']), tools: calls('a', 'look', { text: 'guarantee' }).tools! },
    says(300),
  );
  callerSays(on);
  on.advance(3_000);
  expect(did(on, 'note.guarded')).toEqual([]);
  expect(outputsOf(on, 'a')).toEqual(['fine']);
});

test('a goodbye that offends is stopped, and the call ends all the same', () => {
  const on = line();
  on.model.plans.push(says(300));
  callerSays(on);
  on.advance(1_000);
  on.model.plans.push(OFFENDS);
  on.call.receive({ type: 'call.asked_to_end', reason: 'drained' });
  on.advance(20_000);
  expect(on.heardMs(2)).toBeLessThan(500);
  expect(on.termination?.reason).toBe('drained');
});
