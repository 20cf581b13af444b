import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { snapshotHash } from './snapshot-hash.ts'
import { node, workload } from './testdata/objects.ts'

const objects = [
  node('a'),
  node('b'),
  ...workload('shop/web', { on: ['a', 'b'], owner: 'descheduler', budget: { maxUnavailable: 1 } }),
]
const hashOf = (given: readonly KubeObject[]) => snapshotHash(buildClusterState(given).state)
const changed = (kind: string, how: (object: KubeObject) => KubeObject) =>
  objects.map(object => (object.kind === kind ? how(object) : object))
const withMetadata = (object: KubeObject, metadata: Partial<KubeObject['metadata']>): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...metadata },
})

test('it is a SHA-256', () => {
  expect(hashOf(objects)).toMatch(/^sha256:[0-9a-f]{64}$/)
})

// biome-ignore format: a table
const same: readonly (readonly [string, readonly KubeObject[]])[] = [
  ['objects in another order',        objects.toReversed()],
  ['fields in another order',         objects.map(object => ({ ...Object.fromEntries(Object.entries(object).toReversed()), apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata }))],
  ['another resource version',        objects.map(object => withMetadata(object, { resourceVersion: '7' }))],
  ['a heartbeat of a node',           changed('Node', object => ({ ...object, status: { ...Object(object['status']), conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'now' }] } }))],
  ['an annotation nobody reads',      changed('Pod', object => withMetadata(object, { annotations: { note: 'x' } }))],
  ['the status of a budget',          changed('PodDisruptionBudget', object => ({ ...object, status: { currentHealthy: 1 } }))],
]
test.each(same)('%s: the same hash', (_, given) => {
  expect(hashOf(given)).toBe(hashOf(objects))
})

// biome-ignore format: a table
const other: readonly (readonly [string, readonly KubeObject[]])[] = [
  ['a taint',                         changed('Node', object => ({ ...object, spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }))],
  ['a node that is not Ready',        changed('Node', object => ({ ...object, status: { ...Object(object['status']), conditions: [{ type: 'Ready', status: 'False' }] } }))],
  ['another label of a workload',     changed('Deployment', object => withMetadata(object, { labels: {} }))],
  ['another budget',                  changed('PodDisruptionBudget', object => ({ ...object, spec: { ...Object(object['spec']), maxUnavailable: 2 } }))],
  ['another incarnation of a pod',    changed('Pod', object => withMetadata(object, { uid: `${object.metadata.uid}-2` }))],
  ['a pod that is going away',        changed('Pod', object => withMetadata(object, { deletionTimestamp: '2026-01-01T00:00:00Z' }))],
  ['an annotation planning reads',    changed('Pod', object => withMetadata(object, { annotations: { 'ballast.dev/freeze': 'x' } }))],
  ['one pod fewer',                   objects.filter(object => object.metadata.uid !== objects.findLast(each => each.kind === 'Pod')?.metadata.uid)],
]
test.each(other)('%s: another hash', (_, given) => {
  expect(hashOf(given)).not.toBe(hashOf(objects))
})
