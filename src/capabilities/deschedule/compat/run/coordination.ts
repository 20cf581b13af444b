// Coordination with who else moves and scales (the owner label): what it keeps from being evicted, and that it never runs all the time.
import { BudgetLedger } from '#cluster/budget-ledger.ts'
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { effectiveOwner, type OwnerLabel, ownerKeysText } from '#cluster/ownership.ts'
import type { OwnerContradiction } from '#coordination/policy/question.ts'
import type { Problem } from '#kube/problem.ts'
import type { Evictor, Refusals } from '../contract.ts'
import type { Coordination } from './coordination-settings.ts'

/**
 * Why this may not be started: with `enforce` moving pods is nothing that goes on all the time. `intervalMs`: 0 for one cycle.
 * `hasWindows`: the configuration says when it may run.
 */
export function triggerProblem(
  { enforce }: Pick<Coordination, 'enforce'>,
  { intervalMs, hasWindows }: { readonly intervalMs: number; readonly hasWindows: boolean },
): Problem | undefined {
  if (!enforce || intervalMs === 0 || hasWindows) return undefined
  const expected =
    'windows in arbiter.windows.deschedule, or no interval and a schedule outside (a CronJob), while capabilities.deschedule.coordination.enforce is true'
  return {
    code: 'schedule-continuous',
    where: '--descheduling-interval',
    found: `${intervalMs / 1000}s without a window`,
    expected,
    message: `the rule not-continuous: --descheduling-interval of ${intervalMs / 1000}s runs at any time, and rebalancing is never continuous where coordination is enforced`,
  }
}

interface CoordinationContext {
  readonly state: ClusterState
  readonly coordination: Coordination
  readonly ownerLabel: OwnerLabel
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** An owner label was read that says other than what holds. */
  readonly contradicted: (contradiction: OwnerContradiction) => void
}

/** Lets through what the owner labels and budgets let through, where coordination is enforced; its reasons carry the codes of plans. */
export function coordinationEvictor(context: CoordinationContext): Evictor {
  let budgets: BudgetLedger | undefined
  const { state, nowMs, coordination } = context
  const filter = (pod: PodState): Refusals => {
    const owner = ownerRefusal(context, pod)
    if (owner !== undefined) return [owner]
    if (!coordination.requirePDB) return []
    budgets ??= new BudgetLedger(state, { nowMs })
    return budgetRefusal(budgets, pod)
  }
  return { filter, preEvictionFilter: () => [] }
}

function ownerRefusal({ state, coordination, ownerLabel, contradicted }: CoordinationContext, pod: PodState): string | undefined {
  const { unlabelled, kedaPresence } = coordination
  const scalers = kedaPresence === 'ignore' ? 'ignore' : 'count'
  const { owner, source, contradicting, key = ownerLabel.key } = effectiveOwner(state, pod, ownerLabel, scalers)
  if (contradicting !== undefined) {
    const { namespace, name, uid } = pod
    const subject = pod.workload ?? { apiVersion: 'v1', kind: 'Pod', namespace, name, uid }
    contradicted({ subject, said: contradicting, key, isScaled: source === 'scaler' })
  }
  if (owner === 'keda') return `workload is managed by KEDA, as its ${source} says [KedaManaged]`
  if (owner === 'none') return `nobody may move the workload, as the label ${key} of its ${source} says [OwnerNone]`
  if (owner === undefined && unlabelled === 'none')
    return `no label ${ownerKeysText(ownerLabel)} says who may move the workload [Unlabelled]`
  return undefined
}

function budgetRefusal(budgets: BudgetLedger, pod: PodState): Refusals {
  const own = budgets.budgetsOf(pod)
  if (own.length === 0) return ['no disruption budget covers the pod [NoPDB]']
  const never = own.find(budget => !budgets.canEverAllow(budget))
  return never === undefined ? [] : [`disruption budget ${never} never allows an eviction [PDBNeverAllows]`]
}
