// What a stored plan says of itself, edited field by field: each edit is found, and a plan as it was made is not.
import { beforeAll, describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { makePlan } from '#planning/plan.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import type { RebalancePlan, RebalancePlanStatus, RebalancePolicy } from '../../api.ts'
import { planObject } from '../plan-object.ts'
import { planPolicyOf, readPolicy } from '../plan-policy.ts'
import { statusFindings } from './status-check.ts'

const objects: readonly KubeObject[] = [
  namespace('shop'),
  ...['n1', 'n2', 'n3'].map(name => node(name, { cpu: 1000 })),
  ...workload('shop/web', { on: ['n1', 'n1', 'n1', 'n1', 'n2'], cpu: 150, owner: 'descheduler', budget: { maxUnavailable: 1 } }),
]
const { state } = buildClusterState(objects)

function policyOf(goals: readonly object[]): RebalancePolicy {
  const read = readPolicy({
    ...{ apiVersion: 'ballast.dev/v1alpha1', kind: 'RebalancePolicy', metadata: { name: 'p' } },
    spec: { trigger: 'manual', objective: 'moves', prices: [{ perHour: 2 }], goals },
  })
  if (!read.ok) throw new Error(read.problems.map(({ where }) => where).join())
  return read.policy
}

const policy = policyOf([
  { name: 'light', nodes: ['n1'], resource: 'cpu', max: 40 },
  { name: 'even', resource: 'cpu', spread: { max: 40 } },
  { name: 'cheap', cost: { atMost: 6 } },
])

async function storedPlan(of: RebalancePolicy): Promise<RebalancePlan> {
  const planPolicy = planPolicyOf(of, state, { ownerLabel: defaultOwnerLabel, landing: 'hold' })
  if (!planPolicy.ok) throw new Error(planPolicy.problem.where)
  const input = { state, policy: planPolicy.value, settings: defaultSettings('1.34'), nowMs: 0 }
  const plan = await makePlan(input, solveInChild, new AbortController().signal)
  const ends = plan.moves.map(({ id }, at) => ({ kind: 'goes', id, beginMs: at * 60_000, endMs: at * 60_000 + 45_400 }) as const)
  const timetable = { beginMs: 0, endMs: ends.at(-1)?.endMs ?? 0, entries: ends, isWhole: true }
  const object = planObject(plan, { name: 'p-1', policyUid: 'u', nowMs: 0, foretold: { timetable } })
  return JSON.parse(JSON.stringify(object))
}

let stored: RebalancePlan
beforeAll(async () => {
  stored = await storedPlan(policy)
})

const fieldsOf = (plan: RebalancePlan) => statusFindings(plan, { objects, state, policy }).findings.map(({ field }) => field)

test('as it was made nothing is wrong, and everything was judged', () => {
  expect(stored.spec.moves.length).toBeGreaterThan(0)
  expect(statusFindings(stored, { objects, state, policy })).toEqual({ findings: [], claimed: [], open: [] })
})

test('without its policy the goals are said to be not judged', () => {
  expect(statusFindings(stored, { objects, state })).toEqual({
    ...{ findings: [], claimed: [] },
    open: ['goals: RebalancePolicy p is not among the objects'],
  })
})

describe('an edit is named', () => {
  type Status = RebalancePlanStatus
  const goal = (name: string, edit: object) => (status: Status) => ({
    goals: (status.goals ?? []).map(one => (one.name === name ? { ...one, ...edit } : one)),
  })
  const expected = (edit: object) => (status: Status) => ({ expected: { ...status.expected, ...edit } })
  const condition = (type: string, edit: object) => (status: Status) => ({
    conditions: (status.conditions ?? []).map(one => (one.type === type ? { ...one, ...edit } : one)),
  })
  // biome-ignore format: a table
  test.each<[string, (status: Status) => object, readonly string[]]>([
    ['a goal that is missed for one that is met', goal('light', { outcome: 'not-met' }),                       ['status.goals light: outcome']],
    ['the figure of a goal',                      goal('even', { message: 'all is well' }),                    ['status.goals even: message']],
    ['what nodes cost',                           goal('cheap', { message: '0 an hour' }),                     ['status.goals cheap: message']],
    ['a goal that is left out',                   status => ({ goals: (status.goals ?? []).slice(1) }),        ['status.goals light']],
    ['the sentence of the plan',                  status => ({ message: (status.message ?? '').replace('reach', 'nearly reach') }), ['status.conditions Proven: message', 'status.message']],
    ['how long it takes, in the message',         status => ({ message: (status.message ?? '').replace(/take [^:]+:/, 'take 9 h:') }), ['status.conditions Proven: message', 'status.message, line 2']],
    ['the seconds',                               expected({ seconds: 7 }),                                    ['status.expected.seconds', 'status.expected.moves m01', 'status.expected.moves m02']],
    ['the end',                                   expected({ endsAt: '1970-01-01T09:00:00Z' }),                ['status.expected.seconds', 'status.message, line 2']],
    ['no time',                                   expected({ endsAt: 'soon' }),                                ['status.expected.endsAt']],
    ['a move that is not there',                  expected({ moves: [{ id: 'm99', after: 0, seconds: 1 }] }), ['status.expected.moves']],
    ['what is proven',                            condition('Proven', { status: 'False' }),                    ['status.conditions Proven: status']],
    ['why',                                       condition('Proven', { reason: 'Hope' }),                     ['status.conditions Proven: reason']],
    ['what has not run',                          condition('GoalsMet', { status: 'True' }),                   ['status.conditions GoalsMet: status']],
    ['conditions that are gone',                  () => ({ conditions: [] }),                                  ['status.conditions Proven', 'status.conditions GoalsMet']],
    ['the bound in whole moves',                  status => ({ objective: { ...status.objective, atLeast: 0 } }), ['status.objective.atLeast']],
    ['more that is missed at least than is left', () => ({ shortfall: { left: 1, atLeast: 2 } }),              ['status.shortfall.atLeast']],
    ['a shape that is none',                      () => ({ goals: 7 }),                                        ['status.goals']],
  ])('%s', (_, edit, fields) => {
    const status = { ...stored.status, ...edit(stored.status ?? {}) } as RebalancePlanStatus
    expect(fieldsOf({ ...stored, status }).filter(field => field !== 'status.message, line 3')).toEqual(fields)
  })

  test('an outcome that the goals do not bear out', () => {
    expect(fieldsOf({ ...stored, spec: { ...stored.spec, outcome: 'not-met' } })).toEqual([
      ...['status.conditions Proven: status', 'status.conditions Proven: reason'],
      'status.goals, for spec.outcome',
    ])
  })
})

test('once it has begun its figures are of the run', () => {
  const status = { ...stored.status, phase: 'Running', message: 'm01 goes' } as const
  expect(statusFindings({ ...stored, status }, { objects, state, policy })).toEqual({
    ...{ findings: [], claimed: [] },
    open: ['goals, message and conditions: they are of its run'],
  })
})

test('a loss that is said to be survived is handed on to be played', async () => {
  const losses = policyOf([
    { name: 'light', nodes: ['n1'], resource: 'cpu', max: 50 },
    { name: 'lost', survives: 'node' },
  ])
  const verdict = statusFindings(await storedPlan(losses), { objects, state, policy: losses })
  expect([verdict.findings, verdict.claimed.map(({ goal, state: is }) => `${goal} ${is}`), verdict.open]).toEqual([
    [],
    ['lost met'],
    [],
  ])
})
