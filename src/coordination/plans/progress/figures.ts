// What is measured of the plans that are kept, policy by policy: pure, from the objects, so that a new leader says the same.
import type { RebalancePlan, RebalancePolicy } from '../../api.ts'
import { usedOfLimits } from '../left-of-limits.ts'
import { isOver, type Phase } from '../plan-progress.ts'
import { isStuck } from './nearness.ts'

export interface PolicyFigures {
  readonly policy: string
  /** Plans that are kept, by phase. */
  readonly phases: ReadonlyMap<Phase, number>
  /** The plan that ended last of those that were begun: how long it was to take, and took, in seconds. */
  readonly last: { readonly foretold: number; readonly real: number } | undefined
  readonly limits: ReturnType<typeof usedOfLimits>
  /** Absent where the policy does not go by itself. */
  readonly isStuck: boolean | undefined
}

/** The figures of `policy` and its plans for goals. */
export function policyFigures(
  policy: Pick<RebalancePolicy, 'metadata' | 'spec' | 'status'>,
  plans: readonly RebalancePlan[],
  nowMs: number,
): PolicyFigures {
  const own = plans.filter(({ spec }) => spec.purpose === 'move' && spec.policyRef.name === policy.metadata.name)
  const phases = new Map<Phase, number>()
  for (const { status } of own) if (status?.phase !== undefined) phases.set(status.phase, (phases.get(status.phase) ?? 0) + 1)
  const { nearness } = policy.status ?? {}
  return {
    policy: policy.metadata.name,
    phases,
    last: lastSeconds(own),
    limits: usedOfLimits(policy, own, nowMs),
    isStuck: nearness === undefined ? undefined : isStuck(nearness),
  }
}

function lastSeconds(plans: readonly RebalancePlan[]): PolicyFigures['last'] {
  const begun = plans.flatMap(({ spec, status, ...plan }) => {
    const [startedMs, endedMs] = [Date.parse(status?.startedAt ?? ''), Date.parse(status?.finishedAt ?? '')]
    const isKnown = isOver({ ...plan, status: status ?? {} }) && spec.moves.length > 0 && status?.expected !== undefined
    if (!isKnown || !Number.isFinite(startedMs) || !Number.isFinite(endedMs)) return []
    return [{ endedMs, foretold: status.expected.seconds, real: Math.max(0, Math.round((endedMs - startedMs) / 1000)) }]
  })
  const last = begun.toSorted((a, b) => b.endedMs - a.endedMs)[0]
  return last === undefined ? undefined : { foretold: last.foretold, real: last.real }
}
