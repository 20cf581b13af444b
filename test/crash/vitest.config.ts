import { defineConfig } from 'vitest/config'

// The long runs: the whole example under a kill at each of its writes, real processes killed, seeds 1 to 10.
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/crash/**/*.test.ts'],
    testTimeout: 3_000_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Real processes mostly wait for a Lease to run out.
    maxWorkers: 3,
  },
})
