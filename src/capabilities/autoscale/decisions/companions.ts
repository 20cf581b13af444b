// Who keeps whom awake: a ScaledObject names others of its namespace that it needs (`ballast.dev/wakes`), which are awake while it is. Pure.
import { annotations } from '../names.ts'

/** One of a namespace, as far as it matters to others. */
export interface Companion {
  readonly name: string
  /** Whom it needs. */
  readonly wakes: readonly string[]
  /** By its own triggers or by force, not because another needs it. */
  readonly isActive: boolean
  /** Its target has replicas. */
  readonly isAwake: boolean
}

export interface Keeping {
  /** Who is active or awake. */
  readonly by: string
  /** Who names it: the same, or one that is itself kept awake. */
  readonly via: string
}

/** `ScaledObject sonarr needs it` */
export function keepingWords({ by, via }: Keeping): string {
  return by === via ? `ScaledObject ${by} needs it` : `ScaledObject ${by} needs it by way of ${via}`
}

/**
 * Who is kept awake, by name. Whoever is awake keeps those that it names, and they those that they name. Within a circle only who is active
 * does: if being awake were enough there, none of it would ever sleep again.
 */
export function keptAwake(companions: readonly Companion[]): ReadonlyMap<string, Keeping> {
  const kept = new Map<string, Keeping>()
  const byName = new Map(companions.map(one => [one.name, one]))
  const ordered = companions.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  for (const source of ordered) {
    if (!source.isActive && !source.isAwake) continue
    const inCircle = source.isActive ? undefined : circleOf(source.name, name => byName.get(name)?.wakes ?? [])
    const next = source.wakes.filter(name => inCircle?.has(name) !== true).map(name => ({ name, via: source.name }))
    for (let one = next.pop(); one !== undefined; one = next.pop()) {
      if (kept.has(one.name) || one.name === source.name) continue
      kept.set(one.name, { by: source.name, via: one.via })
      for (const name of byName.get(one.name)?.wakes ?? []) next.push({ name, via: one.name })
    }
  }
  return kept
}

/** All that `name` leads to and that lead back to it, itself among them; empty: it is in no circle. Each is gone to twice at most. */
function circleOf(name: string, wakes: (name: string) => readonly string[]): ReadonlySet<string> {
  const reached = reachedFrom(name, wakes)
  if (!reached.has(name)) return new Set()
  const namedBy = new Map<string, string[]>()
  for (const one of reached) {
    for (const named of wakes(one)) {
      const before = namedBy.get(named)
      if (before === undefined) namedBy.set(named, [one])
      else before.push(one)
    }
  }
  return reachedFrom(name, one => namedBy.get(one) ?? [])
}

/** All whom `name` needs, and whom they need. */
export function reachedFrom(name: string, wakes: (name: string) => readonly string[]): ReadonlySet<string> {
  const reached = new Set<string>()
  const next = [...wakes(name)]
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    if (reached.has(one)) continue
    reached.add(one)
    next.push(...wakes(one))
  }
  return reached
}

/** What is wrong with whom `name` needs, each as a sentence. `wakes`: undefined for one that is not there. */
export function wakesProblems(name: string, wakes: (name: string) => readonly string[] | undefined): readonly string[] {
  const named = wakes(name) ?? []
  const missing = named.filter(one => wakes(one) === undefined)
  const circle = circleOf(name, one => wakes(one) ?? [])
  return [
    ...missing.map(one => `annotation ${annotations.wakes} names ${one}, and there is no such ScaledObject in this namespace`),
    ...(circle.size === 0
      ? []
      : [
          `annotation ${annotations.wakes} leads in a circle (${[...circle].toSorted().join(', ')}): there only who is active keeps the others awake, not who is merely awake`,
        ]),
  ]
}
