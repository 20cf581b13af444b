// Red while a node is not Ready, or while kubelets of different versions are: something is broken, or somebody is upgrading.
import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import { cordonOf } from '../observed/cordon.ts'
import { timeMs } from '../observed/object-fields.ts'
import type { RedGate } from '../policy/question.ts'
import type { GateContext } from './gate-context.ts'

/** Nodes of others' clusters (Liqo, virtual kubelets) report what their provider runs. */
const virtualLabels: Readonly<Record<string, string>> = { type: 'virtual-kubelet', 'liqo.io/type': 'virtual-node' }

/** `node n3 is not Ready since …`; not of nodes that we are switching off or keep switched off. */
export function nodeNotReady({ state, permits, nowMs }: Pick<GateContext, 'state' | 'permits' | 'nowMs'>): RedGate | undefined {
  const lost = faultsOf(state).notReady.filter(node => !isOurs(node, permits))
  const [first] = lost
  if (first === undefined) return undefined
  const others = lost.length > 1 ? ` and ${lost.length - 1} more` : ''
  const sinceMs = Math.min(...lost.map(node => readyChangedMs(node) ?? nowMs))
  return { gate: 'node-not-ready', message: `node ${first.name} is not Ready${others}`, sinceMs }
}

/** `kubelets differ: v1.34.1 on 3 nodes, v1.35.0 on n4`. */
export function kubeletVersions({ state, nowMs }: Pick<GateContext, 'state' | 'nowMs'>): RedGate | undefined {
  const { versions } = faultsOf(state)
  if (versions.size < 2) return undefined
  const groups = [...versions].sort(([a], [b]) => (a < b ? -1 : 1))
  const words = groups.map(([version, nodes]) => `${version} on ${nodes.length === 1 ? nodes[0]?.name : `${nodes.length} nodes`}`)
  // Among the fewest nodes, the first came Ready when the upgrade began, or it is the last to be upgraded.
  const few = groups.map(([, nodes]) => nodes).sort((a, b) => a.length - b.length)[0] ?? []
  const sinceMs = Math.min(...few.map(node => readyChangedMs(node) ?? nowMs))
  return { gate: 'kubelet-versions', message: `kubelets differ: ${words.join(', ')}`, sinceMs }
}

interface NodeFaults {
  readonly notReady: readonly NodeState[]
  /** Ready nodes by what their kubelets report. */
  readonly versions: ReadonlyMap<string, readonly NodeState[]>
}

/** One look at all nodes serves every question until one of them changes: states share their nodes till then. */
const known = new WeakMap<ClusterState['nodes'], NodeFaults>()

function faultsOf({ nodes }: ClusterState): NodeFaults {
  const faults = known.get(nodes) ?? readFaults(nodes)
  known.set(nodes, faults)
  return faults
}

function readFaults(nodes: ClusterState['nodes']): NodeFaults {
  const notReady: NodeState[] = []
  const versions = new Map<string, NodeState[]>()
  for (const node of nodes.values()) {
    if (!node.isReady) notReady.push(node)
    else if (!isVirtual(node)) {
      const version = node.object.status?.nodeInfo?.['kubeletVersion']
      if (typeof version !== 'string' || version === '') continue
      const same = versions.get(version)
      if (same === undefined) versions.set(version, [node])
      else same.push(node)
    }
  }
  return { notReady, versions }
}

function isVirtual({ object }: NodeState): boolean {
  return Object.entries(virtualLabels).some(([label, value]) => object.metadata.labels?.[label] === value)
}

function isOurs({ name, object }: NodeState, permits: GateContext['permits']): boolean {
  if (cordonOf(object)?.isOurs === true) return true
  return permits.some(
    ({ verb, targets }) =>
      (verb === 'terminate' || verb === 'launch') && targets.some(target => target.kind === 'Node' && target.name === name),
  )
}

function readyChangedMs({ object }: NodeState): number | undefined {
  return timeMs(object.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime)
}
