// Pods between which upstream does not choose: it takes whichever its informer lists first, another one in each run. Where ours takes one of
// them and upstream its like, neither decided otherwise.
import type { PodState } from '#cluster/cluster-state.ts'
import { preferNoEvictionAnnotation, priorityOf } from '../compat/strategies/pod-order.ts'
import { qualityOfService } from '../compat/strategies/quality-of-service.ts'
import type { ShadowRow } from './compare.ts'

/** Strategies that sort by what hardly two pods share: age, restarts. */
const sorting: ReadonlySet<string> = new Set(['PodLifeTime', 'RemovePodsHavingTooManyRestarts'])
/** Takes from a domain, of which several nodes may be. */
const spreading = 'RemovePodsViolatingTopologySpreadConstraint'

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

/** What pods must share for chance to decide between them. */
function kindOf({ ours, theirs }: ShadowRow, pod: PodState | undefined): string | undefined {
  const strategy = ours?.strategy ?? theirs?.strategy
  if (strategy === undefined || pod === undefined || sorting.has(strategy)) return undefined
  const { annotations, ownerReferences = [] } = pod.object.metadata
  const place = strategy === spreading ? [pod.namespace, ...ownerReferences.map(({ uid }) => uid)] : [pod.nodeName]
  const order = [priorityOf(pod), qualityOfService(pod.object), annotations?.[preferNoEvictionAnnotation] !== undefined]
  return [strategy, ...place, ...order].join(' ')
}
