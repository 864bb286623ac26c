import { readFileSync } from 'node:fs';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../bench/bench-options.ts';
import { BEGIN, END, withMiddle } from '../../bench/performance-page.ts';
import { Progress } from '../../bench/progress.ts';
import { barChart, escapeXml, lineChart, scale } from '../../bench/svg.ts';

describe('a plot', () => {
  const odd = `a < b & "c" 'd'`;

  test('is well-formed whatever it is called', () => {
    expect(escapeXml(odd)).toBe('a &lt; b &amp; &quot;c&quot; &apos;d&apos;');
    const bars = [{ label: odd, value: 1.5, least: 1.2, most: 2, color: '#123456' }];
    const svg = barChart({ title: odd, subtitles: [odd], unit: '×', bars, limits: [{ value: 1.25, label: odd }] });
    expect(XMLValidator.validate(svg)).toBe(true);
    expect(JSON.stringify(new XMLParser().parse(svg))).toContain(JSON.stringify(odd).slice(1, -1));
  });

  test('draws every series, its points in their order, nothing off the card', () => {
    const series = [
      { label: 'one', color: '#111111', points: [10, 50, 400].map((x) => ({ x, y: x / 10 })) },
      { label: 'two', color: '#222222', points: [{ x: 10, y: 0.5 }] },
    ];
    const svg = lineChart({
      title: 't',
      subtitles: ['s', 't'],
      x: { label: 'calls', log: true },
      y: { label: 'ms', log: true },
      series,
      limits: [{ value: 10, label: 'limit' }],
    });
    expect(XMLValidator.validate(svg)).toBe(true);
    const [, first = ''] = /points="([^"]+)"/.exec(svg) ?? [];
    const places = first.split(' ').map((pair) => pair.split(',').map(Number) as [number, number]);
    expect(places).toHaveLength(3);
    expect(places.map(([x]) => x)).toEqual(places.map(([x]) => x).toSorted((a, b) => a - b));
    for (const [x, y] of places) expect([x > 0, x < 760, y > 0, y < 460]).toEqual([true, true, true, true]);
    expect(svg).not.toContain('NaN');
  });

  test('has round ticks that enclose what was measured', () => {
    expect(scale([3, 47], false, 0, 100).ticks).toEqual([0, 10, 20, 30, 40, 50]);
    expect(scale([0.3, 12], true, 0, 100).ticks).toEqual([0.2, 0.5, 1, 2, 5, 10, 20]);
    const { at } = scale([1, 100], true, 0, 100);
    expect([at(1), at(10), at(100)]).toEqual([0, 50, 100]);
  });
});

describe('the page', () => {
  test('gets a new middle and keeps its words', () => {
    const page = `# Title\n\n${BEGIN}\n\nold\n\n${END}\n\nWords.\n`;
    expect(withMiddle(page, 'new\n')).toBe(`# Title\n\n${BEGIN}\n\nnew\n\n${END}\n\nWords.\n`);
    expect(withMiddle(withMiddle(page, 'new'), 'newer')).toBe(withMiddle(page, 'newer'));
  });

  test.each([
    ['without markers', '# Title\n'],
    ['with one', `${BEGIN}\n`],
    ['in the wrong order', `${END}\n${BEGIN}\n`],
    ['twice', `${BEGIN}\n${END}\n${BEGIN}\n${END}\n`],
  ])('is refused %s', (_what, page) => expect(() => withMiddle(page, 'new')).toThrow('once each and in this order'));

  test('in the repository has its place for the bench', () => {
    const page = readFileSync(new URL('../../docs/performance.md', import.meta.url), 'utf8');
    expect(withMiddle(page, 'new')).toContain(`${BEGIN}\n\nnew\n\n${END}`);
  });
});

describe('the command line', () => {
  test('has defaults for the long and the short form', () => {
    expect(readOptions([])).toMatchObject({
      calls: 100,
      seconds: 20,
      warmUpSeconds: 20,
      rounds: 3,
      tls: 'both',
      sweep: true,
      whole: true,
    });
    expect(readOptions(['--short'])).toMatchObject({
      calls: 20,
      warmUpSeconds: 0,
      tls: 'on',
      sweep: false,
      whole: false,
    });
  });

  test('narrows, and what is narrowed does not stand for the whole', () => {
    const options = readOptions(
      '--subjects relay,trunkline --tls off --no-sweep --seconds 3 --out x --json'.split(' '),
    );
    expect(options).toMatchObject({
      subjects: ['relay', 'trunkline'],
      tls: 'off',
      sweep: false,
      seconds: 3,
      out: 'x',
      json: true,
      whole: false,
    });
  });

  test.each([
    [['--calls', '0'], '--calls: expected a whole number from 1 to 2000, found 0'],
    [['--rounds', 'many'], '--rounds: expected a whole number from 1 to 99, found many'],
    [['--warm-up', '601'], '--warm-up: expected a whole number from 0 to 600, found 601'],
    [['--tls', 'maybe'], '--tls: expected on, off or both, found maybe'],
  ])('refuses %j', (args, why) => expect(() => readOptions(args)).toThrow(why));
});

describe('progress', () => {
  const screen = () => {
    const said: string[] = [];
    return { said, isTTY: true, write: (text: string) => void said.push(text.replace('\r\x1b[K', '')) };
  };

  test('tells the step, and what is left at the pace so far', () => {
    const { said, ...rest } = screen();
    let nowMs = 0;
    const progress = new Progress([10, 10, 100], { ...rest, write: rest.write }, () => nowMs);
    progress.begin('first', 10);
    expect(said.at(-1)).toBe('[1/3] first; about 2 min left');
    nowMs = 20_000;
    progress.begin('second', 10);
    // Twice as slow as was thought, so the 110 s that were left are 220.
    expect(said.at(-1)).toBe('[2/3] second; about 4 min left');
    nowMs = 40_000;
    progress.replan([10]);
    progress.begin('last', 10);
    progress.say('half way');
    expect(said.at(-1)).toBe('[3/3] last, half way; about 20 s left');
  });
});
