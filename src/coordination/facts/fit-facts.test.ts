import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { drain, node as nodeTarget, permit } from '../policy/testdata/question.ts'
import { fitProofOf } from './fit-facts.ts'

function node(name: string, cpu = '1') {
  const status = { allocatable: { cpu, memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'kubernetes.io/hostname': name } }, spec: {}, status }
}

function pod(name: string, cpu: string, on?: string) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: `uid-${name}` },
    spec: { ...(on && { nodeName: on }), containers: [{ name: 'main', image: 'x', resources: { requests: { cpu } } }] },
    status: { phase: on === undefined ? 'Pending' : 'Running' },
  }
}

type Row = readonly [
  name: string,
  pods: readonly ReturnType<typeof pod>[],
  taken: readonly string[],
  context: { readonly permits?: readonly PermitRecord[]; readonly emptied?: readonly string[] },
  fits: readonly string[],
]

const target = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` })
const movingTo = (name: string, to: string) => permit({ targets: [target(name)], relocation: { from: 'n1', to: [to] } })
const draining = (name: string) => permit({ ...drain, batch: undefined, targets: [nodeTarget(name)] })

describe('where pods fit that are taken from n1, of n1 to n3 with a CPU each', () => {
  // biome-ignore format: a table
  test.each<Row>([
    ['one, on two empty nodes',                      [pod('a', '600m', 'n1')],                                   ['a'],      {},                              ['n2', 'n3']],
    ['... one of which is full',                     [pod('a', '600m', 'n1'), pod('x', '500m', 'n2')],           ['a'],      {},                              ['n3']],
    ['... both are',                                 [pod('a', '600m', 'n1'), pod('x', '500m', 'n2'), pod('y', '500m', 'n3')], ['a'], {},                       []],
    ['its own node does not count',                  [pod('a', '600m', 'n1'), pod('x', '900m', 'n2'), pod('y', '900m', 'n3')], ['a'], {},                       []],
    ['too large for any',                            [pod('a', '1100m', 'n1')],                                  ['a'],      {},                              []],
    ['two, one on each',                             [pod('a', '500m', 'n1'), pod('b', '600m', 'n1')],           ['a', 'b'], {},                              ['n2', 'n3']],
    ['three, for two of which there is room',        [pod('a', '600m', 'n1'), pod('b', '600m', 'n1'), pod('c', '600m', 'n1')], ['a', 'b', 'c'], {},             []],
    ['room that a granted move takes',               [pod('a', '600m', 'n1'), pod('m', '600m', 'n1')],           ['a'],      { permits: [movingTo('m', 'n2')] }, ['n3']],
    ['... of a pod that is gone already',            [pod('a', '600m', 'n1')],                                   ['a'],      { permits: [movingTo('m', 'n2')] }, ['n2', 'n3']],
    ['... to a node that is gone already',           [pod('a', '600m', 'n1'), pod('m', '600m', 'n1')],           ['a'],      { permits: [movingTo('m', 'n9')] }, ['n2', 'n3']],
    ['a node that is being emptied takes none',      [pod('a', '600m', 'n1')],                                   ['a'],      { permits: [draining('n2')] },   ['n3']],
    ['nor do those that it empties itself',          [pod('a', '600m', 'n1')],                                   ['a'],      { emptied: ['n1', 'n3'] },       ['n2']],
    ['a pod that waits for a node',                  [pod('a', '600m')],                                         ['a'],      {},                              ['n1', 'n2', 'n3']],
    ['none taken',                                   [],                                                         [],         {},                              []],
  ])('%s', (_name, pods, taken, { permits = [], emptied = [] }, fits) => {
    const { state } = buildClusterState([node('n1'), node('n2'), node('n3'), ...pods])
    const asked = taken.flatMap(name => state.pods.get(`shop/${name}`) ?? [])
    expect(asked).toHaveLength(taken.length)
    expect(fitProofOf(state, asked, { permits, emptied }).nodes).toEqual(fits)
  })
})
