import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { node } from '#planning/testdata/objects.ts'
import { energyProblems, energyRulesOf } from './energy-policy.ts'
import { planPolicyOf, readPolicy } from './plan-policy.ts'

const { state } = buildClusterState([node('n1'), node('n2')])
const n1 = { name: 'n1', idleWatts: 30, maxWatts: 90 }

function policyOf(energy: unknown) {
  const read = readPolicy({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { trigger: 'manual', energy },
  })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.policy
}

test('energy alone is a policy; what it leaves out has its default', () => {
  const policy = policyOf({ nodes: [n1] })
  expect(energyProblems(policy, state)).toEqual([])
  expect(energyRulesOf(policy)).toEqual({
    ok: true,
    value: {
      nodes: [{ ...n1, standbyWatts: 1, bootSeconds: 180, powerDown: 'never' }],
      minReadyNodes: 2,
      reserve: {},
      minOffMinutes: 60,
    },
  })
  const planned = planPolicyOf(policyOf({ nodes: [n1], reserve: { cpu: '1500m', memory: '2Gi' } }), state, {
    ownerLabel: defaultOwnerLabel,
    landing: 'prefer',
  })
  expect(planned.ok && planned.value.energy?.reserve).toEqual({ cpu: 1500, memory: 2 * 2 ** 30 })
})

// biome-ignore format: a table
test.each<[string, object, readonly string[]]>([
  ['a node that is not there', { nodes: [{ ...n1, name: 'n9' }] },                             ['RebalancePolicy p: spec.energy.nodes[0].name: n9 [node-missing]']],
  ['a node twice',             { nodes: [n1, n1] },                                            ['RebalancePolicy p: spec.energy.nodes[1].name: n1 [energy-node-twice]']],
  ['less busy than idle',      { nodes: [{ ...n1, maxWatts: 10 }] },                           ['RebalancePolicy p: spec.energy.nodes[0].maxWatts: 10 [energy-watts]']],
  ['off draws more than on',   { nodes: [{ ...n1, standbyWatts: 31 }] },                       ['RebalancePolicy p: spec.energy.nodes[0].standbyWatts: 31 [energy-watts]']],
  ['a window that is none',    { nodes: [n1], window: 'always' },                              ['RebalancePolicy p: spec.energy.window: always [window-syntax]']],
  ['several at once',          { nodes: [{ ...n1, name: 'n9', maxWatts: 1 }], window: 'x;1h' }, [
    'RebalancePolicy p: spec.energy.nodes[0].name: n9 [node-missing]',
    'RebalancePolicy p: spec.energy.nodes[0].maxWatts: 1 [energy-watts]',
    'RebalancePolicy p: spec.energy.window: x;1h [window-cron]',
  ]],
])('%s', (_name, energy, expected) => {
  expect(energyProblems(policyOf(energy), state).map(({ where, found, code }) => `${where}: ${found} [${code}]`)).toEqual(expected)
})

test.each([
  [{ cpu: 'much' }, 'spec.energy.reserve.cpu'],
  [{ memory: '-1Gi' }, 'spec.energy.reserve.memory'],
])('a reserve %o is refused', (reserve, where) => {
  const rules = energyRulesOf(policyOf({ nodes: [n1], reserve }))
  expect(rules.ok ? '' : rules.problem.where).toBe(`RebalancePolicy p: ${where}`)
})
