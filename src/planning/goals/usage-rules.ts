// What goals of measured use forbid while figures are missing: a node or pod that was not measured is not taken for one that uses nothing.
import type { PlanInput } from '../plan-input.ts'
import type { StayReason } from '../plan-record.ts'
import type { Goal } from './policy.ts'
import { isMeasured } from './resources.ts'

/** Goals that need measurements; a number of pods is counted, not measured. */
export function usageGoals<One extends Pick<Goal, 'stat'> & Partial<Pick<Goal, 'resource'>>>(policy: {
  readonly goals: readonly One[]
}): readonly One[] {
  return policy.goals.filter(isMeasured)
}

export interface UsageRules {
  /** Why the pod may not leave its node: that has to use more than a `min`, and what it would lose is not known. */
  readonly held: (pod: { readonly key: string; readonly nodeName?: string | undefined }) => StayReason | undefined
  /** The pod may not come to the node: that has to use less than a `max`, and what it would get is not known. */
  readonly isClosed: (pod: { readonly key: string }, node: string) => boolean
}

/**
 * Both directions that could break a goal unseen. The others are open: what leaves a node with a `max`, or comes to one with a `min`, can only
 * bring it closer. An isolation empties nodes whatever they use.
 */
export function usageRules({ policy, measured }: Pick<PlanInput, 'policy' | 'measured'>): UsageRules {
  const goals = policy.isolation === undefined ? usageGoals(policy) : []
  const [withMin, withMax] = (['min', 'max'] as const).map(
    bound => new Set(goals.flatMap(goal => (goal[bound] === undefined ? [] : goal.nodes))),
  )
  const isKnown = (pod: string, node: string) => measured?.pods.has(pod) === true && measured.nodes.has(node)
  return {
    held: ({ key, nodeName = '' }) =>
      withMin?.has(nodeName) === true && !isKnown(key, nodeName) ? { code: 'UsageUnknown', data: { node: nodeName } } : undefined,
    isClosed: ({ key }, node) => withMax?.has(node) === true && !isKnown(key, node),
  }
}
