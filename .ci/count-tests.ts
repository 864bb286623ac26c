// Prints `passed failed` from vitest's JSON report, for .ci/run, and a line for each failure after it:
// node .ci/count-tests.ts <report> <exit code of the tests>
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** The part of the report that is counted. */
export interface Report {
  testResults: {
    name?: string;
    status: string;
    message?: string;
    assertionResults: { status: string; fullName?: string; failureMessages?: string[] }[];
  }[];
}

/** As much of a failure's message as its line in the summary shows. */
const SHOWN_CHARS = 300;

const oneLine = (text: string): string => stripVTControlCharacters(text).replaceAll(/\s+/g, ' ').slice(0, SHOWN_CHARS);

/** A line for each test that failed and each file that broke: where, which, why. `root`: paths are told from here. */
export function failures(report: Report, root: string): string[] {
  return report.testResults.flatMap((file) => {
    const path = relative(root, file.name ?? '');
    const tests = file.assertionResults.filter((test) => test.status === 'failed');
    if (file.status === 'failed' && tests.length === 0) return [`${path}: ${oneLine(file.message ?? '')}`];
    return tests.map((test) => `${path}: ${test.fullName ?? ''}: ${oneLine(test.failureMessages?.join(' ') ?? '')}`);
  });
}

/** Tests that ran, and what failed: tests, files that did not load, and a run that ended badly or ran nothing at all. */
export function countTests(report: Report, exitCode: number): { passed: number; failed: number } {
  const statuses = report.testResults.flatMap((file) => file.assertionResults.map((test) => test.status));
  const passed = statuses.filter((status) => status === 'passed').length;
  const failedTests = statuses.filter((status) => status === 'failed').length;
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = failedTests + brokenFiles;
  // An unhandled rejection ends vitest with 1 although each test passed; a suite that ran nothing has proved nothing.
  const unexplained = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: unexplained ? 1 : failed };
}

if (import.meta.main) {
  const [path = '', exitCode = '1'] = process.argv.slice(2);
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const { passed, failed } = countTests(report, Number(exitCode));
  console.log([`${passed} ${failed}`, ...failures(report, process.cwd())].join('\n'));
}
