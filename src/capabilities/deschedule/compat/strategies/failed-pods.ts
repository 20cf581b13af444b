// RemoveFailedPods: pods of phase Failed. Kept as upstream has it: `reasons` are looked for among waiting and terminated reasons and the
// pod's own. Not kept: upstream takes a pod that was created in the future for very old on amd64 (a conversion that overflows); here it
// is too young.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { FailedPodsArgs } from '../policy/args.ts'
import { secondsSince } from './age.ts'
import { chosenStatuses, exitCodes, terminatedReasons, waitingReasons } from './container-states.ts'
import { choosing } from './pod-choice.ts'
import { Wishing } from './wishing.ts'

export function* failedPods(args: FailedPodsArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args, view)
  yield* wishing.nodeByNode(node => ({
    pods: view.allPods(node.name),
    isPicked: pod => {
      if (pod.object.status?.phase !== 'Failed' || !isChosen(pod)) return false
      const reasons = unfulfilled(pod, args, view.nowMs)
      return reasons.length === 0 ? wishing.passesBoth(pod) : wishing.stays(pod, reasons.join(', '))
    },
  }))
}

/** Why a failed pod is none of those that the policy means, in upstream's words. A pod without a time of creation is old. */
function unfulfilled({ object }: PodState, args: FailedPodsArgs, nowMs: number): readonly string[] {
  const { minPodLifetimeSeconds: least } = args
  const found: string[] = []
  const age = secondsSince(object.metadata.creationTimestamp, nowMs)
  if (age !== undefined && age < least) found.push(`pod does not exceed the min age seconds of ${least}`)
  const kind = object.metadata.ownerReferences?.find(owner => args.excludeOwnerKinds.includes(owner.kind))?.kind
  if (kind !== undefined) found.push(`pod's owner kind of ${kind} is excluded`)
  const statuses = chosenStatuses(object, { includingInitContainers: args.includingInitContainers })
  const reasons = [...waitingReasons(statuses), ...terminatedReasons(statuses), object.status?.reason ?? '']
  if (args.reasons.length > 0 && !reasons.some(reason => args.reasons.includes(reason)))
    found.push('pod does not match any of the reasons')
  if (args.exitCodes.length > 0 && !exitCodes(statuses).some(code => args.exitCodes.includes(code)))
    found.push('pod does not match any of the exitCodes')
  return found
}
