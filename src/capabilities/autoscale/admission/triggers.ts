// Triggers of one object that fit together, in upstream's words: said at admission, and again where an object came by another way.
import type { Trigger } from '../kinds/triggers.ts'

const neverCached = ['cpu', 'memory', 'cron', 'time-window']

/** Why `triggers` cannot be used as they are; undefined: nothing is known against them. */
export function triggersProblem(triggers: readonly Pick<Trigger, 'type' | 'name' | 'useCachedMetrics'>[]): string | undefined {
  if (triggers.length === 0) return 'no triggers defined in the ScaledObject/ScaledJob'
  const names = new Set<string>()
  for (const { type, name, useCachedMetrics } of triggers) {
    if (useCachedMetrics === true && neverCached.includes(type))
      return `property "useCachedMetrics" is not supported for ${JSON.stringify(type)} scaler`
    if (name === undefined || name === '') continue
    if (names.has(name))
      return `triggerName ${JSON.stringify(name)} is defined multiple times in the ScaledObject/ScaledJob, but it must be unique`
    names.add(name)
  }
  return undefined
}
