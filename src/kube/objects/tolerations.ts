// Whether a toleration covers a taint, by the rules of core/v1. Which taints a pod meets is the cluster model's matter.

import type { Taint, Toleration } from './objects.ts'

/** An integer as Kubernetes reads it for comparisons: in the range of int64, no leading zeros, no sign but `-`. */
const integerPattern = /^(?:0|-?[1-9][0-9]*)$/

/**
 * True where `toleration` covers `taint`. An empty effect covers each effect, an empty key each key.
 * `Lt` and `Gt` hold where both values are integers and the taint's is less (greater) than the toleration's; they count only
 * with `comparisons` (feature gate TaintTolerationComparisonOperators).
 */
export function tolerates(toleration: Toleration, taint: Taint, options: { readonly comparisons?: boolean } = {}): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  switch (toleration.operator ?? '') {
    case '':
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '')
    case 'Exists':
      return true
    case 'Lt':
      return options.comparisons === true && compareIntegers(taint.value, toleration.value) === -1
    case 'Gt':
      return options.comparisons === true && compareIntegers(taint.value, toleration.value) === 1
    default:
      return false
  }
}

/** The first of `taints` that none of `tolerations` covers, among those that `counts` picks; `undefined` where all are covered. */
export function untoleratedTaint(
  tolerations: readonly Toleration[],
  taints: readonly Taint[],
  counts: (taint: Taint) => boolean = () => true,
): Taint | undefined {
  return taints.find(taint => counts(taint) && !tolerations.some(toleration => tolerates(toleration, taint)))
}

function compareIntegers(left: string | undefined, right: string | undefined): -1 | 0 | 1 | undefined {
  if (left === undefined || right === undefined || !integerPattern.test(left) || !integerPattern.test(right)) return undefined
  const [a, b] = [BigInt(left), BigInt(right)]
  if (BigInt.asIntN(64, a) !== a || BigInt.asIntN(64, b) !== b) return undefined
  return a < b ? -1 : a > b ? 1 : 0
}
