import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, workload } from '../testdata/objects.ts'
import { leastAbove, mostBelow, mostWithin } from './bounds.ts'
import { goalOutcomes, goalRows, policyProblems } from './goals.ts'
import { type Goal, policyWithDefaults } from './policy.ts'

// biome-ignore format: a table
test.each([
  // case, percent, of, most below, least above, most within
  ['an exact share is neither below nor above itself', 50, 200, 99, 101, 100],
  ['a share that falls between two amounts',           33, 10, 3, 4, 3],
  ['talos00 at 69 %',                                  69, 7950, 5485, 5486, 5485],
  ['talos03 at 31 %',                                  31, 15950, 4944, 4945, 4944],
  ['a share with a fraction',                          0.1, 1000, 0, 2, 1],
  ['nothing allocatable',                              50, 0, -1, 1, 0],
  ['amounts beyond exact floating point',              85, 10 ** 15, 849_999_999_999_999, 850_000_000_000_001, 850_000_000_000_000],
  ['less than nothing, by a margin',                   -1, 100, -2, 0, -1],
])('%s', (_, percent, total, below, above, within) => {
  expect([mostBelow(percent, total), leastAbove(percent, total), mostWithin(percent, total)]).toEqual([below, above, within])
})

const { state } = buildClusterState([
  node('a', { cpu: 1000 }),
  node('b', { cpu: 1000 }),
  ...workload('shop/web', { on: ['a', 'a', 'b'], cpu: 250 }),
])
const goal: Goal = { name: 'g', nodes: ['a'], resource: 'cpu', stat: 'requests', margin: 0, hard: false }

// biome-ignore format: a table
test.each<readonly [string, Partial<Goal>, string, number]>([
  ['max is strict',                        { max: 50 }, 'missed', 0],
  ['max just above',                       { max: 50.1 }, 'met', 0],
  ['min is strict',                        { min: 50 }, 'missed', 0],
  ['min just below',                       { min: 49.9 }, 'met', 0],
  ['short by the distance to the bound',   { max: 40 }, 'missed', 10],
  ['the margin does not judge',            { max: 51, margin: 5 }, 'met', 0],
  ['pods by their number',                 { resource: 'pods', max: 2 }, 'met', 0],
  ['usage without measurements',           { stat: 'usage', max: 50 }, 'unknown', 0],
])('%s', (_, given, expected, shortBy) => {
  const policy = policyWithDefaults({ name: 'p', goals: [{ ...goal, ...given }] })
  const [outcome] = goalOutcomes(policy, state, { requests: new Map(), usage: new Map() }, undefined)
  expect([outcome?.state, outcome?.shortBy]).toEqual([expected, shortBy])
})

test('usage goals are judged on what was measured, and left out where nothing was', () => {
  const policy = policyWithDefaults({ name: 'p', goals: [{ ...goal, nodes: ['a', 'b'], stat: 'usage', max: 50 }] })
  const measured = { nodes: new Map([['a', { cpu: 700 }]]), pods: new Map() }
  expect(goalRows(state, policy, measured)).toMatchObject([{ node: 0, used: 700, limit: 499 }])
  expect(goalOutcomes(policy, state, { requests: new Map(), usage: new Map() }, measured).map(each => each.state)).toEqual([
    'missed',
    'unknown',
  ])
})

describe('what is wrong with a policy', () => {
  // biome-ignore format: a table
  const cases: readonly (readonly [string, Partial<Goal>[], readonly string[]])[] = [
    ['a sound policy',                                [{ max: 50 }], []],
    ['a node that is not there',                      [{ nodes: ['a', 'z'], max: 50 }], ['node-missing']],
    ['no node',                                       [{ nodes: [], max: 50 }], ['goal-without-node']],
    ['neither max nor min',                           [{}], ['goal-without-bound']],
    ['percentages out of range',                      [{ max: 101, margin: -1 }], ['percent-range', 'percent-range']],
    ['min above max in one goal',                     [{ min: 60, max: 50 }], ['goals-contradict']],
    ['min and max of two goals that margins close',   [{ name: 'low', min: 50, margin: 1 }, { name: 'high', max: 52, margin: 1 }], ['goals-contradict']],
    ['the same without margins',                      [{ name: 'low', min: 50 }, { name: 'high', max: 52 }], []],
    ['bounds of other nodes or resources',            [{ name: 'low', min: 60 }, { name: 'high', nodes: ['b'], max: 50 }, { name: 'pods', resource: 'pods', max: 50 }], []],
    ['min above the headroom',                        [{ min: 90 }], ['goal-above-headroom']],
    ['a margin larger than max',                      [{ max: 5, margin: 10 }], ['goal-margin']],
    ['a margin as large as max',                      [{ max: 5, margin: 5 }], ['goal-margin']],
    ['a margin that min leaves no room for',          [{ resource: 'pods', stat: 'usage', min: 95, margin: 5 }], ['goal-margin']],
    ['a margin that leaves a little',                 [{ max: 5, margin: 4 }], []],
    ['two goals of one name',                         [{ max: 50 }, { max: 60 }], ['goal-name-duplicate']],
  ]
  test.each(cases)('%s', (_, goals, codes) => {
    const policy = policyWithDefaults({ name: 'p', goals: goals.map(each => ({ ...goal, ...each })) })
    expect(policyProblems(policy, state).map(problem => problem.code)).toEqual(codes)
  })

  test('a selector of the scope or of a preference that is none', () => {
    const none = { matchExpressions: [{ key: 'app', operator: 'In' as const, values: [] }] }
    const policy = policyWithDefaults({
      name: 'p',
      scope: { labelSelector: none, nodeSelector: none },
      preferences: [{ namespaces: [], labelSelector: none, nodes: ['a'] }],
    })
    expect(policyProblems(policy, state).map(({ where }) => where.replace(/\.matchExpressions.*/, ''))).toEqual([
      'RebalancePolicy p: spec.scope.labelSelector',
      'RebalancePolicy p: spec.scope.nodeSelector',
      'RebalancePolicy p: spec.preferences[0].labelSelector',
    ])
  })

  test('a preference for a node that is not there, and headroom and limits out of range', () => {
    const policy = policyWithDefaults({
      name: 'p',
      preferences: [{ namespaces: [], nodes: ['z'] }],
      headroom: { cpu: 120 },
      limits: { perPlan: -1 },
    })
    expect(policyProblems(policy, state).map(problem => [problem.code, problem.where])).toEqual([
      ['node-missing', 'RebalancePolicy p: spec.preferences[0].nodes[0]'],
      ['percent-range', 'RebalancePolicy p: spec.headroom.cpu'],
      ['limit-range', 'RebalancePolicy p: spec.limits.perPlan'],
    ])
  })
})
