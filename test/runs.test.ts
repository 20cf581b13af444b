// How many of its random cases a property plays in a run of the tests.
import { afterEach, expect, test, vi } from 'vitest'
import { runsOf } from './runs.ts'

afterEach(() => void vi.unstubAllEnvs())

test.each([
  [undefined, 100, 25],
  ['all', 100, 100],
  ['1/4', 100, 25],
  ['1/3', 100, 34],
  ['1/1', 100, 100],
  ['1/100', 4, 1],
])('BALLAST_RUNS=%s: of %i runs %i', (said, whole, expected) => {
  vi.stubEnv('BALLAST_RUNS', said)
  expect(runsOf(whole)).toBe(expected)
})

test.each(['half', '2/4', '1/0', '100', ''])('%j is refused', said => {
  vi.stubEnv('BALLAST_RUNS', said)
  expect(() => runsOf(8)).toThrow(`BALLAST_RUNS: found ${said}, expected all or a share such as 1/4`)
})
