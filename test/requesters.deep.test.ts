// Three requesters beside the descheduler: what each of them does alone, and that nothing of it is repeated or forgotten when its
// controller is killed.
import { describe, expect, test } from 'vitest'
import { reload } from '#capabilities/reload'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { auto, remembered } from './reload-cluster.ts'
import { resizeRequester } from './requesters/resize.ts'
import { scaleRequester } from './requesters/scale.ts'
import { isQuiet, readingOf, rolloutsOf, rotate, templateOf, wishReplicas, wishSize } from './requesters/wishes.ts'
import { node, smallWorkload } from './small-cluster.ts'

const reads = { annotations: auto, secrets: ['keys'] }

const objects: readonly KubeObject[] = [
  ...['n1', 'n2', 'n3'].map(node),
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'shop', uid: 'secret-keys' }, data: {} },
  ...smallWorkload({ name: 'web', cpu: '500m', on: ['n1', 'n2'], owner: 'descheduler', ...reads }),
  ...smallWorkload({ name: 'llm', cpu: '500m', on: ['n1'], hasBudget: false, ...reads }),
  {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'llm', namespace: 'shop', uid: 'scaled-llm' },
    spec: { scaleTargetRef: { name: 'llm' }, minReplicaCount: 0, triggers: [] },
  },
]

const options: ControlledOptions = { objects, capabilities: [reload, resizeRequester(), scaleRequester()] }

const haveRead = (cluster: ControlledCluster, content: string) =>
  ['web', 'llm'].every(name => templateOf(cluster, name).reading('keys') === readingOf(content)) && isQuiet(cluster)

describe('a requester alone', () => {
  test('rolls out what reads a rotated Secret, once each, and nothing else', async () => {
    await using cluster = await controlledCluster(options)
    cluster.startController()
    await remembered(cluster, 2)
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => haveRead(cluster, 'second'))
    expect(['web', 'llm'].map(name => rolloutsOf(cluster, name))).toEqual([1, 1])
    await cluster.clock.advance(600_000)
    expect(cluster.permits().map(({ spec, status }) => `${spec.requester} ${spec.verb} ${status?.ending}`)).toEqual([
      'reload restart done',
      'reload restart done',
    ])
    expect(cluster.forbidden).toEqual([])
    expect(cluster.errors).toEqual([])
  })

  test('gives a container the size that is wished, by a rollout', async () => {
    await using cluster = await controlledCluster(options)
    cluster.startController()
    await wishSize(cluster, { workload: 'web', cpu: '700m' })
    await cluster.until(() => templateOf(cluster, 'web').cpu === '700m' && isQuiet(cluster))
    expect(rolloutsOf(cluster, 'web')).toBe(1)
  })

  test('scales what its ScaledObject asks for, to zero and up again', async () => {
    await using cluster = await controlledCluster(options)
    cluster.startController()
    for (const replicas of [0, 2, 1]) {
      await wishReplicas(cluster, 'llm', replicas)
      await cluster.until(() => templateOf(cluster, 'llm').replicas === replicas && isQuiet(cluster))
    }
    expect(cluster.permits().map(({ spec, status }) => `${spec.verb} ${spec.purpose} ${status?.ending}`)).toEqual([
      'scale scale-to-zero done',
      'scale provide done',
      'scale scale-to-zero done',
    ])
  })
})

describeKills({
  name: 'a Secret that two workloads read is rotated',
  cluster: options,
  async drive(cluster) {
    await remembered(cluster, 2)
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => haveRead(cluster, 'second'))
  },
  faults: cluster =>
    ['web', 'llm'].filter(name => rolloutsOf(cluster, name) !== 1).map(name => `${name}: ${rolloutsOf(cluster, name)} rollouts`),
})

describeKills({
  name: 'a workload is scaled to zero and woken',
  cluster: options,
  async drive(cluster) {
    for (const replicas of [0, 1]) {
      await wishReplicas(cluster, 'llm', replicas)
      await cluster.until(() => templateOf(cluster, 'llm').replicas === replicas && isQuiet(cluster))
    }
  },
})
