import { expect, test } from 'vitest'
import { assertUsed, logLevelOf, readAt, seedOfEnvironment } from './command-line.ts'

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

test('an option without the one that it is for is refused', () => {
  expect(() => assertUsed({ '--yes': true }, false, '--apply')).toThrow('--yes is for --apply: give both, or neither')
  expect(() => assertUsed({ '--yes': true }, true, '--apply')).not.toThrow()
  expect(() => assertUsed({ '--yes': undefined, '--force': false }, false, '--apply')).not.toThrow()
})
