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
  const isChosen = choosing(args, view)
  for (const type of args.nodeAffinityType) {
    const violation = Object.hasOwn(violations, type) ? violations[type] : undefined
    if (violation === undefined) {
      view.tell(0, 'invalid nodeAffinityType', { nodeAffinity: type, strategy: args.plugin })
      continue
    }
    const isViolatedOn = view.byShape(pod => violation(pod, view.nodes))
    const ending = yield* wishing.nodeByNode(node => ({
      pods: view.activePods(node.name),
      isPicked: pod => {
        const isViolated = isViolatedOn(pod)
        if (isViolated === 'unasked' || !isChosen(pod)) return false
        if (!isViolated(node)) return wishing.stays(pod, 'its node matches as well as any')
        if (!wishing.passesBoth(pod)) return false
        return view.fit.fitsAny(pod, view.nodes) || wishing.stays(pod, 'it fits on no node')
      },
    }))
    if (ending === 'total-limit') return
  }
}

/** Whether a node is the wrong one for pods of a shape; `unasked`: they say nothing about it. */
type Violation = (pod: PodState, nodes: readonly NodeState[]) => ((node: NodeState) => boolean) | 'unasked'

const violations: Readonly<Record<string, Violation>> = {
  requiredDuringSchedulingIgnoredDuringExecution({ object }) {
    const required = object.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    if (required === undefined) return 'unasked'
    const matches = requiredNodes(object)
    return node => !matches(node.object)
  },
  preferredDuringSchedulingIgnoredDuringExecution({ object }, nodes) {
    const preferred = object.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    if (preferred.length === 0) return 'unasked'
    const terms = preferred.map(({ weight, preference }) => ({ weight, matches: nodeTermTest(preference) }))
    const weightOf = (one: NodeState) => terms.reduce((sum, { weight, matches }) => sum + (matches(one.object) ? weight : 0), 0)
    const best = nodes.reduce((most, one) => Math.max(most, weightOf(one)), 0)
    return node => best > weightOf(node)
  },
}
