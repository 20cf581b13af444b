import { expect, test } from 'vitest'
import { examineCluster } from '#doctor/checks.ts'
import type { ClusterFacts } from '#doctor/facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const spegel = (initContainers: readonly object[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: {
    name: 'spegel',
    namespace: 'spegel',
    labels: { 'app.kubernetes.io/name': 'spegel', 'helm.sh/chart': 'spegel-0.7.4' },
  },
  spec: {
    template: { spec: { initContainers, containers: [{ name: 'registry', image: 'ghcr.io/spegel-org/spegel:v0.7.4' }] } },
  },
})

const writer = {
  name: 'configuration',
  args: [
    'configuration',
    '--containerd-registry-config-path=/etc/containerd/certs.d',
    '--mirror-targets',
    'http://$(NODE_IP):30020',
  ],
}

const facts = (enabled: readonly string[], object: KubeObject): ClusterFacts => ({
  objects: [object],
  unread: [],
  nowMs: 0,
  ours: {
    namespace: 'ballast',
    enabled,
    configurations: {},
    isConfigured: true,
    isRunning: true,
    account: 'ballast',
    rights: [],
  },
})

test.each<[string, readonly string[], readonly object[], readonly string[]]>([
  ['alone: how to move', [], [writer], ['upstream-present']],
  ['both write the hosts files', ['mirror'], [writer], ['double-duty', 'upstream-present']],
  ['both serve', ['mirror'], [], ['double-duty', 'upstream-present']],
])('Spegel: %s', (_, enabled, initContainers, ids) => {
  const findings = examineCluster(facts(enabled, spegel(initContainers))).filter(({ object }) => object.includes('spegel'))
  expect(findings.map(({ id }) => id)).toEqual(ids)
  expect(findings.at(-1)?.fix).toContain('ballast migrate plan spegel')
  if (enabled.length > 0) {
    const said = findings[0]?.message ?? ''
    expect(said.includes("both write containerd's hosts files")).toBe(initContainers.length > 0)
  }
})
