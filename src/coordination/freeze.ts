// The annotation that makes everything voluntary stand still around an object.
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import type { Freeze } from './policy/question.ts'

export const freezeAnnotation = 'ballast.dev/freeze'

/** Characters of a reason that are repeated. */
const longestReason = 256

/**
 * What the annotation on `object` says at `nowMs`: `false` and a time that is past freeze nothing; a time to come freezes until then;
 * any other text is the reason and freezes until it is taken away.
 */
export function freezeOf(object: KubeObject | undefined, nowMs: number): Freeze | undefined {
  const value = object?.metadata.annotations?.[freezeAnnotation]
  if (object === undefined || value === undefined || value === 'false') return undefined
  const place =
    object.metadata.namespace === undefined ? object.metadata.name : `${object.metadata.namespace}/${object.metadata.name}`
  const where = `${freezeAnnotation} on ${object.kind} ${place}`
  const until = parseTime(value.slice(0, longestReason))
  if (!until.ok)
    return {
      where,
      reason: value === '' || value === 'true' ? 'no reason given' : value.slice(0, longestReason),
      untilMs: undefined,
    }
  return until.value > nowMs ? { where, reason: `until ${value}`, untilMs: until.value } : undefined
}
