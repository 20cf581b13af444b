// Zod schemas of the field types that Kubernetes has and JSON has not. `crd.ts` knows them by their metadata.

import { z } from 'zod'
import { parseDuration, parseDurationMs } from '../time/duration.ts'
import { parseQuantity } from '../values/quantity.ts'

/** A rule in CEL that the API server checks; `self` is the value it stands at. */
export interface CelRule {
  readonly rule: string
  readonly message?: string
  readonly messageExpression?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  readonly fieldPath?: string
}

/**
 * What `.meta(...)` of a schema may say to `crd.ts` beside `description`. `cel` stands in for refinements, which have no other
 * way to the API server. `listType: 'map'` names the fields in `keys` that tell items apart.
 */
interface FieldMeta {
  readonly cel?: CelRule | readonly CelRule[]
  readonly listType?: 'atomic' | 'set' | 'map'
  readonly keys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
  /** Set by the functions of this file only. */
  readonly intOrString?: { readonly pattern: string }
}

const quantityPattern = '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$'
const durationPattern = '^(0|[-+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$'
const percentagePattern = '^[0-9]{1,6}%$'

const notDuration = 'not a duration such as "1h30m"'

const intOrStringMeta = (pattern: string): Record<string, unknown> => ({
  intOrString: { pattern } satisfies FieldMeta['intOrString'],
})

/** An amount such as `500m`, `1.5Gi` or `2`. Kept as it was written; `quantity.ts` reads it. */
export function quantity() {
  const isQuantity = (value: string | number) => parseQuantity(value).ok && new RegExp(quantityPattern).test(String(value))
  return z
    .union([z.int(), z.string().max(256)])
    .refine(isQuantity, 'not a quantity such as "500m" or "1.5Gi"')
    .meta(intOrStringMeta(quantityPattern))
}

/** A count or a percentage such as `"25%"`; `int-or-string.ts` scales it. */
export function intOrString() {
  return z.union([z.int(), z.string().max(16).regex(new RegExp(percentagePattern))]).meta(intOrStringMeta(percentagePattern))
}

/** A Go duration such as `1h30m`. Kept as it was written; `duration.ts` reads it. */
export function duration() {
  return z
    .string()
    .max(64)
    .regex(new RegExp(durationPattern), { error: notDuration, abort: true })
    .refine(text => parseDuration(text).ok, notDuration)
}

/** A duration within bounds that are whole seconds and whole hours. */
export function durationBetween(leastMs: number, longestMs: number) {
  const isWithin = (text: string) => {
    const parsed = parseDurationMs(text)
    return !parsed.ok || (parsed.value >= leastMs && parsed.value <= longestMs)
  }
  return duration().refine(isWithin, `not a duration from ${leastMs / 1_000}s to ${longestMs / 3_600_000}h`)
}
