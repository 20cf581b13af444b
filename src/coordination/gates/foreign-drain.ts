// Red while somebody else empties a node: two that move pods at once undo each other's work.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { type Cordon, cordonOf } from '../observed/cordon.ts'
import type { RedGate } from '../policy/question.ts'
import type { GateContext } from './gate-context.ts'

/** A cordoned node that lost no pod for so long is not being drained; cordons stand for weeks. */
const quietMs = 600_000
/** An autoscaler that has not emptied its node by then is held up, and so would we be for ever. */
const longestRemovalMs = 3_600_000

interface CordonedNode {
  readonly name: string
  readonly cordon: Cordon
}

/** `node n2 is being drained by kubectl drain`. Over when nothing is left on it that a drain takes. */
export function foreignDrain({ state, permits, observed, nowMs }: GateContext): RedGate | undefined {
  for (const { name, cordon } of cordonedOf(state)) {
    if (cordon.isOurs || isUnderPermit(name, permits) || !state.podsOn(name).some(isTakenByDrain)) continue
    const sinceMs = drainedSince(name, cordon, { observed, nowMs })
    if (sinceMs !== undefined) return { gate: 'foreign-drain', message: `node ${name} is being drained by ${cordon.by}`, sinceMs }
  }
  return undefined
}

function drainedSince(
  node: string,
  cordon: Cordon,
  { observed, nowMs }: Pick<GateContext, 'observed' | 'nowMs'>,
): number | undefined {
  if (cordon.kind === 'removal') {
    const sinceMs = cordon.sinceMs ?? nowMs
    return nowMs - sinceMs <= longestRemovalMs ? sinceMs : undefined
  }
  const lost = observed
    .since(nowMs - quietMs)
    .findLast(({ kind, nodes }) => (kind === 'drain' || kind === 'pod-lost') && nodes.includes(node))
  return lost === undefined ? undefined : (cordon.sinceMs ?? lost.atMs)
}

/** Neither finished, nor of a DaemonSet, nor static: `kubectl drain` leaves those. */
export function isTakenByDrain({ object }: PodState): boolean {
  const controller = object.metadata.ownerReferences?.find(owner => owner.controller === true)
  return controller?.kind !== 'DaemonSet' && controller?.kind !== 'Node'
}

function isUnderPermit(node: string, permits: GateContext['permits']): boolean {
  return permits.some(
    ({ verb, targets }) =>
      (verb === 'drain' || verb === 'terminate') && targets.some(target => target.kind === 'Node' && target.name === node),
  )
}

/** One look at all nodes serves every question until one of them changes: states share their nodes till then. */
const known = new WeakMap<ClusterState['nodes'], readonly CordonedNode[]>()

function cordonedOf({ nodes }: ClusterState): readonly CordonedNode[] {
  const found =
    known.get(nodes) ??
    Array.from(nodes.values()).flatMap(({ name, object }) => {
      const cordon = cordonOf(object)
      return cordon === undefined ? [] : [{ name, cordon }]
    })
  known.set(nodes, found)
  return found
}
