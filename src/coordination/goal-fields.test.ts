import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { goalOutcomes } from '#planning/goals/goals.ts'
import { policyWithDefaults } from '#planning/goals/policy.ts'
import { ballastApiVersion } from './api.ts'
import { readPolicy } from './plans/plan-policy.ts'

const policyWith = (goal: object) =>
  readPolicy({
    apiVersion: ballastApiVersion,
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { trigger: 'manual', goals: [{ name: 'g', nodes: ['a'], resource: 'cpu', ...goal }] },
  })

test.each([70, 70.5, 70.05, 0.07, 99.99])('a goal of %d percent', max => {
  const read = policyWith({ max })
  expect(read.ok && read.policy.spec.goals[0]?.max).toBe(max)
})

test.each([{ max: 70.555 }, { min: 0.001 }, { spread: { max: 5.005 } }, { max: 100.01 }])('%j is refused at its field', goal => {
  const read = policyWith(goal)
  expect(read.ok ? [] : read.problems.map(({ where }) => where)).toEqual([
    expect.stringMatching(/spec\.goals\.0\.(?:max|min|spread\.max)$/),
  ])
})

// 70.05 % of 2,000 millicores are 1,401: a goal is strictly below, and floating point would have 1,400.9999999999998.
test.each([
  [1400, 'met'],
  [1401, 'missed'],
])('the fraction is exact: %d millicores of 2000 under 70.05 %%: %s', (cpu, expected) => {
  const amounts = { cpu: '2', memory: '1Gi', pods: '10' }
  const { state } = buildClusterState([
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'a', uid: 'a' },
      status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True' }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 's', uid: 'p' },
      spec: { nodeName: 'a', containers: [{ name: 'c', resources: { requests: { cpu: `${cpu}m` } } }] },
      status: { phase: 'Running' },
    },
  ])
  const goal = { name: 'g', nodes: ['a'], resource: 'cpu', stat: 'requests', max: 70.05, margin: 0, hard: false } as const
  const none = { requests: new Map(), usage: new Map() }
  expect(
    goalOutcomes(policyWithDefaults({ name: 'p', goals: [goal] }), state, none, undefined).map(({ state: is }) => is),
  ).toEqual([expected])
})
