// Counts that may be a percentage.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'

const percentRule =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"

/** What a count that may be a percentage breaks. */
export function shareProblems(value: unknown, place: string, isBounded: boolean): readonly FieldError[] {
  if (typeof value === 'number' && value < 0) return [invalid(place, value, 'must be greater than or equal to 0')]
  if (typeof value !== 'string') return []
  if (!/^\d+%$/.test(value)) return [invalid(place, value, percentRule)]
  return isBounded && Number(value.slice(0, -1)) > 100 ? [invalid(place, value, 'must not be greater than 100%')] : []
}

/** The number in a count: of a percentage that before its sign; of another text the number that it is, or 0. */
export function shareValue(value: unknown): number {
  if (typeof value === 'number') return value
  return /^[-+]?\d+%?$/.test(String(value)) ? Number.parseInt(String(value), 10) : 0
}

/** What is wrong with a share of more than all. */
export function excessProblems(value: unknown, place: string): readonly FieldError[] {
  const isExcess = typeof value === 'string' && /^\d+%$/.test(value) && shareValue(value) > 100
  return isExcess ? [invalid(place, value, 'must not be greater than 100%')] : []
}
