// Rows of captions on terminals of all kinds, and how the screen writes them.
import { describe, expect, test } from 'vitest';
import { terminationOf } from '../../src/call/termination.ts';
import { captionRows, meter, shownWidth, type Surface } from '../../src/demo/caption-text.ts';
import type { Caption } from '../../src/demo/captions.ts';
import { surfaceOf } from '../../src/demo/demo.ts';
import { Screen } from '../../src/demo/screen.ts';

const PLAIN: Surface = { columns: 100, colour: false, rewrites: false };
const TERMINAL: Surface = { columns: 80, colour: true, rewrites: true };

const BARGE_IN: Caption = {
  kind: 'interrupted',
  atMs: 13_060,
  byCaller: true,
  heard: 'I can help with that.',
  neverHeard: 'We can look up an appointment, we can move it to another day, or we can look into a bill for you.',
  heardMs: 3_674,
  wholeMs: 12_920,
};

describe('rows', () => {
  test('say when, who and what', () => {
    expect(captionRows({ kind: 'agent', atMs: 65_340, words: 'Good morning.' }, PLAIN)).toEqual([
      '  01:05.3  agent     Good morning.',
    ]);
  });

  test('show a barge-in as what was heard and what never was', () => {
    expect(captionRows(BARGE_IN, PLAIN)).toEqual([
      '  00:13.1  barge-in  The caller interrupts after 3.7 s of 12.9 s; the agent stops and knows where.',
      '                     heard:       I can help with that.',
      '                     never heard: We can look up an appointment, we can move it to another day, or',
      '                                  we can look into a bill for you.',
    ]);
  });

  test('show a tool call flat, whatever the model wrote', () => {
    const tool = {
      kind: 'tool',
      atMs: 0,
      name: 'look_up',
      status: 'ok',
      output: '{"due":"June 3"}',
      durationMs: 0.4,
    } as const;
    expect(captionRows({ ...tool, arguments: '{"account":"10"}' }, PLAIN)).toEqual([
      '  00:00.0  tool      look_up(account: 10) took 1 ms → due: June 3',
    ]);
    expect(captionRows({ ...tool, arguments: 'no \u001b[2J JSON', status: 'timed_out' }, PLAIN)).toEqual([
      '  00:00.0  tool      look_up(no [2J JSON) took 1 ms → timed_out',
    ]);
    const slots = JSON.stringify({ slots: [{ id: 1, at: 'nine' }, { id: 2 }], days: [1, 2], none: [] });
    expect(captionRows({ ...tool, arguments: '{}', output: slots }, PLAIN)).toEqual([
      '  00:00.0  tool      look_up() took 1 ms → slots: 2 of { id, at }, days: [1,2], none: []',
    ]);
  });

  test('name an end that was no goodbye', () => {
    expect(captionRows({ kind: 'ended', atMs: 0, termination: terminationOf('model_lost') }, PLAIN)).toEqual([
      '  00:00.0  end       The call is over: model_lost, by the model.',
    ]);
  });

  test('have colours only where asked for, and the same widths with them', () => {
    const coloured = captionRows(BARGE_IN, TERMINAL);
    const plain = captionRows(BARGE_IN, { ...TERMINAL, colour: false });
    expect(coloured.join('')).toContain('\u001b[33m');
    expect(plain.join('')).not.toContain('\u001b');
    expect(coloured.map(shownWidth)).toEqual(plain.map((row) => row.length));
  });

  test.each([36, 40, 59, 60, 80, 200])('fit a terminal of %i columns', (columns) => {
    for (const row of captionRows(BARGE_IN, { columns, colour: false, rewrites: true }))
      expect(row.length).toBeLessThan(columns);
  });
});

test('colours and rewriting need a terminal, and NO_COLOR and TERM are heeded', () => {
  const tty = { isTTY: true, columns: 72, hasColors: () => true };
  expect(surfaceOf(tty, {})).toEqual({ columns: 72, colour: true, rewrites: true });
  expect(surfaceOf(tty, { NO_COLOR: '1' })).toEqual({ columns: 72, colour: false, rewrites: true });
  expect(surfaceOf(tty, { TERM: 'dumb' })).toMatchObject({ colour: false, rewrites: false });
  expect(surfaceOf({ columns: 72 }, {})).toEqual({ columns: 100, colour: false, rewrites: false });
});

test('the meter moves with the call and stops at its end', () => {
  const surface = { ...TERMINAL, colour: false };
  expect(meter(12_000, 48_000, surface)).toBe('━━──────── 0:12');
  expect(meter(75_000, 48_000, surface)).toBe('━━━━━━━━━━ 1:15');
  expect(meter(12_000, 48_000, { ...surface, columns: 60 })).toBe('');
});

describe('the screen', () => {
  const words = 'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen';
  const drawn = (surface: Surface) => {
    const written: string[] = [];
    const screen = new Screen({ write: (text) => written.push(text), surface: () => surface, expectedMs: 48_000 });
    const agent = (said: string): Caption => ({ kind: 'agent', atMs: 0, words: said });
    return { written, screen, agent };
  };

  test('writes a row once, when no word of it can change, where nothing can be rewritten', () => {
    const { written, screen, agent } = drawn({ ...PLAIN, columns: 60 });
    screen.show({ elapsedMs: 900, finished: [], growing: agent('one two three') });
    expect(written).toEqual([]);
    screen.show({ elapsedMs: 1_800, finished: [], growing: agent(words) });
    screen.show({ elapsedMs: 2_000, finished: [agent(words)], growing: null });
    expect(written.join('')).toBe(
      [
        '  00:00.0  agent     one two three four five six seven',
        '                     eight nine ten eleven twelve thirteen',
        '                     fourteen fifteen sixteen',
        '',
      ].join('\n'),
    );
  });

  test('rewrites its last row on a terminal, and puts notices above it', () => {
    const { written, screen, agent } = drawn({ ...TERMINAL, colour: false });
    screen.show({ elapsedMs: 900, finished: [], growing: agent('one') });
    screen.line('warn: look here');
    screen.show({ elapsedMs: 900, finished: [], growing: agent('one two') });
    screen.finish({ finished: [agent('one two')] });
    expect(written).toEqual([
      '\r\u001b[2K  00:00.0  agent     one                                        ────────── 0:00',
      '\r\u001b[2K',
      'warn: look here\n',
      '\r\u001b[2K  00:00.0  agent     one two                                    ────────── 0:00',
      '\r\u001b[2K',
      '  00:00.0  agent     one two\n',
    ]);
  });

  test('writes nothing when nothing changed', () => {
    const { written, screen, agent } = drawn(TERMINAL);
    screen.show({ elapsedMs: 900, finished: [], growing: agent('one') });
    screen.show({ elapsedMs: 950, finished: [], growing: agent('one') });
    expect(written).toHaveLength(1);
  });
});
