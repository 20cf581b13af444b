import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { CpuReporter } from '../cpu/reporter.ts'
import { deepFiles } from './files.ts'

// What `npm test` has one scenario of: every kill, every row of a matrix, processes of their own, a million steps, the day of a homelab.
export default defineConfig({
  test: {
    root: join(import.meta.dirname, '..', '..'),
    include: [...deepFiles],
    exclude: ['node_modules/**'],
    env: {
      BALLAST_KILLS: process.env['BALLAST_KILLS'] ?? 'each',
      BALLAST_STEPS: process.env['BALLAST_STEPS'] ?? '1000000',
      BALLAST_RUNS: process.env['BALLAST_RUNS'] ?? 'all',
    },
    globalSetup: ['test/cli/bundled.ts'],
    setupFiles: ['test/cpu/measure.ts', 'test/warm-solver-end.ts'],
    reporters: ['default', new CpuReporter()],
    // Against hanging only.
    testTimeout: 3_000_000,
    hookTimeout: 300_000,
    pool: 'forks',
    isolate: false,
    // Real processes mostly wait: for a Lease to run out, for a time limit.
    maxWorkers: 3,
    expect: { poll: { timeout: 200_000, interval: 10 } },
  },
})
