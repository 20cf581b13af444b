import { expect, test } from 'vitest'
import type { PlanStep, RebalancePlan } from '../api.ts'
import { leftOfHour } from './hourly-limit.ts'
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

// biome-ignore format: a table
test.each<[string, object, readonly RebalancePlan[], number]>([
  ['no plan yet: the smaller of both',   { perPlan: 30, perHour: 20 }, [],                                                            20],
  ['pods that left count',               { perPlan: 30, perHour: 20 }, [of(10, steps('Landed', 'Mismatch', 'Landing', 'Acting'))],     16],
  ['those that stayed do not',           { perPlan: 30, perHour: 20 }, [of(10, steps('Skipped', 'Waiting'))],                          20],
  ['nor those of an hour ago',           { perPlan: 30, perHour: 20 }, [of(60, steps('Landed'))],                                      20],
  ['nor those of another policy',        { perPlan: 30, perHour: 20 }, [of(10, steps('Landed'), 'other')],                             20],
  ['never below none',                   { perPlan: 30, perHour: 1 },  [of(10, steps('Landed', 'Landed'))],                            0],
])('%s', (_name, limits, plans, expected) => expect(leftOfHour(policyOf(limits), plans, nowMs)).toBe(expected))
