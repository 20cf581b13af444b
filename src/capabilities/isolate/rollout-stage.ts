// Tolerations by webhook: core workloads whose pods lack theirs are rolled out one at a time, and the webhook gives it to the new pods.
// Templates stay as they are. Pods that come without it stop everything: a controller tries once, another may try again, and then none.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import { restart, restartMark } from '#coordination/effects/restart.ts'
import { restartedAtAnnotation } from '#coordination/effects/template-patch.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject, PodTemplateSpec } from '#kube/objects/objects.ts'
import { type TemplatedWorkload, toleratesTaint } from '#planning/isolation/core-workloads.ts'
import type { TriedRollout } from '#planning/isolation/rows.ts'
import type { IsolationSurvey } from '#planning/isolation/survey.ts'
import type { TolerationKeeper } from './toleration-keeper.ts'
import { intentOf, keyOf, prefixOf, type Refusals, type TolerationContext, targetOf } from './toleration-stage.ts'
import type { Tried } from './toleration-webhook.ts'

interface RolloutContext extends TolerationContext {
  readonly keeper: TolerationKeeper
}

interface RolloutWish {
  readonly policy: RebalancePolicy
  readonly survey: IsolationSurvey
}

/** What became of the roll-out that was tried last: whether its template still says so, and which of its pods came without. */
export function triedRollout(
  tried: Pick<Tried, 'workload' | 'mark'>,
  { core, rules }: Pick<IsolationSurvey, 'core' | 'rules'>,
  state: ClusterState,
): TriedRollout {
  const workload = core.find(({ object }) => object.metadata.uid === tried.workload)
  const pods = state.podsOf(tried.workload).filter(pod => !pod.isFinished && !pod.isTerminating)
  const born = pods.filter(({ object }) => object.metadata.annotations?.[restartedAtAnnotation] === tried.mark)
  return {
    ...tried,
    isMarked: workload !== undefined && markOf(workload.object) === tried.mark,
    unreached: born.filter(({ object }) => !toleratesTaint(object.spec.tolerations ?? [], rules)).map(({ key }) => key),
  }
}

/** Rolls out the next workload, unless an earlier one is not whole yet. One that is refused keeps no other from its own. */
export async function rollOutNext(deps: RolloutContext, wish: RolloutWish, signal: AbortSignal): Promise<Refusals> {
  const { survey, policy } = wish
  const refusals = new Map<string, string>()
  if (!(await followRollouts(deps, wish, signal))) return refusals
  if (survey.core.some(({ isTolerant, isAvailable }) => isTolerant && !isAvailable)) return refusals
  for (const workload of survey.core.filter(({ isTolerant, isRollable }) => !isTolerant && isRollable)) {
    const reply = await deps.leading.arbiter.request(intentOf(deps, { workload, prefix: prefixOf(policy), policy }), signal)
    if (reply.kind === 'not-granted') {
      refusals.set(keyOf(workload), reply.sentence)
      continue
    }
    const refused = await rollOut(deps, { permit: reply.permit, workload, wish }, signal)
    if (refused === undefined) return refusals
    refusals.set(keyOf(workload), refused)
  }
  return refusals
}

/** Looks after the roll-outs that were granted and the one that was tried last. @returns whether all are over well, and the next may begin */
export async function followRollouts(deps: RolloutContext, wish: RolloutWish, signal: AbortSignal): Promise<boolean> {
  const prefix = prefixOf(wish.policy)
  let isOver = true
  for (const record of deps.leading.arbiter.unfinished('isolate'))
    if (record.idempotencyKey.startsWith(prefix) && !(await followUp(deps, { record, wish }, signal))) isOver = false
  const tried = deps.keeper.tried(wish.policy)
  if (tried === undefined) return isOver
  const workload = wish.survey.core.find(({ object }) => object.metadata.uid === tried.workload)
  const { unreached, isMarked } = triedRollout(tried, wish.survey, deps.leading.view.state())
  const isSpent = deps.keeper.isSpent(tried)
  const isWhole = workload === undefined || (workload.isTolerant && workload.isAvailable)
  if (!isOver) return false
  // Pods elsewhere that came while no controller was there are in nobody's way.
  if (isWhole && (unreached.length === 0 || !isSpent)) {
    await deps.keeper.note(wish.policy, undefined, signal)
    return true
  }
  return !isSpent && (unreached.length > 0 || !isMarked)
}

/** @returns whether the permit of a roll-out is given back */
async function followUp(
  deps: RolloutContext,
  { record, wish }: { readonly record: PermitRecord; readonly wish: RolloutWish },
  signal: AbortSignal,
): Promise<boolean> {
  const { arbiter, view } = deps.leading
  const workload = wish.survey.core.find(({ object }) => object.metadata.uid === record.targets[0]?.uid)
  if (workload === undefined) {
    await arbiter.release(record, { ending: 'failed', reason: 'the workload is gone' }, signal)
    return true
  }
  const mark = restartMark(record)
  const { unreached } = triedRollout({ workload: workload.object.metadata.uid ?? '', mark }, wish.survey, view.state())
  if (unreached.length > 0) {
    const reason = `${unreached.join(', ')} came without the toleration: the webhook was not reached`
    await arbiter.release(record, { ending: 'failed', reason: reason.slice(0, 1024) }, signal)
    return true
  }
  if (workload.isTolerant && workload.isAvailable) {
    await arbiter.release(record, { ending: 'done', reason: workload.availability }, signal)
    return true
  }
  // Granted by an earlier leader, who may not have lived to begin it.
  if (!workload.isTolerant && markOf(workload.object) !== mark && !deps.keeper.hasBegun(mark))
    await rollOut(deps, { permit: arbiter.adopt(record), workload, wish }, signal)
  return false
}

/** Starts the roll-out, after it was written down that it is tried. @returns why not; then the permit is given back */
async function rollOut(
  { leading, context, keeper }: RolloutContext,
  deed: { readonly permit: Permit; readonly workload: TemplatedWorkload; readonly wish: RolloutWish },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { permit, workload, wish } = deed
  const target = targetOf(workload)
  const mark = restartMark(permit.record)
  await keeper.note(wish.policy, keeper.nextTry(wish.policy, target.uid ?? '', mark), signal)
  const outcome = await restart(leading.effects, permit, target, signal)
  if (outcome.kind !== 'restarted') {
    const message = outcome.kind === 'gone' ? 'it is gone' : outcome.message
    await leading.arbiter.release(permit.record, { ending: 'failed', reason: message.slice(0, 1024) }, signal)
    await keeper.note(wish.policy, undefined, signal)
    return message
  }
  keeper.begin(mark, outcome.generation)
  const { taint, nodes } = wish.survey.rules
  context.events.emit({
    type: 'Normal',
    reason: 'TolerationAdded',
    action: 'Isolate',
    regarding: target,
    note: `rolled out: the webhook lets its new pods tolerate ${taint}:NoSchedule, so that they may come to ${nodes.join(', ')}`,
    controller: 'ballast.dev/isolate',
  })
  return undefined
}

function markOf(object: KubeObject): string | undefined {
  const spec: { readonly template?: PodTemplateSpec } =
    typeof object['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
  return spec.template?.metadata?.annotations?.[restartedAtAnnotation]
}
