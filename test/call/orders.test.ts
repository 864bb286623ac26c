// What an operator does to a live call: the agent learns of it, the caller is never cut off for it, and what cannot be done is
// refused in words.
import { expect, test } from 'vitest';
import { objection, type Order } from '../../src/call/orders.ts';
import type { ErrandPolicy } from '../../src/call/policy.ts';
import type { VirtualLine } from '../support/virtual-line.ts';
import {
  answered,
  callerSays,
  calls,
  did,
  type ErrandLineOptions,
  foldsTheSame,
  hangUp,
  outputsOf,
  press,
  says,
  testPolicy,
} from '../support/errand-line.ts';

const TARGETS: ErrandPolicy['targets'] = {
  desk: { to: '+15550100001', how: 'cold', ringSeconds: 20 },
  boss: { to: '+15550100002', how: 'warm', ringSeconds: 20 },
};
const FIELDS: ErrandPolicy['fields'] = {
  pin: { min: 4, max: 4, endKey: '', timeoutMs: 3_000, sensitive: true },
};

const say = (text: string): Order => ({ type: 'operator.said', text });
const whisper = (text: string): Order => ({ type: 'operator.whispered', text });
const transfer = (target: string): Order => ({ type: 'operator.transfers', target });
const END: Order = { type: 'call.asked_to_end', reason: 'operator_ended' };

function open({ errands, policy, ...options }: ErrandLineOptions = {}) {
  const people: string[] = [];
  const line = answered({
    redirectLeg: () => true,
    ...options,
    errands: { targets: TARGETS, fields: FIELDS, ...errands },
    policy: { resumeWithinMs: 9_000, recoverWithinMs: 8_000, holdBytes: 8_000, ...policy },
    people: { call: ({ say: words }) => void people.push(`call: ${words}`), drop: () => void people.push('drop') },
  });
  return { line, people };
}

/** The lines that a session was asked to say. */
const asked = (line: VirtualLine): (string | null)[] => did(line, 'session.speak').map(({ say: words }) => words);
const told = (line: VirtualLine): string[] => did(line, 'session.tell').map(({ text }) => text);
const notes = (line: VirtualLine): string[] =>
  did(line, 'note.transfer').map(({ target, stage, why }) => [target, stage, why].join(' ').trim());
const order = (line: VirtualLine, what: Order): string | null => {
  const why = objection(line.call.state, what);
  line.call.receive(what);
  const refused = line.effects.at(-1);
  if (why !== null && line.call.state.phase !== 'ended')
    expect(refused).toMatchObject({ do: 'note.ignored', what: 'operator_refused' });
  return why;
};

function over(line: VirtualLine): void {
  if (line.termination === null) hangUp(line);
  line.advance(40_000);
  expect(line.faults).toEqual([]);
  expect(line.clock.pending).toBe(0);
  expect(did(line, 'call.end')).toHaveLength(1);
  // A create or a cancel may cross with what the server does at that moment.
  const crossings = ['conversation_already_has_active_response', 'response_cancel_not_active'];
  for (const { errors } of line.models) expect(errors.filter((code) => !crossings.includes(code))).toEqual([]);
  expect(foldsTheSame(line)).toBe(true);
}

// --- whisper

test('a whisper is told to the model and makes nobody speak', () => {
  const { line } = open();
  expect(order(line, whisper('Offer "ten" percent.'))).toBeNull();
  line.advance(5_000);
  expect(told(line)).toEqual([expect.stringContaining("Offer 'ten' percent.")]);
  expect(asked(line)).toEqual([]);
  expect(line.effects.some((effect) => effect.do === 'leg.play')).toBe(false);
  over(line);
});

test('a session that takes over learns of it with the history', () => {
  const { line } = open();
  line.model.plans.push(says(500));
  callerSays(line, 'hello');
  line.advance(3_000);
  order(line, whisper('Offer ten percent.'));
  line.model.lose();
  // While nobody is there to be told.
  order(line, whisper('And be brief.'));
  line.until(() => did(line, 'session.recall').length > 0);
  const [{ note } = { note: '' }] = did(line, 'session.recall');
  expect(note).toContain('Offer ten percent.');
  expect(note).toContain('And be brief.');
  expect(told(line)).toHaveLength(1);
  over(line);
});

test('only the latest are kept for it, and each is cut', () => {
  const { line } = open();
  for (let i = 0; i < 30; i++) order(line, whisper(`${i} ${'x'.repeat(5_000)}`));
  const { state } = line.call;
  if (state.phase === 'ended') throw new Error('over');
  expect(state.orders.told).toHaveLength(8);
  expect(JSON.stringify(state.orders).length).toBeLessThan(8 * 800);
  over(line);
});

// --- a line

test('a line is said at once where nobody speaks', () => {
  const { line } = open();
  line.model.plans.push(says(700, ['Your', ' order']));
  order(line, say('Your order is here.'));
  expect(asked(line)).toEqual(['Say exactly this, and nothing else: "Your order is here."']);
  line.advance(3_000);
  expect(line.heardMs(1)).toBe(700);
  expect(line.call.state).toMatchObject({ orders: { lines: [], asked: null } });
  over(line);
});

test('it waits until the agent was heard, and cuts nobody off', () => {
  const { line } = open();
  line.model.plans.push(says(3_000), says(500));
  callerSays(line, 'tell me');
  line.until(() => did(line, 'leg.play').length > 0);
  order(line, say('One more thing.'));
  line.until(() => asked(line).length > 0, 6_000);
  expect(line.heardMs(1)).toBe(3_000);
  expect(did(line, 'leg.clear')).toEqual([]);
  line.advance(2_000);
  expect(line.heardMs(2)).toBe(500);
  over(line);
});

test('it waits for the caller, and for the answer to what they say', () => {
  const { line } = open();
  line.model.plans.push(says(400), says(500));
  line.model.speechStarted();
  line.advance(100);
  order(line, say('By the way.'));
  line.advance(4_000);
  expect(asked(line)).toEqual([]);
  line.model.speechStopped();
  line.until(() => asked(line).length > 0, 4_000);
  expect(line.heardMs(1)).toBe(400);
  line.advance(2_000);
  expect(line.heardMs(2)).toBe(500);
  over(line);
});

test('a caller who speaks before it sounds does not lose it; one who speaks over it stops it', () => {
  const { line } = open();
  line.model.plans.push({ ...says(2_000), thinkMs: 800 }, says(300), says(2_000));
  order(line, say('Please hold.'));
  line.advance(200);
  // The first plan was begun for the line, and is cancelled.
  callerSays(line, 'hello?', 300);
  line.until(() => asked(line).length > 1, 6_000);
  expect(asked(line)[1]).toBe(asked(line)[0]);
  line.until(() => line.model.items.length > 0 && did(line, 'leg.play').length > 3);
  line.until(() => line.heardMs(line.model.items.at(-1)!.stamp) > 300, 6_000);
  line.model.speechStarted();
  line.advance(300);
  line.model.speechStopped();
  line.advance(4_000);
  expect(asked(line).filter((words) => words !== null)).toHaveLength(2);
  over(line);
});

test('a session that is lost before it sounds: the next one is asked', () => {
  const { line } = open();
  line.model.plans.push({ ...says(2_000), thinkMs: 3_000 });
  order(line, say('Please hold.'));
  line.advance(500);
  line.model.lose();
  line.until(() => line.models.length > 1);
  line.model.plans.push(says(300), says(300));
  line.until(() => asked(line).filter((words) => words?.includes('Please hold.')).length === 2, 10_000);
  over(line);
});

test('lines are said one after the other; no more than eight wait', () => {
  const { line } = open();
  line.model.speechStarted();
  const outcomes = Array.from({ length: 12 }, (_, i) => order(line, say(`line ${i}`)));
  expect(outcomes.filter((why) => why === null)).toHaveLength(8);
  expect(outcomes.at(-1)).toMatch(/8 lines wait/);
  line.model.plans.push(says(200), ...Array.from({ length: 8 }, () => says(300)));
  line.model.speechStopped();
  line.advance(12_000);
  expect(asked(line).map((words) => /line \d+/.exec(words ?? '')?.[0])).toEqual(
    Array.from({ length: 8 }, (_, i) => `line ${i}`),
  );
  over(line);
});

test('while a secret is keyed in it waits, and whatever is told is told', () => {
  const { line } = open();
  line.model.plans.push(calls('t1', 'collect_digits', { field: 'pin' }), says(300), says(300));
  callerSays(line, 'here is my pin');
  line.until(() => did(line, 'digits.collect').length > 0);
  expect(order(line, say('Take your time.'))).toBeNull();
  expect(order(line, whisper('They are slow.'))).toBeNull();
  press(line, '12');
  expect(asked(line)).toEqual([]);
  press(line, '34');
  line.until(() => asked(line).length > 0, 5_000);
  expect(outputsOf(line, 't1')).toEqual([expect.stringContaining('4 digits')]);
  over(line);
});

test('a goodbye that can be called back is called back; the agent does not end the call over a line', () => {
  const { line } = open();
  line.model.plans.push({ ...says(1_000), tools: calls('t1', 'end_call').tools! }, says(500));
  callerSays(line, 'bye');
  line.until(() => line.call.state.phase === 'leaving');
  expect(order(line, say('Wait, please.'))).toBeNull();
  expect(line.call.state.phase).toBe('talking');
  line.until(() => asked(line).length > 0, 5_000);
  expect(line.heardMs(1)).toBe(1_000);
  line.advance(2_000);
  expect(line.termination).toBeNull();
  over(line);
});

// --- hand-over

test('cold: announced, heard, sent on; whoever answers has the call', () => {
  const { line } = open();
  line.model.plans.push(says(800));
  expect(order(line, transfer('desk'))).toBeNull();
  expect(asked(line)).toEqual([expect.stringContaining('connecting the caller')]);
  line.until(() => did(line, 'leg.move').length > 0, 5_000);
  expect(line.heardMs(1)).toBe(800);
  expect(did(line, 'leg.move')).toMatchObject([{ by: 'close', next: { do: 'transfer', to: '+15550100001' } }]);
  expect(did(line, 'session.settle_tool')).toEqual([]);
  line.advance(500);
  line.call.receive({ type: 'person.took' });
  expect(line.termination).toMatchObject({ reason: 'transferred' });
  expect(notes(line)).toEqual(['desk begun cold', 'desk taken']);
  over(line);
});

test('warm: the person hears a summary and takes the call', () => {
  const { line, people } = open();
  line.model.plans.push(says(800), says(300));
  order(line, transfer('boss'));
  line.until(() => people.length > 0, 6_000);
  expect(people[0]).toMatch(/^call: ./);
  line.call.receive({ type: 'person.hears' });
  // Meanwhile the caller is with the agent, who can be told to say something.
  order(line, say('He is on his way.'));
  line.until(() => asked(line).some((words) => words?.includes('on his way')), 5_000);
  line.call.receive({ type: 'person.took' });
  line.until(() => did(line, 'leg.move').length > 0, 5_000);
  line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  line.advance(10_000);
  expect(line.termination).toMatchObject({ reason: 'transferred' });
  expect(notes(line)).toEqual(['boss begun warm', 'boss taken']);
  over(line);
});

test.each(['desk', 'boss'])('%s is missed: the caller is back with the agent, who knows and speaks', (target) => {
  const { line, people } = open();
  line.model.plans.push(says(800), says(500));
  order(line, transfer(target));
  if (target === 'boss') line.until(() => people.length > 0, 6_000);
  else line.until(() => did(line, 'leg.move').length > 0, 5_000);
  line.advance(2_000);
  line.call.receive({ type: 'person.missed', because: 'busy', detail: '' });
  if (target === 'desk') {
    line.until(() => line.recalls > 0, 10_000);
    line.startMedia();
  }
  line.until(() => asked(line).includes(null), 5_000);
  expect(told(line).at(-1)).toMatch(new RegExp(`${target} did not take the call: the line is busy`));
  line.advance(3_000);
  expect(line.call.state).toMatchObject({ phase: 'talking', transfer: null, away: null, tools: {} });
  expect(line.heardMs(2)).toBe(500);
  // It may be tried again, and the rooms differ.
  line.model.plans.push(says(300));
  expect(order(line, transfer(target))).toBeNull();
  expect(line.call.state).toMatchObject({ transfer: { toolCall: 'operator2', by: 'operator' } });
  over(line);
});

test('it waits for the caller; one who speaks over the announcement stays', () => {
  const { line } = open();
  line.model.plans.push(says(400), says(1_500), says(300));
  line.model.speechStarted();
  order(line, transfer('desk'));
  line.advance(3_000);
  expect(notes(line)).toEqual([]);
  expect(order(line, transfer('boss'))).toMatch(/already/);
  line.model.speechStopped();
  line.until(() => notes(line).length > 0, 5_000);
  line.until(() => line.heardMs(2) > 200, 5_000);
  callerSays(line, 'no');
  line.advance(4_000);
  expect(notes(line)).toEqual(['desk begun cold', 'desk revoked the caller spoke']);
  expect(did(line, 'leg.move')).toEqual([]);
  expect(line.call.state.phase).toBe('talking');
  over(line);
});

test('a model that is lost while it rings: the next one learns what became of it', () => {
  const { line, people } = open();
  line.model.plans.push(says(500));
  callerSays(line, 'hi');
  line.advance(2_000);
  line.model.plans.push(says(500));
  order(line, transfer('boss'));
  line.until(() => people.length > 0, 6_000);
  line.model.lose();
  line.call.receive({ type: 'person.missed', because: 'declined', detail: '' });
  line.until(() => did(line, 'session.recall').length > 0);
  expect(JSON.stringify(did(line, 'session.recall')[0]?.history)).toContain('boss did not take the call');
  line.model.plans.push(says(500));
  line.advance(3_000);
  expect(line.heardMs(1_001)).toBeGreaterThan(0);
  over(line);
});

test('what cannot be done is refused in words', () => {
  const { line } = open();
  expect(order(line, transfer('__proto__'))).toMatch(/desk, boss/);
  expect(order(line, say('   '))).toMatch(/no words/);
  expect(order(line, whisper(''))).toMatch(/no words/);
  line.model.plans.push(says(300));
  order(line, transfer('desk'));
  expect(order(line, say('x'))).toMatch(/handed over/);
  expect(order(line, transfer('boss'))).toMatch(/already/);
  hangUp(line);
  expect(objection(line.call.state, END)).toMatch(/over/);
  over(line);
});

test('before the media nobody can be spoken to; without targets nobody can be handed over', () => {
  const { line } = open({ errands: { targets: {} } });
  expect(order(line, transfer('desk'))).toMatch(/no transfer targets/);
  over(line);
});

// --- the end

test('the wrap-up is said, then the call is over: the operator has ended it', () => {
  const { line } = open();
  line.model.plans.push(says(900));
  order(line, END);
  expect(did(line, 'session.last_words')).toMatchObject([{ say: testPolicy().wrapUp }]);
  line.advance(4_000);
  expect(line.heardMs(1)).toBe(900);
  expect(line.termination).toEqual({ reason: 'operator_ended', by: 'operator', result: 'success', detail: '' });
  over(line);
});

test('asked twice it ends at once, and keeps its name', () => {
  const { line } = open();
  line.model.plans.push({ ...says(5_000), thinkMs: 500 });
  order(line, END);
  line.advance(100);
  expect(line.termination).toBeNull();
  expect(order(line, say('one more'))).toMatch(/ending/);
  order(line, END);
  expect(line.termination).toMatchObject({ reason: 'operator_ended' });
  over(line);
});

test('while the media is away it ends at once, and the carrier says goodbye should it ask', () => {
  const { line } = open();
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  expect(line.call.away).toBe(true);
  order(line, END);
  expect(line.termination).toMatchObject({ reason: 'operator_ended' });
  expect(line.nexts.at(-1)).toEqual({ do: 'say_and_hang_up', text: testPolicy().wrapUpText });
  over(line);
});

test('a caller who is with a person is not taken away from there', () => {
  const { line, people } = open();
  line.model.plans.push(says(300));
  order(line, transfer('boss'));
  line.until(() => people.length > 0, 6_000);
  line.call.receive({ type: 'person.took' });
  line.until(() => did(line, 'leg.move').length > 0, 5_000);
  line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  order(line, END);
  expect(line.termination).toMatchObject({ reason: 'transferred' });
  expect(people).not.toContain('drop');
  over(line);
});

// --- the line fails meanwhile

test('a model that never says the wrap-up: the caller hears the recorded apology to its end, then it is over', () => {
  const { line } = open();
  line.model.plans.push({ ...says(900), thinkMs: 60_000 });
  order(line, END);
  const askedAtMs = line.clock.nowMs();
  line.until(() => line.termination !== null, 20_000);
  expect(line.termination).toMatchObject({ reason: 'operator_ended' });
  expect(line.clock.nowMs() - askedAtMs).toBeLessThan(8_000);
  const [apology] = did(line, 'leg.play');
  expect(apology).toMatchObject({ utterance: 'clip:apology', startsAtMs: askedAtMs + 3_500 });
  expect(did(line, 'note.settled').at(-1)).toMatchObject({ utterance: 'clip:apology', outcome: 'heard' });
  over(line);
});

test('a model that stalls on a line: the caller hears something, and the next session is asked for the line', () => {
  const { line } = open({ laterModels: [{ answer: says(600) }] });
  line.model.plans.push({ ...says(600), thinkMs: 60_000 });
  order(line, say('Your taxi is here.'));
  line.advance(12_000);
  const lines = asked(line).filter((words) => words?.includes('Your taxi is here.'));
  expect(lines).toHaveLength(2);
  expect(line.call.state.phase).toBe('talking');
  over(line);
});

test('a line that waits while the media breaks is said when the caller is back', () => {
  const { line } = open();
  line.model.plans.push(says(4_000));
  callerSays(line);
  line.until(() => did(line, 'leg.play').length > 1, 4_000);
  order(line, say('Your taxi is here.'));
  expect(asked(line).some((words) => words?.includes('taxi'))).toBe(false);
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  line.advance(1_000);
  expect(asked(line).some((words) => words?.includes('taxi'))).toBe(false);
  line.startMedia();
  line.advance(8_000);
  expect(asked(line).filter((words) => words?.includes('taxi'))).toHaveLength(1);
  over(line);
});
