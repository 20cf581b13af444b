import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { makePlan } from '../plan.ts'
import { solveInChild } from '../solving/solve.ts'
import { namespace, node, workload } from '../testdata/objects.ts'
import { type Goal, policyWithDefaults } from './policy.ts'
import { usageRules } from './usage-rules.ts'

const goal = (change: Partial<Goal>): Goal => ({
  name: 'g',
  nodes: ['a'],
  resource: 'cpu',
  stat: 'usage',
  margin: 0,
  hard: false,
  ...change,
})
const measured = {
  nodes: new Map([
    ['a', { cpu: 3000 }],
    ['b', { cpu: 100 }],
  ]),
  pods: new Map([['shop/known', { cpu: 500 }]]),
}
const rulesFor = (goals: readonly Goal[], given: typeof measured | undefined = measured) =>
  usageRules({ policy: policyWithDefaults({ name: 'p', goals }), ...(given === undefined ? {} : { measured: given }) })

test('what is not known may bring a goal closer, never further away', () => {
  const known = { key: 'shop/known', nodeName: 'a' }
  const unknown = { key: 'shop/new', nodeName: 'a' }
  const [max, min] = [rulesFor([goal({ max: 50 })]), rulesFor([goal({ min: 50 })])]
  expect([max.held(unknown), max.isClosed(unknown, 'a'), max.isClosed(unknown, 'b'), max.isClosed(known, 'a')]).toEqual([
    undefined,
    true,
    false,
    false,
  ])
  expect([min.held(known), min.held(unknown)?.code, min.isClosed(unknown, 'a')]).toEqual([undefined, 'UsageUnknown', false])
  const blind = rulesFor([goal({ nodes: ['c'], max: 50 })])
  expect(blind.isClosed(known, 'c')).toBe(true)
  expect(rulesFor([goal({ stat: 'requests', max: 50 })]).isClosed(unknown, 'a')).toBe(false)
})

test('the pod that uses most goes, whatever it requests; one that was not measured does not come to a node with a bound', async () => {
  const objects = [
    namespace('shop'),
    ...['a', 'b', 'c'].map(name => node(name)),
    ...workload('shop/busy', { cpu: 100, on: ['a'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
    ...workload('shop/idle', { cpu: 900, on: ['a', 'a'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
  ]
  const { state } = buildClusterState(objects)
  const pods = new Map([...state.pods.keys()].map(key => [key, { cpu: key.includes('busy') ? 2000 : 50, memory: 1 }]))
  const nodes = new Map([
    ['a', { cpu: 2100, memory: 1 }],
    ['b', { cpu: 0, memory: 1 }],
    ['c', { cpu: 0, memory: 1 }],
  ])
  const policy = policyWithDefaults({
    name: 'p',
    objective: 'moves',
    goals: [goal({ max: 50 }), goal({ name: 'h', nodes: ['b'], max: 40 })],
  })
  const input = { state, policy, settings: defaultSettings('1.34'), nowMs: 0, measured: { nodes, pods } }
  const made = await makePlan(input, solveInChild, new AbortController().signal)
  expect(made.moves.map(({ pod, to }) => [pod.name.replace(/-.*/, ''), to])).toEqual([['busy', 'c']])
  expect(made.outcome).toBe('met')
  const busy = [...state.pods.keys()].find(key => key.includes('busy')) ?? ''
  const blind = await makePlan(
    { ...input, measured: { nodes, pods: new Map([...pods].filter(([key]) => key !== busy)) } },
    solveInChild,
    new AbortController().signal,
  )
  expect(blind.moves.filter(({ pod }) => pod.name.startsWith('busy')).map(({ to }) => to)).not.toContain('b')
})
