// The homelab with an isolation under way on the twin: how it is started, where it stands, what Talos does to it.
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import type { DisruptionPermit, RebalancePolicy } from '#coordination/api.ts'
import type { KubeObject, Node, Pod, Taint } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { boundVolume, claimVolume, workload } from '#planning/testdata/objects.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { labelled } from './homelab-states.ts'

export const controlPlane = 'node-role.kubernetes.io/control-plane'
export const taint: Taint = { key: controlPlane, effect: 'NoSchedule' }

/** The homelab with its policy's isolation as given; its goals stay, and nothing runs by schedule. */
export function homelab(
  isolation: Readonly<Record<string, unknown>>,
  spec: Readonly<Record<string, unknown>> = {},
  found: readonly KubeObject[] = labelled(),
): readonly KubeObject[] {
  return found.map(object => {
    if (object.kind !== 'RebalancePolicy') return object
    const { schedule: _, ...given } = object['spec'] as Record<string, unknown>
    return { ...object, spec: { ...given, trigger: 'manual', mode: 'Auto', ...spec, isolation: { enabled: true, ...isolation } } }
  })
}

export async function start(
  objects: readonly KubeObject[],
  options: Partial<ControlledOptions> = {},
): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects, capabilities: [deschedule, isolate], ...options })
  cluster.startController()
  return cluster
}

export function isolationOf(cluster: ControlledCluster) {
  return cluster.list<RebalancePolicy>('rebalancepolicies.ballast.dev')[0]?.status?.isolation
}

/** `Taint Waiting`: where the isolation stands, as its status says. */
export function standing(cluster: ControlledCluster): string {
  const isolation = isolationOf(cluster)
  return `${isolation?.stage ?? 'none'} ${isolation?.phase ?? ''}`
}

export async function until(cluster: ControlledCluster, stands: string, limitMs?: number): Promise<void> {
  await cluster.until(() => standing(cluster) === stands, limitMs)
}

/** What Talos does: sets the taint, or takes it away. */
export async function setTaints(cluster: ControlledCluster, node: string, taints: readonly Taint[]): Promise<void> {
  await cluster.change(builtIn.nodes, { name: node }, { spec: { taints: taints.length === 0 ? null : taints } })
}

export function evictions(cluster: ControlledCluster): number {
  return cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
}

export function taintsOf(cluster: ControlledCluster, node = 'talos00'): readonly string[] {
  const found = cluster.list<Node>('nodes').find(({ metadata }) => metadata.name === node)
  const lasting = (found?.spec?.taints ?? []).filter(({ key }) => key !== 'ballast.dev/rebalance')
  return lasting.map(({ key, effect }) => `${key}:${effect}`)
}

export function podsOn(cluster: ControlledCluster, node: string): readonly Pod[] {
  return cluster.list<Pod>('pods').filter(pod => pod.spec.nodeName === node && pod.metadata.deletionTimestamp === undefined)
}

export function left(cluster: ControlledCluster): readonly string[] {
  return [
    ...cluster
      .list<DisruptionPermit>('disruptionpermits.ballast.dev')
      .flatMap(permit => (permit.status?.releasedAt === undefined ? [`permit ${permit.metadata.name} is out`] : [])),
    ...cluster
      .list<Node>('nodes')
      .flatMap(node => (node.spec?.taints ?? []).filter(({ key }) => key.startsWith('ballast.dev/')).map(({ key }) => key)),
    ...cluster.forbidden.map(request => `403: ${request}`),
    ...cluster.errors.map(error => `error: ${error.message} ${JSON.stringify(error.facts)}`),
  ]
}

/** A pod whose local volume is bound to talos00. */
export function pinned(): readonly KubeObject[] {
  return [
    ...workload('scratch/pinned', { kind: 'StatefulSet', on: ['talos00'], owner: 'none', spec: claimVolume('pinned') }),
    ...boundVolume('scratch', 'pinned', { volume: 'pinned-local', pinnedTo: 'talos00' }),
  ]
}

/** `objects` with the tolerations of one workload taken away, from its template and from its pods. */
export function without(objects: readonly KubeObject[], kind: string, name: string): readonly KubeObject[] {
  return objects.map(object => {
    if (object.kind !== kind || object.metadata.name !== name) return object
    const spec = object['spec'] as { readonly template: { readonly spec: Record<string, unknown> } }
    const { tolerations: _, ...pod } = spec.template.spec
    return { ...object, spec: { ...spec, template: { ...spec.template, spec: pod } } }
  })
}

/** Runs until `count` moves have landed. */
export async function untilLanded(cluster: ControlledCluster, count: number): Promise<void> {
  const landed = () =>
    cluster
      .plans()
      .flatMap(plan => plan.status?.steps ?? [])
      .filter(step => step.state === 'Landed').length
  await cluster.until(() => landed() >= count, 3_600_000)
}

/** Approves whatever plan of isolation is proposed, until the isolation stands so. */
export async function approveUntil(cluster: ControlledCluster, stands: string): Promise<void> {
  const waiting = () =>
    cluster.plans().find(({ spec, status }) => spec.purpose === 'isolate' && status?.phase === 'Proposed' && !spec.approved)
  for (;;) {
    await cluster.until(() => standing(cluster) === stands || waiting() !== undefined)
    const plan = waiting()
    if (plan === undefined) return
    await cluster.approve(plan)
  }
}
