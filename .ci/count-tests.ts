// Prints `passed failed` from vitest's JSON report, for .ci/run: node .ci/count-tests.ts <report> <exit code of the tests>
import { readFileSync } from 'node:fs';

/** The part of the report that is counted. */
export interface Report {
  testResults: { status: string; assertionResults: { status: string }[] }[];
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
  const { passed, failed } = countTests(JSON.parse(readFileSync(path, 'utf8')) as Report, Number(exitCode));
  console.log(`${passed} ${failed}`);
}
