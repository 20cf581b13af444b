// What a container of a pod that is being created asks of resources of one domain. Pure.

import { compareQuantities, parseQuantity, wholeQuantity, wholeValue } from '#kube/values/quantity.ts'

export type Amounts = Readonly<Record<string, string | number>>

export interface AskingContainer {
  readonly name?: string
  readonly resources?: { readonly limits?: Amounts; readonly requests?: Amounts }
}

type Asked =
  | { readonly kind: 'amounts'; readonly amounts: ReadonlyMap<string, string | number> }
  | { readonly kind: 'wrong'; readonly why: string }

/**
 * What is asked for of resources whose names begin with `prefix`. Extended resources cannot be asked for and limited otherwise, which an API server
 * would say only later, and of other fields.
 */
export function askedAmounts({ name = '', resources = {} }: AskingContainer, prefix: string): Asked {
  const { limits = {}, requests = {} } = resources
  const names = [...new Set([...Object.keys(limits), ...Object.keys(requests)])].filter(one => one.startsWith(prefix))
  const amounts = new Map<string, string | number>()
  for (const one of names) {
    const limit = limits[one]
    if (limit === undefined || !isSame(limit, requests[one]))
      return { kind: 'wrong', why: `container ${name}: found limits and requests of ${one} that differ, expected both alike` }
    amounts.set(one, limit)
  }
  return { kind: 'amounts', amounts }
}

function isSame(one: string | number, other: string | number | undefined): boolean {
  if (other === undefined) return false
  const [left, right] = [parseQuantity(one), parseQuantity(other)]
  return left.ok && right.ok ? compareQuantities(left.value, right.value) === 0 : one === other
}

/** The amount as a whole number; undefined where it is no quantity, or none without a fraction. */
export function wholeAmount(amount: string | number): bigint | undefined {
  const read = parseQuantity(amount)
  if (!read.ok) return undefined
  const whole = wholeValue(read.value)
  return compareQuantities(wholeQuantity(whole), read.value) === 0 ? whole : undefined
}
