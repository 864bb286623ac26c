// What the transcript shows, in which order, what is heard at a moment, and what a search finds.
import { describe, expect, it } from 'vitest';
import { extrasOf } from '../../../src/page/call/extras.ts';
import { heardAt, marked, search, storyOf } from '../../../src/page/call/story.ts';
import { agentSays, callerSays, toolRuns } from './turns.ts';
import fc from '../../support/fast-check.ts';

const TURNS = [
  agentSays({ turn: 0, at: 100, heardMs: 900, said: 'Hello there.' }),
  callerSays({ turn: 1, from: 2_000, committed: 3_000, said: 'An appointment, please.' }),
  agentSays({ turn: 2, at: 3_500, heardMs: 400, receivedMs: 1_400, outcome: 'interrupted', said: 'When would you' }),
];

describe('story', () => {
  it('is in the order of time: words, a barge-in behind what it cut, tools, what the record adds', () => {
    const record = { notes: [{ atMs: 3_200, disposition: 'booked', text: 'Tuesday' }] };
    const story = storyOf(TURNS, [toolRuns({ at: 3_100, durationMs: 50 })], extrasOf(record));
    expect(story.map(({ kind, fromMs }) => [kind, fromMs])).toEqual([
      ['agent', 100],
      ['caller', 2_000],
      ['tool', 3_100],
      ['aside', 3_200],
      ['agent', 3_500],
      ['barge_in', 3_900],
    ]);
    expect(story[5]).toMatchObject({ unheardMs: 1_000 });
    expect(new Set(story.map(({ key }) => key)).size).toBe(story.length);
  });
  it('tells a stop of ours from a barge-in, though their clocks are a little apart', () => {
    const stops = (because: string, atMs: number) =>
      storyOf(TURNS, [], extrasOf({ stops: [{ atMs, because }] })).at(-1);
    expect(stops('our_decision', 3_780)).toMatchObject({ kind: 'barge_in', ours: true });
    expect(stops('caller_spoke', 3_780)).toMatchObject({ kind: 'barge_in', ours: false });
    expect(stops('our_decision', 9_000)).toMatchObject({ kind: 'barge_in', ours: false });
  });
  it('keeps a turn without any time behind the one before it', () => {
    const story = storyOf([...TURNS, agentSays({ turn: 3, at: null, heardMs: 0, said: 'lost' })], [], null);
    expect(story.findIndex((entry) => entry.key === 't3')).toBeGreaterThan(
      story.findIndex((entry) => entry.key === 't2'),
    );
  });
  it('knows what is heard: words only, never a tool', () => {
    const story = storyOf(TURNS, [toolRuns({ at: 3_100, durationMs: 50 })], null);
    expect([0, 99, 100, 1_500, 2_000, 3_200, 9_999].map((ms) => heardAt(story, ms))).toEqual([-1, -1, 0, 0, 1, 1, 3]);
    expect(heardAt([], 5)).toBe(-1);
  });
  it('finds words, names and values of tools, whatever their case', () => {
    const story = storyOf(TURNS, [toolRuns({ at: 3_100, durationMs: 50 })], null);
    expect(search(story, ' APPOINTMENT ')).toEqual([1]);
    expect(search(story, 'find_pat')).toEqual([2]);
    expect(search(story, ' ')).toEqual([]);
  });
});

describe('marking', () => {
  it('cuts a text where it was found', () => {
    expect(marked('To be or not to be', 'to')).toEqual([
      { text: 'To', hit: true },
      { text: ' be or not ', hit: false },
      { text: 'to', hit: true },
      { text: ' be', hit: false },
    ]);
  });
  it('never changes a letter of the text, whatever is looked for', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom('a', 'A', 'İ', 'ß', '<', ' ') }),
    );
    fc.assert(
      fc.property(text, text, (all, wanted) => {
        expect(
          marked(all, wanted)
            .map((piece) => piece.text)
            .join(''),
        ).toBe(all);
      }),
    );
  });
});

describe('what the record adds', () => {
  it('tells troubles, hand-overs, guardrails and operators in words', () => {
    const { asides, keysPressed, deductions } = extrasOf({
      transfers: [{ atMs: 2, target: 'reception', stage: 'missed', why: 'busy' }],
      troubles: [{ atMs: 1, what: 'session_lost', why: '1006' }],
      guarded: [{ atMs: 3, guardrail: 'prices' }],
      handOffs: [{ atMs: 4, agent: 'Night Desk' }],
      operated: [
        { atMs: 5, action: 'whispered', target: '' },
        { atMs: 6, action: 'transfers', target: 'reception' },
      ],
      keysPressed: 3,
      quality: { deductions: [{ part: 'dead_air', points: 4, why: 'two waits' }] },
    });
    expect(asides.map(({ what, text, tone }) => `${what}: ${text} [${tone}]`)).toEqual([
      'Trouble: The connection to the model was lost; another takes over (1006) [bad]',
      'Hand-over: reception could not take the call (busy) [bad]',
      'Guardrail: prices stopped what was being said [bad]',
      'Hand-off: Night Desk answers from now on [plain]',
      'Operator: whispered to the agent [operator]',
      // It was asked for; whether it came to that is another line.
      'Operator: asked for the call to be handed over to reception [operator]',
    ]);
    expect(keysPressed).toBe(3);
    expect(deductions).toEqual([{ part: 'dead_air', points: 4, why: 'two waits' }]);
  });
  it('leaves out what does not look as expected, and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (record) => {
        expect(extrasOf(record).asides).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.anything()), (list) => {
        const { asides } = extrasOf({ notes: list, troubles: list, transfers: list });
        for (const { atMs, text } of asides) expect([typeof atMs, typeof text]).toEqual(['number', 'string']);
      }),
    );
  });
});
