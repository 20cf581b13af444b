// The annotation that makes everything voluntary stand still around an object.
import type { KubeObject } from '#kube/objects.ts'
import type { Freeze } from './policy.ts'

const freezeAnnotation = 'ballast.dev/freeze'

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/

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
  const untilMs = rfc3339.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(untilMs))
    return { where, reason: value === '' || value === 'true' ? 'no reason given' : value, untilMs: undefined }
  return untilMs > nowMs ? { where, reason: `until ${value}`, untilMs } : undefined
}
