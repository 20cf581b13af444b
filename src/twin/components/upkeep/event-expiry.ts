// Events live for an hour. A real API server leaves that to its storage; here they are swept every few minutes.
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'

const writer: Writer = { manager: 'kube-apiserver', user: 'system:apiserver' }
const lifeMs = 3_600_000
const sweepMs = 300_000

export function startEventExpiry({ access, view, loop, clock }: ComponentContext): void {
  const queue = loop.queue('event-expiry', () => {
    queue.addPeriodic('all', sweepMs)
    for (const event of view.list('events')) {
      if (lastSeenMs(event) + lifeMs > clock.now()) continue
      const { namespace, name } = event.metadata
      loop.alone('event-expiry', `${namespace ?? ''}/${name}`, () => {
        try {
          access.remove('events', namespace, name, writer)
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
      })
    }
  })
  queue.addPeriodic('all', sweepMs)
}

/** The last time the event was written; one without any time counts as seen when it was created. */
function lastSeenMs(event: KubeObject): number {
  const series = event['series']
  const observed =
    typeof series === 'object' && series !== null && 'lastObservedTime' in series ? series.lastObservedTime : undefined
  for (const text of [observed, event['lastTimestamp'], event['eventTime'], event.metadata.creationTimestamp]) {
    const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(ms)) return ms
  }
  return 0
}
