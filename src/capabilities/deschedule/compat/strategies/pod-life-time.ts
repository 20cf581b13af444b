// PodLifeTime: pods of any phase that are old, or in a state, long enough; the oldest of all nodes first. Kept as upstream has it: an age
// of exactly the maximum stays; a pod that was created in the future stays; a full node costs each of its pods a try.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import { sorted } from '../pace.ts'
import type { PodConditionFilter, PodLifeTimeArgs } from '../policy/args.ts'
import { secondsSince } from './age.ts'
import { chosenStatuses, exitCodes, terminatedReasons, waitingReasons } from './container-states.ts'
import { choosing } from './pod-choice.ts'
import { byNodeAndKey } from './pod-order.ts'
import { Wishing } from './wishing.ts'

export function* podLifeTime(args: PodLifeTimeArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args, view)
  const unfulfilled = rules(args, view.nowMs)
  const isOldEnough = (pod: PodState) => {
    if (!isChosen(pod)) return false
    const reason = unfulfilled(pod)
    return reason === undefined ? wishing.passesBoth(pod) : wishing.stays(pod, reason)
  }
  const found: { readonly pod: PodState; readonly age: number }[] = []
  for (const node of view.nodes)
    for (const pod of yield* wishing.picked(view.allPods(node.name), isOldEnough))
      found.push({ pod, age: ageOf(pod, view.nowMs) ?? Number.POSITIVE_INFINITY })
  const byAge = yield* sorted(found, (a, b) => (a.age === b.age ? byNodeAndKey(a.pod, b.pod) : b.age - a.age), view.pace)
  for (const { pod } of byAge) if ((yield* wishing.wish(pod)) === 'total-limit') return
}

function ageOf(pod: PodState, nowMs: number): number | undefined {
  return secondsSince(pod.object.metadata.creationTimestamp, nowMs)
}

/** The first rule of the policy that a pod does not fulfil, in words. */
function rules(args: PodLifeTimeArgs, nowMs: number): (pod: PodState) => string | undefined {
  const { maxPodLifeTimeSeconds: maximum } = args
  const [states, codes] = [new Set(args.states), new Set(args.exitCodes)]
  const [included, excluded] = [new Set(args.ownerKinds.include), new Set(args.ownerKinds.exclude)]
  return pod => {
    const age = ageOf(pod, nowMs)
    if (maximum !== undefined && !((age ?? 0) > maximum)) return `it is not older than ${maximum} s`
    if (states.size > 0 && !isInState(pod, args, states)) return 'it is in none of the states'
    const kinds = (pod.object.metadata.ownerReferences ?? []).map(({ kind }) => kind)
    if (included.size > 0 && !kinds.some(kind => included.has(kind))) return 'none of its owners is of an included kind'
    if (kinds.some(kind => excluded.has(kind))) return 'an owner is of an excluded kind'
    if (args.conditions.length > 0 && !args.conditions.some(filter => meets(pod, filter, nowMs))) return 'no condition matches'
    // Ephemeral containers are asked for states, never for exit codes.
    const ended = chosenStatuses(pod.object, { includingInitContainers: args.includingInitContainers })
    if (codes.size > 0 && !exitCodes(ended).some(code => codes.has(code))) return 'no container ended with one of the exit codes'
    return undefined
  }
}

function isInState({ object }: PodState, args: PodLifeTimeArgs, states: ReadonlySet<string>): boolean {
  const { phase = '', reason = '' } = object.status ?? {}
  if (states.has(phase) || states.has(reason)) return true
  const statuses = chosenStatuses(object, args)
  return [...waitingReasons(statuses), ...terminatedReasons(statuses)].some(one => states.has(one))
}

function meets({ object }: PodState, filter: PodConditionFilter, nowMs: number): boolean {
  const { type, status, reason, minTimeSinceLastTransitionSeconds: least } = filter
  return (object.status?.conditions ?? []).some(condition => {
    if (type !== undefined && condition.type !== type) return false
    if (status !== undefined && condition.status !== status) return false
    if (reason !== undefined && condition.reason !== reason) return false
    if (least === undefined) return true
    const idle = secondsSince(condition.lastTransitionTime, nowMs)
    return idle !== undefined && idle >= least && idle >= 0
  })
}
