// The filters and scores that look at a node alone: cordons, taints, names and labels. They are the same for all pods that ask the same,
// so they are worked out once for each such group of pods and kept.
// NodeUnschedulable, NodeName, TaintToleration, NodeAffinity.

import type { Node, Taint, Toleration } from '#kube/objects/objects.ts'
import { tolerates } from '#kube/objects/tolerations.ts'
import type { PodState } from '../cluster-state.ts'
import type { FilterPlugin, SchedulerSettings } from '../scheduler-settings.ts'
import { firstFew, isEmptyTerm, nodeSelectorTest, nodeTermTest, requiredNodes } from './node-selector.ts'
import type { NodeTable } from './node-table.ts'
import type { Ask } from './pod-info.ts'
import { type Refusal, refusal } from './refusal.ts'

export interface NodeRules {
  /** By node: why it is refused on its own account. */
  readonly refusals: readonly (Refusal | undefined)[]
  /** By node: whether the pod's selector and required affinity pick it. */
  readonly isPicked: Uint8Array
  /** By node: whether all NoSchedule and NoExecute taints are tolerated. */
  readonly isTolerated: Uint8Array
  /** By node: PreferNoSchedule taints that are not tolerated. */
  readonly softTaints: Float64Array
  /** By node: the sum of weights of preferred terms that hold; `undefined` where there are no such terms. */
  readonly preference: Float64Array | undefined
  /** The only nodes the scheduler looks at, where the affinity names them. */
  readonly named: ReadonlySet<string> | undefined
  /** Why no node is looked at at all. */
  readonly conflict: Refusal | undefined
}

const cordoned = refusal('NodeUnschedulable', 'node(s) were unschedulable', { isUnresolvable: true })
const tainted = refusal('TaintToleration', 'node(s) had untolerated taint(s)', { isUnresolvable: true })
const notPicked = refusal('NodeAffinity', "node(s) didn't match Pod's node affinity/selector", { isUnresolvable: true })
const notEnforced = refusal('NodeAffinity', "node(s) didn't match scheduler-enforced node affinity", { isUnresolvable: true })
const conflicting = refusal('NodeAffinity', 'pod affinity terms conflict', { isUnresolvable: true })
const notNamed = refusal('NodeAffinity', "node(s) didn't satisfy plugin(s) [NodeAffinity]", { isUnresolvable: true })

const cordonTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** Works the rules out for each group of pods once. */
export class NodeRulesReader {
  readonly #table: NodeTable
  readonly #settings: SchedulerSettings
  readonly #known = new Map<string, NodeRules>()

  constructor(table: NodeTable, settings: SchedulerSettings) {
    this.#table = table
    this.#settings = settings
  }

  rules(ask: Ask): NodeRules {
    const known = this.#known.get(ask.nodeRulesKey)
    if (known !== undefined) return known
    const rules = this.#read(ask.info.pod)
    this.#known.set(ask.nodeRulesKey, rules)
    return rules
  }

  #read(pod: PodState): NodeRules {
    const { nodes } = this.#table
    const { addedAffinity, disabledFilters } = this.#settings
    const tolerations = pod.object.spec.tolerations ?? []
    const isDisabled = (filter: FilterPlugin) => disabledFilters.includes(filter)
    const picks = requiredNodes(pod.object)
    const enforced = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    const isEnforced = enforced === undefined ? () => true : nodeSelectorTest(enforced)
    const named = isDisabled('NodeAffinity') ? undefined : firstFew(pod.object)
    const toleratesCordon = this.#toleratesAll(tolerations, [cordonTaint])
    const isPicked = Uint8Array.from(nodes, node => (picks(node) ? 1 : 0))
    const isTolerated = Uint8Array.from(nodes, node => (this.#toleratesAll(tolerations, hardTaints(node)) ? 1 : 0))
    const refusals = nodes.map((node, index): Refusal | undefined => {
      if (named !== undefined && !named.has(node.metadata.name)) return notNamed
      if (node.spec?.unschedulable === true && !toleratesCordon && !isDisabled('NodeUnschedulable')) return cordoned
      if (isTolerated[index] === 0 && !isDisabled('TaintToleration')) return tainted
      if (isDisabled('NodeAffinity')) return undefined
      if (!isEnforced(node)) return notEnforced
      return isPicked[index] === 0 ? notPicked : undefined
    })
    return {
      refusals,
      isPicked,
      isTolerated,
      softTaints: Float64Array.from(nodes, node => this.softTaints(pod, node.spec?.taints ?? [])),
      preference: this.#preference(pod),
      named,
      conflict: named?.size === 0 ? conflicting : undefined,
    }
  }

  /** How many of `taints` are PreferNoSchedule and not tolerated by `pod`. */
  softTaints(pod: PodState, taints: readonly Taint[]): number {
    const tolerations = (pod.object.spec.tolerations ?? []).filter(({ effect }) => !effect || effect === 'PreferNoSchedule')
    return taints.filter(taint => taint.effect === 'PreferNoSchedule' && !this.#toleratesAll(tolerations, [taint])).length
  }

  #toleratesAll(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
    const comparisons = this.#settings.tolerationComparisons
    return taints.every(taint => tolerations.some(toleration => tolerates(toleration, taint, { comparisons })))
  }

  #preference(pod: PodState): Float64Array | undefined {
    const own = pod.object.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const added = this.#settings.addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    const preferred = [...own, ...added]
    if (preferred.length === 0) return undefined
    const terms = preferred
      .filter(({ weight, preference }) => weight !== 0 && !isEmptyTerm(preference))
      .map(({ weight, preference }) => ({ weight, test: nodeTermTest(preference) }))
    return Float64Array.from(this.#table.nodes, node =>
      terms.reduce((sum, { weight, test }) => sum + (test(node) ? weight : 0), 0),
    )
  }
}

function hardTaints(node: Node): readonly Taint[] {
  return (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
}
