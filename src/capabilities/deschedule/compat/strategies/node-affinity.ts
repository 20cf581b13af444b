// RemovePodsViolatingNodeAffinity: pods whose node does not match (required), or matches less well than another (preferred). Kept as
// upstream has it: a nodeSelector alone makes no candidate; `required` takes a pod that fits any node, its own included; `preferred`
// does not ask whether the better node has room (issue 1707), so a pod may come back for ever.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { nodeTermTest, requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { NodeAffinityArgs } from '../policy/args.ts'
import { choosing } from './pod-choice.ts'
import { Wishing } from './wishing.ts'

export function* nodeAffinity(args: NodeAffinityArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args)
  for (const type of args.nodeAffinityType) {
    const isViolated = Object.hasOwn(violations, type) ? violations[type] : undefined
    if (isViolated === undefined) {
      view.tell(0, 'invalid nodeAffinityType', { nodeAffinity: type, strategy: args.plugin })
      continue
    }
    const ending = yield* wishing.nodeByNode(node =>
      view.activePods(node.name).filter(pod => {
        if (!isChosen(pod)) return false
        const violated = isViolated(pod, node, view.nodes)
        if (violated === undefined) return false
        if (!violated) return wishing.stays(pod, 'its node matches as well as any')
        if (!wishing.passesBoth(pod)) return false
        return view.fit.fitsAny(pod, view.nodes) || wishing.stays(pod, 'it fits on no node')
      }),
    )
    if (ending === 'total-limit') return
  }
}

/** Whether the pod's node is the wrong one; `undefined`: the pod says nothing about it. */
type Violation = (pod: PodState, node: NodeState, nodes: readonly NodeState[]) => boolean | undefined

const violations: Readonly<Record<string, Violation>> = {
  requiredDuringSchedulingIgnoredDuringExecution({ object }, node) {
    const required = object.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    return required === undefined ? undefined : !requiredNodes(object)(node.object)
  },
  preferredDuringSchedulingIgnoredDuringExecution({ object }, node, nodes) {
    const preferred = object.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    if (preferred.length === 0) return undefined
    const terms = preferred.map(({ weight, preference }) => ({ weight, matches: nodeTermTest(preference) }))
    const weightOf = (one: NodeState) => terms.reduce((sum, { weight, matches }) => sum + (matches(one.object) ? weight : 0), 0)
    return nodes.reduce((best, one) => Math.max(best, weightOf(one)), 0) > weightOf(node)
  },
}
