// Whether a controller would write what is there already.

/** Equality of trees in which a field that is null or absent says the same, and the order of fields nothing. */
export function isSameContent(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return isSameLeaf(one, other)
  if (Array.isArray(one))
    return Array.isArray(other) && one.length === other.length && one.every((item, index) => isSameContent(item, other[index]))
  return !Array.isArray(other) && hasFieldsOf(one, other) && countOf(one) === countOf(other)
}

/** An integer is the same however it is held. */
function isSameLeaf(one: unknown, other: unknown): boolean {
  if (typeof one === 'bigint') return typeof other === 'number' && Number.isInteger(other) && one === BigInt(other)
  if (typeof other === 'bigint') return isSameLeaf(other, one)
  return (one ?? null) === (other ?? null)
}

function hasFieldsOf(one: object, other: object): boolean {
  for (const [name, value] of Object.entries(one)) {
    if (value === undefined || value === null) continue
    const present: unknown = Object.hasOwn(other, name) ? Reflect.get(other, name) : undefined
    if (present === undefined || present === null || !isSameContent(value, present)) return false
  }
  return true
}

function countOf(fields: object): number {
  let count = 0
  for (const value of Object.values(fields)) if (value !== undefined && value !== null) count++
  return count
}
