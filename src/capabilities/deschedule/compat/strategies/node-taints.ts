// RemovePodsViolatingNodeTaints: pods that do not tolerate a NoSchedule taint of their node. Kept as upstream has it: NoExecute is left
// to the taint manager; an empty `includedTaints` includes nothing. Ours: taints of `ballast.dev/` steer new pods and evict none.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Taint } from '#kube/objects/objects.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { NodeTaintsArgs } from '../policy/args.ts'
import { choosing } from './pod-choice.ts'
import { firstUntolerated } from './tolerance.ts'
import { Wishing } from './wishing.ts'

export function* nodeTaints(args: NodeTaintsArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args, view)
  const counts = countingTaints(args)
  yield* wishing.nodeByNode(node => {
    const taints = node.object.spec?.taints?.filter(counts) ?? []
    // Nobody who asks why wants to hear of the pods of a node without such taints.
    if (taints.length === 0) return { pods: [], isPicked: () => false }
    const isPicked = (pod: PodState) => {
      if (!isChosen(pod)) return false
      if (firstUntolerated(pod.object.spec.tolerations, taints) === undefined)
        return wishing.stays(pod, 'it tolerates the taints')
      return wishing.passesBoth(pod)
    }
    return { pods: view.activePods(node.name), isPicked }
  })
}

/** Which taints evict, by the policy's lists of `key` and `key=value`. */
function countingTaints({ includePreferNoSchedule, excludedTaints, includedTaints }: NodeTaintsArgs): (taint: Taint) => boolean {
  const excluded = new Set(excludedTaints)
  const included = includedTaints === undefined ? undefined : new Set(includedTaints)
  const isIn = (names: ReadonlySet<string>, { key, value = '' }: Taint) =>
    names.has(key) || (value !== '' && names.has(`${key}=${value}`))
  return taint =>
    (taint.effect === 'NoSchedule' || (includePreferNoSchedule && taint.effect === 'PreferNoSchedule')) &&
    !taint.key.startsWith('ballast.dev/') &&
    !isIn(excluded, taint) &&
    (included === undefined || isIn(included, taint))
}
