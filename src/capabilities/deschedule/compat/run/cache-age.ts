// How old what we know of the cluster may be: nothing is decided on a picture of which nobody can say that it still holds.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { resourceKey } from '#kube/objects/resource.ts'

/** The oldest that counts, in milliseconds. */
export const oldestMs = 60_000
/** A server that has nothing to tell says so once a minute or a little more: so long such a sign is waited for, in milliseconds. */
const graceMs = 30_000
const lookMs = 250

type Watched = Pick<Informer<KubeObject>, 'resource' | 'isSynced' | 'lastEventElapsed' | 'problem' | 'retryNow'>

/** Why nothing may be decided by `watches` now; `undefined`: it may. `elapsedMs` as the clock has it. */
export function staleness(watches: readonly Watched[], elapsedMs: number): string | undefined {
  for (const { resource, isSynced, lastEventElapsed, problem } of watches) {
    const why = problem === undefined ? '' : `: ${problem}`
    if (!isSynced) return `${resourceKey(resource)} are not listed${why}`
    const ageMs = elapsedMs - lastEventElapsed
    if (ageMs > oldestMs) return `what is known of ${resourceKey(resource)} is ${Math.round(ageMs / 1000)} s old${why}`
  }
  return undefined
}

/** As `staleness`, after a while for the watches to come back. @throws `signal.reason` */
export async function settledStaleness(
  watches: readonly Watched[],
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const untilMs = clock.elapsed() + graceMs
  let why = staleness(watches, clock.elapsed())
  if (why !== undefined) for (const watch of watches) watch.retryNow()
  while (why !== undefined && clock.elapsed() < untilMs) {
    await clock.after(lookMs, signal)
    why = staleness(watches, clock.elapsed())
  }
  return why
}
