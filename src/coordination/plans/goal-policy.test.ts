import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node } from '#planning/testdata/objects.ts'
import { goalsOf } from './goal-policy.ts'
import { readPolicy } from './plan-policy.ts'

const zone = 'topology.kubernetes.io/zone'
const zoned = (name: string, value: string, unschedulable = false) =>
  node(name, { labels: { [zone]: value }, ...(unschedulable ? { unschedulable } : {}) })
const { state } = buildClusterState([zoned('a1', 'a'), zoned('a2', 'a'), zoned('b1', 'b'), zoned('b2', 'b', true), node('none')])

function read(goal: object) {
  return readPolicy({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p' },
    spec: { trigger: 'manual', goals: [{ name: 'g', ...('survives' in goal ? {} : { resource: 'cpu' }), ...goal }] },
  })
}

function resolved(goal: object) {
  const policy = read(goal)
  if (!policy.ok) throw new Error(policy.problems.map(({ where }) => where).join())
  return goalsOf(policy.policy, state)
}

const pool = { label: zone }

describe('the nodes of a goal', () => {
  // biome-ignore format: a table
  test.each<[string, object, readonly string[]]>([
    ['names, as before, cordoned or not',   { nodes: ['a1', 'b2'], max: 70 },                        ['each a1,b2']],
    ['each node of a pool',                 { pool, max: 70 },                                       ['each a1,a2,b1', 'without b2']],
    ['a pool of one value',                 { pool: { ...pool, values: ['a'] }, max: 70 },           ['each a1,a2']],
    ['a pool together',                     { pool, per: 'together', max: 70 },                      ['share a: a1+a2', 'share b: b1', 'without b2']],
    ['named nodes together',                { nodes: ['a1', 'b1'], per: 'together', max: 70 },       ['share a1, b1: a1+b1']],
    ['a spread over all nodes',             { spread: { max: 20 } },                                 ['spread all nodes: a1 a2 b1 none', 'without b2']],
    ['a spread within each zone',           { pool, spread: { max: 20 } },                           ['spread a: a1 a2', 'spread b: b1', 'without b2']],
    ['a spread between zones',              { pool, per: 'together', spread: { max: 20 } },          [`spread ${zone}: a1+a2 b1`, 'without b2']],
    ['a deviation by a selector',           { nodeSelector: { matchLabels: { [zone]: 'a' } }, deviation: { max: 5 } }, ['deviation a1, a2: a1 a2']],
    ['the loss of a node',                  { survives: 'node' },                                    ['survives any one node: a1 a2 b1 b2 none']],
    ['the loss of a zone',                  { survives: 'zone' },                                    ['survives any one zone: a1+a2 b1+b2', 'without none']],
    ['the loss of a zone, with a node in none', { survives: 'zone', nodes: ['a1', 'b1', 'none'] },    ['survives any one zone: a1 b1', 'without none']],
    ['a value that no node has',            { pool: { label: zone, values: ['a', 'z'] }, max: 70 },  ['each a1,a2', `without ${zone}=z`]],
    ['a pool without nodes',                { pool: { label: zone, values: ['z'] }, max: 70 },       [`without ${zone}=z`]],
    ['a label that no node has',            { pool: { label: 'zonne' }, per: 'together', max: 70 },  ['without zonne']],
    ['the loss of what a label tells apart', { survives: 'kubernetes.io/os' },                       ['survives any one kubernetes.io/os: a1+a2+b1+b2+none']],
  ])('%s', (_, goal, expected) => {
    const found = resolved(goal)
    if (!found.ok) throw new Error(found.problem.where)
    const { goals, fleetGoals, leftOut } = found.value
    expect([
      ...goals.map(({ nodes }) => `each ${nodes.join()}`),
      ...fleetGoals.flatMap(({ measure, sets }) =>
        sets.map(set => `${measure} ${set.name.replace(`${zone}=`, '')}: ${set.members.map(({ nodes }) => nodes.join('+')).join(' ')}`),
      ),
      ...leftOut.map(({ node: name }) => `without ${name}`),
    ]).toEqual(expected)
  })
})

// A share of nothing is none.
test.each<[object, object]>([
  [
    { nodes: ['a', 'c'], max: 70 },
    { nodes: ['a'], told: ['c has no nvidia.com/gpu'] },
  ],
  [
    { nodeSelector: {}, max: 70 },
    { nodes: ['a', 'b'], told: ['c has no nvidia.com/gpu'] },
  ],
  [{ spread: { max: 20 } }, { nodes: ['a', 'b'], told: ['c has no nvidia.com/gpu'] }],
  [
    { nodes: ['a', 'b', 'c'], per: 'together', max: 70 },
    { nodes: ['a', 'b'], told: ['c has no nvidia.com/gpu'] },
  ],
  // Where none has any they stay: the policy's problems say so.
  [
    { nodes: ['c'], max: 70 },
    { nodes: ['c'], told: [] },
  ],
])('a further resource counts where nodes have any: %j', (goal, expected) => {
  const cards = (name: string) => {
    const made = node(name)
    const amounts = { cpu: '4', memory: '8Gi', pods: '110', 'nvidia.com/gpu': '8' }
    return { ...made, status: { ...(made['status'] as object), allocatable: amounts, capacity: amounts } }
  }
  const given = read({ resource: 'nvidia.com/gpu', ...goal })
  if (!given.ok) throw new Error(given.problems.map(({ where }) => where).join())
  const found = goalsOf(given.policy, buildClusterState([cards('a'), cards('b'), node('c')]).state)
  if (!found.ok) throw new Error(found.problem.where)
  const { goals, fleetGoals, leftOut } = found.value
  const members = fleetGoals.flatMap(({ sets }) => sets.flatMap(set => set.members.flatMap(({ nodes }) => nodes)))
  expect({
    nodes: [...goals.flatMap(({ nodes }) => nodes), ...members],
    told: leftOut.map(({ node: name, because }) => `${name} ${because}`),
  }).toEqual(expected)
})

describe('goals of what nodes take', () => {
  const spec = {
    trigger: 'manual',
    prices: [
      { selector: { matchLabels: { [zone]: 'a' } }, perHour: 0.5 },
      { selector: { matchLabels: { [zone]: 'b' } }, perHour: 2 },
    ],
    energy: { nodes: [{ name: 'a1', idleWatts: 20, maxWatts: 60, standbyWatts: 2 }] },
  }
  const taken = (goal: object, others: object = {}) => {
    const read = readPolicy({
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'RebalancePolicy',
      metadata: { name: 'p' },
      spec: { ...spec, ...others, goals: [{ name: 'g', ...goal }] },
    })
    if (!read.ok) return read.problems.map(({ where, expected }) => `${where.replace('RebalancePolicy p: ', '')}: ${expected}`)
    const found = goalsOf(read.policy, state)
    if (!found.ok) return [found.problem.code]
    const rates = found.value.fleetGoals.flatMap(({ measure, max, rates = [] }) =>
      rates.map(({ node: name, unused, idle, full }) => `${measure} ${max} ${name} ${unused} ${idle} ${full}`),
    )
    return [...rates, ...found.value.leftOut.map(({ node: name, because }) => `without ${name}: ${because}`)]
  }
  // biome-ignore format: a table
  test.each<[string, readonly string[], readonly string[]]>([
    ['prices by label, cordoned nodes too',  taken({ cost: { atMost: 3 } }),                        ['cost 3 a1 0 0.5 0.5', 'cost 3 a2 0 0.5 0.5', 'cost 3 b1 0 2 2', 'cost 3 b2 0 2 2', 'without none: not in spec.prices']],
    ['the first entry that picks a node',    taken({ cost: { atMost: 3 }, nodes: ['a1', 'none'] }, { prices: [spec.prices[0], { perHour: 9 }] }), ['cost 3 a1 0 0.5 0.5', 'cost 3 none 0 9 9']],
    ['watts by name, of a pool',             taken({ watts: { atMost: 50 }, pool: { label: zone, values: ['a'] } }), ['watts 50 a1 2 20 60', 'without a2: not in spec.energy.nodes']],
    ['no price at all',                      taken({ cost: { atMost: 3 } }, { prices: [] }),        ['goal-without-rates']],
    ['watts of nobody',                      taken({ watts: { atMost: 3 }, nodes: ['b1'] }),        ['goal-without-rates']],
    ['a margin',                             taken({ cost: { atMost: 3 }, margin: 2 }),             ['spec.goals.0.margin: nothing: cost has no margin']],
    ['groups',                               taken({ watts: { atMost: 3 }, per: 'together' }),      ['spec.goals.0.per: nothing: watts has no groups that are judged apart']],
    ['two kinds',                            taken({ cost: { atMost: 3 }, watts: { atMost: 3 } }),  ['spec.goals.0: one of max and min, spread, deviation, survives, watts or cost: a goal of its own for each']],
  ])('%s', (_, found, expected) => expect(found).toEqual(expected))
})

describe('what a goal cannot ask for is said', () => {
  // biome-ignore format: a table
  test.each<[string, object, string]>([
    ['two kinds at once',               { max: 70, spread: { max: 20 } },                          'spec.goals.0'],
    ['no resource',                     { resource: undefined, max: 70, nodes: ['a1'] },           'spec.goals.0.resource'],
    ['a pool and nodes',                { pool, nodes: ['a1'], max: 70 },                          'spec.goals.0.pool'],
    ['a weight of nothing',             { max: 70, nodes: ['a1'], weight: 0 },                     'spec.goals.0.weight'],
    ['measured use of several nodes',   { pool, per: 'together', max: 70, stat: 'usage' },         'goal-stat'],
    ['groups to compare without pool',  { per: 'together', spread: { max: 20 } },                  'goal-without-pool'],
    ['a resource of a loss',            { survives: 'node', resource: 'cpu' },                     'spec.goals.0.resource'],
    ['groups of a loss',                { survives: 'node', per: 'each' },                         'spec.goals.0.per'],
    ['a margin of a loss',              { survives: 'node', margin: 5 },                           'spec.goals.0.margin'],
    ['measured use of a loss',          { survives: 'node', stat: 'usage' },                       'spec.goals.0.stat'],
    ['together, without a bound',       { pool, per: 'together' },                                 'goal-without-bound'],
  ])('%s', (_, goal, expected) => {
    const policy = read(goal)
    const said = policy.ok ? goalsOf(policy.policy, state) : undefined
    const problems = policy.ok ? [] : policy.problems.map(({ where }) => where.replace('RebalancePolicy p: ', ''))
    expect([...problems, ...(said?.ok === false ? [said.problem.code] : [])]).toEqual([expected])
  })
})
