import { expect, test } from 'vitest'
import { buildClusterState, type PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { TestCluster, testNode } from '../cluster-for-tests.ts'
import { conditionOf } from '../workloads/pod-state.ts'
import { preemptionFor } from './preemption.ts'

interface Shape {
  readonly node?: string
  readonly cpu?: string
  readonly priority?: number
  readonly startTime?: string
}

function pod(name: string, { node, cpu = '500m', priority = 0, startTime = '2026-01-01T00:00:00Z' }: Shape = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name, labels: { app: name } },
    spec: {
      priority,
      containers: [{ name: 'a', image: 'i', resources: { requests: { cpu } } }],
      ...(node === undefined ? {} : { nodeName: node }),
    },
    status: node === undefined ? { phase: 'Pending' } : { phase: 'Running', startTime },
  }
}

function budget(app: string, disruptionsAllowed: number): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: app, namespace: 'default' },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed },
  }
}

const nodes = [testNode('n1', { cpu: '1' }), testNode('n2', { cpu: '1' })]

// biome-ignore format: a table
test.each<[string, readonly KubeObject[], readonly PodDisruptionBudget[], string | undefined]>([
  ['nobody of lower priority: nothing', [pod('a', { node: 'n1', cpu: '1', priority: 10 }), pod('b', { node: 'n2', cpu: '1', priority: 10 })], [], undefined],
  ['the lower top priority', [pod('a', { node: 'n1', cpu: '1', priority: 5 }), pod('b', { node: 'n2', cpu: '1', priority: 1 })], [], 'n2 b'],
  ['no more than needed, the least important', [pod('a', { node: 'n1', priority: 5 }), pod('b', { node: 'n1', priority: 1 }), pod('c', { node: 'n2', cpu: '1', priority: 9 })], [], 'n1 b'],
  ['an unbroken budget before a lower priority', [pod('a', { node: 'n1', cpu: '1', priority: 5 }), pod('b', { node: 'n2', cpu: '1', priority: 1 })], [budget('b', 0)], 'n1 a'],
  ['fewer victims', [pod('a', { node: 'n2', cpu: '600m' }), pod('b', { node: 'n1', cpu: '300m' }), pod('c', { node: 'n1', cpu: '300m' }), pod('d', { node: 'n1', cpu: '300m', priority: 10 })], [], 'n2 a'],
  ['the one that started last', [pod('a', { node: 'n1', cpu: '1' }), pod('b', { node: 'n2', cpu: '1', startTime: '2026-01-01T05:00:00Z' })], [], 'n2 b'],
])('%s', (_, placed, budgets, expected) => {
  const { state } = buildClusterState([...nodes, ...placed, pod('wanted', { priority: 10 })])
  const wanted = state.pods.get('default/wanted')
  if (wanted === undefined) throw new Error('the pod is not in the state')
  const podsOn = (node: string): readonly PodState[] => state.podsOn(node)
  const found = preemptionFor({ placement: new Placement(state, defaultSettings('1.36')), pod: wanted, podsOn, budgets })
  expect(found === undefined ? undefined : [found.node, ...found.victims.map(victim => victim.name)].join(' ')).toBe(expected)
})

test('a pod of higher priority takes the place of a lower one', async () => {
  const classes = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 1000 }
  await using cluster = await TestCluster.start([testNode('n1', { cpu: '1' }), classes])
  cluster.create('pods', pod('low', { cpu: '800m' }))
  await cluster.settle()
  const high = pod('high', { cpu: '800m', priority: 1000 })
  cluster.create('pods', { ...high, spec: { ...(high['spec'] as object), priorityClassName: 'high' } })
  let last: string | undefined
  cluster.access.subscribe('pods', ({ object }) => {
    if (object.metadata.name === 'low')
      last = conditionOf(cluster.get('pods', 'low')?.status?.conditions, 'DisruptionTarget')?.reason ?? last
  })
  await cluster.settle()
  expect(cluster.readyPods().map(made => made.metadata.name)).toEqual(['high'])
  expect(last).toBe('PreemptionByScheduler')
  expect(cluster.list('events').map(event => event['reason'])).toContain('Preempted')
  expect(cluster.failures).toEqual([])
})
