// An APIService that led callers to another server says since when it leads them to this one: whoever takes another's place can answer as
// that did for a while.

import { parseTime } from '../time/time.ts'
import type { KubeObject } from './objects.ts'

/** A time of RFC 3339. */
export const ledSinceAnnotation = 'ballast.dev/led-since'

/** Milliseconds since 1970; undefined where it does not say, or what is no time. */
export function ledSinceMs(registration: Pick<KubeObject, 'metadata'> | undefined): number | undefined {
  const time = parseTime(registration?.metadata.annotations?.[ledSinceAnnotation] ?? '')
  return time.ok ? time.value : undefined
}
