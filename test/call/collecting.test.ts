// Digits that the caller keys in. A secret field leaves no trace of a digit or of a sound anywhere outside its drawer, from
// the moment it opens until the tone of the last key has faded, however the input ends.
import { expect, test } from 'vitest';
import type { Onlooker } from '../../src/call/feed.ts';
import type { KeypadField } from '../../src/call/policy.ts';
import { Drawer } from '../../src/call/hidden.ts';
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
} from '../support/errand-line.ts';
import fc from '../support/fast-check.ts';

const field = (part: Partial<KeypadField> = {}): KeypadField => ({
  ...{ min: 4, max: 6, endKey: '#', timeoutMs: 5_000, sensitive: true },
  ...part,
});
const FIELDS = {
  card: field(),
  code: field({ sensitive: false, min: 2, max: 4 }),
  pin: field({ min: 4, max: 4, endKey: '' }),
};
/** The digits of the secret: nothing else in a test holds them in a row, or as keys. */
const SECRET = '7938';
/** What the caller's voice and tones look like. */
const SOUND = Buffer.alloc(160, 0x5a).toString('base64');

interface Watched {
  line: VirtualLine;
  /** All that onlookers, the model and the state have seen so far. */
  seen: string[];
  /** What a tool gets under the field's name. */
  kept: (name: string) => string | null;
}

function watched(options: ErrandLineOptions = {}): Watched {
  const seen: string[] = [];
  const keep = (what: unknown): void => void seen.push(JSON.stringify(what));
  const watch: Onlooker = {
    input: (_atMs, input) => keep(input),
    stepped: (event, effects) => {
      keep(event);
      keep(effects);
    },
    sent: (_atMs, message) => keep(message),
  };
  let digits: (name: string) => string | null = () => null;
  const line = answered({
    ...options,
    errands: { fields: FIELDS, ...options.errands },
    onlookers: [watch],
    runTool: (_name, settle, _signal, run) => {
      digits = (name) => run.digits(name);
      settle({ status: 'ok', output: 'fine' });
    },
  });
  // A drawer is looked into by a tool alone.
  line.model.plans.push(calls('look', 'look'), says(200));
  callerSays(line);
  line.advance(1_500);
  return { line, seen, kept: (name) => digits(name) };
}

/** The model asks for a field, with a second of prompt in the same answer. */
function asks(line: VirtualLine, name: string, callId = 'd1', promptMs = 1_000): void {
  line.model.plans.push({
    ...(promptMs > 0 ? says(promptMs) : { items: [], thinkMs: 50 }),
    tools: calls(callId, 'collect_digits', { field: name }).tools!,
  });
  callerSays(line);
  line.until(() => did(line, 'digits.collect').length > 0 || outputsOf(line, callId).length > 0);
  // The answer after it.
  line.model.plans.push(says(300));
}

/** Keys with their sound, as a phone sends them. */
function keysIn(line: VirtualLine, keys: string, everyMs = 300): void {
  for (const digit of keys) {
    sounds(line, 60);
    line.report({ type: 'leg.digit_pressed', digit });
    sounds(line, 100);
    line.advance(everyMs - 160);
  }
}

let timestamp = 0;
function sounds(line: VirtualLine, ms: number): void {
  for (let i = 0; i < ms; i += 20) {
    line.frame((timestamp += 20), SOUND);
    line.advance(20);
  }
}

/** No digit of the secret as a key, nothing of the caller's sound. */
function expectNothing({ line, seen }: Watched, from = 0): void {
  const all = [...seen.slice(from), JSON.stringify(line.call.state)];
  for (const text of all) {
    expect(text).not.toMatch(/"digit":"[7938]"/);
    expect(text).not.toMatch(/pressed keys: [^\]]*[7938]/);
    // As a number of its own: timestamps may hold anything.
    expect(text).not.toMatch(new RegExp(`(?<![0-9.:,[])${SECRET}(?![0-9])`));
    expect(text).not.toContain(SECRET.split('').join(' '));
    expect(text).not.toContain(SOUND.slice(4, 40));
  }
}

function opened(options: ErrandLineOptions = {}, name = 'card'): Watched & { from: number } {
  const made = watched(options);
  asks(made.line, name);
  return { ...made, from: made.seen.length };
}

test.each<[string, string, string, string, string | null]>([
  [
    'ends by its end key',
    'card',
    '79384#',
    '5 digits. You cannot see them. Where a tool asks for it, pass "digits:card"',
    '79384',
  ],
  ['ends at its most digits', 'card', '793877', '6 digits', '793877'],
  ['begins anew at *', 'card', '33*7938#', '4 digits', '7938'],
  ['too few', 'card', '793#', 'at least 4 are needed', null],
  ['none but the end key', 'card', '#', 'keyed in nothing', null],
  ['too many', 'pin', '793879', '4 digits', '7938'],
  ['# where it ends nothing', 'pin', '79#38', '4 digits', '7938'],
])('a secret field %s (%s: %s)', (_what, name, keys, told, kept) => {
  const made = opened({}, name);
  const { line } = made;
  keysIn(line, keys);
  sounds(line, 600);
  line.advance(300);
  expectNothing(made, made.from);
  expect(outputsOf(line, 'd1')).toHaveLength(1);
  expect(outputsOf(line, 'd1')[0]).toContain(told);
  expect(made.kept(name)).toBe(kept);
  expect(line.faults).toEqual([]);
  expect(foldsTheSame(line)).toBe(true);
  // Later, sound and keys are the model's again.
  line.advance(2_000);
  const before = line.model.appendedBytes;
  sounds(line, 200);
  expect(line.model.appendedBytes - before).toBe(1_600);
  expect(made.seen.at(-1)).toContain(SOUND.slice(4, 40));
  press(line, '7#');
  expect(did(line, 'session.tell').at(-1)).toMatchObject({ text: '[The caller pressed keys: 7 #]' });
});

test('an end key that is * ends it, and forgets nothing', () => {
  const made = opened({ errands: { fields: { card: field({ endKey: '*' }) } } });
  keysIn(made.line, '7938*');
  expect(outputsOf(made.line, 'd1')[0]).toContain('4 digits');
  expect(made.kept('card')).toBe(SECRET);
});

test('without a key it is over a timeout after the end of the prompt, with one a timeout after it', () => {
  const made = watched();
  const { line } = made;
  asks(line, 'card', 'd1', 8_000);
  const prompt = () => line.call.state.phase === 'talking' && line.call.state.playback.queueEndsAtMs;
  line.advance(6_000);
  expect(outputsOf(line, 'd1')).toEqual([]);
  const endsAt = prompt() as number;
  line.advance(endsAt - line.clock.nowMs() + 4_900);
  expect(outputsOf(line, 'd1')).toEqual([]);
  line.advance(200);
  expect(outputsOf(line, 'd1')[0]).toContain('keyed in nothing');
  line.advance(4_000);
  asks(line, 'card', 'd2');
  line.advance(3_000);
  const from = made.seen.length;
  keysIn(line, '79', 4_800);
  expect(outputsOf(line, 'd2')).toEqual([]);
  line.advance(600);
  expect(outputsOf(line, 'd2')[0]).toContain('2 digits; at least 4');
  expectNothing(made, from);
});

test('the first key stops the prompt', () => {
  const { line } = opened();
  line.advance(300);
  press(line, '7', 0);
  expect(line.done('leg.clear')).toHaveLength(1);
  expect(line.effects.some((e) => e.do === 'note.stopped')).toBe(true);
});

test('what the caller says meanwhile is heard by nobody; without keys the model is told in time', () => {
  const made = opened();
  const { line } = made;
  line.advance(1_200);
  sounds(line, 2_000);
  expectNothing(made, made.from);
  line.advance(4_000);
  expect(outputsOf(line, 'd1')[0]).toContain('keyed in nothing');
  line.advance(1_600);
  const before = line.model.appendedBytes;
  sounds(line, 100);
  expect(line.model.appendedBytes - before).toBe(800);
});

test('the rest of a secret that came too late belongs to nobody, and is seen by nobody', () => {
  const made = opened();
  const { line } = made;
  line.advance(200);
  keysIn(line, '79', 300);
  line.advance(6_000);
  expect(outputsOf(line, 'd1')[0]).toContain('2 digits; at least 4');
  // Long after the last tone has faded: what is said is heard again, keys are not.
  const appended = line.model.appendedBytes;
  sounds(line, 100);
  expect(line.model.appendedBytes - appended).toBe(800);
  const from = made.seen.length;
  keysIn(line, '45', 400);
  expectNothing(made, from);
  expect(line.done('note.ignored')).toContainEqual(expect.objectContaining({ what: 'key_too_many' }));
  line.advance(16_000);
  press(line, '3', 0);
  line.advance(2_000);
  expect(JSON.stringify(line.effects)).toContain('The caller pressed keys: 3');
});

test('a goodbye while digits are keyed in: not yet', () => {
  const { line } = opened();
  line.model.plans.length = 0;
  line.model.plans.push({ ...says(300), tools: calls('e1', 'end_call').tools! });
  line.model.speechStarted();
  line.advance(300);
  line.model.speechStopped();
  line.advance(2_000);
  expect(outputsOf(line, 'e1')[0]).toContain('Not ended');
  expect(line.call.state).toMatchObject({ phase: 'talking', collecting: { field: 'card' } });
});

test('a field that is no secret is told, with what it is', () => {
  const { line, kept } = opened({}, 'code');
  press(line, '793#');
  expect(outputsOf(line, 'd1')).toEqual(['The caller keyed in 7 9 3. Where a tool asks for it, pass "digits:code".']);
  expect(kept('code')).toBe('793');
});

test('two secret fields in a row keep their own digits', () => {
  const made = opened();
  const { line } = made;
  keysIn(line, '7938#');
  line.advance(2_000);
  asks(line, 'pin', 'd2', 0);
  keysIn(line, '8397');
  expect(outputsOf(line, 'd2')[0]).toContain('4 digits');
  expect([made.kept('card'), made.kept('pin')]).toEqual(['7938', '8397']);
  for (const text of made.seen.slice(made.from)) expect(text).not.toMatch(/"digit":"[7938]"/);
});

test("a field that is no secret, right behind a secret one: a key too many is nobody's, the field gets its own", () => {
  const made = watched();
  const { line } = made;
  line.model.plans.push({ items: [], thinkMs: 50, tools: calls('d1', 'collect_digits', { field: 'pin' }).tools! });
  callerSays(line);
  line.advance(100);
  const from = made.seen.length;
  line.model.plans.push(calls('d2', 'collect_digits', { field: 'code' }));
  keysIn(line, '7938');
  line.until(() => did(line, 'digits.collect').length === 2);
  // One too many, inside the tail of the secret.
  keysIn(line, '9');
  expectNothing(made, from);
  line.advance(1_600);
  press(line, '12#');
  line.advance(100);
  expect(outputsOf(line, 'd2')).toEqual(['The caller keyed in 1 2. Where a tool asks for it, pass "digits:code".']);
  expect([made.kept('pin'), made.kept('code')]).toEqual(['7938', '12']);
  expect(foldsTheSame(line)).toBe(true);
});

test('another field while one is open, an unknown one, none at all: the model is told', () => {
  const { line } = opened();
  press(line, '7');
  line.model.plans.length = 0;
  line.model.plans.push({
    items: [],
    thinkMs: 50,
    tools: ['code', 'constructor', 7].map((name, i) => calls(`e${i}`, 'collect_digits', { field: name }).tools![0]!),
  });
  callerSays(line);
  line.advance(500);
  expect(outputsOf(line, 'e0')[0]).toContain('already');
  expect(outputsOf(line, 'e1')[0]).toContain('must be one of card, code, pin');
  expect(outputsOf(line, 'e2')[0]).toContain('must be one of');
});

test.each<[string, (line: VirtualLine) => void]>([
  ['hang-up', hangUp],
  ['drain', (line) => line.call.receive({ type: 'call.asked_to_end', reason: 'drained' })],
  ['the budget', (line) => line.call.receive({ type: 'budget.changed', reserved: false, share: 'spent' })],
  ['a model that is lost for good', (line) => line.model.lose()],
])('%s in the middle: nothing of it is seen, also of what is keyed in behind it', (_what, happens) => {
  const made = opened();
  const { line } = made;
  line.advance(1_200);
  keysIn(line, '79');
  happens(line);
  keysIn(line, '38');
  line.advance(2_500);
  keysIn(line, '7');
  line.advance(20_000);
  expectNothing(made, made.from);
  expect(line.call.state.phase).toBe('ended');
  expect(line.clock.pending).toBe(0);
  expect(made.kept('card')).toBe(null);
  expect(
    outputsOf(line, 'd1').length + line.effects.filter((e) => e.do === 'tool.abort' && e.toolCall === 'd1').length,
  ).toBeLessThanOrEqual(2);
  expect(foldsTheSame(line)).toBe(true);
});

test('the line breaks in the middle: the caller goes on where they were, with the whole time', () => {
  const made = opened({ policy: { resumeWithinMs: 9_000 } });
  const { line } = made;
  line.advance(1_200);
  keysIn(line, '79');
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  line.advance(4_900);
  line.startMedia();
  line.advance(3_000);
  expect(outputsOf(line, 'd1')).toEqual([]);
  keysIn(line, '38#');
  expectNothing(made, made.from);
  expect(outputsOf(line, 'd1')[0]).toContain('4 digits');
  expect(made.kept('card')).toBe(SECRET);
});

test('the model is lost in the middle: the next one learns the outcome', () => {
  const made = opened({ policy: { recoverWithinMs: 8_000 } });
  const { line } = made;
  line.advance(1_200);
  keysIn(line, '79');
  line.model.lose();
  line.advance(500);
  keysIn(line, '38#');
  line.advance(3_000);
  expect(made.kept('card')).toBe(SECRET);
  expect(outputsOf(line, 'd1')).toHaveLength(1);
  expectNothing(made, made.from);
});

test('random keys at random times, ended at random: never a digit outside the drawer, one outcome, what is kept is right', () => {
  const key = fc.constantFrom('7', '9', '3', '8', '*', '#');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(key, fc.integer({ min: 160, max: 3_000 })), { maxLength: 12 }),
      fc.constantFrom('card', 'pin'),
      fc.constantFrom('nothing', 'hang_up', 'drain', 'leg', 'session'),
      fc.nat(12),
      (keys, name, what, at) => {
        const made = opened({ policy: { resumeWithinMs: 9_000, recoverWithinMs: 8_000 } }, name);
        const { line } = made;
        keys.forEach(([digit, ms], i) => {
          if (i === at && what === 'hang_up') hangUp(line);
          if (i === at && what === 'drain') line.call.receive({ type: 'call.asked_to_end', reason: 'drained' });
          if (i === at && what === 'session') line.model.lose();
          if (i === at && what === 'leg') {
            line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
            line.advance(500);
            line.startMedia();
          }
          // Only while it is open, or its tail: after that keys are the model's.
          const { state } = line.call;
          if (state.phase === 'ended' || state.collecting !== null || line.clock.nowMs() + 60 < state.hiddenUntilMs)
            keysIn(line, digit, ms);
        });
        expectNothing(made, made.from);
        line.advance(8_000);
        // A session that takes over is told once more.
        for (const [i] of line.models.entries()) expect(outputsOf(line, 'd1', i).length).toBeLessThanOrEqual(1);
        if (line.call.state.phase === 'talking') expect(outputsOf(line, 'd1').length).toBeGreaterThan(0);
        const kept = made.kept(name);
        if (kept !== null) {
          expect(kept).toMatch(/^[7938]{4,6}$/);
          expect(outputsOf(line, 'd1')[0]).toContain(`${kept.length} digits`);
        }
        expect(line.faults).toEqual([]);
        expect(foldsTheSame(line)).toBe(true);
      },
    ),
    { numRuns: 120 },
  );
});

test('a drawer keeps what belongs to an open field, and no more than its most', () => {
  const drawer = new Drawer();
  expect(drawer.press('7')).toBe('x');
  drawer.collect('a', '#', 2);
  expect(['7', '#', '*', '9', '3', '8'].map((key) => drawer.press(key))).toEqual(['x', '#', '*', 'x', 'x', 'x']);
  drawer.done('a', true);
  expect(drawer.digits('a')).toBe('93');
  drawer.collect('a', '#', 2);
  expect(drawer.digits('a')).toBe(null);
  drawer.done('b', true);
  expect([drawer.digits('a'), drawer.digits('b')]).toEqual([null, null]);
  drawer.collect('c', '', 4);
  drawer.press('1');
  drawer.done('c', false);
  expect(drawer.digits('c')).toBe(null);
});
