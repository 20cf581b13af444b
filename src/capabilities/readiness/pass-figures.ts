// Figures of one look at all nodes: how many are in which state, by rule.
import type { ReadinessMetrics, RuleNodeState } from './metrics.ts'
import type { NodeDecision } from './node-decision.ts'
import { carries } from './node-facts.ts'
import type { NodeReadinessRule } from './rules/node-readiness-rule.ts'
import type { NodeReadinessState } from './rules/own-decision.ts'
import type { OwnRule } from './rules/own-rules.ts'
import { speaksOf } from './rules/rule-decision.ts'
import type { Evaluated } from './rules/rule-status.ts'

interface Look {
  readonly decisions: readonly NodeDecision[]
  readonly rules: readonly NodeReadinessRule[]
  readonly evaluatedBy: (rule: NodeReadinessRule) => readonly Evaluated[]
  readonly own: readonly OwnRule[]
  /** Conditions that agents write. */
  readonly agentConditions: readonly string[]
  readonly seconds: number
  /** Milliseconds since 1970. */
  readonly atMs: number
}

export class PassFigures {
  readonly #metrics: ReadinessMetrics | undefined
  #known: ReadonlySet<string> = new Set()

  constructor(metrics: ReadinessMetrics | undefined) {
    this.#metrics = metrics
  }

  tell({ decisions, rules, evaluatedBy, own, agentConditions, seconds, atMs }: Look): void {
    const metrics = this.#metrics
    if (metrics === undefined) return
    const states = decisions.flatMap(decision => decision.own.verdicts)
    for (const { name } of own)
      metrics.nodes(name, counted(states.filter(({ rule }) => rule === name).map(({ state }): NodeReadinessState => state)))
    // A condition of agents without a silent one is a 0, so that an alert on it ends.
    const silent = counted(decisions.flatMap(decision => decision.silent))
    metrics.silent(new Map(agentConditions.map(type => [type, silent.get(type) ?? 0])))
    metrics.rules(rules.length)
    for (const rule of rules) {
      const nodes = evaluatedBy(rule).filter(({ node }) => speaksOf(rule, node))
      const unmet = nodes.flatMap(({ decision }) =>
        decision.results.flatMap(({ type, currentStatus, requiredStatus }) => (currentStatus === requiredStatus ? [] : [type])),
      )
      const states = counted(nodes.map(({ node }): RuleNodeState => stateOf(rule, carries(node, rule.spec.taint))))
      metrics.looked(rule.metadata.name, { seconds, atMs, nodes: nodes.length, states, unmet: counted(unmet) })
    }
    const names = new Set(rules.map(({ metadata }) => metadata.name))
    for (const gone of this.#known) if (!names.has(gone)) metrics.forget(gone)
    this.#known = names
  }
}

function stateOf({ spec }: NodeReadinessRule, isTainted: boolean): RuleNodeState {
  if (!isTainted) return 'ready'
  return spec.enforcementMode === 'bootstrap-only' ? 'bootstrapping' : 'not_ready'
}

function counted<T>(values: readonly T[]): ReadonlyMap<T, number> {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
