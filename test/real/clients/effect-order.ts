// Requests that are under way at once take effect in another order than the one they began in. A replay asks them one after the other,
// so that a watch that begins with what is there has to stand where the server took it up.
import type { WatchEvent } from '../../fidelity-exchange.ts'
import { versionOf } from '../../fidelity-versions.ts'

/** What tells when a request took effect. */
export interface Effect {
  readonly answered?: { readonly answer?: unknown }
  readonly events?: readonly WatchEvent[]
}

/**
 * The numbers of the requests, given in the order in which they began, in the order of their effects: what was answered with a version
 * later than that at which a watch's initial events end comes after the watch.
 */
export function inOrderOfEffects(begun: readonly Effect[]): readonly number[] {
  let ordered: readonly number[] = []
  for (const [number, { events = [] }] of begun.entries()) {
    const end = events.find(isInitialEnd)
    const takenUpAt = end === undefined ? Number.POSITIVE_INFINITY : versionOf(end.object)
    const isLater = (other: number) => versionOf(begun[other]?.answered?.answer) > takenUpAt
    ordered = [...ordered.filter(other => !isLater(other)), number, ...ordered.filter(isLater)]
  }
  return ordered
}

/** The bookmark that ends the initial events; others come with time. */
export function isInitialEnd({ type, object }: WatchEvent): boolean {
  return type === 'BOOKMARK' && JSON.stringify(object).includes('k8s.io/initial-events-end')
}
