// The cluster as it would be: with pods moved, with nodes closed. The rest of the state is shared, nothing is changed in place.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'

/** `state` with each pod of `moves` on the node it goes to. */
export function withMoves(
  state: ClusterState,
  moves: readonly { readonly pod: { readonly namespace: string; readonly name: string }; readonly to: string }[],
): ClusterState {
  if (moves.length === 0) return state
  const targets = new Map(moves.map(({ pod, to }) => [`${pod.namespace}/${pod.name}`, to]))
  const moved = (pod: PodState): PodState => {
    const to = targets.get(pod.key)
    if (to === undefined) return pod
    const { object } = pod
    return { ...pod, nodeName: to, object: { ...object, spec: { ...object.spec, nodeName: to } } }
  }
  const pods = new Map(Array.from(state.pods, ([key, pod]) => [key, moved(pod)] as const))
  const byNode = Map.groupBy(
    Array.from(pods.values()).filter(pod => !pod.isFinished && pod.nodeName !== undefined),
    pod => pod.nodeName ?? '',
  )
  return {
    ...shared(state),
    nodes: state.nodes,
    pods,
    podsOn: node => byNode.get(node) ?? [],
    podsOf: uid => state.podsOf(uid).map(pod => pods.get(pod.key) ?? pod),
  }
}

/** `state` with `names` cordoned: nothing new comes to them. */
export function withCordons(state: ClusterState, names: ReadonlySet<string>): ClusterState {
  if (names.size === 0) return state
  const nodes = new Map(Array.from(state.nodes, ([name, node]) => [name, names.has(name) ? cordoned(node) : node] as const))
  return {
    ...shared(state),
    nodes,
    pods: state.pods,
    objects: kind => (kind === 'Node' ? Array.from(nodes.values(), ({ object }) => object) : state.objects(kind)),
    object: (kind, namespace, name) => (kind === 'Node' ? nodes.get(name)?.object : state.object(kind, namespace, name)),
  }
}

/** The questions of a state, asked of it: they are methods. */
function shared(state: ClusterState): Pick<ClusterState, 'podsOn' | 'podsOf' | 'objects' | 'objectsIn' | 'object'> {
  return {
    podsOn: node => state.podsOn(node),
    podsOf: uid => state.podsOf(uid),
    objects: kind => state.objects(kind),
    objectsIn: (kind, namespace) => state.objectsIn(kind, namespace),
    object: (kind, namespace, name) => state.object(kind, namespace, name),
  }
}

function cordoned(node: NodeState): NodeState {
  const { object } = node
  const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  const taints = [...(object.spec?.taints ?? []).filter(({ key }) => key !== taint.key), taint]
  return { ...node, isSchedulable: false, object: { ...object, spec: { ...object.spec, unschedulable: true, taints } } }
}
