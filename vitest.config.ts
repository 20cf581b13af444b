import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts'],
    exclude: ['test/real/**', 'test/crash/**', 'node_modules/**'],
    // Against hanging only: no test may depend on how fast the machine is.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    // Some wait for real time limits meanwhile.
    maxWorkers: 3,
    // A wait for a condition may take as long as a busy machine takes; the second that is Vitest's own choice may not.
    expect: { poll: { timeout: 50_000, interval: 10 } },
  },
})
