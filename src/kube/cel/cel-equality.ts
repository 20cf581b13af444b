// What is a map, and which values of CEL are equal.
import { type Draft, isSame as isSameTree, isFields as isTree } from '../values/json-tree.ts'
import { CelValue } from './cel-values.ts'

/** An object of JSON: a map, or a message with fields. */
export function isFields(value: unknown): value is Draft {
  return isTree(value) && !(value instanceof CelValue)
}

/** Equality of values; an integer equals the same double. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left instanceof CelValue) return left.isSameAs(right)
  if (right instanceof CelValue) return false
  if (Array.isArray(left))
    return Array.isArray(right) && left.length === right.length && left.every((item, at) => isSame(item, right[at]))
  if (!isFields(left) || !isFields(right)) return isSameTree(left, right)
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length && keys.every(key => Object.hasOwn(right, key) && isSame(left[key], right[key]))
  )
}
