// The result of a run as JUnit XML, which CI systems read: one suite per file, one case per thing that was judged. Pure.

/** One thing that was judged. */
export interface JunitCase {
  name: string;
  tookMs: number;
  /** On one line; undefined when it passed. */
  failure?: string;
  /** What else helps, on as many lines as it takes. */
  detail?: string;
  /** Why it was not judged. */
  skipped?: string;
}

export interface JunitSuite {
  name: string;
  startedWallMs: number;
  tookMs: number;
  cases: readonly JunitCase[];
}

/** The whole file. */
export function junitXml(suites: readonly JunitSuite[]): string {
  const all = suites.flatMap((suite) => suite.cases);
  const tookMs = suites.reduce((sum, suite) => sum + suite.tookMs, 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="trunkline replay" ${counts(all)} time="${secondsOf(tookMs)}">`,
    ...suites.flatMap(suiteLines),
    '</testsuites>',
    '',
  ].join('\n');
}

function suiteLines({ name, startedWallMs, tookMs, cases }: JunitSuite): string[] {
  const timestamp = new Date(startedWallMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return [
    `  <testsuite name="${escaped(name)}" ${counts(cases)} time="${secondsOf(tookMs)}" timestamp="${timestamp}">`,
    ...cases.flatMap((one) => caseLines(name, one)),
    '  </testsuite>',
  ];
}

function caseLines(suite: string, { name, tookMs, failure, detail, skipped }: JunitCase): string[] {
  const tag = `    <testcase classname="${escaped(suite)}" name="${escaped(name)}" time="${secondsOf(tookMs)}"`;
  const text = escaped(detail ?? failure ?? '');
  if (failure !== undefined)
    return [`${tag}>`, `      <failure message="${escaped(failure)}">${text}</failure>`, '    </testcase>'];
  if (skipped !== undefined) return [`${tag}>`, `      <skipped message="${escaped(skipped)}"/>`, '    </testcase>'];
  return [`${tag}/>`];
}

function counts(cases: readonly JunitCase[]): string {
  const failures = cases.filter(({ failure }) => failure !== undefined).length;
  const skipped = cases.filter((one) => one.failure === undefined && one.skipped !== undefined).length;
  return `tests="${cases.length}" failures="${failures}" errors="0" skipped="${skipped}"`;
}

const secondsOf = (ms: number): string => (ms / 1000).toFixed(3);

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // As they are, an attribute would turn them into blanks.
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

/** Text for XML. Characters that XML 1.0 cannot hold become U+FFFD. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"'\n\r\t]/g, (char) => ENTITIES[char] as string);
