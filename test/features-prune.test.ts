// `nfd-master -prune` and the looks of `nfd-gc`, on a twin: what goes from nodes, what stays, and what is nobody's any more.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { featureKinds } from '../src/capabilities/features/kinds.ts'
import { collectingMetrics } from '../src/capabilities/features/labelling/metrics.ts'
import { prune } from '../src/capabilities/features/labelling/prune.ts'
import { sweep } from '../src/capabilities/features/labelling/sweep.ts'
import { startMs } from './controlled-cluster.ts'
import { featuresOf, listsOn, namespaceObject, nodeIn } from './features-cluster.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const leadership = {
  transitions: 0,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}

async function scene(objects: readonly KubeObject[]) {
  const clock = new VirtualClock(startMs)
  const definitions = featureKinds.flatMap(({ definition }) => definition ?? [])
  const twin = await startTwin({ clock, objects: [...definitions, topologies, namespaceObject('nfd'), ...objects] })
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  // The cast: the twin keeps objects of all kinds.
  const list = <T extends KubeObject>(resource: string) => twin.access.list(resource) as readonly T[]
  const names = (resource: string) => list(resource).map(({ metadata }) => metadata.name)
  return { api, clock, list, names, [Symbol.asyncDispose]: () => twin[Symbol.asyncDispose]() }
}

const topologyGroup = 'topology.node.k8s.io'
const topologies: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `noderesourcetopologies.${topologyGroup}` },
  spec: {
    group: topologyGroup,
    scope: 'Cluster',
    names: {
      kind: 'NodeResourceTopology',
      plural: 'noderesourcetopologies',
      singular: 'noderesourcetopology',
      listKind: 'NodeResourceTopologyList',
    },
    versions: [
      {
        name: 'v1alpha2',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
const topologyOf = (name: string): KubeObject => ({
  apiVersion: `${topologyGroup}/v1alpha2`,
  kind: 'NodeResourceTopology',
  metadata: { name },
})

/** A node with what two masters put there, and a person. */
function marked(): Node {
  // The cast: it is a node.
  const plain = node('n1') as Node
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      labels: { ...plain.metadata.labels, 'feature.node.kubernetes.io/a': '1', 'feature.node.kubernetes.io/b': '2', mine: 'yes' },
      annotations: {
        'nfd.node.kubernetes.io/feature-labels': 'a',
        'nfd.node.kubernetes.io/taints': 'x.example/t=v:NoSchedule',
        'nfd.node.kubernetes.io/master.version': 'v0.10',
        'blue.nfd.node.kubernetes.io/feature-labels': 'b',
        'blue.nfd.node.kubernetes.io/extended-resources': 'r.example/n',
        mine: 'yes',
      },
    },
    spec: {
      ...plain.spec,
      taints: [
        { key: 'x.example/t', value: 'v', effect: 'NoSchedule' },
        { key: 'mine', effect: 'NoSchedule' },
      ],
    },
    status: {
      ...plain.status,
      capacity: { ...plain.status?.capacity, 'r.example/n': '3' },
      allocatable: { ...plain.status?.allocatable, 'r.example/n': '3' },
    },
  }
}

test('an instance prunes what is its own, and the taints that all share; what a person put there stays', async () => {
  await using of = await scene([marked()])
  const effects = { api: of.api, clock: of.clock, leadership }
  expect(await prune({ effects, instance: 'blue', log: silentLog }, signal)).toEqual({ nodes: 1, failed: [] })
  const { metadata, spec, status } = nodeIn(of, 'n1')
  expect(metadata.labels).toMatchObject({ 'feature.node.kubernetes.io/a': '1', mine: 'yes' })
  expect(metadata.labels).not.toHaveProperty(['feature.node.kubernetes.io/b'])
  expect([status?.capacity, status?.allocatable]).not.toContainEqual(expect.objectContaining({ 'r.example/n': '3' }))
  expect(spec?.taints).toEqual([{ key: 'mine', effect: 'NoSchedule' }])
  expect(listsOn(of, 'n1')).toEqual({
    'nfd.node.kubernetes.io/feature-labels': 'a',
    'nfd.node.kubernetes.io/master.version': 'v0.10',
  })
  await prune({ effects, instance: '', log: silentLog }, signal)
  expect(listsOn(of, 'n1')).toEqual({})
  expect(nodeIn(of, 'n1').metadata).toMatchObject({ labels: { mine: 'yes' }, annotations: { mine: 'yes' } })
})

test('objects of nodes that are gone go, of every kind; a node that a watch lacks and the server has keeps its own', async () => {
  const of = await scene([
    node('n1'),
    featuresOf('n1', undefined),
    featuresOf('gone', undefined),
    topologyOf('n1'),
    topologyOf('gone'),
  ])
  await using _of = of
  const registry = new Registry()
  // A watch that is late: n1 was made again, and it has not heard of it.
  const options = { api: of.api, isKnown: () => false, pageSize: 1, log: silentLog, metrics: collectingMetrics(registry) }
  expect(await sweep(options, signal, 'n1')).toBe(true)
  expect(await sweep(options, signal)).toBe(true)
  expect([of.names('nodefeatures.nfd.k8s-sigs.io'), of.names(`noderesourcetopologies.${topologyGroup}`)]).toEqual([
    ['n1'],
    ['n1'],
  ])
  expect(await registry.metrics()).toContain('nfd_gc_objects_deleted_total{kind="NodeResourceTopology"} 1')
  await of.api.resource(builtIn.nodes).delete('n1', { signal })
  expect(await sweep(options, signal, 'n1')).toBe(true)
  expect([of.names('nodefeatures.nfd.k8s-sigs.io'), of.names(`noderesourcetopologies.${topologyGroup}`)]).toEqual([[], []])
})
