// A move's certificate held against the cluster as it is now, right before the move. Pure.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { acceptableText, acceptance, namedNodes } from '#planning/sequence/acceptance.ts'
import { leastLikely, predictLanding } from '#planning/sequence/landing.ts'
import type { PlanMove } from '../api.ts'
import type { FitProof } from '../intent.ts'

export type FreshCheck =
  | { readonly kind: 'holds'; readonly pod: PodState; readonly proof: FitProof }
  | { readonly kind: 'broken'; readonly code: BrokenCode; readonly message: string }

type BrokenCode = 'pod-gone' | 'pod-elsewhere' | 'node-gone' | 'node-closed' | 'no-room' | 'lands-elsewhere' | 'overfills'

interface FreshCheckOptions {
  readonly settings: SchedulerSettings
  /** How landings are steered now. With `hold` only the filters of the destination count. */
  readonly landing: 'observe' | 'prefer' | 'hold'
  readonly snapshotHash: string
  /** Those of its plan. */
  readonly closedNodes?: readonly string[] | undefined
  /** Whether a node other than the move's own may take the pod as well, as the policy has it; left out: no other is acceptable. */
  readonly allows?: (node: string, pod: PodState) => boolean
}

/** Whether `move` would still do what was promised: its pod is where it was, and a replacement lands inside the acceptable set. */
export function freshCheck(state: ClusterState, move: PlanMove, options: FreshCheckOptions): FreshCheck {
  const broken = (code: BrokenCode, message: string): FreshCheck => ({ kind: 'broken', code, message: `${move.id}: ${message}` })
  const key = `${move.pod.namespace}/${move.pod.name}`
  const pod = state.pods.get(key)
  if (pod === undefined || pod.uid !== move.pod.uid || pod.isTerminating || pod.isFinished)
    return broken('pod-gone', `pod ${key} of the plan is gone`)
  if (pod.nodeName !== move.from)
    return broken('pod-elsewhere', `pod ${key} is on ${pod.nodeName ?? 'no node'}, not on ${move.from}`)
  const target = state.nodes.get(move.to)
  if (target === undefined) return broken('node-gone', `node ${move.to} is gone`)
  if (!target.isReady || !target.isSchedulable)
    return broken('node-closed', `node ${move.to} is ${target.isReady ? 'cordoned' : 'not ready'}`)
  const placement = new Placement(state, options.settings)
  const replacement = move.action === 'surge' ? placement.asRolledOut(pod) : placement.asPending(pod)
  // A surge starts the new pod beside the old one; an evicted one is out of its own way.
  if (move.action === 'evict') placement.remove(key)
  // The taints of `prefer` are on the nodes already: the prediction reads them there.
  const mode = options.landing === 'hold' ? 'hold' : 'observe'
  const isMeant = acceptance(options, move)
  const allowed = new Map<string, boolean>()
  const isAllowed = (node: string) => {
    const known = allowed.get(node) ?? (node === move.to || options.allows?.(node, pod) !== false)
    allowed.set(node, known)
    return known
  }
  const landing = predictLanding(placement, replacement, {
    mode,
    to: move.to,
    accepts: node => isMeant(node) && isAllowed(node),
  })
  const { nodes } = landing
  if (nodes.length === 0)
    return broken(
      'no-room',
      `pod ${key} fits nowhere now${landing.refusal === undefined ? '' : ` (${move.to}: ${landing.refusal.reason})`}`,
    )
  if (landing.likely < leastLikely) {
    const outside = nodes.filter(node => !isMeant(node))
    if (outside.length > 0)
      return broken(
        'lands-elsewhere',
        `pod ${key} would land on ${namedNodes(outside)}, not only on ${acceptableText(options, move)}`,
      )
    const overfull = namedNodes(nodes.filter(node => !isAllowed(node)))
    return broken('overfills', `pod ${key} could land on ${overfull}, which would then be fuller than the policy has it`)
  }
  return { kind: 'holds', pod, proof: { snapshotHash: options.snapshotHash, nodes } }
}
