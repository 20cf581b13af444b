// RemovePodsHavingTooManyRestarts: pods of any phase whose containers restarted often, most often first. Kept as upstream has it: states
// are looked for among phases and waiting reasons only; exactly the threshold is enough.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { TooManyRestartsArgs } from '../policy/args.ts'
import { chosenStatuses, restartsOf, waitingReasons } from './container-states.ts'
import { choosing } from './pod-choice.ts'
import { byKey } from './pod-order.ts'
import { Wishing } from './wishing.ts'

export function* tooManyRestarts(args: TooManyRestartsArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args, view)
  const states = new Set(args.states)
  const count = ({ object }: PodState) => restartsOf(object, args)
  const isInState = ({ object }: PodState) =>
    states.size === 0 ||
    states.has(object.status?.phase ?? '') ||
    waitingReasons(chosenStatuses(object, args)).some(reason => states.has(reason))
  yield* wishing.nodeByNode(node => ({
    pods: view.allPods(node.name),
    isPicked: pod => {
      if (!isChosen(pod)) return false
      const found = count(pod)
      if (found < args.podRestartThreshold)
        return wishing.stays(pod, () => `number of container restarts (${found}) not exceeding the threshold`)
      if (!isInState(pod)) return wishing.stays(pod, 'it is in none of the states')
      return wishing.passesBoth(pod)
    },
    order: (a, b) => count(b) - count(a) || byKey(a, b),
  }))
}
