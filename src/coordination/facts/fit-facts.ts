// Proof by the scheduler model that pods which are taken away fit elsewhere, for who brings none. Pure over the cluster's state.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { type FitProof, targetKey } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { firstFew } from '../policy/touched-nodes.ts'

/**
 * Where the first of `pods` fits once all of them are gone from their nodes, if all find room one after the other, beside what `permits`
 * move already. No node where one finds none. Costs a model of the whole cluster.
 */
export function fitProofOf(
  state: ClusterState,
  pods: readonly PodState[],
  { permits, emptied }: { readonly permits: readonly PermitRecord[]; readonly emptied: readonly string[] },
): FitProof {
  const placement = settledPlacement(state, permits)
  const closed = new Set([...emptied, ...permits.filter(takesNodes).flatMap(firstFew)])
  for (const pod of pods) takeOff(placement, pod)
  let first: readonly string[] | undefined
  for (const pod of pods) {
    const pending = placement.asPending(pod)
    const nodes = placement.evaluate(pending).feasible.filter(node => node !== pod.nodeName && !closed.has(node))
    const [node] = nodes
    if (node === undefined) return { snapshotHash: '', nodes: [] }
    placement.bind(pending, node)
    first ??= nodes
  }
  return { snapshotHash: '', nodes: first ?? [] }
}

/** A model of the cluster in which what `permits` move stands where it is meant to land. */
export function settledPlacement(state: ClusterState, permits: readonly PermitRecord[]): Placement {
  // Filters are the same in every version that is modelled; scores do not count here.
  const placement = new Placement(state, defaultSettings('1.36'))
  settleGranted(state, placement, permits)
  return placement
}

/** Pods that may go already stand where they are meant to land. */
function settleGranted(state: ClusterState, placement: Placement, permits: readonly PermitRecord[]): void {
  for (const { verb, targets, relocation } of permits) {
    const [to] = relocation?.to ?? []
    if (verb !== 'evict' || to === undefined || !state.nodes.has(to)) continue
    for (const target of targets) {
      const pod = state.pods.get(targetKey(target))
      if (pod === undefined || pod.uid !== target.uid || pod.isFinished) continue
      takeOff(placement, pod)
      placement.bind(placement.asPending(pod), to)
    }
  }
}

/** A pod that waits for a node stands on none. */
function takeOff(placement: Placement, { key }: PodState): void {
  if (placement.nodeOf(key) !== undefined) placement.remove(key)
}

function takesNodes({ verb }: PermitRecord): boolean {
  return verb === 'drain' || verb === 'terminate'
}
