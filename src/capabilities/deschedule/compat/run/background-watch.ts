// Keeps what is known of evictions in background by what the watch shows of pods.
import { type PodState, podState } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { assumedForMs, type BackgroundEnd, type BackgroundEvictions } from '../eviction-in-background.ts'

interface BackgroundOptions {
  readonly pods: Pick<Informer<Pod>, 'onChange'>
  readonly background: BackgroundEvictions
  readonly clock: Clock
  /** Told of each that is over. */
  readonly ended: (end: BackgroundEnd) => void
}

/** Nothing above a pod is asked for here. */
const noOwners = { object: () => undefined }
const marks = 'descheduler.alpha.kubernetes.io/'

/** Follows the pods until disposed of. */
export function watchBackground({ pods, background, clock, ended }: BackgroundOptions): Disposable {
  const stop = pods.onChange(({ type, object, previous }) => {
    // A pod that asks for nothing needs no entry, and an older entry of a pod is ended by the pod's change.
    if (!isMarked(object) && (previous === undefined || !isMarked(previous))) return
    const pod = podState(noOwners, object)
    const ends = endsBy(background, { isDeleted: type === 'DELETED', pod, previous: previous && podState(noOwners, previous) })
    for (const end of ends) ended(end)
  })
  const look = () => {
    for (const end of background.giveUp(clock.now())) ended(end)
    cancel = clock.schedule(assumedForMs, look)
  }
  let cancel = clock.schedule(assumedForMs, look)
  return {
    [Symbol.dispose]: () => {
      stop()
      cancel()
    },
  }
}

interface SeenChange {
  readonly isDeleted: boolean
  readonly pod: PodState
  readonly previous: PodState | undefined
}

function endsBy(background: BackgroundEvictions, { isDeleted, pod, previous }: SeenChange): readonly BackgroundEnd[] {
  if (isDeleted) return background.podDeleted(pod)
  if (previous !== undefined) return background.podChanged(previous, pod)
  background.podAppeared(pod)
  return []
}

function isMarked({ metadata: { annotations } }: Pod): boolean {
  return annotations !== undefined && Object.keys(annotations).some(key => key.startsWith(marks))
}
