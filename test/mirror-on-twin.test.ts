// The mirror's leader on a twin, with exactly the rights that the manifests give it.
import { expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { mirror } from '#capabilities/mirror'
import type { KubeObject } from '#kube/objects.ts'
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
