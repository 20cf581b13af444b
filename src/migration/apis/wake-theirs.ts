// Upstream awake again, before callers are led back to it.
import { numberAt } from '#kube/objects/object-fields.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { shown, theTheirs } from '../both.ts'
import { replicasBefore, scaleLoop } from '../loops.ts'
import type { Loop } from '../place.ts'
import { readSituation } from '../situation.ts'
import { eventually, StepFailed, type Swap } from '../step.ts'

/** An image that is pulled, and two scrapes: its probe says when it has something to tell. */
export const wakePatienceMs = 300_000

export function isReady(loop: Loop): Proof {
  if (loop.replicas === 0) return no(`${shown(loop)} sleeps`)
  const ready = numberAt(loop.workload, 'status', 'readyReplicas') ?? 0
  return ready === 0 ? no(`no pod of ${shown(loop)} is ready`) : yes(`${ready} ready pods of ${shown(loop)}`)
}

/** As many pods as it had, and one is ready. @throws StepFailed where none gets ready */
export async function wakeTheirs(swap: Swap): Promise<void> {
  const theirs = theTheirs(swap, await readSituation(swap))
  await scaleLoop(swap, theirs, replicasBefore(swap, theirs))
  const woken = await eventually(swap, wakePatienceMs, async () => isReady(theTheirs(swap, await readSituation(swap))))
  if (!woken.ok) throw new StepFailed(`${woken.said}, after ${wakePatienceMs / 60_000} minutes`)
}
