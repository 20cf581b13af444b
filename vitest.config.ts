import { defineConfig } from 'vitest/config'
import { CpuReporter } from './test/cpu/reporter.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts'],
    // What takes long is in `npm run test:deep`.
    exclude: ['**/*.deep.test.ts', 'test/real/**', 'node_modules/**'],
    setupFiles: ['test/cpu/measure.ts', 'test/warm-solver-end.ts'],
    reporters: ['default', new CpuReporter({ budgetSeconds: 400 })],
    // Kills, steps and random cases are a sample here: `npm run test:deep` has each.
    env: {
      BALLAST_KILLS: process.env['BALLAST_KILLS'] ?? '1/24',
      BALLAST_STEPS: process.env['BALLAST_STEPS'] ?? '10000',
      BALLAST_RUNS: process.env['BALLAST_RUNS'] ?? '1/8',
    },
    // Against hanging only: no test may depend on how fast the machine is.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    // Node itself loads the modules, as it does for users: a fifth of the CPU was for transforming and evaluating them a second way.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // Tests keep no state in their modules, so files share a worker: two fifths of the time went into loading the same modules again.
    isolate: false,
    // Some wait for real time limits meanwhile.
    maxWorkers: 3,
    // A wait for a condition may take as long as a busy machine takes; the second that is Vitest's own choice may not.
    expect: { poll: { timeout: 200_000, interval: 10 } },
  },
})
