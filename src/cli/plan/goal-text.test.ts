import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node } from '#planning/testdata/objects.ts'
import { readGoal } from './goal-text.ts'

const plane = { 'node-role.kubernetes.io/control-plane': '' }
const { state } = buildClusterState([node('cp', { labels: plane }), node('w1', { labels: { pool: 'big' } }), node('w2')])

describe('a goal in words', () => {
  // biome-ignore format: a table
  test.each<[string, object]>([
    ['cpu at most 70% on cp',                                    { name: 'goal-1', resource: 'cpu', max: 70, nodes: ['cp'] }],
    ['memory at least 30 % on w1,w2',                            { name: 'goal-1', resource: 'memory', min: 30, nodes: ['w1', 'w2'] }],
    ['cpu at most 70% on node-role.kubernetes.io/control-plane', { name: 'goal-1', resource: 'cpu', max: 70, nodes: ['cp'] }],
    ['pods at most 50% on pool=big',                             { name: 'goal-1', resource: 'pods', max: 50, nodes: ['w1'] }],
    ['cpu at most 70% on pool in (big, small)',                  { name: 'goal-1', resource: 'cpu', max: 70, nodes: ['w1'] }],
    ['cpu at most 70%',                                          { name: 'goal-1', resource: 'cpu', max: 70, nodeSelector: {} }],
    ['  used   memory at most 80% on all ',                      { name: 'goal-1', resource: 'memory', max: 80, nodeSelector: {}, stat: 'usage' }],
    ['requested cpu at most 70% on all together',                { name: 'goal-1', resource: 'cpu', max: 70, nodeSelector: {}, per: 'together' }],
    ['cpu at most 70% on cp, each',                              { name: 'goal-1', resource: 'cpu', max: 70, nodes: ['cp'], per: 'each' }],
    ['nvidia.com/gpu at most 50% on w1',                         { name: 'goal-1', resource: 'nvidia.com/gpu', max: 50, nodes: ['w1'] }],
    ['cpu most 70.5%',                                           { name: 'goal-1', resource: 'cpu', max: 70.5, nodeSelector: {} }],
  ])('%s', (text, expected) => expect(readGoal(text, 1, state)).toEqual({ ok: true, value: expected }))

  // biome-ignore format: a table
  test.each([
    ['cpu below 70%',              'cpu below 70%', /such as "cpu at most 70% on all"/],
    ['',                           '',              /such as/],
    ['cpu at most seventy%',       'cpu at most seventy%', /such as/],
    ['cpu at most 70% on nowhere', 'nowhere',       /nodes are cp, w1, w2/],
    ['cpu at most 70% on a=b=c',   'a=b=c',         /./],
  ])('refused: %s', (text, found, expected) => {
    const read = readGoal(text, 1, state)
    expect(read.ok).toBe(false)
    if (read.ok) return
    expect(read.problem.found).toBe(found)
    expect(read.problem.expected ?? read.problem).toMatch(expected)
  })
})
