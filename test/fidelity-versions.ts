// Versions of a server in what it says of objects.
import type { WatchEvent } from './fidelity-exchange.ts'

/** The resourceVersion of an object or a list as a number; NaN where it has none. */
export function versionOf(object: unknown): number {
  const { metadata }: { readonly metadata?: unknown } = isFields(object) ? object : {}
  const version = isFields(metadata) ? metadata['resourceVersion'] : undefined
  return typeof version === 'string' && /^\d+$/.test(version) ? Number(version) : Number.NaN
}

/**
 * Events with the versions of bookmarks judged instead of told: a bookmark says how far the server has come, which other writers decide.
 * It must be as new as all that came before it and older than all that comes after; one that is not keeps its version.
 */
export function withJudgedBookmarks(events: readonly WatchEvent[]): readonly WatchEvent[] {
  const versions = events.map(({ object }) => versionOf(object))
  return events.map((event, index) => {
    const { type, object } = event
    const own = versions[index] ?? Number.NaN
    if (type !== 'BOOKMARK' || Number.isNaN(own) || !isFields(object) || !isFields(object['metadata'])) return event
    const isBetween = versions.every(
      (version, other) => Number.isNaN(version) || (other <= index ? version <= own : version > own),
    )
    if (!isBetween) return event
    return { type, object: { ...object, metadata: { ...object['metadata'], resourceVersion: 'between its neighbours' } } }
  })
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
