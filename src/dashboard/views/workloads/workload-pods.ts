// The pods of a workload, and on which other nodes each would be taken now, by the scheduler's own filters.
import type { PodState } from '#cluster/cluster-state.ts'
import type { WorkloadPod } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { refusalOfNode } from '../../words/en-workload.ts'
import { placementOf } from '../nodes/placements.ts'
import { podUsage } from '../nodes/usage.ts'

/** So many pods are shown. */
const mostPods = 100
/** So many nodes are named of those that would take a pod, and of those that would not. */
const mostNodes = 20
/** So many times a pod is tried on a node for one page; pods beyond that are shown without. */
const mostTrials = 20_000

/** In order of their names. */
export function workloadPods(picture: Picture, pods: readonly PodState[]): readonly WorkloadPod[] {
  const tried = Math.floor(mostTrials / Math.max(1, picture.state.nodes.size))
  return pods.slice(0, mostPods).map((pod, at) => {
    const places = at < tried && !pod.isFinished ? placesFor(picture, pod) : { mayGo: [], mayGoCount: null, mayNot: [] }
    return { ...podRow(picture, pod), ...places }
  })
}

function podRow({ state }: Picture, pod: PodState): Omit<WorkloadPod, 'mayGo' | 'mayGoCount' | 'mayNot'> {
  const usage = podUsage(state, pod.namespace, pod.name)
  return {
    name: pod.name,
    node: pod.nodeName ?? null,
    phase: pod.isTerminating ? 'Terminating' : (pod.object.status?.phase ?? 'Pending'),
    ready: pod.isReady,
    createdAt: pod.object.metadata.creationTimestamp ?? null,
    cpu: { requested: pod.requests['cpu'] ?? 0, used: usage?.cpu ?? null },
    memory: { requested: pod.requests['memory'] ?? 0, used: usage?.memory ?? null },
  }
}

/** Nodes other than its own, each with the scheduler's word on a replacement that takes the pod's place. */
function placesFor(picture: Picture, pod: PodState): Pick<WorkloadPod, 'mayGo' | 'mayGoCount' | 'mayNot'> {
  const trial = placementOf(picture).fork()
  const replacement = trial.asPending(pod)
  if (trial.nodeOf(pod.key) !== undefined) trial.remove(pod.key)
  const verdicts = [...trial.evaluate(replacement, { isWhole: true }).verdicts].filter(([node]) => node !== pod.nodeName)
  const mayGo = verdicts.flatMap(([node, verdict]) => (verdict.kind === 'feasible' ? [node] : []))
  const mayNot = verdicts.flatMap(([node, verdict]) =>
    verdict.kind === 'refused' ? [{ node, because: refusalOfNode(verdict.reasons) }] : [],
  )
  return { mayGo: mayGo.slice(0, mostNodes), mayGoCount: mayGo.length, mayNot: mayNot.slice(0, mostNodes) }
}
