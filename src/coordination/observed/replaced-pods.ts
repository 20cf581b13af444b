// Pods that only their age gives away: each is younger than the rollout that made the others, so it took the place of one that was lost.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { nameOf, timeMs } from './object-fields.ts'
import { type PastEvent, scalesIn } from './past-events.ts'
import { reactionMs, toleranceMs } from './reaction-times.ts'
import { rolledOutMs } from './rollout-times.ts'
import type { Frame, Past, Rebuilt } from './workload-frame.ts'
import { somebody } from './writers.ts'

/**
 * Pods that are younger than the rollout which made the others, and came by no scale event and no permit of ours: each took the place
 * of one that was lost.
 */
export function replacedOf(
  workload: KubeObject,
  frame: Frame & { readonly rolledMs: number | undefined; readonly scaledMs: readonly number[] },
  past: Past,
): readonly Rebuilt[] {
  if (workload.kind === 'DaemonSet') return []
  const doneMs = rolledOutMs(workload, frame)
  if (doneMs === undefined) return []
  const ours = ourReplacements(frame.permits)
  return frame.pods
    .toSorted((a, b) => (timeMs(a.metadata.creationTimestamp) ?? 0) - (timeMs(b.metadata.creationTimestamp) ?? 0))
    .flatMap(pod => {
      const atMs = timeMs(pod.metadata.creationTimestamp)
      if (atMs === undefined || atMs <= doneMs + toleranceMs) return []
      if (frame.scaledMs.some(ms => atMs >= ms - toleranceMs && atMs <= ms + reactionMs)) return []
      if (isScaledUp(past.events, workload, atMs) || takeOne(ours, pod, atMs)) return []
      return [
        {
          id: `replaced:${pod.metadata.uid ?? ''}`,
          isGuess: true,
          isOurs: false,
          observation: {
            kind: 'pod-lost' as const,
            workload: frame.key,
            namespace: frame.namespace,
            nodes: [],
            atMs,
            by: somebody,
            evidence: `pod ${frame.namespace}/${pod.metadata.name} is younger than the last rollout of ${nameOf(workload)}`,
          },
        },
      ]
    })
}

interface OurReplacement {
  readonly fromMs: number
  readonly toMs: number
  readonly siblings: ReadonlySet<string>
  left: number
}

/** How many replacements each of our permits brought about, and when. */
function ourReplacements(permits: readonly PermitRecord[]): readonly OurReplacement[] {
  return permits.flatMap(permit => {
    const { grant, targets, releasedAtMs, siblings, verb, createdMs } = permit
    if (grant === undefined || permit.ending === 'withdrawn') return []
    // Pods are dated by the server: of our times only how far they are apart tells, as long as nobody set our clock meanwhile.
    const lastedMs = (releasedAtMs ?? grant.expiresAtMs) - grant.atMs
    // A request waited since it was made.
    const grantedMs = Math.max(createdMs, grant.atMs)
    const isRollout = verb === 'restart' || verb === 'resize'
    return [
      {
        fromMs: createdMs - toleranceMs,
        toMs: grantedMs + (lastedMs >= 0 ? lastedMs : grant.expiresAtMs - grant.atMs) + toleranceMs,
        siblings: new Set(siblings),
        left: isRollout ? Number.POSITIVE_INFINITY : targets.filter(target => target.kind === 'Pod').length,
      },
    ]
  })
}

function takeOne(ours: readonly OurReplacement[], pod: Pod, atMs: number): boolean {
  const one = ours.find(
    ({ fromMs, toMs, siblings, left }) => left > 0 && atMs >= fromMs && atMs <= toMs && !siblings.has(pod.metadata.uid ?? ''),
  )
  if (one !== undefined) one.left--
  return one !== undefined
}

/** Events tell that the Deployment grew when the pod came. */
function isScaledUp(events: readonly PastEvent[], workload: KubeObject, atMs: number): boolean {
  return scalesIn(events, workload.metadata.uid ?? '').some(
    each => each.to > each.from && atMs >= each.atMs - toleranceMs && atMs <= each.atMs + reactionMs,
  )
}
