// One run of a rebalance as its user drives it through the API: ask for a plan, look at it, approve it, follow it to its end.

import {
  type DisruptionPermit,
  disruptionPermits,
  type PlanStep,
  type RebalancePlan,
  type RebalancePolicy,
  rebalancePlans,
  rebalancePolicies,
} from '#coordination/api.ts'
import { freezeAnnotation } from '#coordination/freeze.ts'
import { planNowAnnotation, runUntilAnnotation } from '#coordination/plans/names.ts'
import { isOver } from '#coordination/plans/plan-progress.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

export interface RunWatch {
  /** A plan is proposed; resolves when the user approves of it. `elsewhere` resolves when somebody else has decided about it. */
  proposed(plan: RebalancePlan, elsewhere: (signal: AbortSignal) => Promise<void>): Promise<void>
  /** It is approved here, now. */
  approved?(plan: RebalancePlan): void
  /** A plan is proposed after somebody else has steered: it is theirs. */
  left?(plan: RebalancePlan): void
  /** Somebody else has approved of it. */
  approvedElsewhere?(plan: RebalancePlan): void
  /** The phase changed, or what is said of it. */
  phase?(plan: RebalancePlan): void
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

/** What people say to a plan that runs: stop, or go on so far. */
const steeringAnnotations = [freezeAnnotation, runUntilAnnotation]

/** A plan that has nothing to do is over as soon as it is proposed. */
const isEmpty = (plan: RebalancePlan) => plan.spec.moves.length === 0 && plan.status?.phase === 'Proposed'

interface RunOptions {
  readonly admin: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly policy: string
  readonly watch: RunWatch
  readonly signal: AbortSignal
  /** So long after its foretold end a plan that does not go on is left; without it, it is waited for. */
  readonly patienceMs?: number
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
  const teller = new StepTeller(watch)
  const ends = plans.onChange(change => {
    const { name } = change.object.metadata
    if (!run.has(name)) return
    run.set(name, change.object)
    if (change.type !== 'DELETED') teller.tell(change.object)
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
      if (policy.spec.goals.length === 0)
        throw new CommandRefused(`RebalancePolicy ${options.policy} has no goals: it isolates nodes (ballast isolate NODE)`)
      const refusal = policy.status?.conditions?.find(condition => condition.type === 'Valid' && condition.status === 'False')
      if (refusal !== undefined)
        throw new CommandRefused(`RebalancePolicy ${options.policy}: ${refusal.message ?? refusal.reason ?? 'refused'}`)
      const name = policy.status?.lastPlanNow === asked ? policy.status.lastPlan : undefined
      const proposal = name === undefined ? undefined : plans.store.get(undefined, name)
      return proposal?.status?.phase === undefined ? undefined : proposal
    })
    if (first === 'no policy') return end(`RebalancePolicy ${options.policy} was deleted before it had a plan`)
    /** Somebody else leads: what comes next is theirs to approve. */
    let isSteered = false
    for (let plan = first; ; ) {
      const { name } = plan.metadata
      run.set(name, plan)
      if (!isEmpty(plan) && !plan.spec.approved) {
        const elsewhere = (until: AbortSignal) =>
          decidedElsewhere(plans, { ...options, signal: AbortSignal.any([signal, until]) }, name)
        if (isSteered) {
          watch.left?.(plan)
          await elsewhere(signal)
        } else await watch.proposed(plan, elsewhere)
        const now = plans.store.get(undefined, name)
        if (now === undefined) return end(`plan ${name} was deleted`)
        if (now.spec.approved) {
          isSteered = true
          watch.approvedElsewhere?.(now)
        } else if (!isOver(now)) {
          watch.approved?.(now)
          if (!(await approve(now, options))) return end(`plan ${name} was deleted`)
        }
      }
      const ended = isEmpty(plan)
        ? plan
        : await found<RebalancePlan | 'deleted' | 'stands still'>(plans, options, standing(plans, options, name))
      if (ended === 'deleted') return end(`plan ${name} was deleted`)
      if (ended === 'stands still') return end(stillWords(plans.store.get(undefined, name)))
      run.set(name, ended)
      teller.tell(ended)
      const next = ended.status?.conditions?.find(condition => condition.type === 'Superseded' && condition.status === 'True')
      if (next === undefined) return end()
      watch.replaced(ended)
      isSteered ||= steeringAnnotations.some(annotation => ended.metadata.annotations?.[annotation] !== undefined)
      plan = await found(plans, options, () =>
        [...plans.store.list()].find(
          candidate =>
            candidate.status?.phase !== undefined &&
            (candidate.spec.replaces === name || next.message === `by ${candidate.metadata.name}`),
        ),
      )
    }
  } finally {
    ends()
  }
}

/** Looks whether plan `name` is over, gone, or does not go on any more. */
function standing(
  plans: Informer<RebalancePlan>,
  { clock, patienceMs = Number.POSITIVE_INFINITY }: RunOptions,
  name: string,
): () => RebalancePlan | 'deleted' | 'stands still' | undefined {
  let seen = ''
  let sinceMs = clock.elapsed()
  return () => {
    const now = plans.store.get(undefined, name)
    if (now === undefined) return 'deleted'
    if (isOver(now)) return now
    const states = (now.status?.steps ?? []).map(({ id, state }) => `${id} ${state}`).join()
    if (states !== seen) {
      seen = states
      sinceMs = clock.elapsed()
    }
    const foretoldMs = (now.status?.expected?.seconds ?? 0) * 1_000
    return clock.elapsed() - sinceMs > foretoldMs + patienceMs ? 'stands still' : undefined
  }
}

const underWay: ReadonlySet<string> = new Set(['Waiting', 'Acting', 'Landing'])

/** What a plan that does not go on waits for. */
function stillWords(plan: RebalancePlan | undefined): string {
  const waiting = (plan?.status?.steps ?? []).find(({ state, message }) => underWay.has(state) && message !== undefined)
  const why = waiting === undefined ? plan?.status?.message : `${waiting.id}: ${waiting.message}`
  return `plan ${plan?.metadata.name} does not go on. ${why ?? 'It does not say why'}`
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

/** Resolves when plan `name` is approved, over or gone, whoever did that. */
async function decidedElsewhere(plans: Informer<RebalancePlan>, options: RunOptions, name: string): Promise<void> {
  await found(plans, options, () => {
    const now = plans.store.get(undefined, name)
    return now === undefined || now.spec.approved || isOver(now) ? true : undefined
  })
}

/** Tells each state of each step and each phase once, whatever order the changes of the plans come in. */
class StepTeller {
  readonly #watch: Pick<RunWatch, 'step' | 'phase'>
  readonly #seen = new Map<string, string>()

  constructor(watch: Pick<RunWatch, 'step' | 'phase'>) {
    this.#watch = watch
  }

  tell(plan: RebalancePlan): void {
    this.#go(plan, this.#watch)
  }

  /** Knows from now on what `plan` says, without telling it. */
  see(plan: RebalancePlan): void {
    this.#go(plan, { step: () => undefined })
  }

  #go(plan: RebalancePlan, watch: Pick<RunWatch, 'step' | 'phase'>): void {
    const phase = plan.status?.phase
    if (phase !== undefined && this.#isNew(plan.metadata.name, phase)) watch.phase?.(plan)
    for (const step of plan.status?.steps ?? []) {
      if (this.#isNew(`${plan.metadata.name} ${step.id}`, `${step.state} ${step.landedOn ?? ''}`)) watch.step(plan, step)
    }
  }

  #isNew(key: string, state: string): boolean {
    if (this.#seen.get(key) === state) return false
    this.#seen.set(key, state)
    return true
  }
}

/** What is told of plans that nobody here asked for. */
export interface LaterWatch extends Pick<RunWatch, 'step' | 'phase'> {
  proposed(plan: RebalancePlan): void
}

/** Tells of plans that come or go on after the run: somebody asked for them. @returns what ends that */
export function followPlans(informers: Pick<Informers, 'of'>, ended: RunEnd, watch: LaterWatch): () => void {
  const teller = new StepTeller(watch)
  const known = new Set<string>()
  const see = (plan: RebalancePlan) => {
    known.add(plan.metadata.name)
    teller.see(plan)
  }
  for (const plan of ended.plans) see(plan)
  return informers.of<RebalancePlan>(rebalancePlans).onChange(({ type, object, initial }) => {
    if (type === 'DELETED' || object.status?.phase === undefined) return
    if (initial && !known.has(object.metadata.name)) {
      see(object)
      return
    }
    if (!known.has(object.metadata.name)) {
      known.add(object.metadata.name)
      watch.proposed(object)
    }
    teller.tell(object)
  })
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
