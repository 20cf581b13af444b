// A count that may be given as a percentage of a total: `3` or `"25%"`.

import { goQuote } from '../objects/field-error.ts'
import type { IntOrString } from '../objects/objects.ts'
import type { Parsed } from '../problem.ts'

/**
 * `value` of `total`: itself where it is a number, else its percentage of `total` rounded up or down.
 * @throws RangeError with Kubernetes' message where it is a string that is no percentage.
 */
export function scaledValue(value: IntOrString, total: number, rounding: 'up' | 'down'): number {
  const parsed = parseScaledValue(value, total, rounding)
  if (parsed.ok) return parsed.value
  throw new RangeError(parsed.problem.message ?? parsed.problem.expected)
}

/** As `scaledValue`, for what comes from outside. */
export function parseScaledValue(value: unknown, total: number, rounding: 'up' | 'down', where = 'value'): Parsed<number> {
  const expected = 'an integer or a percentage such as "25%"'
  const refused = (message: string): Parsed<number> => ({
    ok: false,
    problem: { code: 'int-or-string-syntax', where, found: JSON.stringify(value) ?? String(value), expected, message },
  })
  if (typeof value === 'number')
    return Number.isSafeInteger(value)
      ? { ok: true, value }
      : refused('invalid value for IntOrString: invalid type: neither int nor percentage')
  if (typeof value !== 'string') return refused('invalid value for IntOrString: invalid type: neither int nor percentage')
  const digits = /^([-+]?[0-9]{1,15})%$/.exec(value)?.[1]
  if (digits === undefined) {
    if (!value.endsWith('%')) return refused('invalid value for IntOrString: invalid type: string is not a percentage')
    const number = value.slice(0, -1)
    return refused(
      `invalid value for IntOrString: invalid value ${goQuote(value)}: strconv.Atoi: parsing ${goQuote(number)}: invalid syntax`,
    )
  }
  // Whole hundredths first: 7 * 0.29 in floating point is no reliable sum.
  const hundredths = BigInt(digits) * BigInt(total)
  const floor = hundredths / 100n - (hundredths % 100n < 0n ? 1n : 0n)
  const isExact = hundredths % 100n === 0n
  return { ok: true, value: Number(rounding === 'down' || isExact ? floor : floor + 1n) }
}
