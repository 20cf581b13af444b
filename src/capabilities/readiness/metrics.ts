// What readiness counts: names, labels and buckets of node-readiness-controller and of Nidhogg, so that dashboards and alerts of before go
// on; and ours.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type NodeReadinessState, nodeStates } from './rules/own-decision.ts'

const evaluationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const bootstrapBuckets = [1, 5, 10, 30, 60, 120, 300, 600, 1200]
const latencyBuckets = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]
const ruleStates = ['ready', 'not_ready', 'bootstrapping'] as const

export type RuleNodeState = (typeof ruleStates)[number]

/** How the time of a rule of ours ended on a node. */
type TimeoutOutcome = 'released' | 'held' | 'released-by-agent'

const timeouts = new WeakMap<Registry, Counter<'rule' | 'outcome'>>()

/** Counts nodes on which the time of a rule was over: the controller's, and alone in the agents, which have no other figure of readiness. */
export function timeoutsCounter(registry: Registry): Counter<'rule' | 'outcome'> {
  const existing = timeouts.get(registry)
  if (existing !== undefined) return existing
  const counter = new Counter({
    name: 'ballast_readiness_timeouts_total',
    help: 'Times that the time of a rule of ours was over on a node, by rule and by what became of the node',
    labelNames: ['rule', 'outcome'] as const,
    registers: [registry],
  })
  timeouts.set(registry, counter)
  return counter
}

const made = new WeakMap<Registry, ReadinessMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function readinessMetrics(registry: Registry): ReadinessMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new ReadinessMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

export class ReadinessMetrics {
  readonly #rules: Gauge
  readonly #taints: Counter<'rule' | 'operation'>
  readonly #evaluation: Histogram<'rule'>
  readonly #failures: Counter<'rule' | 'reason'>
  readonly #completed: Counter<'rule'>
  readonly #bootstrap: Histogram<'rule'>
  readonly #latency: Histogram<'rule' | 'operation'>
  readonly #byState: Gauge<'rule' | 'state'>
  readonly #conditions: Counter<'rule' | 'condition'>
  readonly #last: Gauge<'rule'>
  readonly #ruleNodes: Gauge<'rule'>
  readonly #nidhogg: Counter<'operation' | 'taint'>
  readonly #nidhoggErrors: Counter<'operation'>
  readonly #nodes: Gauge<'rule' | 'state'>
  readonly #configured: Counter<'result'>
  readonly #timedOut: Counter<'rule' | 'outcome'>
  readonly #silent: Gauge<'condition'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#rules = new Gauge({ name: 'node_readiness_rules_total', help: 'Number of NodeReadinessRules', registers })
    this.#taints = new Counter({
      name: 'node_readiness_taint_operations_total',
      help: 'Taints added and removed, by rule',
      labelNames: ['rule', 'operation'],
      registers,
    })
    this.#evaluation = new Histogram({
      name: 'node_readiness_evaluation_duration_seconds',
      help: 'Time that a look at all nodes of a rule took',
      buckets: evaluationBuckets,
      labelNames: ['rule'],
      registers,
    })
    this.#failures = new Counter({
      name: 'node_readiness_failures_total',
      help: 'What failed, by rule and reason',
      labelNames: ['rule', 'reason'],
      registers,
    })
    this.#completed = new Counter({
      name: 'node_readiness_bootstrap_completed_total',
      help: 'Nodes that a rule of mode bootstrap-only is done with',
      labelNames: ['rule'],
      registers,
    })
    this.#bootstrap = new Histogram({
      name: 'node_readiness_bootstrap_duration_seconds',
      help: "From a node's creation until its conditions were met, of nodes younger than the rule",
      buckets: bootstrapBuckets,
      labelNames: ['rule'],
      registers,
    })
    this.#latency = new Histogram({
      name: 'node_readiness_reconciliation_latency_seconds',
      help: 'From the change of a condition to the change of the taint',
      buckets: latencyBuckets,
      labelNames: ['rule', 'operation'],
      registers,
    })
    this.#byState = new Gauge({
      name: 'node_readiness_nodes_by_state',
      help: 'Nodes in each state, by rule',
      labelNames: ['rule', 'state'],
      registers,
    })
    this.#conditions = new Counter({
      name: 'node_readiness_condition_failures_total',
      help: 'Conditions that were found unmet, by rule',
      labelNames: ['rule', 'condition'],
      registers,
    })
    this.#last = new Gauge({
      name: 'node_readiness_rule_last_reconciliation_timestamp_seconds',
      help: 'When a rule was last looked at',
      labelNames: ['rule'],
      registers,
    })
    this.#ruleNodes = new Gauge({
      name: 'node_readiness_rule_nodes',
      help: 'Nodes that a rule selects',
      labelNames: ['rule'],
      registers,
    })
    new Gauge({
      name: 'node_readiness_build_info',
      help: 'Which program serves NodeReadinessRules',
      labelNames: ['version'],
      registers,
    }).set({ version: 'ballast' }, 1)
    this.#nidhogg = new Counter({
      name: 'taint_operations',
      help: "Taints of Nidhogg's file, added and removed",
      labelNames: ['operation', 'taint'],
      registers,
    })
    this.#nidhoggErrors = new Counter({
      name: 'taint_operation_errors',
      help: "Taints of Nidhogg's file that could not be written",
      labelNames: ['operation'],
      registers,
    })
    this.#nodes = new Gauge({
      name: 'ballast_readiness_nodes',
      help: 'Nodes in each state, by rule of ours',
      labelNames: ['rule', 'state'],
      registers,
    })
    this.#timedOut = timeoutsCounter(registry)
    this.#silent = new Gauge({
      name: 'ballast_readiness_silent_agents',
      help: 'Nodes whose agent has not written a condition for too long, by condition',
      labelNames: ['condition'],
      registers,
    })
    this.#configured = new Counter({
      name: 'ballast_node_config_writes_total',
      help: "Times that containerd's hosts files were written to a node, by how it went",
      labelNames: ['result'],
      registers,
    })
  }

  /** The time of a rule of ours is over on a node: it was let go, or is held on. */
  timedOut(rule: string, outcome: TimeoutOutcome): void {
    this.#timedOut.inc({ rule, outcome })
  }

  /** On how many nodes each condition of an agent is without a heartbeat. */
  silent(counts: ReadonlyMap<string, number>): void {
    this.#silent.reset()
    for (const [condition, count] of counts) this.#silent.set({ condition }, count)
  }

  /** The mirror's files were written to a node, or could not be. */
  configured(result: 'written' | 'failed'): void {
    this.#configured.inc({ result })
  }

  /** Counts for our rules how many nodes are in each state. */
  nodes(rule: string, counts: ReadonlyMap<NodeReadinessState, number>): void {
    for (const state of nodeStates) this.#nodes.set({ rule, state }, counts.get(state) ?? 0)
  }

  rules(count: number): void {
    this.#rules.set(count)
  }

  /** A look at all nodes of a NodeReadinessRule. */
  looked(
    rule: string,
    of: {
      readonly seconds: number
      readonly atMs: number
      readonly nodes: number
      readonly states: ReadonlyMap<RuleNodeState, number>
      readonly unmet: ReadonlyMap<string, number>
    },
  ): void {
    this.#evaluation.observe({ rule }, of.seconds)
    this.#last.set({ rule }, Math.floor(of.atMs / 1_000))
    this.#ruleNodes.set({ rule }, of.nodes)
    for (const state of ruleStates) this.#byState.set({ rule, state }, of.states.get(state) ?? 0)
    for (const [condition, count] of of.unmet) this.#conditions.inc({ rule, condition }, count)
  }

  /** A taint was written; `latencyMs` since its condition changed, where that is known. */
  tainted(rule: string, operation: 'add' | 'remove', latencyMs: number | undefined): void {
    this.#taints.inc({ rule, operation })
    // A node's clock may be ahead.
    if (latencyMs !== undefined) this.#latency.observe({ rule, operation: `${operation}_taint` }, Math.max(0, latencyMs) / 1_000)
  }

  /** A rule is done with a node; `bootMs` is what that took, where the node is younger than the rule. */
  completed(rule: string, bootMs: number | undefined): void {
    this.#completed.inc({ rule })
    if (bootMs !== undefined && bootMs > 0) this.#bootstrap.observe({ rule }, bootMs / 1_000)
  }

  failed(rule: string, reason: 'EvaluationError' | 'AddTaintError' | 'RemoveTaintError'): void {
    this.#failures.inc({ rule, reason })
  }

  nidhogg(operation: 'added' | 'removed', taint: string): void {
    this.#nidhogg.inc({ operation, taint })
  }

  nidhoggFailed(): void {
    this.#nidhoggErrors.inc({ operation: 'nodeUpdate' })
  }

  /** A NodeReadinessRule is gone. */
  forget(rule: string): void {
    for (const metric of [this.#evaluation, this.#completed, this.#bootstrap, this.#last, this.#ruleNodes])
      metric.remove({ rule })
    for (const operation of ['add', 'remove']) {
      this.#taints.remove({ rule, operation })
      this.#latency.remove({ rule, operation: `${operation}_taint` })
    }
    for (const reason of ['EvaluationError', 'AddTaintError', 'RemoveTaintError']) this.#failures.remove({ rule, reason })
    for (const state of ruleStates) this.#byState.remove({ rule, state })
  }
}
