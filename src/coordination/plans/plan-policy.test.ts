import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { node } from '#planning/testdata/objects.ts'
import { isolationProblems, planPolicyOf, readPolicy } from './plan-policy.ts'

const goal = { name: 'g', nodes: ['n1'], resource: 'cpu', max: 50 }
const controlPlane = 'node-role.kubernetes.io/control-plane'

function policy(spec: object) {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { trigger: 'manual', ...spec },
  }
}

function read(spec: object) {
  const found = readPolicy(policy(spec))
  if (!found.ok) throw new Error(found.problems.map(problem => problem.where).join())
  return found.policy
}

describe('a policy is for goals, for an isolation, or for both', () => {
  // biome-ignore format: a table
  test.each<[string, object, boolean]>([
    ['goals',                             { goals: [goal] },                                  true],
    ['an isolation',                      { isolation: { enabled: true } },                   true],
    ['an isolation that is switched off', { isolation: { enabled: false } },                  true],
    ['both',                              { goals: [goal], isolation: { enabled: true } },    true],
    ['neither',                           {},                                                 false],
    ['no goals',                          { goals: [] },                                      false],
  ])('%s', (_name, spec, isValid) => {
    const found = readPolicy(policy(spec))
    expect(found.ok).toBe(isValid)
    if (!found.ok)
      expect(found.problems.map(({ where, expected }) => [where, expected])).toEqual([
        ['RebalancePolicy p: spec.goals', 'at least one goal, an isolation, or energy'],
      ])
  })
})

describe('what is wrong with an isolation is said, all of it', () => {
  // biome-ignore format: a table
  test.each<[string, object, readonly string[]]>([
    ['nothing',                      {},                                                            []],
    ['a selector that is none',      { nodes: 'a in (' },                                           ['selector-syntax spec.isolation.nodes']],
    ['a selector of all nodes',      { nodes: '' },                                                 ['isolation-nodes spec.isolation.nodes']],
    ['tolerations by webhook',       { tolerations: 'webhook' },                                    []],
    ['exceptions',                   { exceptions: ['a/b', 'a/Deployment/b', 'b', 'a/b/c', '/b'] }, ['isolation-exception spec.isolation.exceptions[2]', 'isolation-exception spec.isolation.exceptions[3]', 'isolation-exception spec.isolation.exceptions[4]']],
    ['several',                      { nodes: '', exceptions: ['b'] },                              ['isolation-nodes spec.isolation.nodes', 'isolation-exception spec.isolation.exceptions[0]']],
    ['nothing where it is off',      { enabled: false, nodes: '' },                                 []],
  ])('%s', (_name, isolation, expected) => {
    const problems = isolationProblems(read({ isolation: { enabled: true, ...isolation } }))
    expect(problems.map(({ code, where }) => `${code} ${where.replace('RebalancePolicy p: ', '')}`)).toEqual(expected)
  })
})

test('its nodes are those that the selector picks now; for balance it does not count', () => {
  const { state } = buildClusterState([node('n1', { labels: { [controlPlane]: '' } }), node('n2')])
  const given = read({ goals: [goal], isolation: { enabled: true } })
  const options = { ownerLabel: defaultOwnerLabel, landing: 'prefer' } as const
  const isolating = planPolicyOf(given, state, { ...options, purpose: 'isolate' })
  expect(isolating.ok && isolating.value.isolation).toMatchObject({ nodes: ['n1'], taint: controlPlane, keda: 'waitForZero' })
  const balancing = planPolicyOf(given, state, options)
  expect(balancing.ok && balancing.value.isolation).toBeUndefined()
  const off = planPolicyOf(read({ goals: [goal] }), state, { ...options, purpose: 'isolate' })
  expect(off.ok ? '' : off.problem.code).toBe('isolation-off')
})
