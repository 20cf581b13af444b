// The cluster as it would be if some of its cordoned nodes took pods again.
import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import type { Node } from '#kube/objects/objects.ts'

const cordonTaint = 'node.kubernetes.io/unschedulable'

/** `state` with the cordon taken off the nodes of these names; nothing else differs. */
export function withOpened(state: ClusterState, names: ReadonlySet<string>): ClusterState {
  const nodes = new Map(Array.from(state.nodes, ([name, node]) => [name, names.has(name) ? opened(node) : node]))
  return {
    nodes,
    pods: state.pods,
    podsOn: node => state.podsOn(node),
    podsOf: workload => state.podsOf(workload),
    objectsIn: (kind, namespace) => state.objectsIn(kind, namespace),
    objects: kind => state.objects(kind),
    object: (kind, namespace, name) => state.object(kind, namespace, name),
  }
}

/** The same for the same node: answers are remembered by it. */
const known = new WeakMap<Node, NodeState>()

/** `node` without its cordon, and without the taint by which the node controller says so. */
export function opened(node: NodeState): NodeState {
  const { object } = node
  const { unschedulable: _, taints = [], ...spec } = object.spec ?? {}
  if (node.isSchedulable && !taints.some(({ key }) => key === cordonTaint)) return node
  const found = known.get(object) ?? {
    ...node,
    isSchedulable: true,
    object: { ...object, spec: { ...spec, taints: taints.filter(({ key }) => key !== cordonTaint) } },
  }
  known.set(object, found)
  return found
}
