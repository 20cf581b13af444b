// The topology spread constraints that pods of a namespace have, each once, and which nodes count for one.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Node, Toleration, TopologySpreadConstraint } from '#kube/objects.ts'
import { labelSelectorOf, type Selector, selectorOf } from '#kube/selector.ts'
import { nodeChoiceIdentity } from './node-affinity-identity.ts'
import { firstUntolerated, forbidsScheduling } from './tolerance.ts'

export interface SpreadConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  /** With the values that `matchLabelKeys` takes of the pod. */
  readonly selector: Selector
  /** What the pod itself asks of a node; absent under `nodeAffinityPolicy: Ignore`. */
  readonly matchesNode?: (node: Node) => boolean
  /** Present under `nodeTaintsPolicy: Honor`. */
  readonly tolerations?: readonly Toleration[]
}

/** The different constraints of `pods` whose `whenUnsatisfiable` is `allowed`. Those whose selector does not parse are left out. */
export function spreadConstraintsOf(pods: readonly PodState[], allowed: ReadonlySet<string>): readonly SpreadConstraint[] {
  const found = new Map<string, SpreadConstraint>()
  for (const pod of pods) {
    for (const constraint of pod.object.spec.topologySpreadConstraints ?? []) {
      if (!allowed.has(constraint.whenUnsatisfiable)) continue
      const selector = selectorFor(constraint, pod)
      if (selector === undefined) continue
      const { maxSkew, topologyKey, nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint
      const { tolerations = [] } = pod.object.spec
      const identity = JSON.stringify([
        maxSkew,
        topologyKey,
        selector.isNothing,
        selector.toString(),
        nodeAffinityPolicy,
        nodeTaintsPolicy,
        nodeAffinityPolicy === 'Honor' ? nodeChoiceIdentity(pod.object) : '',
        nodeTaintsPolicy === 'Honor' ? tolerations : [],
      ])
      if (found.has(identity)) continue
      found.set(identity, {
        maxSkew,
        topologyKey,
        selector,
        ...(nodeAffinityPolicy === 'Honor' ? { matchesNode: requiredNodes(pod.object) } : {}),
        ...(nodeTaintsPolicy === 'Honor' ? { tolerations } : {}),
      })
    }
  }
  return [...found.values()]
}

/** Whether a node counts for a constraint under its inclusion policies. */
export function includesNode({ matchesNode, tolerations }: SpreadConstraint, { object }: NodeState): boolean {
  if (matchesNode !== undefined && !matchesNode(object)) return false
  return tolerations === undefined || firstUntolerated(tolerations, object.spec?.taints, forbidsScheduling) === undefined
}

function selectorFor({ labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint, pod: PodState): Selector | undefined {
  const selector = labelSelectorOf(labelSelector)
  if (!selector.ok) return undefined
  const { labels = {} } = pod.object.metadata
  const added = [...new Set(matchLabelKeys)]
    .filter(key => Object.hasOwn(labels, key))
    .map(key => ({ key, operator: '=' as const, values: [labels[key] ?? ''] }))
  if (selector.value.isNothing || added.length === 0) return selector.value
  return selectorOf([...selector.value.requirements, ...added])
}
