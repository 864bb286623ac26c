// docs/limits.md against the source, both ways: every bound that the page names stands where it says and is what it says,
// every bound of the source is on the page, and what is seen of it can be seen.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { END_REASONS } from '../../src/call/termination.ts';
import { ENVIRONMENT } from '../../src/config.ts';
import { rejections } from '../../src/metrics/labels.ts';
import { everySeries, impossibleSeries } from './series.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Bound {
  bound: string;
  file: string;
  /** The constant's name; empty where the file has no constant for it. */
  name: string;
  standard: string;
  setBy: string;
  at: string;
  seen: string;
}

const bounds: Bound[] = read('docs/limits.md')
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('.ts`'))
  .map((line) => {
    const [bound = '', where = '', standard = '', setBy = '', at = '', seen = ''] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const [, file = '', name = ''] = /^`([\w/.-]+\.ts)`(?: `(\w+)`)?$/.exec(where) ?? [];
    return { bound, file, name, standard, setBy, at, seen };
  });

/** Tools around the server, and what runs in browsers: they run nobody's calls. */
const NOT_THE_SERVER = /^(simulator|phone|replay|chaos|demo|page)\//;
/** How a bound is called. */
const BOUND_NAME = /^(MAX|LONGEST|KEEP|DEFAULT_MAX)_|_(WITHIN|TIMEOUT|DEADLINE|LIFE|CAP)_(MS|BYTES)$|_LIMIT(_BYTES)?$/;

const sources = globSync('**/*.ts', { cwd: join(ROOT, 'src') })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !NOT_THE_SERVER.test(path));

/** The numbers that a file declares, by name; NaN for what is reckoned from something else. */
function constants(file: string): Map<string, number> {
  const declared = read(`src/${file}`).matchAll(/^\s*(?:export )?const ([A-Z][A-Z0-9_]+)(?:: number)? = ([^;{[]+);/gm);
  return new Map(
    [...declared].map(([, name = '', value = '']) => {
      const plain = value.replaceAll('_', '').trim();
      // Products and quotients of numbers: 64 * 1024, 55 / 60.
      if (!/^[\d.e]+(\s*[*/]\s*[\d.e]+)*$/.test(plain)) return [name, Number.NaN] as const;
      const [first = '', ...rest] = plain.split(/\s*([*/])\s*/);
      let number = Number(first);
      for (let i = 0; i < rest.length; i += 2)
        number = rest[i] === '*' ? number * Number(rest[i + 1]) : number / Number(rest[i + 1]);
      return [name, number] as const;
    }),
  );
}

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  days: 86_400_000,
  bytes: 1,
  KiB: 1_024,
  MiB: 1_024 * 1_024,
};

/** "64 KiB (…)" as a number, in the constant's own unit. */
function told(standard: string, name: string): number {
  const [, digits = '', unit = ''] = /^([\d.,]+) ?(\w*)/.exec(standard) ?? [];
  const number = Number(digits.replaceAll(',', ''));
  return name.endsWith('_SECONDS') ? number : number * (UNITS[unit] ?? 1);
}

test('the page has bounds', () => {
  expect(bounds.length).toBeGreaterThan(80);
  for (const { bound, file, standard, setBy, at, seen } of bounds)
    expect(
      [bound, file, standard, setBy, at, seen].every((cell) => cell !== ''),
      bound,
    ).toBe(true);
});

test.each(bounds.map((b) => [`${b.file} ${b.name || b.bound}`, b] as const))(
  '%s is what the page says',
  (_title, b) => {
    expect(existsSync(join(ROOT, 'src', b.file))).toBe(true);
    if (b.name === '') return;
    const declared = constants(b.file);
    expect(declared.has(b.name)).toBe(true);
    const value = declared.get(b.name) as number;
    if (!Number.isNaN(value)) expect(told(b.standard, b.name)).toBe(value);
  },
);

test('every bound of the source is on the page', () => {
  const listed = new Set(bounds.map(({ file, name }) => `${file} ${name}`));
  const found = sources.flatMap((file) =>
    [...constants(file).keys()].filter((name) => BOUND_NAME.test(name)).map((name) => `${file} ${name}`),
  );
  expect(found.length).toBeGreaterThan(60);
  expect(found.filter((place) => !listed.has(place))).toEqual([]);
});

test('what is seen of a bound can be seen', async () => {
  const series = await everySeries();
  const keys = new Set(ENVIRONMENT.map(({ name }) => name));
  for (const { bound, seen, setBy } of bounds) {
    const metrics = [...seen.matchAll(/`(\w+_total(?:\{[^}]*\})?)`/g)].map(([, metric]) => `trunkline_${metric}`);
    expect(impossibleSeries(metrics.join(' '), series), bound).toEqual([]);
    const [, reasons = ''] = /end reasons? ((?:`\w+`(?:, )?)+)/.exec(seen) ?? [];
    for (const [, reason] of reasons.matchAll(/`(\w+)`/g)) expect(END_REASONS, bound).toContain(reason);
    const [, refusals = ''] = /refusals? ((?:`\w+`(?:, )?)+)/.exec(seen) ?? [];
    for (const [, refusal] of refusals.matchAll(/`(\w+)`/g)) expect(rejections.all, bound).toContain(refusal);
    for (const [, key] of setBy.matchAll(/`([A-Z_]+)`/g)) expect(keys, bound).toContain(key);
  }
});
