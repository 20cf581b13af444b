// The mirror's leader on a twin, with exactly the rights that the manifests give it.
import { expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { mirror } from '#capabilities/mirror'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controlledCluster } from './controlled-cluster.ts'

const node = (name: string, address: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
  status: {
    addresses: [{ type: 'InternalIP', address }],
    allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})

const dataOf = (object: KubeObject | undefined) => object?.['data'] as Readonly<Record<string, string>> | undefined

test.each([
  ['alone', [mirror]],
  ['beside one that disrupts', [deschedule, mirror]],
])(
  'tells mirrors of each other, and hands out certificates without the key of their authority: %s',
  async (_name, capabilities) => {
    await using cluster = await controlledCluster({
      objects: [node('a', '10.0.0.1'), node('b', '10.0.0.2')],
      capabilities,
      configurations: { mirror: mirror.config.parse({}) },
    })
    const found = (resource: string, name: string) =>
      cluster.list(resource).find(({ metadata }) => metadata.name === name && metadata.namespace === 'ballast-agent')
    await cluster.until(
      () => found('configmaps', 'ballast-mirror-peers') !== undefined && found('secrets', 'ballast-agent-tls') !== undefined,
      600_000,
    )
    expect(dataOf(found('configmaps', 'ballast-mirror-peers'))).toEqual({ peers: '10.0.0.1\n10.0.0.2\n' })
    expect(Object.keys(dataOf(found('secrets', 'ballast-agent-tls')) ?? {}).toSorted()).toEqual(['ca.crt', 'tls.crt', 'tls.key'])
    expect(cluster.forbidden).toEqual([])
    // Who disrupts nothing has no book of permits, and no right to see what it would be judged by.
    const isJudged = capabilities.length > 1
    for (const kind of ['/pods', '/disruptionpermits', '/replicasets', '/events'])
      expect([kind, cluster.reads.some(read => read.endsWith(kind))]).toEqual([kind, isJudged])
    expect(cluster.errors).toEqual([])
  },
)

test('a node that still has another mirror is not listed: the first of a swap is alone, and ready', async () => {
  const mark = 'ballast.dev/mirror-swap'
  const marked = (object: KubeObject, value: string): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, labels: { ...object.metadata.labels, [mark]: value } },
  })
  const labels = { 'app.kubernetes.io/component': 'agent-mirror' }
  const template = {
    metadata: { labels },
    spec: { nodeSelector: { [mark]: 'ballast' }, containers: [{ name: 'mirror', image: 'mirror' }] },
  }
  const daemonSet: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ballast-agent-mirror', namespace: 'ballast-agent', labels },
    spec: { selector: { matchLabels: labels }, template },
  }
  await using cluster = await controlledCluster({
    objects: [marked(node('a', '10.0.0.1'), 'ballast'), marked(node('b', '10.0.0.2'), 'spegel'), daemonSet],
    capabilities: [mirror],
    configurations: { mirror: mirror.config.parse({}) },
  })
  const listed = () =>
    dataOf(cluster.list('configmaps').find(({ metadata }) => metadata.name === 'ballast-mirror-peers'))?.['peers']
  await cluster.until(() => listed() !== undefined, 600_000)
  expect(listed()).toBe('10.0.0.1\n')
  const body = { metadata: { labels: { [mark]: 'ballast' } } }
  await cluster.admin.resource(builtIn.nodes).patch('b', { type: 'merge', body }, { signal: new AbortController().signal })
  await cluster.until(() => listed() === '10.0.0.1\n10.0.0.2\n', 600_000)
  expect([cluster.forbidden, cluster.errors]).toEqual([[], []])
})
