import { beforeAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { policyWithDefaults } from '#planning/goals/policy.ts'
import { makePlan } from '#planning/plan.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import { verifyPlan } from '#planning/verifier/verify.ts'
import type { RebalancePlan } from '../api.ts'
import { planObject, planRecord } from './plan-object.ts'

const settings = defaultSettings('1.34')
const objects: readonly KubeObject[] = [
  namespace('shop'),
  ...['n1', 'n2'].map(name => node(name)),
  ...workload('shop/web', { on: ['n1', 'n1'], cpu: 1000, owner: 'descheduler', budget: { maxUnavailable: 1 } }),
]

let stored: RebalancePlan

beforeAll(async () => {
  const policy = policyWithDefaults({
    name: 'p',
    goals: [{ name: 'light', nodes: ['n1'], resource: 'cpu', stat: 'requests', max: 40, margin: 1, hard: false }],
  })
  const plan = await makePlan(
    { state: buildClusterState(objects).state, policy, settings, nowMs: 0 },
    solveInChild,
    new AbortController().signal,
  )
  stored = JSON.parse(JSON.stringify(planObject(plan, { name: 'p-1', policyUid: 'u', nowMs: 0 })))
})

function findings(object: KubeObject): readonly string[] {
  const read = planRecord(object)
  return read.ok
    ? verifyPlan(read.record, objects, settings).map(finding => finding.field)
    : read.problems.map(problem => problem.where)
}

describe('a plan as an object', () => {
  test('comes back from JSON as what the verifier proves', () => {
    expect(stored.spec.moves).toHaveLength(1)
    expect(findings(stored)).toEqual([])
  })

  test('edited, is refused by the verifier (7.2 case 33)', () => {
    const moves = stored.spec.moves.map(move => ({ ...move, to: 'n1', acceptable: ['n1'] }))
    expect(findings({ ...stored, spec: { ...stored.spec, moves } })).not.toEqual([])
  })

  test.each(['before', 'after'] as const)('with another percentage %s, the figure that people read, is refused', when => {
    const [first, ...rest] = stored.status?.[when] ?? []
    const edited = first === undefined ? [] : [{ ...first, percent: first.percent + 1 }, ...rest]
    const status = { ...stored.status, [when]: edited }
    expect(findings({ ...stored, status })).toEqual([expect.stringMatching(`^${when}: .*percent$`)])
  })

  test('without its shape, is refused with every field', () => {
    expect(findings({ ...stored, spec: { ...stored.spec, landing: 'hope', moves: [{ id: '' }] } })).toContain(
      'RebalancePlan p-1: spec.landing',
    )
  })
})
