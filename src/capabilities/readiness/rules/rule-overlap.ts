// Whether two selectors can take one node: exact for the operators that label selectors have. Pure.
import type { Selector } from '#kube/objects/selector.ts'
import type { SelectorRequirement } from '#kube/objects/selector-requirement.ts'

/** Whether some set of labels matches both. */
export function overlap(a: Selector, b: Selector): boolean {
  if (a.isNothing || b.isNothing) return false
  const byKey = Map.groupBy([...a.requirements, ...b.requirements], ({ key }) => key)
  return [...byKey.values()].every(isPossible)
}

/** Whether one label, or its absence, meets all of `requirements`, which are on one key. */
function isPossible(requirements: readonly SelectorRequirement[]): boolean {
  const has = (...operators: readonly SelectorRequirement['operator'][]) =>
    requirements.filter(({ operator }) => operators.includes(operator))
  const forbidden = new Set(has('!=', 'notin').flatMap(({ values }) => values))
  const bounds = has('gt', 'lt')
  const within = (value: string) =>
    bounds.every(({ operator, values: [bound = ''] }) => {
      if (!/^-?[0-9]{1,18}$/.test(value) || !/^-?[0-9]{1,18}$/.test(bound)) return false
      return operator === 'gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound)
    })
  const listed = has('=', '==', 'in')
  if (has('!').length > 0) return listed.length === 0 && bounds.length === 0 && has('exists').length === 0
  const [first, ...rest] = listed
  if (first !== undefined) {
    return first.values.some(
      value => rest.every(({ values }) => values.includes(value)) && !forbidden.has(value) && within(value),
    )
  }
  return bounds.length === 0 || numberBetween(bounds, forbidden)
}

/** Whether there is a number above and below all bounds that is not forbidden. Values of labels are never negative. */
function numberBetween(bounds: readonly SelectorRequirement[], forbidden: ReadonlySet<string>): boolean {
  let least = 0n
  let most: bigint | undefined
  for (const { operator, values } of bounds) {
    // Nobody can say what it means: taken to overlap.
    if (!/^-?[0-9]{1,18}$/.test(values[0] ?? '')) return true
    const bound = BigInt(values[0] ?? '')
    if (operator === 'gt' && bound + 1n > least) least = bound + 1n
    if (operator === 'lt' && (most === undefined || bound - 1n < most)) most = bound - 1n
  }
  // One more candidate than there are forbidden values is enough.
  for (let step = 0n; step <= BigInt(forbidden.size); step++) {
    const candidate = least + step
    if (most !== undefined && candidate > most) return false
    if (!forbidden.has(candidate.toString())) return true
  }
  return false
}
