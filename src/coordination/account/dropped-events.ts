// What a rollout had to leave behind, told as events on its workload: with the server's words, so that whoever wished it can mend it.
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { wishKey } from '../intent.ts'
import type { DroppedWish, PermitRecord } from '../permits/permit-record.ts'

/** One event for each of `dropped`, under the name of who wished it. `record` is the permit that it was to go along with. */
export function droppedEvents(record: PermitRecord, dropped: readonly DroppedWish[]): readonly EmittedEvent[] {
  const [regarding] = record.targets
  if (regarding === undefined) return []
  return dropped.map(one => {
    const wish = [...record.joined, ...record.dropped].find(other => wishKey(other) === wishKey(one))
    const what = `the ${wish?.verb ?? 'change'} of ${one.requester} does not go along with the ${record.verb} of ${record.requester}`
    return {
      type: 'Warning',
      reason: 'ChangeDropped',
      action: 'Coalesce',
      regarding,
      note: `${what}: the server refused it: ${one.message}`.slice(0, 1024),
      controller: `ballast.dev/${one.requester}`,
      distinction: wishKey(one),
    }
  })
}
