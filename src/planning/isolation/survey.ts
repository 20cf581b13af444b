// What a cluster looks like to whoever is to isolate nodes of it: who leaves, who stays and why, what is not ready for it.

import type { NodeState } from '#cluster/cluster-state.ts'
import { Budgets } from '../candidates/budgets.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { sortPods } from '../candidates/movable.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import type { IsolationRules } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Unmovable } from '../plan-record.ts'
import { coreWorkloads, intolerantDaemonSets, type TemplatedWorkload } from './core-workloads.ts'
import { withTaint } from './rules.ts'

export interface IsolationSurvey {
  readonly rules: IsolationRules
  /** Isolated nodes without the taint. */
  readonly untainted: readonly string[]
  /** Other nodes that are Ready and not cordoned. */
  readonly otherNodes: readonly string[]
  readonly core: readonly TemplatedWorkload[]
  /** Those of which a pod runs on an isolated node and would not come back. */
  readonly intolerantDaemonSets: readonly TemplatedWorkload[]
  /** Pods that are to leave and can. */
  readonly leaving: readonly Candidate[]
  /** Pods of the isolated nodes that stay, each with its reason; core and pods of DaemonSets too. */
  readonly staying: readonly Unmovable[]
}

/** @throws Error where the policy isolates nothing */
export function surveyIsolation(input: PlanInput): IsolationSurvey {
  const rules = input.policy.isolation
  if (rules === undefined) throw new Error(`policy ${input.policy.name} isolates nothing`)
  const { state } = input
  // Everything is judged as it will be with the taint: that is what pods must fit.
  const tainted = { ...input, state: withTaint(state, rules) }
  const sorting = sortPods(tainted, {
    budgets: Budgets.of(tainted.state, input.nowMs),
    fit: new StaticFit(tainted.state, input.settings),
  })
  return {
    rules,
    untainted: rules.nodes.filter(name => !carriesTaint(state.nodes.get(name), rules)),
    otherNodes: otherNodes(input.state.nodes.values(), rules),
    core: coreWorkloads(state, rules),
    intolerantDaemonSets: intolerantDaemonSets(state, rules),
    leaving: sorting.candidates,
    staying: sorting.unmovable,
  }
}

/** Whether new pods without the toleration are kept off the node: by its taint of either hard effect. */
export function carriesTaint(node: NodeState | undefined, { taint }: Pick<IsolationRules, 'taint'>): boolean {
  return (node?.object.spec?.taints ?? []).some(
    ({ key, effect }) => key === taint && (effect === 'NoSchedule' || effect === 'NoExecute'),
  )
}

/** Nodes that may take what leaves: Ready, not cordoned, not isolated themselves. */
export function otherNodes(nodes: Iterable<NodeState>, { nodes: isolated }: Pick<IsolationRules, 'nodes'>): readonly string[] {
  return Array.from(nodes)
    .filter(node => node.isReady && node.isSchedulable && !isolated.includes(node.name))
    .map(({ name }) => name)
}
