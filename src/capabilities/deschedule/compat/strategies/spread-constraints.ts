// The topology spread constraints that pods of a namespace have, each once, and which nodes count for one.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Node, Toleration, TopologySpreadConstraint } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector, selectorOf } from '#kube/objects/selector.ts'
import { nodeChoiceIdentity } from './node-affinity-identity.ts'
import { firstUntolerated, forbidsScheduling } from './tolerance.ts'

export interface SpreadConstraint {
  /** Equal where all else is. */
  readonly identity: string
  readonly maxSkew: number
  readonly topologyKey: string
  /** With the values that `matchLabelKeys` takes of the pod. */
  readonly selector: Selector
  readonly inclusion: NodeInclusion
}

/** Which nodes count for a constraint. */
interface NodeInclusion {
  /** Equal where all else is. */
  readonly identity: string
  /** What the pod itself asks of a node; absent under `nodeAffinityPolicy: Ignore`. */
  readonly matchesNode?: (node: Node) => boolean
  /** Present under `nodeTaintsPolicy: Honor`. */
  readonly tolerations?: readonly Toleration[]
}

const none: readonly SpreadConstraint[] = []

/** The constraints of a pod whose `whenUnsatisfiable` is `allowed`. Those whose selector does not parse are left out. */
export function spreadConstraintsOf(pod: PodState, allowed: ReadonlySet<string>): readonly SpreadConstraint[] {
  const given = pod.object.spec.topologySpreadConstraints ?? []
  if (given.length === 0) return none
  return given.flatMap(constraint => {
    if (!allowed.has(constraint.whenUnsatisfiable)) return []
    const selector = selectorFor(constraint, pod)
    if (selector === undefined) return []
    const { maxSkew, topologyKey } = constraint
    const inclusion = inclusionFor(constraint, pod)
    const identity = JSON.stringify([maxSkew, topologyKey, selector.isNothing, selector.toString(), inclusion.identity])
    return [{ identity, maxSkew, topologyKey, selector, inclusion }]
  })
}

/** Whether a node counts under the inclusion policies of a constraint. */
export function includesNode({ matchesNode, tolerations }: NodeInclusion, { object }: NodeState): boolean {
  if (matchesNode !== undefined && !matchesNode(object)) return false
  return tolerations === undefined || firstUntolerated(tolerations, object.spec?.taints, forbidsScheduling) === undefined
}

function inclusionFor(constraint: TopologySpreadConstraint, { object }: PodState): NodeInclusion {
  const { nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' } = constraint
  const { tolerations = [] } = object.spec
  const identity = JSON.stringify([
    nodeAffinityPolicy,
    nodeTaintsPolicy,
    nodeAffinityPolicy === 'Honor' ? nodeChoiceIdentity(object) : '',
    nodeTaintsPolicy === 'Honor' ? tolerations : [],
  ])
  return {
    identity,
    ...(nodeAffinityPolicy === 'Honor' ? { matchesNode: requiredNodes(object) } : {}),
    ...(nodeTaintsPolicy === 'Honor' ? { tolerations } : {}),
  }
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
