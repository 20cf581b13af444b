// Who takes metrics-server's place answers by its rules for the first ten minutes, so that no autoscaler sees pods come or go by the change
// alone. Since when callers are led here the APIService says, or it was seen to change. Pure.

import { isSameService, type ServiceAddress, serviceOf } from '#kube/objects/api-service.ts'
import { ledSinceMs } from '#kube/objects/led-since.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'

const handoverMs = 600_000
/** The clock of whoever wrote the time may be ahead of ours by so much; what is further ahead is no time of a change. */
const aheadMs = 60_000

/** What was seen of an APIService so far. */
export interface Seen {
  /** The last Service that it named. */
  readonly service: ServiceAddress | undefined
  /** When it was last seen to change from another's Service to ours. */
  readonly sinceMs: number | undefined
}

export const nothingSeen: Seen = { service: undefined, sinceMs: undefined }

export function seenNow(before: Seen, registration: KubeObject | undefined, own: ServiceAddress, nowMs: number): Seen {
  const service = serviceOf(registration)
  if (service === undefined) return before
  const wasAnothers = before.service !== undefined && !isSameService(before.service, own)
  return { service, sinceMs: isSameService(service, own) ? (wasAnothers ? nowMs : before.sinceMs) : undefined }
}

/** Until when metrics-server's rules hold; undefined where they do not. */
export function handoverUntilMs(
  seen: Seen,
  registration: KubeObject | undefined,
  own: ServiceAddress,
  nowMs: number,
): number | undefined {
  const service = serviceOf(registration)
  if (service === undefined || !isSameService(service, own)) return undefined
  const times = [ledSinceMs(registration), seen.sinceMs].filter(
    ms => ms !== undefined && ms <= nowMs + aheadMs && ms > nowMs - handoverMs,
  )
  return times.length === 0 ? undefined : Math.max(...times.map(Number)) + handoverMs
}

export function untilWords(untilMs: number): string {
  return `by metrics-server's rules until ${formatTime(untilMs)}, as it was just led here`
}
