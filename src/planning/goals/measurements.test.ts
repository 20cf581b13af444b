import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { measuredBy, measurementsOf } from './measurements.ts'

const at = '2026-03-02T04:00:00Z'
const ofNode = (usage: unknown): KubeObject => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'NodeMetrics',
  metadata: { name: 'n1' },
  timestamp: at,
  usage,
})
const ofPod = (...usages: readonly unknown[]): KubeObject => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'PodMetrics',
  metadata: { name: 'a', namespace: 'shop' },
  timestamp: at,
  containers: usages.map((usage, index) => ({ name: `c${index}`, usage })),
})

// biome-ignore format: a table
test.each<[string, KubeObject, object | undefined]>([
  ['a node in nanocores',                ofNode({ cpu: '125500321n', memory: '47264Ki' }),                                    { cpu: 126, memory: 47264 * 1024 }],
  ['a pod is the sum of its containers', ofPod({ cpu: '100m', memory: '1Mi' }, { cpu: '1', memory: '2Mi' }),                  { cpu: 1100, memory: 3 * 2 ** 20 }],
  ['0 is a figure',                      ofNode({ cpu: '0', memory: '0' }),                                                  { cpu: 0, memory: 0 }],
  ['a figure that is missing is not 0',  ofNode({ cpu: '1' }),                                                               undefined],
  ['no usage at all',                    ofNode(undefined),                                                                  undefined],
  ['a negative figure',                  ofNode({ cpu: '-1', memory: '1Mi' }),                                               undefined],
  ['no quantity',                        ofNode({ cpu: 'NaN', memory: '1Mi' }),                                              undefined],
  ['one container of two is unknown',    ofPod({ cpu: '100m', memory: '1Mi' }, {}),                                          undefined],
  ['a pod without containers',           ofPod(),                                                                            undefined],
  ['another kind',                       { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, usage: { cpu: '1' } },  undefined],
])('%s', (_name, object, expected) => expect(measuredBy(object)?.amounts).toEqual(expected))

test('figures are told apart by node and pod, with their time', () => {
  const objects = [ofNode({ cpu: '1', memory: '1Mi' }), ofPod({ cpu: '2', memory: '2Mi' }), ofNode('text')]
  expect(measurementsOf(objects)).toEqual({
    nodes: new Map([['n1', { cpu: 1000, memory: 2 ** 20 }]]),
    pods: new Map([['shop/a', { cpu: 2000, memory: 2 ** 21 }]]),
  })
  expect(measuredBy(ofNode({ cpu: '1', memory: '1Mi' }))?.atMs).toBe(Date.parse(at))
  expect(measuredBy({ ...ofNode({ cpu: '1', memory: '1Mi' }), timestamp: 'yesterday' })?.atMs).toBeUndefined()
})
