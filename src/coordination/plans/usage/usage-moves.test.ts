import { expect, test } from 'vitest'
import { type Goal, policyWithDefaults } from '#planning/goals/policy.ts'
import { servesUsage, unmeasuredNode } from './usage-moves.ts'

const goal = (change: Partial<Goal>): Goal => ({
  name: 'g',
  nodes: ['n1'],
  resource: 'cpu',
  stat: 'usage',
  margin: 1,
  hard: false,
  ...change,
})
const route = { from: 'n1', to: 'n2' }
const isolation = {
  nodes: ['n1'],
  taint: 't',
  coreNamespaces: [],
  exceptions: [],
  keda: 'evict',
  includeUnmanaged: true,
} as const

// biome-ignore format: a table
test.each<[string, readonly Goal[], boolean]>([
  ['it leaves a node with a max of use',                  [goal({ max: 50 })],                                                        true],
  ['it comes to a node with a min of use',                [goal({ nodes: ['n2'], min: 50 })],                                         true],
  ['it makes room, and all goals are of use',             [goal({ nodes: ['n3'], max: 50 })],                                         true],
  ['it is for requests, and would be without any figure', [goal({ max: 50 }), goal({ name: 'h', stat: 'requests', max: 50 })],        false],
  ['it makes room for whichever goal',                    [goal({ nodes: ['n3'], max: 50 }), goal({ name: 'h', nodes: ['n4'], stat: 'requests', max: 50 })], false],
  ['pods are counted, not measured',                      [goal({ resource: 'pods', max: 50 })],                                      false],
  ['there are no goals',                                  [],                                                                         false],
])('%s', (_name, goals, expected) => {
  expect(servesUsage(route, policyWithDefaults({ name: 'p', goals }))).toBe(expected)
  expect(servesUsage(route, policyWithDefaults({ name: 'p', goals, isolation }))).toBe(false)
})

test('it waits while one of its nodes with such a goal was not measured', () => {
  const policy = policyWithDefaults({ name: 'p', goals: [goal({ max: 50 })] })
  const of = (...nodes: readonly string[]) => ({ nodes: new Map(nodes.map(name => [name, { cpu: 1 }])), pods: new Map() })
  const still = 'goal g stands still: what n1 uses was not measured within two minutes'
  expect([undefined, of(), of('n2'), of('n1')].map(measured => unmeasuredNode(route, policy, measured))).toEqual([
    still,
    still,
    still,
    undefined,
  ])
})
