// docs/alerts.yaml against the server's metrics: every metric exists, every label is one of it, every value is possible; and
// operations.md tells of every alert what to do.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { everySeries, impossibleSeries } from './series.ts';

const read = (path: string): string => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string };
}

const { groups } = parse(read('alerts.yaml')) as { groups: { name: string; rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

const series = await everySeries();
const faults = (expr: string): string[] => impossibleSeries(expr, series);

/** Every bracket of an expression is closed by its like. */
function isBalanced(expr: string): boolean {
  const pairs: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  const open: string[] = [];
  for (const char of expr.replace(/"[^"]*"/g, '""')) {
    if ('([{'.includes(char)) open.push(char);
    else if (char in pairs && open.pop() !== pairs[char]) return false;
  }
  return open.length === 0;
}

test.each(rules.map((rule) => [rule.alert, rule] as const))('%s asks for what exists', (_name, rule) => {
  expect(rule.expr).toMatch(/\btrunkline_/);
  expect(faults(rule.expr)).toEqual([]);
  expect(isBalanced(rule.expr)).toBe(true);
});

test.each(rules.map((rule) => [rule.alert, rule] as const))('%s is a whole rule', (_name, rule) => {
  expect(Object.keys(rule).toSorted()).toEqual(
    expect.arrayContaining(['alert', 'annotations', 'expr', 'labels'].toSorted()),
  );
  expect(['page', 'ticket']).toContain(rule.labels.severity);
  expect(Object.keys(rule.annotations)).toEqual(['summary']);
  expect(rule.annotations.summary).toMatch(/^[A-Z].*\.$/);
  if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+[smh]$/);
});

test('no two alerts have one name', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
});

test('operations.md has every alert, in this order, and says what to do', () => {
  const section =
    read('operations.md')
      .split(/^### Alerts$/m)[1]
      ?.split(/^##/m)[0] ?? '';
  const rows = [...section.matchAll(/^\| `(Trunkline\w+)` +\| (page|ticket) +\| (.+?) +\| (.+?) +\|$/gm)];
  expect(rows.map(([, name, severity]) => [name, severity])).toEqual(
    rules.map(({ alert, labels: { severity } }) => [alert, severity]),
  );
});

test('the check finds what cannot be', () => {
  expect(faults('rate(trunkline_nothing_total[5m])')).toEqual(['there is no trunkline_nothing_total']);
  expect(faults('trunkline_calls_live{reason="x"}')).toEqual(['trunkline_calls_live has no label reason']);
  expect(faults('trunkline_sessions_closed_total{reason=~"model_.*|nope"}')).toEqual([
    'trunkline_sessions_closed_total: reason is never nope',
  ]);
  expect(isBalanced('sum(rate(x[5m])')).toBe(false);
  expect(isBalanced('sum(rate(x{a=")"}[5m]))')).toBe(true);
});
