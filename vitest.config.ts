import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Two cores: end-to-end files speak in real time and wait rather than compute, so four workers overlap well.
    maxWorkers: 4,
  },
});
