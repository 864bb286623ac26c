// Hand-over to a person: the caller gets there, or is back with an agent that knows why; nobody is left in a room alone, and
// nothing is left behind.
import { expect, test } from 'vitest';
import type { ErrandPolicy } from '../../src/call/policy.ts';
import type { MissedBecause } from '../../src/call/event.ts';
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
  says,
} from '../support/errand-line.ts';

const TARGETS: ErrandPolicy['targets'] = {
  reception: { to: '+15550100001', how: 'cold', ringSeconds: 20 },
  doctor: { to: '+15550100002', how: 'warm', ringSeconds: 20 },
};
const RESUMES = { resumeWithinMs: 9_000, recoverWithinMs: 8_000, holdBytes: 8_000 };

interface Handed {
  line: VirtualLine;
  /** Of the person: `call` and `drop`, in order. */
  people: string[];
}

function handed({ errands, policy, ...options }: ErrandLineOptions = {}): Handed {
  const people: string[] = [];
  const line = answered({
    redirectLeg: () => true,
    ...options,
    errands: { targets: TARGETS, ...errands },
    policy: { ...RESUMES, ...policy },
    people: { call: ({ say }) => void people.push(`call: ${say}`), drop: () => void people.push('drop') },
  });
  return { line, people };
}

const announces = (line: VirtualLine, target = 'reception', ms = 1_500): void => {
  line.model.plans.push({
    ...says(ms),
    tools: calls('t1', 'transfer_to', { target, summary: 'They want a date.' }).tools!,
  });
  callerSays(line, 'a person please');
};

/** The caller was told, and is with the carrier. */
function cold(options: ErrandLineOptions = {}): Handed {
  const made = handed(options);
  announces(made.line);
  made.line.until(() => did(made.line, 'leg.move').length > 0, 5_000);
  made.line.advance(100);
  return made;
}

/** The person is rung up. */
function ringing(options: ErrandLineOptions = {}): Handed {
  const made = handed(options);
  announces(made.line, 'doctor', 500);
  made.line.until(() => did(made.line, 'person.call').length > 0, 6_000);
  return made;
}

/** The caller is in the room. */
function together(options: ErrandLineOptions = {}): Handed {
  const made = ringing(options);
  made.line.call.receive({ type: 'person.took' });
  made.line.until(() => did(made.line, 'leg.move').length > 0, 5_000);
  made.line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  return made;
}

const missed = (line: VirtualLine, because: MissedBecause): void =>
  line.call.receive({ type: 'person.missed', because, detail: '' });

const stageOf = ({ call: { state } }: VirtualLine): string | null =>
  state.phase === 'ended' ? 'ended' : (state.transfer?.stage ?? null);

function expectNothingLeft({ line }: Handed): void {
  expect(line.call.state.phase).toBe('ended');
  expect(line.clock.pending).toBe(0);
  expect(line.faults).toEqual([]);
  expect(did(line, 'call.end')).toHaveLength(1);
  expect(foldsTheSame(line)).toBe(true);
}

function expectBack({ line }: Handed, why: RegExp, target = 'reception'): void {
  expect(line.call.state).toMatchObject({ phase: 'talking', away: null, transfer: null, tools: { t1: 'settled' } });
  expect(outputsOf(line, 't1').filter((text) => why.test(text))).toHaveLength(1);
  expect(outputsOf(line, 't1')[0]).toContain(target);
}

// --- cold

test('cold: connected once the announcement was heard; the person who answers has the call', () => {
  const made = handed();
  const { line } = made;
  announces(line);
  line.until(() => did(line, 'leg.play').length > 0);
  line.advance(1_400);
  expect(did(line, 'leg.move')).toEqual([]);
  line.advance(300);
  expect(line.heardMs(1)).toBe(1_500);
  expect(did(line, 'leg.move')).toMatchObject([
    {
      next: { do: 'transfer', to: '+15550100001', ringSeconds: 20, otherwise: expect.anything() as object },
      by: 'close',
    },
  ]);
  expect(line.nexts).toEqual([
    { do: 'transfer', to: '+15550100001', ringSeconds: 20, otherwise: expect.anything() as object },
  ]);
  expect(stageOf(line)).toBe('away');
  line.advance(5_000);
  line.call.receive({ type: 'person.took' });
  expect(line.termination).toMatchObject({ reason: 'transferred', result: 'success' });
  line.advance(2_000);
  expectNothingLeft(made);
});

test('without a word before it, one is asked for and heard first', () => {
  const made = handed();
  const { line } = made;
  line.model.plans.push(calls('t1', 'transfer_to', { target: 'reception' }), says(800));
  callerSays(line);
  line.until(() => did(line, 'leg.move').length > 0, 5_000);
  expect(line.heardMs(1)).toBe(800);
});

test('the caller speaks before it was heard: nobody is called, the call goes on', () => {
  const made = handed();
  const { line } = made;
  announces(line);
  line.advance(1_200);
  line.model.plans.push(says(500));
  callerSays(line, 'no, not a person');
  line.advance(10_000);
  expect(did(line, 'leg.move')).toEqual([]);
  expect(outputsOf(line, 't1')[0]).toContain('the caller spoke first');
  expect(line.call.state).toMatchObject({ transfer: null, tools: { t1: 'settled' } });
  // It can be asked for again.
  line.model.plans.push({ ...says(500), tools: calls('t2', 'transfer_to', { target: 'reception' }).tools! });
  callerSays(line);
  line.advance(2_000);
  expect(did(line, 'leg.move')).toHaveLength(1);
});

test.each<[string, unknown, RegExp]>([
  ['a number', { target: '+4915112345678' }, /must be one of reception, doctor/],
  ['none', {}, /must be one of/],
  ['a name of an object', { target: '__proto__' }, /must be one of/],
  ['no JSON', '{', /not a JSON object/],
  ['a list', '[]', /not a JSON object/],
])('%s as the target goes nowhere', (_what, args, told) => {
  const { line, people } = handed();
  line.model.plans.push(calls('t1', 'transfer_to', args), says(300));
  callerSays(line);
  line.advance(3_000);
  expect(outputsOf(line, 't1')[0]).toMatch(told);
  expect([did(line, 'leg.move'), people]).toEqual([[], []]);
});

test.each<[string, (line: VirtualLine) => void]>([
  [
    'the news, then the stream',
    (line) => {
      missed(line, 'busy');
      line.advance(200);
      line.startMedia();
    },
  ],
  [
    'the news twice, then the stream',
    (line) => {
      missed(line, 'busy');
      missed(line, 'failed');
      line.advance(2_500);
      line.startMedia();
    },
  ],
  [
    'the news, nothing, and the stream when it was asked for',
    (line) => {
      missed(line, 'busy');
      line.advance(3_100);
      expect(line.recalls).toBe(1);
      line.startMedia();
    },
  ],
])('cold, not answered (%s): the caller is back, the agent knows and speaks first, once', (_order, comes) => {
  const made = cold();
  const { line } = made;
  line.advance(4_000);
  line.model.plans.push(says(1_000));
  const before = line.model.items.length;
  comes(line);
  line.advance(3_000);
  expectBack(made, /the line is busy/);
  expect(line.model.items.length - before).toBe(1);
  expect(line.heardMs(before + 1)).toBe(1_000);
  expect(line.recalls).toBeLessThanOrEqual(1);
  hangUp(line);
  line.advance(3_000);
  expectNothingLeft(made);
});

test('cold, the news before the media is over: its end does not end the call', () => {
  const made = handed({ delayMs: 200 });
  const { line } = made;
  announces(line);
  // The order to close is on its way: nothing has closed yet.
  line.until(() => stageOf(line) === 'moving', 5_000);
  missed(line, 'failed');
  line.report({ type: 'leg.closed', cause: 'closed_by_us', detail: '' });
  line.advance(500);
  expect(line.call.state.phase).toBe('talking');
  line.startMedia();
  line.advance(3_000);
  expectBack(made, /could not be reached/);
});

test('cold, no news at all: it counts as handed over when the last ring is long past', () => {
  const made = cold();
  made.line.advance(39_000);
  expect(made.line.termination).toBe(null);
  made.line.advance(3_000);
  expect(made.line.termination?.reason).toBe('transferred');
  expectNothingLeft(made);
});

test('nobody comes back: the call ends by name, after it was asked for', () => {
  const made = cold();
  missed(made.line, 'no_answer');
  made.line.advance(20_000);
  expect(made.line.recalls).toBe(1);
  expect(made.line.termination?.reason).toBe('media_lost');
  expectNothingLeft(made);
});

test.each<[string, (line: VirtualLine) => void, string]>([
  ['the caller hangs up', hangUp, 'caller_hung_up'],
  ['the longest duration', (line) => line.advance(600_000), 'transferred'],
  ['a drain', (line) => line.call.receive({ type: 'call.asked_to_end', reason: 'drained' }), 'drained'],
])('cold, ringing, and %s', (_what, happens, reason) => {
  const made = cold();
  happens(made.line);
  made.line.advance(2_000);
  expect(made.line.termination?.reason).toBe(reason);
  expect(made.line.recalls).toBe(0);
  expectNothingLeft(made);
});

test.each<[string, (line: VirtualLine) => void, ErrandLineOptions]>([
  ['the budget is spent', (line) => line.call.receive({ type: 'budget.changed', reserved: false, share: 'spent' }), {}],
  ['the model is lost and there again', (line) => line.model.lose(), {}],
  [
    'no model can be had any more',
    (line) => line.model.lose(),
    { refuse: ({ session }) => (session === 's1' ? null : { cause: 'refused', detail: 'no', retry: false }) },
  ],
  ['the model is lost, and may not be recovered', (line) => line.model.lose(), { policy: { recoverWithinMs: 0 } }],
])('cold, and %s while they ring: nobody is called away; with the news all goes on', (_what, happens, options) => {
  const made = cold(options);
  const { line } = made;
  happens(line);
  line.advance(15_000);
  expect(line.recalls).toBe(0);
  expect(line.termination).toBe(null);
  expect(stageOf(line)).toBe('away');
  line.call.receive({ type: 'person.took' });
  line.advance(3_000);
  expect(line.termination?.reason).toBe('transferred');
  expectNothingLeft(made);
});

test('the model was lost for good while they rang, and nobody answered: the caller hears the apology', () => {
  const made = cold({
    refuse: ({ session }) => (session === 's1' ? null : { cause: 'refused', detail: 'no', retry: false }),
  });
  const { line } = made;
  line.model.lose();
  line.advance(9_000);
  missed(line, 'no_answer');
  line.startMedia();
  expect(did(line, 'leg.play').at(-1)).toMatchObject({ utterance: 'clip:apology' });
  line.advance(10_000);
  expect(line.termination).toMatchObject({ by: 'model', result: 'failure' });
  expectNothingLeft(made);
});

test('the model was replaced while they rang, and nobody answered: the new one speaks once, and knows', () => {
  const made = cold();
  const { line } = made;
  line.model.lose();
  line.advance(6_000);
  expect(line.models).toHaveLength(2);
  expect(line.model.items).toHaveLength(0);
  missed(line, 'no_answer');
  line.startMedia();
  line.advance(3_000);
  expect(line.model.items).toHaveLength(1);
  expect(outputsOf(line, 't1').at(-1)).toContain('nobody answered');
});

test('a model that never announces it: the caller is connected all the same, and hears nothing stale when back', () => {
  const made = handed({ policy: { modelStallMs: 60_000 } });
  const { line } = made;
  line.model.plans.push(
    calls('t1', 'transfer_to', { target: 'reception' }),
    { items: [{ ms: 3_000 }], thinkMs: 14_500 },
    says(700),
  );
  callerSays(line);
  line.until(() => did(line, 'leg.move').length > 0, 20_000);
  line.advance(2_000);
  missed(line, 'busy');
  line.startMedia();
  line.advance(3_000);
  expect(line.heardMs(line.model.items.at(-1)?.stamp ?? 0)).toBe(700);
});

test('a tool that settles while the caller is with the carrier makes nobody speak', () => {
  let settle: ((outcome: { status: 'ok'; output: string }) => void) | null = null;
  const made = handed({ runTool: (_name, done) => (settle = done as never) });
  const { line } = made;
  line.model.plans.push({
    ...says(800),
    tools: [...calls('l1', 'look').tools!, ...calls('t1', 'transfer_to', { target: 'reception' }).tools!],
  });
  callerSays(line);
  line.until(() => stageOf(line) === 'away', 5_000);
  const before = line.model.items.length;
  settle!({ status: 'ok', output: 'seen' });
  line.advance(3_000);
  expect(line.model.items.length).toBe(before);
  expect(outputsOf(line, 'l1')).toEqual(['seen']);
  missed(line, 'busy');
  line.startMedia();
  line.advance(3_000);
  expect(line.model.items.length).toBe(before + 1);
  expectBack(made, /busy/);
});

test('the carrier stops the stream during a hand-over: no hang-up; a final status is one', () => {
  const made = cold();
  expect(stageOf(made.line)).toBe('away');
  const other = handed({ delayMs: 200 });
  announces(other.line);
  other.line.until(() => stageOf(other.line) === 'moving', 5_000);
  other.line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  expect(stageOf(other.line)).toBe('away');
  hangUp(other.line);
  expect(other.line.termination?.reason).toBe('caller_hung_up');
});

// --- warm

test.each<[string, { text: string | null; afterMs: number }, string]>([
  ['in time', { text: ' Ann wants a date. ', afterMs: 800 }, 'call: Ann wants a date.'],
  ['too late', { text: 'Ann wants a date.', afterMs: 6_000 }, 'call: They want a date.'],
  ['failed', { text: null, afterMs: 300 }, 'call: They want a date.'],
  ['empty', { text: '   ', afterMs: 300 }, 'call: They want a date.'],
])('warm, the summary %s: the person is rung up with what there is', (_what, summary, called) => {
  const made = handed();
  made.line.model.summary = summary;
  announces(made.line, 'doctor', 500);
  made.line.advance(8_000);
  expect(made.people).toEqual([called]);
  // The summary is nobody's answer.
  expect(made.line.model.items.length).toBe(1);
  hangUp(made.line);
  made.line.advance(3_000);
  expect(made.people).toEqual([called, 'drop']);
  expectNothingLeft(made);
});

test('warm: the session is lost while it sums up: the words of the model do', () => {
  const made = handed();
  made.line.model.summary = { text: 'never', afterMs: 3_000 };
  announces(made.line, 'doctor', 500);
  made.line.advance(1_300);
  made.line.model.lose();
  made.line.advance(6_000);
  expect(made.people).toEqual(['call: They want a date.']);
});

test('warm: the person accepts, the caller is moved to the same room, and after a while it is a hand-over', () => {
  const redirected: unknown[] = [];
  const made = ringing({ redirectLeg: (next) => redirected.push(next) > 0 });
  const { line } = made;
  line.advance(6_000);
  expect(stageOf(line)).toBe('calling');
  line.call.receive({ type: 'person.took' });
  line.until(() => redirected.length > 0, 5_000);
  expect(redirected).toMatchObject([{ do: 'conference', room: did(line, 'person.call')[0]?.room }]);
  expect(line.nexts).toEqual(redirected);
  line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  line.advance(7_000);
  expect(line.termination).toBe(null);
  line.advance(1_500);
  expect(line.termination?.reason).toBe('transferred');
  line.advance(2_000);
  expect(made.people).toHaveLength(1);
  expectNothingLeft(made);
});

test('warm: the carrier refuses to move the caller: the media is closed, and it asks', () => {
  const made = ringing({ redirectLeg: () => false });
  made.line.call.receive({ type: 'person.took' });
  made.line.until(() => made.line.legClosed, 5_000);
  made.line.advance(100);
  expect(stageOf(made.line)).toBe('away');
  expect(made.line.nexts.at(-1)).toMatchObject({ do: 'conference' });
});

test.each<MissedBecause>(['declined', 'busy', 'no_answer', 'failed', 'unavailable'])(
  'warm, %s: the caller never left, and is told',
  (because) => {
    const made = ringing();
    const { line } = made;
    line.model.plans.push(says(900));
    missed(line, because);
    line.advance(3_000);
    expect(line.call.state).toMatchObject({ phase: 'talking', away: null, transfer: null });
    expect(outputsOf(line, 't1')).toHaveLength(1);
    expect(outputsOf(line, 't1')[0]).toContain('did not take the call');
    expect(line.heardMs(2)).toBe(900);
    // And can be tried again.
    line.model.plans.push({ ...says(300), tools: calls('t2', 'transfer_to', { target: 'doctor' }).tools! });
    callerSays(line);
    line.advance(4_000);
    expect(made.people).toHaveLength(2);
    const rooms = did(line, 'person.call').map(({ room }) => room);
    expect(new Set(rooms).size).toBe(2);
    hangUp(line);
    line.advance(2_000);
    expectNothingLeft(made);
  },
);

test('warm: nobody says what became of the ringing: given up soon after the last ring', () => {
  const { line, people } = ringing();
  line.model.plans.push(says(500));
  line.advance(34_000);
  expect(people).not.toContain('drop');
  line.advance(2_000);
  expect(people.at(-1)).toBe('drop');
  expect(outputsOf(line, 't1')[0]).toContain('nobody answered');
});

test('warm: a person who has answered has time to decide; one who does not is dropped, and the caller is told', () => {
  const { line, people } = ringing();
  line.model.plans.push(says(500));
  line.advance(19_000);
  line.call.receive({ type: 'person.hears' });
  line.advance(44_000);
  expect(people).not.toContain('drop');
  line.advance(2_000);
  expect(people.at(-1)).toBe('drop');
  expect(outputsOf(line, 't1')[0]).toContain('nobody answered');
});

test('warm: the caller hangs up while it rings, as the person accepts, and while being moved: nobody is left waiting', () => {
  const rings = ringing();
  hangUp(rings.line);
  expect(rings.people.at(-1)).toBe('drop');
  const taken = ringing();
  taken.line.model.speechStarted();
  taken.line.call.receive({ type: 'person.took' });
  expect(stageOf(taken.line)).toBe('taken');
  hangUp(taken.line);
  expect(taken.people.at(-1)).toBe('drop');
  const moving = ringing();
  moving.line.call.receive({ type: 'person.took' });
  moving.line.until(() => stageOf(moving.line) === 'moving', 5_000);
  hangUp(moving.line);
  expect(moving.people.at(-1)).toBe('drop');
  // On the way into the room, perhaps not there.
  const moved = together();
  hangUp(moved.line);
  expect(moved.people.at(-1)).toBe('drop');
  for (const made of [rings, taken, moving, moved]) {
    made.line.advance(2_000);
    expect(made.line.termination?.reason).toBe('caller_hung_up');
    expectNothingLeft(made);
  }
});

test('warm: accepted in the middle of a sentence of the agent: the caller hears it, but not for long', () => {
  const made = ringing();
  const { line } = made;
  line.model.plans.push(says(20_000));
  callerSays(line, 'still there?');
  line.advance(800);
  line.call.receive({ type: 'person.took' });
  line.advance(3_500);
  expect(stageOf(line)).toBe('taken');
  line.advance(700);
  expect(stageOf(line)).toMatch(/moving|away/);
  expect(line.call.state).toMatchObject({ playback: { tracks: [] } });
});

test('warm: the carrier never moves the caller: the person is let go, the caller asked back', () => {
  const made = ringing();
  made.line.call.receive({ type: 'person.took' });
  made.line.until(() => stageOf(made.line) === 'moving', 5_000);
  made.line.advance(8_100);
  expect(made.people.at(-1)).toBe('drop');
  made.line.advance(3_100);
  expect(made.line.recalls).toBe(1);
});

test.each<[string, (line: VirtualLine) => void]>([
  [
    'the news, then the stream',
    (line) => {
      missed(line, 'left');
      line.startMedia();
    },
  ],
  [
    'moved told twice, the news, then the stream',
    (line) => {
      line.call.receive({ type: 'person.moved' });
      line.call.receive({ type: 'person.moved' });
      missed(line, 'left');
      line.startMedia();
    },
  ],
])('warm: the person leaves at once (%s): the caller is back', (_order, comes) => {
  const made = together();
  made.line.advance(3_000);
  made.line.model.plans.push(says(600));
  comes(made.line);
  made.line.advance(2_500);
  expectBack(made, /ended at once/, 'doctor');
});

test('warm: the person leaves before the media is over: the caller is still asked back', () => {
  const made = ringing();
  const { line } = made;
  line.call.receive({ type: 'person.took' });
  line.until(() => stageOf(line) === 'moving', 5_000);
  missed(line, 'left');
  line.report({ type: 'leg.closed', cause: 'carrier_stopped', detail: '' });
  line.advance(3_100);
  expect(line.termination).toBe(null);
  expect(line.recalls).toBe(1);
});

test.each<[string, (line: VirtualLine) => void, string]>([
  ['drain', (line) => line.call.receive({ type: 'call.asked_to_end', reason: 'drained' }), 'drained'],
  ['the longest duration', (line) => line.advance(600_000), 'max_duration'],
  [
    'the media lost for good',
    (line) => line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' }),
    'media_lost',
  ],
  ['the model lost for good', (line) => line.model.lose(), 'model_refused'],
])('warm, ringing, and %s: the person is let go', (_what, happens, reason) => {
  const made = ringing({
    policy: { maxCallMs: 30_000 },
    refuse: ({ session }) => (session === 's1' ? null : { cause: 'refused', detail: 'no', retry: false }),
  });
  happens(made.line);
  made.line.advance(30_000);
  expect(made.people.at(-1)).toBe('drop');
  expect(made.line.termination?.reason).toBe(reason);
  expectNothingLeft(made);
});

test.each<[string, (line: VirtualLine) => void]>([
  ['drain', (line) => line.call.receive({ type: 'call.asked_to_end', reason: 'drained' })],
  ['the longest duration', (line) => line.advance(600_000)],
])('warm, together for a moment, and %s: handed over, and nobody is let go', (_what, happens) => {
  const made = together();
  made.line.advance(1_000);
  happens(made.line);
  made.line.advance(2_000);
  // Only a call that counts as transferred is not followed by an order to hang up.
  expect(made.line.termination?.reason).toBe('transferred');
  expect(made.people).toHaveLength(1);
  expectNothingLeft(made);
});

test('the media is lost while it rings, and comes back: it rings on, and the caller is moved from the new stream', () => {
  const made = ringing();
  const { line } = made;
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  line.call.receive({ type: 'person.took' });
  line.advance(1_000);
  line.model.plans.push(says(300));
  line.startMedia();
  line.until(() => stageOf(line) === 'moving' || stageOf(line) === 'away', 8_000);
  expect(did(line, 'leg.move')).toHaveLength(1);
});

test('a second transfer while one is under way, and during a hand-off: refused', () => {
  const made = ringing();
  made.line.model.plans.push({
    items: [],
    thinkMs: 50,
    tools: calls('t2', 'transfer_to', { target: 'reception' }).tools!,
  });
  callerSays(made.line);
  made.line.advance(1_000);
  expect(outputsOf(made.line, 't2')[0]).toContain('already');
  expect(made.people).toHaveLength(1);
});

test('news of nobody: ignored, and a person who takes what is over is let go', () => {
  const { line, people } = handed();
  missed(line, 'busy');
  expect(did(line, 'note.transfer')).toEqual([]);
  line.call.receive({ type: 'person.took' });
  expect(people).toEqual(['drop']);
  line.call.receive({ type: 'person.moved' });
  expect(line.call.state).toMatchObject({ phase: 'talking', away: null });
});
