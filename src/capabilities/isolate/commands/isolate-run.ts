// An isolation as its user drives it through the API: switch it on, approve what was shown, follow it to its end; or switch it off.
import {
  type IsolationStatus,
  type RebalancePlan,
  type RebalancePolicy,
  rebalancePlans,
  rebalancePolicies,
} from '#coordination/api.ts'
import { abortIsolationAnnotation } from '#coordination/plans/names.ts'
import { isOver } from '#coordination/plans/plan-progress.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import { isConflict } from '#kube/objects/status.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { ChosenPolicy } from './isolate-policy.ts'

const fieldManager = 'ballast-isolate-command'
/** How often it is looked, besides each change. */
const lookMs = 1_000
/** So long a controller may take to say anything. */
const silentMs = 60_000

export interface IsolationRun {
  readonly admin: Api
  readonly informers: Informers
  readonly clock: Clock
  /** Told whenever the isolation says something new. */
  readonly tell: (status: IsolationStatus) => void
  /** Told each step of its plan. */
  readonly tellPlan: (plan: RebalancePlan) => void
  readonly signal: AbortSignal
}

/** Creates the policy, or switches the isolation of the one that is there on. @throws CommandRefused where its mode is Report */
export async function enable(
  { policy, change, exists }: ChosenPolicy,
  { admin, signal }: Pick<IsolationRun, 'admin' | 'signal'>,
): Promise<void> {
  const policies = admin.resource<RebalancePolicy>(rebalancePolicies)
  const { name } = policy.metadata
  if (!exists) {
    await policies.create(policy, { signal, fieldManager })
    return
  }
  if (policy.spec.mode === 'Report')
    throw new CommandRefused(`RebalancePolicy ${name} has mode Report: set spec.mode to Approve or Auto first`)
  const body = { metadata: { annotations: { [abortIsolationAnnotation]: null } }, spec: { isolation: change } }
  await policies.patch(name, { type: 'merge', body }, { signal, fieldManager })
}

/** Follows the isolation of a policy until it is over, and approves its plans on the way: whoever runs this has said yes. */
export async function follow(name: string, run: IsolationRun): Promise<ExitCode> {
  const { informers, clock, signal } = run
  const policies = informers.of<RebalancePolicy>(rebalancePolicies)
  const plans = informers.of<RebalancePlan>(rebalancePlans)
  await informers.allSynced(signal)
  const startedMs = clock.elapsed()
  let told = ''
  const ours = () => [...plans.store.list()].filter(({ spec }) => spec.policyRef.name === name && spec.purpose === 'isolate')
  // Plans, not the one that the status names: a short one may come and go between two looks.
  const earlier = new Set(ours().flatMap(plan => (isOver(plan) ? [plan.metadata.name] : [])))
  let isUnderWay = false
  for (;;) {
    signal.throwIfAborted()
    const policy = policies.store.get(undefined, name)
    const status = policy?.status?.isolation
    const invalid = policy?.status?.conditions?.find(({ type, status: is }) => type === 'Valid' && is === 'False')
    if (invalid !== undefined) throw new CommandRefused(`RebalancePolicy ${name}: ${invalid.message ?? 'refused'}`)
    const isFresh = status !== undefined && status.phase !== 'Aborted'
    // The status of an earlier one is Aborted as well: until this one was seen to run, that says nothing of it.
    if (isUnderWay && status?.phase === 'Aborted') {
      run.tell(status)
      return exitCodes.notSo
    }
    isUnderWay ||= isFresh
    if (!isFresh && clock.elapsed() - startedMs > silentMs) throw new CommandRefused(noAnswer(name), exitCodes.notSo)
    if (isFresh && `${status.stage} ${status.phase} ${status.message}` !== told) {
      told = `${status.stage} ${status.phase} ${status.message}`
      run.tell(status)
    }
    for (const plan of ours()) if (!earlier.has(plan.metadata.name)) run.tellPlan(plan)
    const plan = status?.plan === undefined ? undefined : plans.store.get(undefined, status.plan)
    if (plan?.status?.phase === 'Proposed' && !plan.spec.approved) await approve(plan, run)
    const end = isFresh ? endOf(status) : undefined
    if (end !== undefined) {
      // Two watches: the last steps may not have come yet.
      for (const { metadata } of ours())
        if (!earlier.has(metadata.name))
          run.tellPlan(await run.admin.resource<RebalancePlan>(rebalancePlans).get(metadata.name, { signal }))
      return end
    }
    await clock.after(lookMs, signal)
  }
}

/** Where nothing more happens by itself soon. */
function endOf({ stage, phase, blocked = [] }: IsolationStatus): ExitCode | undefined {
  if (phase === 'Verified') return exitCodes.done
  if (stage === 'Verify' || phase === 'Reported') return exitCodes.notSo
  if (phase !== 'Blocked') return undefined
  return blocked.some(({ reason }) => reason === 'Infeasible' || reason === 'NoOtherNode')
    ? exitCodes.infeasible
    : exitCodes.notSo
}

async function approve(plan: RebalancePlan, { admin, signal }: IsolationRun): Promise<void> {
  const body = {
    metadata: { resourceVersion: plan.metadata.resourceVersion },
    spec: { approved: true, approvedHash: plan.spec.snapshotHash },
  }
  try {
    await admin
      .resource<RebalancePlan>(rebalancePlans)
      .patch(plan.metadata.name, { type: 'merge', body }, { signal, fieldManager })
  } catch (error) {
    // It changed since it was read: it is looked at again.
    if (!isConflict(error)) throw error
  }
}

/** Switches the isolation off and waits for the controller's word. `undefined`: nothing answered. */
export async function abort(name: string, run: Omit<IsolationRun, 'tell' | 'tellPlan'>): Promise<IsolationStatus | undefined> {
  const { admin, informers, clock, signal } = run
  const policies = informers.of<RebalancePolicy>(rebalancePolicies)
  await informers.allSynced(signal)
  const body = { spec: { isolation: { enabled: false } } }
  await admin.resource<RebalancePolicy>(rebalancePolicies).patch(name, { type: 'merge', body }, { signal, fieldManager })
  const startedMs = clock.elapsed()
  for (;;) {
    const status = policies.store.get(undefined, name)?.status?.isolation
    if (status?.phase === 'Aborted') return status
    if (clock.elapsed() - startedMs > silentMs) return undefined
    await clock.after(lookMs, signal)
  }
}

function noAnswer(name: string): string {
  return `no controller has looked at RebalancePolicy ${name}: is Ballast's controller running with the capability isolate?`
}
