import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const root = new URL('../..', import.meta.url).pathname
const scenarios = readdirSync(`${root}test`)
  .map(name => `test/${name}`)
  .filter(path => path.endsWith('.test.ts') && /\b(describeKills|shareOf)\(/.test(readFileSync(root + path, 'utf8')))

// The long runs: the whole example under a kill at each of its writes, real processes killed, and every kill of the small scenarios, of
// which `npm test` has a share, with more steps of what interleaves. BALLAST_KILLS=k/n has a share of all of them.
export default defineConfig({
  test: {
    root,
    include: ['test/crash/**/*.test.ts', ...scenarios, 'src/coordination/interleavings.test.ts'],
    env: { BALLAST_KILLS: process.env['BALLAST_KILLS'] ?? 'each', BALLAST_STEPS: process.env['BALLAST_STEPS'] ?? '1000000' },
    testTimeout: 3_000_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Real processes mostly wait for a Lease to run out.
    maxWorkers: 3,
  },
})
