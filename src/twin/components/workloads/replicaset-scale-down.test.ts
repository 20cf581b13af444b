// Which pods a ReplicaSet takes when it shrinks, with the real ranks of pods that share a node.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startMs, TestCluster, testNodes, testWorkload } from '../cluster-for-tests.ts'

const hourMs = 3_600_000
const ago = (ms: number) => new Date(startMs - ms).toISOString().replace('.000', '')

interface Shape {
  readonly node: string
  readonly readyForMs?: number
  readonly cost?: string
}

function member(name: string, { node, readyForMs, cost }: Shape): KubeObject {
  const isReady = readyForMs !== undefined
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      creationTimestamp: ago(2 * hourMs),
      labels: { app: 'web' },
      annotations: cost === undefined ? {} : { 'controller.kubernetes.io/pod-deletion-cost': cost },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'set', controller: true }],
    },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'i' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: ago(readyForMs ?? hourMs) }],
      containerStatuses: [{ name: 'main', ready: isReady, image: 'i', restartCount: 0, state: { running: {} } }],
    },
  }
}

/** Names of the pods that stay of p1 to p4. */
async function left(replicas: number, p1ReadyForMs: number): Promise<readonly string[]> {
  const set = testWorkload('ReplicaSet', 'web', { replicas: 4 })
  const members = [
    member('p1', { node: 'n1', readyForMs: p1ReadyForMs }),
    member('p2', { node: 'n1', readyForMs: hourMs }),
    member('p3', { node: 'n2', readyForMs: hourMs, cost: '-5' }),
    member('p4', { node: 'n3' }),
  ]
  const objects = [...testNodes(3), { ...set, metadata: { ...set.metadata, uid: 'set' } }, ...members]
  await using cluster = await TestCluster.start(objects, { kubelet: false })
  await cluster.clock.advance(0)
  expect(cluster.pods()).toHaveLength(4)
  cluster.edit('replicasets.apps', 'web', found => ({ ...found, spec: { ...found.spec, replicas } }))
  await cluster.clock.advance(0)
  return cluster
    .pods()
    .filter(pod => pod.metadata.deletionTimestamp === undefined)
    .map(pod => pod.metadata.name)
}

describe('of four pods, two on one node, one cheap, one not ready (case 24)', () => {
  test.each([
    ['the unready and the cheap one go first', 2, hourMs, ['p1', 'p2']],
    ['then of two alike the one of lower uid', 1, hourMs, ['p2']],
    ['or the one ready for a much shorter time', 1, 8 * hourMs, ['p1']],
  ])('%s', async (_, replicas, p1ReadyForMs, expected) => {
    expect(await left(replicas, p1ReadyForMs)).toEqual(expected)
  })
})
