// One run of a rebalance as its user drives it through the API: ask for a plan, look at it, approve it, follow it to its end.
import { planNowAnnotation } from '#capabilities/deschedule'
import {
  type DisruptionPermit,
  disruptionPermits,
  type PlanStep,
  type RebalancePlan,
  type RebalancePolicy,
  rebalancePlans,
  rebalancePolicies,
} from '#coordination/api.ts'
import type { Api } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer, Informers } from '#kube/informer.ts'
import { isNotFound } from '#kube/status.ts'
import { CommandRefused, exitCodes } from './command-line.ts'

export interface RunWatch {
  /** A plan is proposed; resolves when the user approves of it. */
  proposed(plan: RebalancePlan): Promise<void>
  /** A step changed. */
  step(plan: RebalancePlan, step: PlanStep): void
  /** A plan ended early; another follows, made from what is now. */
  replaced(plan: RebalancePlan): void
}

export interface RunEnd {
  /** Every plan of the run, the first proposal first: a landing elsewhere makes another one. */
  readonly plans: readonly RebalancePlan[]
  readonly permits: readonly DisruptionPermit[]
  /** Set where somebody took the plan or the policy away before there was an end. */
  readonly cutShort: string | undefined
}

const isOver = (plan: RebalancePlan) => ['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? '')
/** A plan that has nothing to do is over as soon as it is proposed. */
const isEmpty = (plan: RebalancePlan) => plan.spec.moves.length === 0 && plan.status?.phase === 'Proposed'

interface RunOptions {
  readonly admin: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly policy: string
  readonly watch: RunWatch
  readonly signal: AbortSignal
}

/** Runs `policy` once. @throws CommandRefused when the policy is refused, with the words of its condition */
export async function runRebalance(options: RunOptions): Promise<RunEnd> {
  const { informers, signal, watch } = options
  const policies = informers.of<RebalancePolicy>(rebalancePolicies)
  const plans = informers.of<RebalancePlan>(rebalancePlans)
  const permits = informers.of<DisruptionPermit>(disruptionPermits)
  await informers.allSynced(signal)
  const asked = await askForPlan(options)
  /** The plans of this run as they were last seen. */
  const run = new Map<string, RebalancePlan>()
  const follow = stepTeller(watch)
  const ends = plans.onChange(change => {
    const { name } = change.object.metadata
    if (!run.has(name)) return
    run.set(name, change.object)
    if (change.type !== 'DELETED') follow(change.object)
  })
  const end = (cutShort?: string): RunEnd => ({
    plans: [...run.values()],
    permits: [...permits.store.list()].sort((a, b) => (a.spec.grant?.token ?? 0) - (b.spec.grant?.token ?? 0)),
    cutShort,
  })
  try {
    const first = await found<RebalancePlan | 'no policy'>(plans, options, () => {
      const policy = policies.store.get(undefined, options.policy)
      if (policy === undefined) return 'no policy'
      const refusal = policy.status?.conditions?.find(condition => condition.type === 'Valid' && condition.status === 'False')
      if (refusal !== undefined)
        throw new CommandRefused(`RebalancePolicy ${options.policy}: ${refusal.message ?? refusal.reason ?? 'refused'}`)
      const name = policy.status?.lastPlanNow === asked ? policy.status.lastPlan : undefined
      const proposal = name === undefined ? undefined : plans.store.get(undefined, name)
      return proposal?.status?.phase === undefined ? undefined : proposal
    })
    if (first === 'no policy') return end(`RebalancePolicy ${options.policy} was deleted before it had a plan`)
    for (let plan = first; ; ) {
      const { name } = plan.metadata
      run.set(name, plan)
      if (!isEmpty(plan) && !plan.spec.approved) {
        await watch.proposed(plan)
        if (!(await approve(plan, options))) return end(`plan ${name} was deleted`)
      }
      const ended = isEmpty(plan)
        ? plan
        : await found<RebalancePlan | 'deleted'>(plans, options, () => {
            const now = plans.store.get(undefined, name)
            if (now === undefined) return 'deleted'
            return isOver(now) ? now : undefined
          })
      if (ended === 'deleted') return end(`plan ${name} was deleted`)
      run.set(name, ended)
      follow(ended)
      const next = ended.status?.conditions?.find(condition => condition.type === 'Superseded' && condition.status === 'True')
      if (next === undefined) return end()
      watch.replaced(ended)
      plan = await found(plans, options, () =>
        [...plans.store.list()].find(candidate => candidate.spec.replaces === name && candidate.status?.phase !== undefined),
      )
    }
  } finally {
    ends()
  }
}

/** @returns the word that the policy's status repeats once the plan is there */
async function askForPlan({ admin, clock, policy, signal }: RunOptions): Promise<string> {
  const asked = `ask-${clock.now()}`
  const body = { metadata: { annotations: { [planNowAnnotation]: asked } } }
  const policies = admin.resource<RebalancePolicy>(rebalancePolicies)
  await policies.patch(policy, { type: 'merge', body }, { signal, fieldManager: 'ballast-up' })
  return asked
}

/** False where the plan is not there any more. */
async function approve(plan: RebalancePlan, { admin, signal }: RunOptions): Promise<boolean> {
  const body = { spec: { approved: true, approvedHash: plan.spec.snapshotHash } }
  const plans = admin.resource<RebalancePlan>(rebalancePlans)
  try {
    await plans.patch(plan.metadata.name, { type: 'merge', body }, { signal, fieldManager: 'ballast-up' })
    return true
  } catch (error) {
    if (!isNotFound(error)) throw error
    return false
  }
}

/** Tells each state of each step once, whatever order the changes of the plans come in. */
function stepTeller(watch: RunWatch): (plan: RebalancePlan) => void {
  const seen = new Map<string, string>()
  return plan => {
    for (const step of plan.status?.steps ?? []) {
      const key = `${plan.metadata.name} ${step.id}`
      const state = `${step.state} ${step.landedOn ?? ''}`
      if (seen.get(key) === state) continue
      seen.set(key, state)
      watch.step(plan, step)
    }
  }
}

/** Waits until `look` yields something, looking again after each change of a plan and each second of the cluster's time. */
async function found<T>(plans: Informer<RebalancePlan>, { clock, signal }: RunOptions, look: () => T | undefined): Promise<T> {
  for (;;) {
    signal.throwIfAborted()
    const value = look()
    if (value !== undefined) return value
    const wake = new AbortController()
    const unsubscribe = plans.onChange(change => {
      if (!change.initial) wake.abort()
    })
    const slept = clock.after(1_000, AbortSignal.any([signal, wake.signal]))
    await slept.catch((error: unknown) => {
      if (signal.aborted) throw error
    })
    unsubscribe()
  }
}

/** What the run came to: whether its goals are met now. */
export function exitCodeOf(end: RunEnd): typeof exitCodes.done | typeof exitCodes.notSo | typeof exitCodes.infeasible {
  if (end.cutShort !== undefined) return exitCodes.notSo
  const last = end.plans.at(-1)
  const goalsMet = last?.status?.conditions?.find(condition => condition.type === 'GoalsMet')
  if (goalsMet?.status === 'True') return exitCodes.done
  if (last !== undefined && isEmpty(last) && last.spec.outcome === 'met') return exitCodes.done
  return last?.spec.outcome === 'infeasible' ? exitCodes.infeasible : exitCodes.notSo
}
