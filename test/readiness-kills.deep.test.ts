// Nodes come, wait and are let go while the controller is killed before and after each of its writes: no taint is forgotten.
import { readiness } from '#capabilities/readiness'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const rules = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }
const rule = {
  apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
  kind: 'NodeReadinessRule',
  metadata: { name: 'net' },
  spec: {
    conditions: [{ type: 'Net', requiredStatus: 'True' }],
    enforcementMode: 'bootstrap-only',
    taint: { key: 'readiness.k8s.io/net', effect: 'NoSchedule' },
    nodeSelector: { matchLabels: { role: 'worker' } },
  },
}

const taintsOf = (of: ControlledCluster) =>
  of
    .list<Node>('nodes')
    .flatMap(({ spec }) => (spec?.taints ?? []).map(({ key }) => key).filter(key => !key.startsWith('node.kubernetes.io/')))

async function say(of: ControlledCluster, type: string): Promise<void> {
  const body = { status: { conditions: [{ type, status: 'True' }] } }
  await of.admin.resource<Node>(builtIn.nodes).patch('n2', { type: 'strategic', body }, { signal, subresource: 'status' })
}

describeKills({
  name: 'a node joins and is let go',
  cluster: {
    objects: [node('n1')],
    capabilities: [readiness],
    configurations: {
      readiness: readiness.config.parse({
        admission: false,
        rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }],
      }),
    },
  },
  async drive(of) {
    // From then on a node is younger than the rule.
    await of.until(() => of.list('configmaps').some(({ metadata }) => metadata.name === 'ballast-readiness-rules'), 120_000)
    await of.pass(2_000)
    await of.admin.resource<KubeObject>(rules).create(rule, { signal })
    const { uid: _, ...metadata } = node('n2').metadata
    const fresh = { ...node('n2'), metadata: { ...metadata, labels: { ...metadata.labels, role: 'worker' } } }
    await of.admin.resource<KubeObject>(builtIn.nodes).create(fresh, { signal })
    await of.until(() => taintsOf(of).length === 2, 120_000)
    await say(of, 'Net')
    await of.until(() => taintsOf(of).length === 1, 120_000)
    await say(of, 'ballast.dev/MirrorReady')
    await of.until(() => taintsOf(of).length === 0, 120_000)
    await of.admin.resource(rules).delete('net', { signal })
    await of.until(() => of.list('nodereadinessrules.readiness.node.x-k8s.io').length === 0, 120_000)
    await of.pass(10_000)
  },
  faults: of => taintsOf(of).map(key => `taint ${key} is left`),
})
