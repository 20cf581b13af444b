import { expect, test } from 'vitest'
import { logLevelOf, readAt, seedOfEnvironment } from './command-line.ts'

test('what an option refuses is told by the name of the variable that has it', () => {
  expect(() => readAt('LOG_LEVEL', 'foo', logLevelOf)).toThrow(
    'LOG_LEVEL: found "foo". It must be one of DEBUG, INFO, WARN, ERROR.',
  )
  expect(readAt('LOG_LEVEL', 'warn', logLevelOf)).toBe('warn')
})

test('the seed of the environment is a whole number, and 1 where there is none', () => {
  expect([{}, { BALLAST_SEED: '' }, { BALLAST_SEED: '7' }].map(seedOfEnvironment)).toEqual([1, 1, 7])
  expect(() => seedOfEnvironment({ BALLAST_SEED: 'x' })).toThrow(/BALLAST_SEED: found "x"/)
})
