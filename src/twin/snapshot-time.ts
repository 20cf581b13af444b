// When a snapshot was taken, as far as its objects say: a clock that is behind it would have things happen before they were made.
import type { Clock } from '#kube/clock.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import { latestTraceMs, parseTime } from '#kube/time/time.ts'
import { itemsAt, textAt } from './json-value.ts'

/** The newest moment that the objects speak of, milliseconds since 1970: made, reported, renewed. `undefined` where they speak of none. */
export function newestMoment(objects: Iterable<KubeObject>): number | undefined {
  let newest: number | undefined
  for (const object of objects) {
    for (const text of momentsOf(object)) {
      const parsed = text === undefined ? undefined : parseTime(text)
      if (parsed?.ok !== true || parsed.value > latestTraceMs) continue
      if (newest === undefined || parsed.value > newest) newest = parsed.value
    }
  }
  return newest
}

function momentsOf(object: KubeObject): readonly (string | undefined)[] {
  const made = textAt(object, 'metadata', 'creationTimestamp')
  switch (object.kind) {
    case 'Node':
      return [made, ...itemsAt(object, 'status', 'conditions').map(condition => textAt(condition, 'lastHeartbeatTime'))]
    case 'Lease':
      return [made, textAt(object, 'spec', 'renewTime')]
    case 'Event':
      return [made, textAt(object, 'lastTimestamp'), textAt(object, 'eventTime')]
    default:
      return [made]
  }
}

/** Moves a clock that can be moved ahead to the objects' time; it never goes back, and the host's own stays as it is. */
export async function catchUp(clock: Clock, objects: Iterable<KubeObject>): Promise<void> {
  if (!(clock instanceof VirtualClock || clock instanceof PacedClock)) return
  const behindMs = (newestMoment(objects) ?? 0) - clock.now()
  if (behindMs > 0) await clock.advance(behindMs)
}
