// The operators' pages against what the server really has: keys, metrics, end reasons, error codes.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { END_REASONS, terminationOf } from '../../src/call/termination.ts';
import { realClock } from '../../src/clock.ts';
import { ENVIRONMENT } from '../../src/config.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import { OTHER, rejections } from '../../src/metrics/labels.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** The cells of the first table below a heading, without the table's own heading rows; code marks removed. */
function table(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`there is no heading "${heading}"`);
  const first = lines.findIndex((line, i) => i > start && line.startsWith('|'));
  const rows: string[][] = [];
  for (let i = first + 2; lines[i]?.startsWith('|'); i++)
    rows.push(
      (lines[i] as string)
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')),
    );
  return rows;
}

const column = (rows: string[][], index: number): string[] => rows.map((row) => row[index] ?? '');

/** The level-3 headings of a page, in order. */
const sections = (text: string): string[] => [...text.matchAll(/^### (.+)$/gm)].map((match) => match[1] as string);

test('the environment table has every key with its default, in the order of the source', () => {
  const rows = table(page('operations.md'), '## Environment');
  expect(rows.map(([name, standard]) => [name, standard])).toEqual(
    ENVIRONMENT.map(({ name, standard }) => [name, standard === '' ? 'none' : standard]),
  );
});

test('the metrics table has every metric that the server exports, with its type and labels', async () => {
  const metrics = createMetrics({ clock: realClock, version: '0.0.0' });
  for (const kind of ['webhook', 'media']) metrics.counters.refused(kind, 'signature_wrong');
  metrics.counters.webhook('/voice', 200);
  metrics.counters.ordered('redirect', 'done');
  metrics.incomplete('tape', 'size');
  const text = await metrics.text();
  metrics.close();
  const exported = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => {
    const [, name, type] = match as unknown as [string, string, string];
    const sample = new RegExp(`^${name}(?:_sum)?(?:\\{(.*)\\})? `, 'm').exec(text);
    const labels = [...(sample?.[1] ?? '').matchAll(/(\w+)="/g)].map((label) => label[1] as string);
    return `${name} ${type} ${labels.toSorted().join(' ')}`.trim();
  });
  const told = table(page('operations.md'), '### Every metric').map(([name, type, labels]) => {
    const words = (labels?.match(/\w+/g) ?? []).filter((word) => word !== 'none');
    return `${name} ${type} ${words.toSorted().join(' ')}`.trim();
  });
  expect(told.toSorted()).toEqual(exported.toSorted());
});

test('of every metric the page says what is normal and what to do', () => {
  const text = page('operations.md');
  const normal = table(text, '### What is normal, and what to do');
  expect(column(normal, 0).toSorted()).toEqual(column(table(text, '### Every metric'), 0).toSorted());
  for (const row of normal)
    expect(
      row.every((cell) => cell !== ''),
      row[0],
    ).toBe(true);
});

test('metrics named anywhere on the page exist', async () => {
  const metrics = createMetrics({ clock: realClock, version: '0.0.0' });
  const text = await metrics.text();
  metrics.close();
  const names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] as string));
  for (const name of ['operations.md', 'end-reasons.md', 'errors.md', 'twilio.md', 'unproven.md'])
    for (const [metric] of page(name).matchAll(/\btrunkline_\w+/g))
      expect(names, `${name}: ${metric}`).toContain(metric.replace(/_(bucket|sum|count)$/, ''));
});

test('every reason for which a call is not let in is there, in the order in which they are looked at', () => {
  const rows = table(page('operations.md'), '## Refused calls');
  expect(column(rows, 0)).toEqual(rejections.all.filter((reason) => reason !== OTHER));
});

test('every end reason is there, with whose doing it was and its result, and has its section', () => {
  const text = page('end-reasons.md');
  const rows = table(text, '# End reasons');
  expect(rows.map(([reason, by, result]) => [reason, by, result])).toEqual(
    END_REASONS.map((reason) => {
      const { by, result } = terminationOf(reason);
      return [reason, by, result];
    }),
  );
  expect(sections(text)).toEqual(END_REASONS);
});

test('every error code is there with its status, and has its section', () => {
  const text = page('errors.md');
  const rows = table(text, '# Error codes');
  expect(rows.map(([code, status]) => [code, status])).toEqual(
    Object.entries(ERROR_CODES).map(([code, status]) => [code, status === 0 ? 'none' : String(status)]),
  );
  expect(sections(text)).toEqual(Object.keys(ERROR_CODES));
});

test('the table reader reads what the pages are made of', () => {
  expect(column(table('# A\n\ntext\n\n| a | b |\n| --- | --- |\n| `x` | 1 |\n| y | 2 |\n', '# A'), 0)).toEqual([
    'x',
    'y',
  ]);
});
