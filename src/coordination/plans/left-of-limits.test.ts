import { expect, test } from 'vitest'
import type { PlanStep, RebalancePlan } from '../api.ts'
import { leftOfLimits, whyUsedUp } from './left-of-limits.ts'
import { readPolicy } from './plan-policy.ts'
import { nowMs, plan } from './testdata/objects.ts'

const policyOf = (limits: object) => {
  const read = readPolicy({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'talos' },
    spec: { trigger: 'manual', energy: {}, limits },
  })
  if (!read.ok) throw new Error('not read')
  return read.policy
}
const steps = (...states: readonly PlanStep['state'][]) => states.map((state, at): PlanStep => ({ id: `m${at}`, state }))
const of = (minutesAgo: number, given: readonly PlanStep[], policy = 'talos'): RebalancePlan => {
  const made = plan({ steps: given })
  const progressAt = new Date(nowMs - minutesAgo * 60_000).toISOString()
  return { ...made, spec: { ...made.spec, policyRef: { name: policy } }, status: { ...made.status, progressAt } }
}

const left = steps('Landed', 'Landed')

// biome-ignore format: a table
test.each<[string, object, readonly RebalancePlan[], object]>([
  ['no plan yet: the smallest of them',    { perPlan: 30, perHour: 20 },             [],                                                        { perPlan: 20, perPlanBy: 'perHour' }],
  ['what one plan may have is the least',  { perPlan: 5, perHour: 20, perDay: 9 },   [],                                                        { perPlan: 5 }],
  ['pods that left count',                 { perPlan: 30, perHour: 20 },             [of(10, steps('Landed', 'Mismatch', 'Landing', 'Acting'))], { perPlan: 16, perPlanBy: 'perHour' }],
  ['those that stayed do not',             { perPlan: 30, perHour: 20 },             [of(10, steps('Skipped', 'Waiting'))],                     { perPlan: 20, perPlanBy: 'perHour' }],
  ['nor those of an hour ago',             { perPlan: 30, perHour: 20 },             [of(60, left)],                                            { perPlan: 20, perPlanBy: 'perHour' }],
  ['nor those of another policy',          { perPlan: 30, perHour: 20 },             [of(10, left, 'other')],                                   { perPlan: 20, perPlanBy: 'perHour' }],
  ['never below none',                     { perPlan: 30, perHour: 1 },              [of(10, left)],                                            { perPlan: 0, perPlanBy: 'perHour' }],
  ['a day has all of its hours',           { perPlan: 30, perHour: 20, perDay: 21 }, [of(60, left), of(1439, left), of(10, left)],              { perPlan: 15, perPlanBy: 'perDay' }],
  ['nor those of a day ago',               { perPlan: 30, perHour: 20, perDay: 20 }, [of(1440, left), of(90, left)],                            { perPlan: 18, perPlanBy: 'perDay' }],
  ['a day that is used up',                { perPlan: 30, perHour: 20, perDay: 2 },  [of(600, left)],                                           { perPlan: 0, perPlanBy: 'perDay' }],
])('%s', (_name, limits, plans, expected) => expect(leftOfLimits(policyOf(limits), plans, nowMs)).toEqual(expected))

// biome-ignore format: a table
test.each<[string, object, readonly RebalancePlan[], string | undefined]>([
  ['one is left',                   { perHour: 3, perDay: 3 }, [of(10, left)],               undefined],
  ['the hour is used up',           { perHour: 2, perDay: 9 }, [of(10, left)],               'spec.limits.perHour is used up: 2 pods left within the hour'],
  ['the day is used up',            { perHour: 9, perDay: 2 }, [of(600, left)],              'spec.limits.perDay is used up: 2 pods left within 24 hours'],
  ['a policy without one for days', { perHour: 9 },            [of(600, left), of(90, left)], undefined],
])('during a run: %s', (_name, limits, plans, expected) => expect(whyUsedUp(policyOf(limits), plans, nowMs)).toBe(expected))
