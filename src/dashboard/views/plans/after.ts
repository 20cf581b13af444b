// What nodes request once the plan at hand is done, as the plan says it.
import type { RebalancePlan } from '#coordination/api.ts'
import { isUsual } from '#planning/goals/resources.ts'
import type { NodeRow } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { planAtHand } from './plan-at-hand.ts'

const openPhases: readonly string[] = ['Proposed', 'Approved', 'Running', 'Paused']

/** Whether the plan's moves are still to come, or under way. */
export function isOpen(plan: RebalancePlan): boolean {
  return openPhases.includes(plan.status?.phase ?? '')
}

/** The plan at hand, where its moves are still to come or under way. */
export function openPlan(picture: Picture): RebalancePlan | undefined {
  const plan = planAtHand(picture)
  return plan !== undefined && isOpen(plan) ? plan : undefined
}

type Shares = ReadonlyMap<string, NonNullable<NodeRow['after']>>

const nothing: Shares = new Map()
const sharesOf = new WeakMap<object, Shares>()

/** By node, the same objects as long as the plan says the same; nothing of a plan without moves. */
export function sharesAfter(plan: RebalancePlan | undefined): Shares {
  const stored = plan?.status?.after
  if (plan === undefined || stored === undefined || plan.spec.moves.length === 0) return nothing
  const known = sharesOf.get(stored)
  if (known !== undefined) return known
  const sums = new Map<string, { cpu: number; memory: number; pods: number }>()
  for (const { node, resource, requested } of stored) {
    const amount = Number(requested)
    if (!Number.isSafeInteger(amount) || !isUsual(resource)) continue
    const sum = sums.get(node) ?? { cpu: 0, memory: 0, pods: 0 }
    sum[resource] = amount
    sums.set(node, sum)
  }
  const kept = keptShares(sums)
  sharesOf.set(stored, kept)
  return kept
}

/** What a node's pods request of a further resource once the plan is done; `undefined` where the plan does not say. */
export function amountAfter(plan: RebalancePlan | undefined, node: string, resource: string): number | undefined {
  const stored = plan !== undefined && plan.spec.moves.length > 0 ? plan.status?.after : undefined
  const amount = Number(stored?.find(share => share.node === node && share.resource === resource)?.requested)
  return Number.isSafeInteger(amount) ? amount : undefined
}

/** The shares told last: plans are read anew with every change in the books, and rows are kept by the identity of these. */
let lastShares: Shares = nothing

function keptShares(sums: Shares): Shares {
  let isSame = sums.size === lastShares.size
  const kept = new Map<string, NonNullable<NodeRow['after']>>()
  for (const [node, sum] of sums) {
    const before = lastShares.get(node)
    const isKept = before?.cpu === sum.cpu && before.memory === sum.memory && before.pods === sum.pods
    kept.set(node, isKept && before !== undefined ? before : sum)
    isSame &&= isKept
  }
  if (!isSame) lastShares = kept
  return lastShares
}
