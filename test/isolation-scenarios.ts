// Isolations to be killed in: the homelab's control plane whole, and a cluster of three nodes with one stage of each kind.
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { type RebalancePolicy, rebalancePolicies } from '#coordination/api.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import type { Scenario } from './crash-harness.ts'
import { labelled } from './homelab-states.ts'
import { smallCluster, smallWorkload } from './small-cluster.ts'

const controlPlane = 'node-role.kubernetes.io/control-plane'

/** The homelab with its policy's isolation as given; its goals stay, and nothing runs by schedule. */
export function isolatedHomelab(isolation: Readonly<Record<string, unknown>>): readonly KubeObject[] {
  return labelled().map(object => {
    if (object.kind !== 'RebalancePolicy') return object
    const { schedule: _, ...given } = object['spec'] as Record<string, unknown>
    return { ...object, spec: { ...given, trigger: 'manual', mode: 'Auto', isolation: { enabled: true, ...isolation } } }
  })
}

/** Whether the isolation of the only policy is verified. */
export function isVerified(cluster: Pick<ControlledCluster, 'list'>): boolean {
  const isolation = cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]?.status?.isolation
  return isolation?.stage === 'Verify' && isolation.phase === 'Verified'
}

interface Expected {
  readonly node: string
  readonly pods: number
  readonly landed: number
  readonly evictions: number
}

function faultsAfter(cluster: ControlledCluster, { node, pods, landed, evictions }: Expected): readonly string[] {
  const check = (is: boolean, fault: string) => (is ? [] : [fault])
  const all = cluster.list<Pod>('pods')
  const unready = all.filter(pod => !pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
  const on = all.filter(pod => pod.spec.nodeName === node).length
  const steps = cluster.plans().flatMap(plan => plan.status?.steps ?? [])
  const moved = steps.filter(({ state }) => state === 'Landed').length
  const evicted = cluster.witness.disruptions.filter(({ cause }) => cause === 'eviction').length
  const taints = cluster
    .list<Node>('nodes')
    .flatMap(({ metadata, spec }) => (spec?.taints ?? []).map(({ key }) => `${metadata.name} ${key}`))
  return [
    ...check(isVerified(cluster), 'the isolation is not verified any more'),
    ...check(taints.join() === `${node} ${controlPlane}`, `taints: ${taints.join(', ')}`),
    ...check(on === pods, `${on} pods on ${node}`),
    ...check(moved === landed, `${moved} moves landed`),
    ...check(evicted === evictions, `${evicted} pods were evicted`),
    ...check(unready.length === 0, `not ready: ${unready.map(({ metadata }) => metadata.name).join(', ')}`),
  ]
}

/** H4: 23 moves, talos00 at 32 %. */
export const homelabIsolation: Scenario = {
  name: 'isolation of the homelab',
  cluster: { objects: isolatedHomelab({ keda: 'evict', taintMode: 'kubernetes' }), capabilities: [deschedule, isolate] },
  drive: cluster => cluster.until(() => isVerified(cluster), 4 * 3_600_000),
  faults: cluster => faultsAfter(cluster, { node: 'talos00', pods: 36, landed: 23, evictions: 16 }),
}

/** n1 is the control plane: dns of kube-system gets its toleration by a rollout, then the taint is set, then three pods leave. */
function smallControlPlane(tolerations: 'apply' | 'webhook'): readonly KubeObject[] {
  const objects = [
    ...smallCluster({ fixed: { on: ['n2', 'n3'] }, other: { on: ['n2'] } }),
    ...smallWorkload({ name: 'dns', cpu: '100m', on: ['n1', 'n2'] }).map(object => ({
      ...object,
      metadata: { ...object.metadata, namespace: 'kube-system' },
    })),
    {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'RebalancePolicy',
      metadata: { name: 'small' },
      spec: {
        trigger: 'manual',
        mode: 'Auto',
        isolation: { enabled: true, taintMode: 'kubernetes', tolerations },
      },
    },
  ]
  return objects.map(object =>
    object.kind === 'Node' && object.metadata.name === 'n1'
      ? { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, [controlPlane]: '' } } }
      : object,
  )
}

export const smallIsolation: Scenario = {
  name: 'isolation of one node of three',
  cluster: { objects: smallControlPlane('apply'), capabilities: [deschedule, isolate] },
  drive: cluster => cluster.until(() => isVerified(cluster), 3_600_000),
  faults: cluster => [
    ...faultsAfter(cluster, { node: 'n1', pods: 0, landed: 3, evictions: 2 }),
    ...(cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app'] === 'dns').length === 2
      ? []
      : ['dns was not rolled out once']),
  ],
}

/** The same by webhook, and aborted when it is verified: dns is rolled out once, its template stays, the webhook is gone at the end. */
export const smallIsolationByWebhook: Scenario = {
  name: 'isolation by webhook, aborted in the end',
  cluster: { objects: smallControlPlane('webhook'), capabilities: [deschedule, isolate], hold: true },
  async drive(cluster) {
    await cluster.until(() => isVerified(cluster), 3_600_000)
    const dns = cluster.list<Pod>('pods').filter(({ metadata }) => metadata.namespace === 'kube-system')
    const lacking = dns.filter(({ spec }) => spec.tolerations?.some(({ key }) => key === controlPlane) !== true)
    // One that came while its controller, and so the webhook, was dead may lack it where it is in nobody's way.
    if (lacking.some(({ spec }) => cluster.started === 1 || spec.nodeName === 'n1'))
      throw new Error('a pod of dns lacks the toleration')
    await cluster.change(rebalancePolicies, { name: 'small' }, { spec: { isolation: { enabled: false } } })
    const status = () => cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]?.status
    await cluster.until(() => status()?.isolation?.phase === 'Aborted')
  },
  faults: cluster => {
    const sets = cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app'] === 'dns')
    const tainted = cluster.list<Node>('nodes').filter(({ spec }) => (spec?.taints ?? []).length > 0)
    return [
      ...(sets.length === 2 ? [] : [`dns has ${sets.length} ReplicaSets, it was not rolled out once`]),
      ...(sets.some(set => JSON.stringify(set).includes('tolerations')) ? ['the template of dns was changed'] : []),
      ...tainted.map(({ metadata }) => `${metadata.name} is still tainted`),
    ]
  },
}
