// RemovePodsViolatingInterPodAntiAffinity: pods with a required anti-affinity to another pod of their node or its domain. Kept as upstream
// has it: only the pod that has the term goes; pods of one name never stand in each other's way, even across namespaces;
// `namespaceSelector` is not looked at; the policy's namespaces and labels choose both sides; a pod that stays stays in the way.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import { breath } from '../pace.ts'
import type { InterPodAntiAffinityArgs } from '../policy/args.ts'
import { AntiAffinityIndex } from './anti-affinity-index.ts'
import { choosing } from './pod-choice.ts'
import { byPriority } from './pod-order.ts'
import { Wishing } from './wishing.ts'

export function* interPodAntiAffinity(args: InterPodAntiAffinityArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args, view)
  const hasTerms = view.byShape(
    ({ object }) => object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined,
  )
  // As it is before the first of them goes.
  const lists = view.nodes.map(node => view.activePods(node.name))
  const candidates: (readonly PodState[])[] = []
  for (const pods of lists) candidates.push(yield* wishing.picked(pods, pod => hasTerms(pod) && isChosen(pod)))
  // In most clusters there is none, and nobody can stand in the way.
  if (candidates.every(pods => pods.length === 0)) return
  function* chosen(): Generator<PodState> {
    for (const pods of lists) for (const pod of pods) if (isChosen(pod)) yield pod
  }
  const index = new AntiAffinityIndex(view, yield* view.grouped(chosen()))
  for (const pods of candidates) {
    for (const pod of byPriority(pods)) {
      if (view.pace.isDue()) yield breath
      if (!index.isViolator(pod)) {
        wishing.stays(pod, 'no other pod is in its way')
        continue
      }
      if (!wishing.passesBoth(pod)) continue
      const ending = yield* wishing.wish(pod)
      if (ending === 'evicted') index.remove(pod)
      if (ending === 'node-limit') break
      if (ending === 'total-limit') return
    }
  }
}
