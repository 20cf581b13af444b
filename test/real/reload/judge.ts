// What was changed beside what was seen: every change is to be seen in the template of every workload that uses what was changed, and
// nothing else is. Knows nothing of how any program works.
import { createHash } from 'node:crypto'
import { keyOf, type SourceName, type Target } from './scenario.ts'
import type { Watching } from './witness.ts'

/** One write of other data, as the server took it. */
export interface Change {
  readonly source: SourceName
  /** Upstream's hash of what the server then held. */
  readonly hash: string
  /** Where it stands among the writes of the server. */
  readonly order: number
  readonly sentMs: number
  readonly answeredMs: number
}

export interface Life {
  readonly target: Target
  readonly createdMs: number
  removedMs: number | undefined
}

export interface Judgement {
  /** One for each change and workload that uses it. */
  readonly expected: number
  /** Seen each by itself. */
  readonly exact: number
  /** Overtaken by a later change of the same source that was seen. */
  readonly joined: number
  /** The longest that a change stood which was not seen by itself, until the next one of the same source was sent, in milliseconds. */
  readonly longestPassedOverMs: number
  readonly missed: readonly string[]
  readonly unexpected: readonly string[]
  /** Changes of templates in all. */
  readonly rollouts: number
  /** From sending the change to seeing the template that has it or a later one, sorted, in milliseconds. */
  readonly latenciesMs: readonly number[]
}

/** So long before its removal a workload may be left alone. */
const graceMs = 2_000

/** SHA-1 of the entries `key=value`, sorted as bytes and joined by `;`. */
export function hashOf(entries: ReadonlyMap<string, Buffer>): string {
  const lines = Array.from(entries, ([key, value]) => Buffer.concat([Buffer.from(`${key}=`), value])).sort(Buffer.compare)
  const joined = lines.flatMap((line, at) => (at === 0 ? [line] : [Buffer.from(';'), line]))
  return createHash('sha1').update(Buffer.concat(joined)).digest('hex')
}

/** Under which names a source is marked, by either strategy. */
export function markNames({ type, name }: SourceName): readonly string[] {
  const upper = name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')
  return [`STAKATER_${upper}_${type.toUpperCase()}`, `${type.toUpperCase()} ${name}`]
}

export function judge(
  lives: readonly Life[],
  changes: readonly Change[],
  seen: (target: Target) => Watching | undefined,
): Judgement {
  const bySource = Map.groupBy(
    changes.toSorted((a, b) => a.order - b.order),
    ({ source }) => keyOf(source),
  )
  const total = { expected: 0, exact: 0, joined: 0, rollouts: 0 }
  const missed: string[] = []
  const unexpected: string[] = []
  const latenciesMs: number[] = []
  let longestPassedOverMs = 0
  for (const life of lives) {
    const watching = seen(life.target)
    const { kind, metadata } = life.target.object
    const who = `${kind} ${metadata.namespace}/${metadata.name}`
    if (watching === undefined) {
      missed.push(`${who} was never seen`)
      continue
    }
    total.rollouts += watching.sightings.length
    const explained = new Set<number>()
    for (const source of life.target.uses) {
      const versions = bySource.get(keyOf(source)) ?? []
      const names = markNames(source)
      let last = -1
      const shown = watching.sightings.flatMap((sighting, at) => {
        const mark = sighting.changed.find(name => names.includes(name))
        if (mark === undefined) return []
        const version = versions.findIndex(({ hash }) => hash === sighting.marks.get(mark))
        // A value that nobody wrote, or one that was overtaken, is not asked for.
        if (version <= last) return []
        last = version
        explained.add(at)
        return [{ version, atMs: sighting.atMs }]
      })
      for (const [at, version] of versions.entries()) {
        if (version.sentMs < life.createdMs) continue
        if (life.removedMs !== undefined && version.answeredMs + graceMs > life.removedMs) continue
        total.expected++
        const found = shown.find(one => one.version >= at)
        if (found === undefined) {
          missed.push(`${who}: ${keyOf(source)} change ${at + 1} of ${versions.length}`)
          continue
        }
        if (found.version === at) total.exact++
        else {
          total.joined++
          const nextMs = versions[at + 1]?.sentMs ?? Number.POSITIVE_INFINITY
          longestPassedOverMs = Math.max(longestPassedOverMs, nextMs - version.answeredMs)
        }
        latenciesMs.push(found.atMs - version.sentMs)
      }
    }
    for (const [at, { marks }] of watching.sightings.entries())
      if (!explained.has(at)) unexpected.push(`${who}: roll-out ${at + 1} with ${JSON.stringify(Object.fromEntries(marks))}`)
  }
  return { ...total, longestPassedOverMs, missed, unexpected, latenciesMs: latenciesMs.toSorted((a, b) => a - b) }
}

/** The value that a part of a sorted list does not exceed; NaN of nothing. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}
