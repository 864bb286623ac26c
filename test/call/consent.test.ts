// What cannot be undone happens only after the caller heard it read back, whole, and agreed since. Every way around that we
// could think of.
import { expect, test } from 'vitest';
import { canonical } from '../../src/call/consent.ts';
import type { VirtualLine } from '../support/virtual-line.ts';
import type { ErrandPolicy } from '../../src/call/policy.ts';
import {
  answered,
  callerSays,
  calls,
  did,
  type ErrandLineOptions,
  foldsTheSame,
  hangUp,
  lastTurn,
  outputsOf,
  press,
  says,
  understood,
} from '../support/errand-line.ts';
import fc from '../support/fast-check.ts';

const ARGS = { appointment: 7, why: 'ill' };
const CONSENT: ErrandPolicy['consent'] = {
  by: 'voice_or_key',
  yes: ['yes', 'do it'],
  no: ['no', 'wait', "don't"],
  transcribes: true,
};

interface Scene {
  line: VirtualLine;
  /** Runs that happened: by their tool call. */
  done: string[];
}

/** `cancel` cannot be undone; `look` only reads, and settles at once. */
function scene({ errands, ...options }: ErrandLineOptions = {}): Scene {
  const done: string[] = [];
  const line = answered({
    ...options,
    errands: { consent: CONSENT, ...errands },
    runTool: (name, settle, _signal, run) => {
      if (name === 'look') return settle({ status: 'ok', output: 'seen' });
      if (!run.agreed) return settle({ status: 'unconfirmed', output: 'Read it back, then wait for a yes.' });
      done.push(run.toolCall);
      settle({ status: 'ok', output: 'cancelled' });
    },
  });
  return { line, done };
}

/** The model asks for the first time, as c1, and reads it back: 2 s, of which nothing has sounded yet. */
function asked(options: ErrandLineOptions = {}, args: unknown = ARGS, readBack = says(2_000)): Scene {
  const made = scene(options);
  const { line } = made;
  line.model.plans.push(calls('c1', 'cancel', args), readBack);
  callerSays(line, 'please cancel it');
  line.until(() => did(line, 'leg.play').length > 0);
  return made;
}

/** The same, and all of it was heard. */
function readBack(options: ErrandLineOptions = {}, args: unknown = ARGS): Scene {
  const made = asked(options, args);
  made.line.advance(2_500);
  return made;
}

/** The caller says something, and the model asks (again) as `callId`. */
function saysThenAsks(line: VirtualLine, words: string | null, callId = 'c2', args: unknown = ARGS): string {
  line.model.plans.push(calls(callId, 'cancel', args), says(300));
  return callerSays(line, words);
}

const settled = (line: VirtualLine): void => line.advance(6_000);

test.each<[string, boolean, (made: Scene) => void]>([
  ['a yes after all of it was heard', true, ({ line }) => void saysThenAsks(line, 'Yes, please.')],
  ['a yes of two words', true, ({ line }) => void saysThenAsks(line, 'well, do it')],
  ['a yes inside another word', false, ({ line }) => void saysThenAsks(line, 'yesterday I was there')],
  ['yes, no wait', false, ({ line }) => void saysThenAsks(line, 'yes. No, wait!')],
  ['no', false, ({ line }) => void saysThenAsks(line, 'no')],
  ['words that mean neither', false, ({ line }) => void saysThenAsks(line, 'hm what')],
  ['silence that was taken for a turn', false, ({ line }) => void saysThenAsks(line, '')],
  ['other arguments', false, ({ line }) => void saysThenAsks(line, 'yes', 'c2', { appointment: 8, why: 'ill' })],
  ['an argument less', false, ({ line }) => void saysThenAsks(line, 'yes', 'c2', { appointment: 7 })],
  [
    'keys in another order',
    true,
    ({ line }) => void saysThenAsks(line, 'yes', 'c2', '{ "why":"ill", "appointment": 7.0 }'),
  ],
  [
    'a list that looks like an object',
    false,
    ({ line }) => void saysThenAsks(line, 'yes', 'c2', '[["appointment",7],["why","ill"]]'),
  ],
  ['no JSON', false, ({ line }) => void saysThenAsks(line, 'yes', 'c2', '{')],
  [
    'another tool with the same arguments',
    false,
    ({ line }) => {
      line.model.plans.push(calls('c2', 'erase', ARGS), says(300));
      callerSays(line, 'yes');
    },
  ],
  [
    'key 1',
    true,
    ({ line }) => {
      line.model.plans.push(calls('c2', 'cancel', ARGS));
      press(line, '1');
    },
  ],
  [
    'key 2',
    false,
    ({ line }) => {
      line.model.plans.push(calls('c2', 'cancel', ARGS));
      press(line, '2');
    },
  ],
  [
    'key 2, then 1',
    false,
    ({ line }) => {
      line.model.plans.push(calls('c2', 'cancel', ARGS));
      press(line, '21');
    },
  ],
  [
    'key 1, and a no behind it',
    false,
    ({ line }) => {
      press(line, '1');
      saysThenAsks(line, 'oh no');
    },
  ],
  [
    'a no, and key 1 behind it',
    true,
    ({ line }) => {
      line.model.plans.push(says(300));
      callerSays(line, 'no');
      line.advance(1_500);
      line.model.plans.push(calls('c2', 'cancel', ARGS));
      press(line, '1');
    },
  ],
  [
    'a yes, another tool that succeeds, then it',
    false,
    ({ line }) => {
      line.model.plans.push(calls('l1', 'look'), calls('c2', 'cancel', ARGS), says(300));
      callerSays(line, 'yes');
    },
  ],
  [
    'unclear, then a plain yes',
    true,
    ({ line }) => {
      saysThenAsks(line, 'hm', 'c2');
      line.advance(2_000);
      saysThenAsks(line, 'yes', 'c3');
    },
  ],
  [
    'a refusal, then a yes to whatever was asked instead',
    false,
    ({ line }) => {
      saysThenAsks(line, 'no', 'c2');
      line.advance(2_000);
      saysThenAsks(line, 'yes', 'c3');
    },
  ],
  [
    'no then yes in two turns, asked for after both',
    false,
    ({ line }) => {
      line.model.plans.push(says(100));
      callerSays(line, 'no');
      line.advance(1_000);
      saysThenAsks(line, 'yes', 'c2');
    },
  ],
  [
    'a yes three minutes later',
    false,
    ({ line }) => {
      for (let i = 0; i < 19; i++) {
        line.model.plans.push(says(100));
        callerSays(line, 'hm');
        line.advance(10_000);
      }
      saysThenAsks(line, 'yes', 'c2');
    },
  ],
])('%s: done %j', (_what, agrees, act) => {
  const made = readBack();
  expect(made.line.call.state).toMatchObject({ consent: { stage: 'heard' } });
  act(made);
  settled(made.line);
  expect(made.done.length).toBe(agrees ? 1 : 0);
  expect(made.line.faults).toEqual([]);
  for (const callId of ['c1', ...did(made.line, 'tool.run').map(({ toolCall }) => toolCall)])
    expect(outputsOf(made.line, callId)).toHaveLength(1);
  expect(foldsTheSame(made.line)).toBe(true);
});

test.each<[string, number]>([
  ['at half of it', 1_000],
  ['at 99 %', 1_975],
])('interrupted %s by the yes: it is read back again', (_when, ms) => {
  const { line, done } = asked();
  line.advance(ms);
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual([]);
  expect(outputsOf(line, 'c2')[0]).toContain('not heard all of it');
});

test('a yes over the end, of a caller who may not interrupt yet: not counted', () => {
  const { line, done } = asked({ policy: { interruptAfterMs: 600 }, interrupts: false, answers: false });
  line.advance(1_300);
  line.model.plans.push(calls('c2', 'cancel', ARGS), says(300));
  // 300 ms: a backchannel, before the end.
  callerSays(line, 'yes', 300);
  settled(line);
  expect(line.call.state).toMatchObject({ consent: { stage: 'heard', turns: [] } });
  expect(done).toEqual([]);
});

test('a yes before the read-back, and one during the thinking: not counted', () => {
  const { line, done } = scene();
  line.model.plans.push(
    calls('c1', 'cancel', ARGS),
    { ...says(1_000), thinkMs: 1_500 },
    calls('c2', 'cancel', ARGS),
    says(300),
  );
  callerSays(line, 'yes do it');
  line.advance(700);
  callerSays(line, 'yes yes');
  settled(line);
  expect(done).toEqual([]);
});

test('what was being said when it was asked for is no read-back', () => {
  const { line, done } = scene();
  // Three seconds of "let me see", during which the read-back is begun behind it.
  line.model.plans.push({ ...says(3_000), tools: calls('c1', 'cancel', ARGS).tools! }, says(3_000));
  callerSays(line, 'cancel it');
  line.advance(3_900);
  expect(line.call.state).toMatchObject({ consent: { stage: 'reading' } });
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual([]);
});

test('a read-back in two parts counts when both were heard', () => {
  const { line, done } = asked({ policy: { interruptAfterMs: 800 }, interrupts: false, answers: false }, ARGS, {
    items: [{ ms: 1_000 }, { ms: 1_500 }],
    thinkMs: 50,
  });
  line.advance(1_300);
  // A word during the second part, too short to interrupt.
  callerSays(line, 'yes', 200);
  expect(line.call.state).toMatchObject({ consent: { stage: 'reading', turns: [] } });
  line.advance(2_500);
  expect(line.call.state).toMatchObject({ consent: { stage: 'heard', turns: [] } });
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual(['c2']);
});

test('the model asks again without waiting: told to wait, without a second read-back', () => {
  const { line, done } = asked({}, ARGS, { ...says(2_000), tools: calls('c2', 'cancel', ARGS).tools! });
  line.advance(2_500);
  expect(outputsOf(line, 'c2')).toEqual(['Not done: the caller is still hearing it. Wait for what they say to it.']);
  expect(new Set(did(line, 'leg.play').map(({ utterance }) => utterance)).size).toBe(1);
  saysThenAsks(line, 'yes', 'c3');
  settled(line);
  expect(done).toEqual(['c3']);
});

test('a read-back that broke off with its session was not heard, however much of it sounded', () => {
  const made = asked({ policy: { recoverWithinMs: 8_000, holdBytes: 8_000 } }, ARGS, {
    items: [{ ms: 2_000, stallAfterMs: 1_000, stallMs: 3_000 }],
    thinkMs: 50,
  });
  const { line, done } = made;
  line.advance(300);
  line.model.lose();
  expect(line.call.state).toMatchObject({ consent: { stage: 'asked' } });
  line.advance(900);
  expect(line.call.state).not.toMatchObject({ consent: { stage: 'heard' } });
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual([]);
});

test('a read-back that the model could not finish was not heard', () => {
  const { line, done } = asked({}, ARGS, { ...says(1_000), status: 'incomplete' });
  line.model.plans.push({ items: [], thinkMs: 9_000 });
  line.advance(1_500);
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual([]);
});

test('session lost after the read-back was heard: what was heard stays heard', () => {
  const { line, done } = readBack({ policy: { recoverWithinMs: 8_000 } });
  line.model.lose();
  line.advance(1_000);
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual(['c2']);
});

test.each<[string, boolean, (line: VirtualLine, turn: string) => void]>([
  [
    'come in time',
    true,
    (line, turn) => {
      line.advance(1_500);
      understood(line, turn, 'yes');
    },
  ],
  [
    'come in time and say no',
    false,
    (line, turn) => {
      line.advance(1_500);
      understood(line, turn, 'no no');
    },
  ],
  ['never come', false, () => {}],
  [
    'come too late',
    false,
    (line, turn) => {
      line.advance(3_500);
      understood(line, turn, 'yes');
    },
  ],
  ['are of another turn', false, (line) => understood(line, 'item_other', 'yes')],
  [
    'come while the caller has spoken on, and that is a no',
    false,
    (line, turn) => {
      const other = callerSays(line, null);
      understood(line, turn, 'yes');
      understood(line, other, 'no');
    },
  ],
])('words that %s: done %j', (_what, agrees, act) => {
  const { line, done } = readBack();
  const turn = saysThenAsks(line, null);
  line.advance(150);
  expect(line.call.state).toMatchObject({ tools: { c2: 'asking' } });
  act(line, turn);
  settled(line);
  expect(done.length).toBe(agrees ? 1 : 0);
  expect(outputsOf(line, 'c2')).toHaveLength(1);
  expect(line.call.state).toMatchObject({ tools: { c2: 'settled' } });
  expect(foldsTheSame(line)).toBe(true);
});

test('words that went with their session are waited for no longer than others', () => {
  const { line, done } = readBack({ policy: { recoverWithinMs: 8_000 } });
  const turn = saysThenAsks(line, null);
  line.advance(150);
  line.model.lose();
  line.advance(300);
  // The old socket is gone; the new session transcribes nothing of it.
  line.advance(4_000);
  expect(done).toEqual([]);
  expect(turn).not.toBe('');
  expect(line.call.state).toMatchObject({ tools: { c2: 'settled' } });
  settled(line);
  expect(line.faults).toEqual([]);
});

test('twice in one answer, while the words are missing: one runs, the other is told', () => {
  const { line, done } = readBack();
  line.model.plans.push(
    { items: [], thinkMs: 50, tools: [...calls('c2', 'cancel', ARGS).tools!, ...calls('c3', 'cancel', ARGS).tools!] },
    says(300),
  );
  const turn = callerSays(line, null);
  line.advance(200);
  understood(line, turn, 'yes');
  settled(line);
  expect(done).toEqual(['c2']);
  expect([outputsOf(line, 'c2').length, outputsOf(line, 'c3').length]).toEqual([1, 1]);
  expect(line.call.state).toMatchObject({ tools: { c2: 'settled', c3: 'settled' } });
});

test('twice in one answer, after a yes: one runs', () => {
  const { line, done } = readBack();
  line.model.plans.push(
    { items: [], thinkMs: 50, tools: [...calls('c2', 'cancel', ARGS).tools!, ...calls('c3', 'cancel', ARGS).tools!] },
    says(300),
  );
  callerSays(line, 'yes');
  settled(line);
  expect(done).toEqual(['c2']);
});

test('another one is asked for while the words are missing: the first is answered, neither runs', () => {
  const { line, done } = readBack();
  line.model.plans.push(
    {
      items: [],
      thinkMs: 50,
      tools: [...calls('c2', 'cancel', ARGS).tools!, ...calls('c3', 'cancel', { other: 1 }).tools!],
    },
    says(300),
  );
  const turn = callerSays(line, null);
  line.advance(200);
  understood(line, turn, 'yes');
  settled(line);
  expect(done).toEqual([]);
  expect([outputsOf(line, 'c2').length, outputsOf(line, 'c3').length]).toEqual([1, 1]);
});

test('a key that refuses while the words are missing: refused at once', () => {
  const { line, done } = readBack();
  saysThenAsks(line, null);
  line.advance(150);
  press(line, '9');
  expect(outputsOf(line, 'c2')[0]).toContain('did not agree');
  settled(line);
  expect(done).toEqual([]);
});

test('a drain while the words are missing: nothing is done any more', () => {
  const { line, done } = readBack();
  const turn = saysThenAsks(line, null);
  line.advance(150);
  line.call.receive({ type: 'call.asked_to_end', reason: 'drained' });
  understood(line, turn, 'yes');
  settled(line);
  expect(done).toEqual([]);
  expect(line.termination?.reason).toBe('drained');
  expect(line.clock.pending).toBe(0);
});

test('a hang-up while the words are missing: nothing is done, nothing left', () => {
  const { line, done } = readBack();
  saysThenAsks(line, null);
  line.advance(150);
  hangUp(line);
  settled(line);
  expect(done).toEqual([]);
  expect(line.clock.pending).toBe(0);
});

test('by key alone a yes is not enough', () => {
  const { line, done } = readBack({ errands: { consent: { ...CONSENT, by: 'key' } } });
  saysThenAsks(line, 'yes');
  line.advance(2_000);
  expect(outputsOf(line, 'c2')[0]).toContain('press 1');
  line.model.plans.push(calls('c3', 'cancel', ARGS));
  press(line, '1');
  settled(line);
  expect(done).toEqual(['c3']);
});

test('where nothing is transcribed any turn after it was heard counts, and none before', () => {
  const consent = { ...CONSENT, transcribes: false };
  const before = asked({ errands: { consent } });
  before.line.advance(1_900);
  saysThenAsks(before.line, null);
  settled(before.line);
  expect(before.done).toEqual([]);
  const after = readBack({ errands: { consent } });
  saysThenAsks(after.line, null);
  settled(after.line);
  expect(after.done).toEqual(['c2']);
});

test('key 1 during the read-back agrees to nothing', () => {
  const { line, done } = asked();
  line.advance(1_000);
  line.model.plans.push(calls('c2', 'cancel', ARGS));
  press(line, '1');
  settled(line);
  expect(done).toEqual([]);
});

test('caller away and back in the middle of it: it is read back again', () => {
  const { line, done } = asked({ policy: { resumeWithinMs: 9_000 } });
  line.advance(1_500);
  line.report({ type: 'leg.closed', cause: 'socket_lost', detail: '' });
  line.advance(700);
  line.startMedia();
  line.advance(4_000);
  expect(line.call.state).toMatchObject({ phase: 'talking' });
  line.model.plans.length = 0;
  saysThenAsks(line, 'yes');
  settled(line);
  // What was said after the return was heard whole and is taken as the read-back: content is not ours to judge.
  expect(done.length).toBeLessThanOrEqual(1);
});

test('a tool that succeeds while it is still to be read back does not cost another round', () => {
  const { line, done } = scene();
  line.model.plans.push(
    { items: [], thinkMs: 50, tools: [...calls('c1', 'cancel', ARGS).tools!, ...calls('l1', 'look').tools!] },
    says(1_000),
  );
  callerSays(line, 'cancel it');
  line.advance(2_500);
  saysThenAsks(line, 'yes');
  settled(line);
  expect(done).toEqual(['c2']);
});

test('whatever happens between, nothing runs without a read-back that was heard whole and a yes or a 1 behind it', () => {
  const act = fc.constantFrom('yes', 'no', 'hm', null, '1', '2', 'ask', 'other', 'lose', 'wait');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(act, fc.integer({ min: 100, max: 3_000 })), { minLength: 3, maxLength: 14 }),
      (acts) => {
        const { line, done } = asked({ policy: { recoverWithinMs: 8_000 } });
        let n = 10;
        for (const [what, ms] of acts) {
          line.advance(ms);
          if (line.call.state.phase === 'ended') break;
          const id = `c${n++}`;
          if (what === '1' || what === '2') press(line, what);
          else if (what === 'ask' || what === 'other') {
            line.model.plans.push(calls(id, 'cancel', what === 'ask' ? ARGS : { x: 1 }), says(800));
            callerSays(line, null);
          } else if (what === 'lose') {
            // One that is still connecting has nothing to lose.
            if (line.call.state.session === 'ready') line.model.lose();
          } else if (what !== 'wait') saysThenAsks(line, what, id);
        }
        line.advance(10_000);
        expect(line.faults).toEqual([]);
        for (const ran of done) {
          const run = line.effects.find((e) => e.do === 'tool.run' && e.toolCall === ran) as { atMs: number };
          const heardAt = line.effects
            .filter((e) => e.do === 'note.settled' && e.outcome === 'heard' && e.atMs <= run.atMs)
            .map((e) => e.atMs);
          expect(heardAt.length).toBeGreaterThan(0);
          const first = Math.min(...heardAt);
          const said = line.events.some(
            (e) =>
              e.atMs >= first &&
              e.atMs <= run.atMs &&
              ((e.type === 'turn.transcribed' && /yes/.test(e.text)) ||
                (e.type === 'leg.digit_pressed' && e.digit === '1')),
          );
          expect(said).toBe(true);
        }
        if (line.call.state.phase !== 'ended') expect(Object.values(line.call.state.tools)).not.toContain('asking');
        expect(foldsTheSame(line)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

test('arguments are the same when they mean the same', () => {
  expect(canonical('{"a":{"x":1,"y":[1,2]},"b":null}')).toBe(canonical(' {"b":null,"a":{"y":[1,2],"x":1.0}}'));
  expect(canonical('')).toBe(canonical('{}'));
  for (const [a, b] of [
    ['{"a":{"x":1}}', '{"a":[["x",1]]}'],
    ['{"a":[]}', '{"a":{}}'],
    ['{"a":"1"}', '{"a":1}'],
    ['{"a":["{",["x",1]]}', '{"a":{"x":1}}'],
    ['{"a":[1,2]}', '{"a":[2,1]}'],
  ] as const)
    expect(canonical(a)).not.toBe(canonical(b));
  expect(canonical('['.repeat(7_000))).toBe(null);
  expect(canonical(`{"a":"${'x'.repeat(9_000)}"}`)).toBe(null);
  // Deeper than anybody can read back: never agreed to, and no fault.
  expect(() => canonical(`${'['.repeat(3_900)}${']'.repeat(3_900)}`)).not.toThrow();
});

test('the turn that counts is the last one known', () => {
  const { line } = readBack();
  line.model.plans.push(says(100));
  const turn = callerSays(line, 'hm');
  expect(lastTurn(line)).toBe(turn);
});
