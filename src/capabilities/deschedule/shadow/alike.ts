// Pods between which upstream does not choose: it takes whichever its informer lists first, another one in each run. Where ours takes one of
// them and upstream its like, neither decided otherwise.
import type { PodState } from '#cluster/cluster-state.ts'
import { preferNoEvictionAnnotation, priorityOf } from '../compat/strategies/pod-order.ts'
import { qualityOfService } from '../compat/strategies/quality-of-service.ts'
import type { ShadowRow } from './shadow-row.ts'

/** What pods must share for chance to decide between them. */
type Likeness = (pod: PodState) => readonly (string | number | boolean)[]

const byOrder: Likeness = pod => [pod.nodeName ?? '', ...orderOf(pod)]
const byNode: Likeness = ({ nodeName = '' }) => [nodeName]

/** By strategy. Those that sort by what hardly two pods share (age, restarts) are not here. */
const likenesses: ReadonlyMap<string, Likeness> = new Map([
  ['LowNodeUtilization', byOrder],
  ['HighNodeUtilization', byOrder],
  ['RemovePodsViolatingInterPodAntiAffinity', byOrder],
  ['RemovePodsViolatingNodeAffinity', byNode],
  ['RemovePodsViolatingNodeTaints', byNode],
  ['RemoveFailedPods', byNode],
  ['RemoveDuplicates', pod => [...byNode(pod), ...ownersOf(pod)]],
  // It takes from a domain, of which several nodes may be.
  ['RemovePodsViolatingTopologySpreadConstraint', pod => [...ownersOf(pod), ...orderOf(pod)]],
])

/** `rows` with each pair of likes, one evicted by either side, marked as that. `podOf` finds the pod of a row. */
export function withLikes(rows: readonly ShadowRow[], podOf: (key: string) => PodState | undefined): readonly ShadowRow[] {
  const theirs = new Map<string, ShadowRow[]>()
  for (const row of rows) {
    const kind = row.verdict === 'theirs-only' && row.theirs?.refusal === undefined ? kindOf(row, podOf(row.pod)) : undefined
    if (kind !== undefined) theirs.set(kind, [...(theirs.get(kind) ?? []), row])
  }
  const likes = new Map<ShadowRow, ShadowRow>()
  for (const row of rows) {
    const kind = row.verdict === 'ours-only' ? kindOf(row, podOf(row.pod)) : undefined
    const like = kind === undefined ? undefined : theirs.get(kind)?.shift()
    if (like === undefined) continue
    likes.set(row, like)
    likes.set(like, row)
  }
  return rows.map(row => {
    const like = likes.get(row)
    if (like === undefined) return row
    const who = row.verdict === 'ours-only' ? 'upstream' : 'ours'
    return { ...row, verdict: 'alike', why: `${who} takes ${like.pod} instead: nothing in the policy puts one before the other` }
  })
}

function kindOf({ ours, theirs }: ShadowRow, pod: PodState | undefined): string | undefined {
  const strategy = ours?.strategy ?? theirs?.strategy ?? ''
  const likeness = likenesses.get(strategy)
  return pod === undefined || likeness === undefined ? undefined : JSON.stringify([strategy, ...likeness(pod)])
}

function ownersOf({ namespace, object }: PodState): readonly string[] {
  return [namespace, ...(object.metadata.ownerReferences ?? []).map(({ uid }) => uid)]
}

/** What pods are sorted by where priority counts. */
function orderOf(pod: PodState): readonly (string | number | boolean)[] {
  const prefersToStay = pod.object.metadata.annotations?.[preferNoEvictionAnnotation] !== undefined
  return [String(priorityOf(pod)), qualityOfService(pod.object), prefersToStay]
}
