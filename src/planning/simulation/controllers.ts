// What controllers do when pods go and nodes change: make pods anew, give pods up, keep one daemon pod a node.

import type { PodState } from '#cluster/cluster-state.ts'
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { KubeObject, Node, Pod, Taint } from '#kube/objects/objects.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import { daemonTemplate, podOfTemplate, successorOf, workloadSpec } from './pod-making.ts'
import type { World } from './world.ts'

/** What became of a pod that went: another waits in its place, its DaemonSet looks after the node, nobody wants it, nobody knows it. */
type Aftermath = { readonly kind: 'replaced'; readonly pod: Pod } | { readonly kind: 'daemon' | 'surplus' | 'lost' }

/** Takes a pod away and lets its controller do what it does then. */
export function takeAway(world: World, pod: PodState): Aftermath {
  const { object } = pod
  const owner = controllerOf(object.metadata)
  world.remove(object)
  if (owner === undefined || (owner.kind === 'Node' && owner.apiVersion === 'v1') || pod.isFinished) return { kind: 'lost' }
  if (owner.kind === 'DaemonSet') {
    if (pod.nodeName !== undefined) reconcileDaemons(world, [pod.nodeName])
    return { kind: 'daemon' }
  }
  const controller = controllerIn(world.state, object)
  if (
    controller !== undefined &&
    activePodsOf(world, controller).length >= (workloadSpec(controller).replicas ?? Number.POSITIVE_INFINITY)
  )
    return { kind: 'surplus' }
  const origin = { replaces: pod.key, ...(pod.nodeName === undefined ? {} : { from: pod.nodeName }) }
  return { kind: 'replaced', pod: world.create(successorOf(world, object), origin) }
}

/** The unfinished pods whose direct controller is `controller`. */
export function activePodsOf(world: World, controller: KubeObject): readonly PodState[] {
  const { state } = world
  const uid = controller.metadata.uid ?? ''
  const top = controllerOf(controller.metadata)?.uid ?? uid
  const candidates = uid === '' ? [] : [...new Set([...state.podsOf(top), ...state.podsOf(uid)])]
  return candidates.filter(pod => !pod.isFinished && !pod.isTerminating && controllerOf(pod.object.metadata)?.uid === uid)
}

/** Makes the daemon pods that nodes of these names lack, and takes away those that may not stay. */
export function reconcileDaemons(world: World, nodes: Iterable<string>): void {
  const names = [...nodes]
  for (const set of world.state.objects('DaemonSet')) {
    const { template } = workloadSpec(set)
    if (template === undefined) continue
    const asPod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: set.metadata.name }, spec: template.spec }
    const wanted = requiredNodes(asPod)
    const pods = activePodsOf(world, set)
    for (const name of names) {
      const node = world.state.nodes.get(name)
      if (node === undefined) continue
      const here = pods.filter(pod => daemonNode(pod) === name)
      const matches = wanted(node.object)
      const tolerations = daemonTemplate(template, name).spec.tolerations ?? []
      const blocks = (effects: readonly string[]) =>
        untoleratedTaint(tolerations, node.object.spec?.taints ?? [], (taint: Taint) => effects.includes(taint.effect)) !==
        undefined
      if (here.length === 0 && matches && !blocks(['NoSchedule', 'NoExecute'])) makeDaemonPod(world, set, node.object)
      else if (here.length > 0 && (!matches || blocks(['NoExecute']))) for (const pod of here) world.remove(pod.object)
    }
  }
}

/** One pod of a DaemonSet for one node; it waits for its turn. */
export function makeDaemonPod(world: World, set: KubeObject, node: Pick<Node, 'metadata'>, replaces?: PodState): void {
  const { template } = workloadSpec(set)
  if (template === undefined) return
  const name = world.nameFor(set.metadata.name)
  const pod = podOfTemplate(world, set, { name, template: daemonTemplate(template, node.metadata.name) })
  world.create(pod, replaces === undefined ? {} : { replaces: replaces.key, from: node.metadata.name })
}

/** The node a daemon pod stands on, or is meant for. */
function daemonNode(pod: PodState): string | undefined {
  if (pod.nodeName !== undefined) return pod.nodeName
  const required = pod.object.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0]
}

/** Pods that a node's NoExecute taints drive away go, whatever their budgets say; DaemonSets' are the DaemonSets' matter. */
export function driveAway(
  world: World,
  nodes: readonly string[],
): { readonly gone: readonly PodState[]; readonly lost: readonly string[] } {
  const gone: PodState[] = []
  const lost: string[] = []
  for (const name of nodes) {
    const taints = world.state.nodes.get(name)?.object.spec?.taints ?? []
    for (const pod of world.state.podsOn(name)) {
      if (isOfDaemonSet(pod) || isStatic(pod)) continue
      const taint = untoleratedTaint(pod.object.spec.tolerations ?? [], taints, ({ effect }) => effect === 'NoExecute')
      if (taint === undefined) continue
      gone.push(pod)
      if (takeAway(world, pod).kind === 'lost') lost.push(pod.key)
    }
  }
  return { gone, lost }
}

/** Whether a DaemonSet made it. */
export function isOfDaemonSet(pod: PodState): boolean {
  return controllerOf(pod.object.metadata)?.kind === 'DaemonSet'
}

/** Whether a kubelet made it from a file. */
export function isStatic(pod: PodState): boolean {
  const owner = controllerOf(pod.object.metadata)
  return (
    pod.object.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined ||
    (owner?.kind === 'Node' && owner.apiVersion === 'v1')
  )
}

/** The workload that `NAMESPACE/NAME` or `NAMESPACE/Kind/NAME` means; several where a name has more kinds. */
export function workloadsNamed(world: World, key: string): readonly KubeObject[] {
  const [namespace = '', second = '', third] = key.split('/')
  const [kinds, name] = third === undefined ? [workloadKinds, second] : [[second], third]
  const found = kinds.flatMap(kind => world.state.object(kind, namespace, name) ?? [])
  // A ReplicaSet or Job is meant only where nothing above it has the name.
  const tops = found.filter(object => controllerOf(object.metadata) === undefined)
  return tops.length > 0 ? tops : found
}

const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController', 'Job'] as const

/** The ReplicaSets of a Deployment. */
export function replicaSetsOf(world: World, deployment: KubeObject): readonly KubeObject[] {
  const { namespace = 'default', uid } = deployment.metadata
  return world.state
    .objectsIn('ReplicaSet', namespace)
    .filter(set => kindKey(set.apiVersion, set.kind) === 'ReplicaSet' && controllerOf(set.metadata)?.uid === uid)
}

/** The direct controller of a pod, where it is in the cluster. */
function controllerIn(state: Pick<World['state'], 'object'>, pod: Pick<KubeObject, 'metadata'>): KubeObject | undefined {
  const owner = controllerOf(pod.metadata)
  return owner && state.object(kindKey(owner.apiVersion, owner.kind), pod.metadata.namespace ?? 'default', owner.name)
}
