// The cluster as upstream may have seen it at the latest: as it is after its evictions, with what it evicted put back and without what came
// in place of that. Where ours decides alike on this and on what was before, no change between the two looks can be why it differs.
import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

interface Looks {
  /** The cluster before the first of their evictions. */
  readonly before: ClusterState
  readonly after: ClusterState
  /** By key. */
  readonly evicted: ReadonlySet<string>
  /** When the first of them went, in milliseconds since 1970; pods that were made since are not counted. */
  readonly sinceMs: number
}

const kinds = ['Namespace', 'PersistentVolumeClaim', 'PriorityClass'] as const

/** The cluster of the second look. */
export function secondLook(looks: Looks): ClusterState {
  const { after } = looks
  const objects: KubeObject[] = [...after.nodes.values()].map(({ object }) => object)
  for (const kind of kinds) objects.push(...after.objects(kind))
  return buildClusterState([...objects, ...podsOf(looks), ...budgetsOf(looks)]).state
}

function podsOf({ before, after, evicted, sinceMs }: Looks): readonly KubeObject[] {
  const pods: KubeObject[] = []
  for (const pod of after.pods.values()) {
    const isNew = before.pods.get(pod.key)?.uid !== pod.uid && isMadeSince(pod, sinceMs)
    if (!evicted.has(pod.key) && !isNew) pods.push(pod.object)
  }
  for (const key of evicted) {
    const pod = before.pods.get(key)
    // A pod on a node that is gone has no place to be put back to.
    if (pod !== undefined && (pod.nodeName === undefined || after.nodes.has(pod.nodeName))) pods.push(pod.object)
  }
  return pods
}

/** Creation times are whole seconds. */
function isMadeSince({ object }: PodState, sinceMs: number): boolean {
  const made = Date.parse(object.metadata.creationTimestamp ?? '')
  return made >= Math.floor(sinceMs / 1000) * 1000
}

/** Budgets with what they allowed before: what they allow after evictions is what is left. One that was edited counts as it is. */
function budgetsOf({ before, after }: Looks): readonly KubeObject[] {
  return after.objects('PodDisruptionBudget').map(budget => {
    const { namespace, name, generation } = budget.metadata
    const earlier = before.object('PodDisruptionBudget', namespace, name)
    return earlier !== undefined && earlier.metadata.generation === generation ? earlier : budget
  })
}
