import { expect, test } from 'vitest'
import type { PlanStep } from '../../api.ts'
import { move, plan } from '../testdata/objects.ts'
import { isForetold, landingRate, landingResult } from './landing-rate.ts'

const step = (change: Partial<PlanStep>): PlanStep => ({ id: 'm01', state: 'Landed', ...change })

// biome-ignore format: a table
test.each<[string, PlanStep, string | undefined]>([
  ['landed as meant',                         step({}),                                                                        'expected'],
  ['elsewhere',                               step({ state: 'Mismatch', landedOn: 'n3', reason: 'LandingMismatch' }),          'other'],
  ['back',                                    step({ state: 'Mismatch', landedOn: 'n1', reason: 'LandingMismatch' }),          'back'],
  ['on no node',                              step({ state: 'Failed', reason: 'ReplacementPending' }),                         'pending'],
  ['without its gate: not the model’s fault', step({ state: 'Mismatch', landedOn: 'n3', reason: 'LandingNotHeld' }),           undefined],
  ['not Ready: it landed',                    step({ state: 'Failed', reason: 'ReplacementNotReady' }),                        undefined],
  ['left out',                                step({ state: 'Skipped' }),                                                      undefined],
  ['under way',                               step({ state: 'Landing' }),                                                      undefined],
])('%s', (_name, given, expected) => expect(landingResult(given, move())).toBe(expected))

test('held landings say nothing; of the others the newest fifty plans count', () => {
  const of = (name: string, at: string, state: PlanStep['state'], landing: 'hold' | 'prefer' = 'prefer') => {
    const made = plan({ name, steps: [step({ state, ...(state === 'Mismatch' ? { landedOn: 'n3' } : {}) })] })
    return { ...made, metadata: { ...made.metadata, creationTimestamp: at }, spec: { ...made.spec, landing } }
  }
  const old = of('old', '2025-01-01T00:00:00Z', 'Mismatch')
  const held = of('held', '2026-03-01T00:00:00Z', 'Mismatch', 'hold')
  const news = Array.from({ length: 50 }, (_, at) => of(`p${at}`, '2026-02-01T00:00:00Z', 'Landed'))
  expect(landingRate([old, held, ...news])).toEqual({ foretold: 50, expected: 50 })
  expect(landingRate([old, held, ...news.slice(0, 9)])).toEqual({ foretold: 10, expected: 9 })
})

test.each([
  [9, 0, true],
  [10, 9, true],
  [10, 8, false],
  [100, 90, true],
  [100, 89, false],
])('of %i landings %i as foretold: %s', (foretold, expected, isTrusted) =>
  expect(isForetold({ foretold, expected })).toBe(isTrusted),
)
