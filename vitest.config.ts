import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const waits = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('.e2e.test.ts');

/** End-to-end files begin first: they speak in real time for up to half a minute, and what computes fills their pauses. */
class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Calls over real sockets run in real time: on the shared machines of CI a stall may meet any of them once. The report says
    // which was tried again; what fails twice has failed.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // Two cores: end-to-end files wait rather than compute, so four workers overlap well; more make sounds come late.
    maxWorkers: 4,
    sequence: { sequencer: WaitingFirst },
  },
});
