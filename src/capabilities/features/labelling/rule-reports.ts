// How the rules went, over all nodes: what a NodeFeatureRule's status says.

import type { RuleStatus } from '../kinds.ts'
import type { RuleReport } from '../rules/node-outcome.ts'

/** How one NodeFeatureRule went on one node. */
interface OnNode {
  readonly matched: boolean
  /** Why one of its rules failed. */
  readonly failed?: string
  /** Features that it asked for, and whether they were there. */
  readonly asked: ReadonlyMap<string, boolean>
}

/** Where a NodeFeatureRule fails, and why. */
interface Failure {
  readonly node: string
  readonly why: string
}

interface StatusOf {
  readonly generation: number
  readonly before: RuleStatus | undefined
  /** What `failures` has of it. */
  readonly failing: Failure | undefined
  readonly nowMs: number
}

/** By node, then by NodeFeatureRule. */
export class RuleReports {
  readonly #nodes = new Map<string, ReadonlyMap<string, OnNode>>()

  get nodes(): number {
    return this.#nodes.size
  }

  keep(node: string, reports: readonly RuleReport[]): void {
    const byObject = Map.groupBy(reports, ({ object }) => object)
    this.#nodes.set(node, new Map([...byObject].map(([object, all]) => [object, onNode(all)])))
  }

  forget(node: string): void {
    this.#nodes.delete(node)
  }

  /** Why each NodeFeatureRule fails somewhere, by its name: of the first node in the order of names. */
  failures(): ReadonlyMap<string, Failure> {
    const found = new Map<string, Failure>()
    for (const [node, rules] of [...this.#nodes].sort(([a], [b]) => (a < b ? -1 : 1)))
      for (const [object, { failed }] of rules)
        if (failed !== undefined && !found.has(object)) found.set(object, { node, why: failed })
    return found
  }

  /** The status of one; conditions keep the time at which they came about. */
  statusOf(object: string, { generation, before, failing, nowMs }: StatusOf): RuleStatus {
    const all = [...this.#nodes.values()].flatMap(rules => rules.get(object) ?? [])
    const asked = new Map<string, boolean>()
    for (const one of all)
      for (const [feature, isThere] of one.asked) asked.set(feature, (asked.get(feature) ?? false) || isThere)
    const isEvaluated = all.length > 0
    const conditions: readonly Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>[] = [
      validity(isEvaluated, failing),
      isEvaluated
        ? { type: 'Evaluated', status: 'True', reason: 'OnNodes', message: '' }
        : { type: 'Evaluated', status: 'False', reason: 'OnNoNode', message: '' },
    ]
    return {
      observedGeneration: generation,
      matchedNodes: all.filter(({ matched }) => matched).length,
      evaluatedNodes: all.length,
      failedNodes: all.filter(({ failed }) => failed !== undefined).length,
      unknownFeatures: [...asked]
        .filter(([, isThere]) => !isThere)
        .map(([feature]) => feature)
        .sort(),
      conditions: conditions.map(condition => {
        const old = before?.conditions?.find(one => one.type === condition.type)
        const since = old?.status === condition.status ? old.lastTransitionTime : new Date(nowMs).toISOString()
        return { ...condition, observedGeneration: generation, lastTransitionTime: since }
      }),
    }
  }
}

type Condition = NonNullable<RuleStatus['conditions']>[number]

/** A rule that was never evaluated, for want of nodes or because it cannot be read, is not said to be well. */
function validity(
  isEvaluated: boolean,
  failing: Failure | undefined,
): Omit<Condition, 'lastTransitionTime' | 'observedGeneration'> {
  if (failing !== undefined) {
    const message = `on node ${failing.node}: ${failing.why}`.slice(0, longestMessage)
    return { type: 'Valid', status: 'False', reason: 'RuleFailed', message }
  }
  return isEvaluated
    ? { type: 'Valid', status: 'True', reason: 'Evaluated', message: '' }
    : { type: 'Valid', status: 'Unknown', reason: 'NotEvaluated', message: '' }
}

const longestMessage = 1_024

function onNode(reports: readonly RuleReport[]): OnNode {
  const failed = reports.find(({ outcome }) => outcome === 'failed')
  const asked = new Map<string, boolean>()
  for (const { output } of reports)
    for (const { terms } of output?.looks ?? [])
      for (const { term, result } of terms) {
        const feature = term.feature.toLowerCase()
        asked.set(feature, (asked.get(feature) ?? false) || result !== 'absent')
      }
  return {
    matched: reports.some(({ outcome }) => outcome === 'matched'),
    asked,
    ...(failed === undefined ? {} : { failed: `${failed.rule}: ${failed.why ?? ''}` }),
  }
}
