// JUnit XML: an independent parser reads back what was judged, whatever characters it holds.
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { expect, test } from 'vitest';
import { junitXml } from '../../src/replay/junit.ts';

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  isArray: (name) => ['testsuite', 'testcase'].includes(name),
  parseAttributeValue: false,
  trimValues: false,
  htmlEntities: true,
});

test('an independent parser reads back suites, cases, times, failures and texts with every nasty character', () => {
  const nasty = 'a "quoted" <tag> & \'more\'\u0000\u001b[31m \ud800 日本 😀 ]]>\nsecond line\ttab';
  const xml = junitXml([
    {
      name: nasty,
      startedWallMs: Date.UTC(2026, 10, 21, 6, 30, 0, 500),
      tookMs: 22_345.6,
      cases: [
        { name: 'answered', tookMs: 22_345.6 },
        { name: 'heard.contains', tookMs: 0, failure: nasty, detail: `${nasty}\nmore` },
        { name: 'caller 2: call', tookMs: 100, skipped: 'given <up>' },
      ],
    },
    { name: 'tape.jsonl', startedWallMs: 0, tookMs: 4, cases: [{ name: 'same', tookMs: 4, failure: 'differs' }] },
  ]);
  expect(XMLValidator.validate(xml)).toBe(true);
  const readable = ['\u0000', '\u001b', '\ud800'].reduce((text, char) => text.replaceAll(char, '\ufffd'), nasty);
  const { testsuites } = parser.parse(xml) as { testsuites: Record<string, unknown> & { testsuite: unknown[] } };
  expect(testsuites).toMatchObject({ tests: '4', failures: '2', errors: '0', skipped: '1', time: '22.350' });
  expect(testsuites.testsuite).toMatchObject([
    {
      name: readable,
      tests: '3',
      failures: '1',
      skipped: '1',
      time: '22.346',
      timestamp: '2026-11-21T06:30:00Z',
      testcase: [
        { classname: readable, name: 'answered', time: '22.346' },
        { name: 'heard.contains', time: '0.000', failure: { message: readable, '#text': `${readable}\nmore` } },
        { name: 'caller 2: call', skipped: { message: 'given <up>' } },
      ],
    },
    { name: 'tape.jsonl', testcase: [{ failure: { message: 'differs', '#text': 'differs' } }] },
  ]);
});

test('a run without anything is a whole file too', () => {
  expect(XMLValidator.validate(junitXml([]))).toBe(true);
});
