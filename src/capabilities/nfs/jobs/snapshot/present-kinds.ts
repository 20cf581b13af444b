// Kinds that may be absent come while a job runs, and are to be seen soon.

import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** What is absent is asked for so often, in milliseconds. */
const askAgainMs = 15_000

/** Asks for kinds that are absent again and again, until `signal` is aborted. @throws `signal.reason` */
export async function awaitKinds(clock: Clock, informers: readonly Informer<KubeObject>[], signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.after(askAgainMs, signal)
    for (const informer of informers) if (informer.state === 'absent') informer.retryNow()
  }
}
