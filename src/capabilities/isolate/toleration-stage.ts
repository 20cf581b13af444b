// Tolerations where they are ours to write: one core workload at a time, each whole again before the next.
import type { RebalancePolicy } from '#coordination/api.ts'
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { restart } from '#coordination/effects/restart.ts'
import { tolerate } from '#coordination/effects/tolerate.ts'
import type { Intent, Target } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type TemplatedWorkload, tolerationOf } from '#planning/isolation/core-workloads.ts'
import type { IsolationSurvey } from '#planning/isolation/survey.ts'

const permitMs = 15 * 60_000
const mostPods = 500

const resources = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
} as const

export interface TolerationContext {
  readonly context: ControllerContext
  readonly leading: Leading
}

/** Why a workload did not get its toleration, by `namespace/name`; empty where all is well or under way. */
export type Refusals = ReadonlyMap<string, string>

/**
 * Gives the next workload its toleration, unless an earlier one is not whole yet. One that is refused keeps no other from its own.
 */
export async function tolerateNext(
  deps: TolerationContext,
  wish: { readonly policy: RebalancePolicy; readonly survey: IsolationSurvey },
  signal: AbortSignal,
): Promise<Refusals> {
  const { survey, policy } = wish
  const refusals = new Map<string, string>()
  const prefix = prefixOf(policy)
  if (!(await followTolerations(deps, { ...wish, refusals }, signal))) return refusals
  if (survey.core.some(({ isTolerant, isAvailable }) => isTolerant && !isAvailable)) return refusals
  for (const workload of survey.core.filter(({ isTolerant }) => !isTolerant)) {
    const reply = await deps.leading.arbiter.request(intentOf(deps, { workload, prefix, policy }), signal)
    if (reply.kind === 'not-granted') {
      refusals.set(keyOf(workload), reply.sentence)
      continue
    }
    const refused = await act(deps, { permit: reply.permit, workload, survey }, signal)
    if (refused === undefined) return refusals
    refusals.set(keyOf(workload), refused)
  }
  return refusals
}

/** Goes on with the roll-outs that were granted, and gives their permits back. @returns whether all are over */
export async function followTolerations(
  deps: TolerationContext,
  wish: { readonly policy: RebalancePolicy; readonly survey: IsolationSurvey; readonly refusals: Map<string, string> },
  signal: AbortSignal,
): Promise<boolean> {
  const prefix = prefixOf(wish.policy)
  for (const record of deps.leading.arbiter.unfinished('isolate')) {
    if (record.idempotencyKey.startsWith(prefix) && !(await followUp(deps, { ...wish, record }, signal))) return false
  }
  return true
}

/** What the keys of all wishes of the policy for tolerations begin with. */
export function prefixOf({ metadata }: RebalancePolicy): string {
  return `${metadata.uid ?? metadata.name}/tolerate/`
}

/** Goes on with a roll-out that was granted. @returns whether it is over, and the next may begin */
async function followUp(
  deps: TolerationContext,
  run: { readonly record: PermitRecord; readonly survey: IsolationSurvey; readonly refusals: Map<string, string> },
  signal: AbortSignal,
): Promise<boolean> {
  const { record, survey, refusals } = run
  const { arbiter } = deps.leading
  const [target] = record.targets
  const workload = survey.core.find(({ object }) => object.metadata.uid === target?.uid)
  if (workload === undefined) {
    await arbiter.release(record, { ending: 'failed', reason: 'the workload is gone' }, signal)
    return true
  }
  if (!workload.isTolerant) {
    const refused = await act(deps, { permit: arbiter.adopt(record), workload, survey }, signal)
    if (refused !== undefined) refusals.set(keyOf(workload), refused)
    return refused !== undefined
  }
  if (!workload.isAvailable) return false
  await arbiter.release(record, { ending: 'done', reason: workload.availability }, signal)
  return true
}

/** Writes the toleration. @returns why not; then the permit is given back */
async function act(
  { context, leading }: TolerationContext,
  deed: { readonly permit: Permit; readonly workload: TemplatedWorkload; readonly survey: IsolationSurvey },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { permit, workload, survey } = deed
  const target = targetOf(workload)
  const tolerations = [...workload.tolerations, tolerationOf(survey.rules)]
  const outcome = await tolerate(leading.effects, permit, { workload: target, tolerations }, signal)
  if (outcome.kind !== 'applied') {
    const message = outcome.kind === 'gone' ? 'it is gone' : outcome.message
    await leading.arbiter.release(permit.record, { ending: 'failed', reason: message.slice(0, 1024) }, signal)
    return message
  }
  context.informers.of<KubeObject>(resources[workload.kind]).observe(outcome.object)
  // Joined wishes have their changes in the template too.
  if (permit.record.joined.length > 0) await restart(leading.effects, permit, target, signal)
  context.events.emit({
    type: 'Normal',
    reason: 'TolerationAdded',
    action: 'Isolate',
    regarding: target,
    note: `its pods tolerate ${survey.rules.taint}:NoSchedule now, so that they may stay on ${survey.rules.nodes.join(', ')}`,
    controller: 'ballast.dev/isolate',
  })
  return undefined
}

/** The wish to roll out `workload`, so that its pods have their toleration. */
export function intentOf(
  { leading }: TolerationContext,
  wish: { readonly workload: TemplatedWorkload; readonly prefix: string; readonly policy: RebalancePolicy },
): Intent {
  const { workload, prefix, policy } = wish
  const target = targetOf(workload)
  const nowMs = leading.effects.clock.now()
  const uid = target.uid ?? ''
  const pods = leading.view.state().podsOf(uid).slice(0, mostPods)
  return {
    requester: 'isolate',
    verb: 'restart',
    purpose: 'isolate',
    class: 'correctness',
    targets: [target],
    workload: { apiVersion: 'apps/v1', kind: workload.kind, namespace: workload.namespace, name: workload.name, uid },
    disrupts: pods.map(pod => ({ apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid })),
    reasons: [{ code: 'toleration', message: `policy ${policy.metadata.name} isolates nodes that it is to stay on` }],
    // A template that was changed back is another wish.
    idempotencyKey: `${prefix}${uid}/${workload.object.metadata.generation ?? 0}`,
    deadlineMs: nowMs + permitMs,
    timeToLiveMs: permitMs,
    // It is rolled out where it is, not sent away: no owner has anything against it.
    evictScaled: true,
  }
}

export function targetOf({ kind, namespace, name, object }: TemplatedWorkload): Target {
  const { uid } = object.metadata
  return { apiVersion: 'apps/v1', kind, namespace, name, ...(uid === undefined ? {} : { uid }) }
}

/** `namespace/name`, as refusals name a workload. */
export function keyOf({ namespace, name }: TemplatedWorkload): string {
  return `${namespace}/${name}`
}
