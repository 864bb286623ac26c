import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const waits = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('.e2e.test.ts');

/** The longest, as they were measured: one that begins late ends alone, and the other workers have nothing left. */
const LONGEST = [
  ...[
    'businesses',
    'transfer-processes',
    'slow-tool',
    'keypad',
    'transfer-warm',
    'scripted-answers',
    'scripted-connections',
    'model-faults',
    'conversation',
    'races',
    'rollover',
  ],
  ...['security', 'model-fallback', 'chaos', 'process', 'rolling-restart', 'model-lost', 'model-recovery', 'resume'],
  'churn',
].map((name) => `/${name}.e2e.test.ts`);

/** So many e2e files lie before the first that computes. */
const BEGIN_FIRST = 8;

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
  return at < 0 ? LONGEST.length : at;
};

/** The longest end-to-end files begin first; then what computes fills the pauses of those that wait. */
class Mixed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const waiting = sorted.filter(waits).toSorted((a, b) => rank(a) - rank(b));
    const computing = sorted.filter((file) => !waits(file));
    const [first, rest] = [waiting.slice(0, BEGIN_FIRST), waiting.slice(BEGIN_FIRST)];
    const each = rest.length === 0 ? computing.length : Math.ceil(computing.length / rest.length);
    return [
      ...first,
      ...rest.flatMap((file, i) => [file, ...computing.slice(i * each, (i + 1) * each)]),
      ...computing.slice(rest.length * each),
    ];
  }
}

/** Minutes of processor time that a newcomer need not wait for; `.ci/run` runs them with all others (`CI=true npm test`). */
const LEFT_TO_CI = [
  ...['chaos/chaos', 'bench/bench', 'e2e/churn', 'e2e/rolling-restart', 'e2e/transfer-processes', 'e2e/process'],
  ...['e2e/scripted-connections', 'e2e/bounds', 'e2e/races', 'e2e/scripted-answers', 'e2e/rollover'],
  ...['e2e/model-fallback', 'e2e/carrier-faults', 'e2e/transfer-faults', 'dashboard/secret-keys'],
].map((name) => `test/${name}.e2e.test.ts`);
const isCi = process.env['CI'] === 'true';
if (!isCi) console.log(`Left to CI=true, which .ci/run sets: ${LEFT_TO_CI.join(', ')}`);

/** Tests of the page in a real Chromium, which would make every sound beside them come late: `npm run test:page`. */
const IN_BROWSER = 'test/**/*.browser.test.ts';

export default defineConfig(({ mode }) => {
  const isBrowser = mode === 'page';
  if (!isBrowser) console.log('Left to npm run test:page, which needs Chromium: the page in a browser.');
  return {
    test: {
      testTimeout: 20_000,
      hookTimeout: 20_000,
      // Calls over real sockets run in real time: on the shared machines of CI a stall may meet any of them once. The report says
      // which was tried again; what fails twice has failed.
      retry: isCi ? 1 : 0,
      include: [isBrowser ? IN_BROWSER : 'test/**/*.test.ts'],
      exclude: [...(isBrowser ? [] : [IN_BROWSER]), ...(isCi ? [] : LEFT_TO_CI)],
      // Nothing of one file is left for the next: they share workers, which saves nearly half of the processor's time.
      isolate: false,
      // Two cores: end-to-end files wait rather than compute, so four workers overlap well; more make sounds come late.
      maxWorkers: isBrowser ? 2 : 4,
      sequence: { sequencer: Mixed },
    },
  };
});
