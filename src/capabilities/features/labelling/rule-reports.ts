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
  failures(): ReadonlyMap<string, { readonly node: string; readonly why: string }> {
    const found = new Map<string, { readonly node: string; readonly why: string }>()
    for (const [node, rules] of [...this.#nodes].sort(([a], [b]) => (a < b ? -1 : 1)))
      for (const [object, { failed }] of rules)
        if (failed !== undefined && !found.has(object)) found.set(object, { node, why: failed })
    return found
  }

  /** The status of one; conditions keep the time at which they came about. */
  statusOf(
    object: string,
    {
      generation,
      before,
      nowMs,
    }: { readonly generation: number; readonly before: RuleStatus | undefined; readonly nowMs: number },
  ): RuleStatus {
    const all = [...this.#nodes.values()].flatMap(rules => rules.get(object) ?? [])
    const asked = new Map<string, boolean>()
    for (const one of all)
      for (const [feature, isThere] of one.asked) asked.set(feature, (asked.get(feature) ?? false) || isThere)
    const failing = this.failures().get(object)
    const conditions: readonly Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>[] = [
      failing === undefined
        ? { type: 'Valid', status: 'True', reason: 'Evaluated', message: '' }
        : {
            type: 'Valid',
            status: 'False',
            reason: 'RuleFailed',
            message: `on node ${failing.node}: ${failing.why}`.slice(0, longestMessage),
          },
      {
        type: 'Evaluated',
        status: all.length > 0 ? 'True' : 'False',
        reason: all.length > 0 ? 'OnNodes' : 'NoFeatures',
        message: '',
      },
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
