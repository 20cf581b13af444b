// Whether a pod could run on a node if it were empty: what a pod that waits could use, and where a replacement may land.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { nodeSelectorTest, requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Node, PersistentVolume, Pod } from '#kube/objects/objects.ts'
import { tolerates } from '#kube/objects/tolerations.ts'
import { fieldsOf } from '../observed/object-fields.ts'

const cordonTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const

/** Cordon, taints, selector, required node affinity, size, and the places of bound volumes; never what else runs there. */
export function couldRunOn(state: ClusterState, pod: PodState, node: NodeState): boolean {
  return suits(pod, node) && volumesOf(state, pod).every(volume => isReachable(volume, node))
}

/** Whether a cordon does not keep the pod away. Pods of DaemonSets above all: they come to a cordoned node, and go with it. */
export function toleratesCordon({ object }: PodState): boolean {
  return (object.spec.tolerations ?? []).some(toleration => tolerates(toleration, cordonTaint))
}

/** What the answer depends on but for volumes: pods of the same text are answered alike. */
export function askingOf(pod: PodState): string {
  const known = askings.get(pod.object)
  if (known !== undefined) return known
  const { nodeSelector, affinity, tolerations } = pod.object.spec
  const asking = JSON.stringify([nodeSelector, affinity?.nodeAffinity, tolerations, pod.requests])
  askings.set(pod.object, asking)
  return asking
}

const askings = new WeakMap<Pod, string>()

/** Answers by node, as it stands: a node that changed is another object. */
const answers = new WeakMap<Node, Map<string, boolean>>()
/** Different askings that are remembered of one node. */
const mostAskings = 256

function suits(pod: PodState, node: NodeState): boolean {
  const asking = askingOf(pod)
  const ofNode = answers.get(node.object) ?? new Map<string, boolean>()
  answers.set(node.object, ofNode)
  const known = ofNode.get(asking)
  if (known !== undefined) return known
  if (ofNode.size >= mostAskings) ofNode.clear()
  const answer = suitsNow(pod, node)
  ofNode.set(asking, answer)
  return answer
}

function suitsNow(pod: PodState, node: NodeState): boolean {
  const { tolerations = [] } = pod.object.spec
  const hard = (node.object.spec?.taints ?? []).filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
  const taints = node.isSchedulable ? hard : [...hard, cordonTaint]
  return (
    taints.every(taint => tolerations.some(toleration => tolerates(toleration, taint))) &&
    requiredNodes(pod.object)(node.object) &&
    Object.entries(pod.requests).every(([resource, amount]) => amount <= (node.allocatable[resource] ?? 0))
  )
}

/** Volumes that are bound already, of the claims that the pod names. */
function volumesOf(state: ClusterState, pod: PodState): readonly PersistentVolume[] {
  return (pod.object.spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => {
    if (persistentVolumeClaim === undefined) return []
    const claim = state.object('PersistentVolumeClaim', pod.namespace, persistentVolumeClaim.claimName)
    const { volumeName } = fieldsOf(claim, 'spec')
    const volume = typeof volumeName === 'string' ? state.object('PersistentVolume', undefined, volumeName) : undefined
    return volume !== undefined && isVolume(volume) ? [volume] : []
  })
}

function isVolume(object: { readonly kind: string; readonly spec?: unknown }): object is PersistentVolume {
  return object.kind === 'PersistentVolume' && typeof object.spec === 'object' && object.spec !== null
}

function isReachable({ spec }: PersistentVolume, node: NodeState): boolean {
  return spec.nodeAffinity?.required === undefined || nodeSelectorTest(spec.nodeAffinity.required)(node.object)
}
