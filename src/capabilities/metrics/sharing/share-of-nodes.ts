// Who asks a kubelet, where several replicas share them. Pure.
import { rendezvous } from '#kube/server/replicas/rendezvous.ts'

/** The replicas that share the nodes; undefined: we are alone, and ask all. */
export type Sharing = { readonly own: string; readonly others: readonly string[] } | undefined

/** A replica that says nothing for so many resolutions has no share. Until then what it does not pass on is asked node by node. */
const silentResolutions = 2

/**
 * Those of `ready` that share the nodes now: a replica that did not answer since `heardMs` (or since it was first seen) is left out, so that
 * its share is divided among the others. Times in milliseconds of one clock.
 */
export function sharingOf(
  ready: Sharing,
  heardMs: (replica: string) => number,
  { nowMs, resolutionMs }: { readonly nowMs: number; readonly resolutionMs: number },
): Sharing {
  if (ready === undefined) return undefined
  const others = ready.others.filter(name => nowMs - heardMs(name) < silentResolutions * resolutionMs)
  return others.length === 0 ? undefined : { own: ready.own, others }
}

/** Whose a node is; undefined: ours. */
export function ownerOf(node: string, sharing: Sharing): string | undefined {
  if (sharing === undefined) return undefined
  const owner = rendezvous(node, [sharing.own, ...sharing.others])
  return owner === sharing.own ? undefined : owner
}

/** Whether what the owner of a node passed on, last at `heardMs`, has been missing for a whole resolution. */
export function isMissed(
  heardMs: number | undefined,
  { nowMs, resolutionMs }: { readonly nowMs: number; readonly resolutionMs: number },
): boolean {
  return heardMs === undefined || nowMs - heardMs >= resolutionMs
}

/** Until a replica is asked again. */
export const restMs = { least: 1_000, most: 3_000 } as const
/** What is as late as this is asked for by ourselves: no question hurries for it. */
const lateShare = 0.5

/**
 * How long a replica is left alone: until the first of its nodes is due again, which were last heard at `heardMs`, and never more than a
 * fifth of a resolution, since nodes come that were never heard.
 */
export function nextQuestionMs(
  heardMs: Iterable<number>,
  { nowMs, resolutionMs }: { readonly nowMs: number; readonly resolutionMs: number },
): number {
  let dueMs = nowMs + Math.min(restMs.most, resolutionMs / 5)
  for (const heard of heardMs) {
    const due = heard + resolutionMs
    if (nowMs - due < resolutionMs * lateShare && due < dueMs) dueMs = due
  }
  return Math.max(restMs.least, dueMs - nowMs)
}
