// The words of `end.detail` on the page of end reasons against the code that says them.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { explain } from '../../src/realtime/close-codes.ts';

const page = readFileSync(new URL('../../docs/end-reasons.md', import.meta.url), 'utf8');
const section = page.split('## What `detail` says')[1] ?? '';
const told = [...section.matchAll(/^\| `(.+?)` +\| .+ \|$/gm)].flatMap(([, words = '']) =>
  words === 'detail' ? [] : [words],
);

test('the page has some', () => expect(told.length).toBeGreaterThan(15));

test.each(told)('%s', (words) => {
  const code = words.split(':')[0] as string;
  expect(explain(/^\d/.test(code) ? `close ${code}` : code)).toBe(words);
});
