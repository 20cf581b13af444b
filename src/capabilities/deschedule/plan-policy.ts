// A RebalancePolicy as the planner takes it: selectors resolved to the nodes of this moment, defaults filled in.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { type RebalancePolicy, type RebalancePolicySpec, rebalancePolicySpec } from '#coordination/api.ts'
import type { KubeObject, LabelSelector } from '#kube/objects.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import type { Goal, PlanPolicy } from '#planning/policy.ts'

/** Reads a RebalancePolicy as the watch (or a file) brings it, with all that is wrong with its shape. */
export function readPolicy(
  object: KubeObject,
): { readonly ok: true; readonly policy: RebalancePolicy } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const place = `RebalancePolicy ${object.metadata.name}`
  const parsed = rebalancePolicySpec.safeParse(object['spec'])
  if (!parsed.success) {
    const problems = parsed.error.issues.map(issue => ({
      code: 'policy-shape',
      where: `${place}: ${['spec', ...issue.path.map(String)].join('.')}`,
      found: JSON.stringify(valueAt(object['spec'], issue.path) ?? null),
      expected: issue.message.replace(/^Invalid input: expected /, ''),
    }))
    return { ok: false, problems }
  }
  // The status is ours: the API server keeps its shape by the same schema.
  return { ok: true, policy: { ...object, spec: parsed.data } as RebalancePolicy }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Readonly<Record<PropertyKey, unknown>>)[key]
  }
  return at
}

interface PlanPolicyOptions {
  readonly ownerLabel: string
  /** How landings are steered where the policy does not say. */
  readonly landing: 'prefer' | 'hold'
}

/** The planner's policy for the nodes of `state`. Problems: a selector that does not parse. */
export function planPolicyOf(policy: RebalancePolicy, state: ClusterState, options: PlanPolicyOptions): Parsed<PlanPolicy> {
  const { spec } = policy
  const goals: Goal[] = []
  for (const [index, goal] of spec.goals.entries()) {
    const nodes = nodesOf(goal, state, `RebalancePolicy ${policy.metadata.name}: spec.goals[${index}]`)
    if (!nodes.ok) return nodes
    goals.push({
      name: goal.name,
      nodes: nodes.value,
      resource: goal.resource,
      stat: goal.stat,
      margin: goal.margin,
      hard: goal.hard,
      ...(goal.max === undefined ? {} : { max: goal.max }),
      ...(goal.min === undefined ? {} : { min: goal.min }),
    })
  }
  return {
    ok: true,
    value: {
      name: policy.metadata.name,
      goals,
      scope: {
        namespaces: spec.scope.namespaces,
        ...(spec.scope.labelSelector === undefined ? {} : { labelSelector: spec.scope.labelSelector }),
        ...(spec.scope.nodeSelector === undefined ? {} : { nodeSelector: spec.scope.nodeSelector }),
      },
      headroom: spec.headroom,
      limits: limitsOf(spec),
      preferences: spec.preferences.map(preference => ({
        namespaces: preference.namespaces,
        nodes: preference.nodes,
        ...(preference.labelSelector === undefined ? {} : { labelSelector: preference.labelSelector }),
      })),
      coordination: { ...spec.coordination, ownerLabel: options.ownerLabel },
      landing: spec.landing ?? options.landing,
      method: spec.method,
      objective: spec.objective,
      singleReplica: spec.singleReplica,
    },
  }
}

/** The pods that may leave per hour bound a plan too: a plan runs within the hour. */
function limitsOf(spec: RebalancePolicySpec): PlanPolicy['limits'] {
  const { perPlan, perHour, perNode, perNamespace, concurrent } = spec.limits
  return {
    perPlan: Math.min(perPlan, perHour),
    concurrent,
    ...(perNode === undefined ? {} : { perNode }),
    ...(perNamespace === undefined ? {} : { perNamespace }),
  }
}

/** The goal's nodes by name, then those of its selector, each once. */
function nodesOf(
  goal: { readonly nodes: readonly string[]; readonly nodeSelector?: LabelSelector },
  state: ClusterState,
  where: string,
): Parsed<readonly string[]> {
  if (goal.nodeSelector === undefined) return { ok: true, value: goal.nodes }
  const selector = labelSelectorOf(goal.nodeSelector, `${where}.nodeSelector`)
  if (!selector.ok) return selector
  const selected = Array.from(state.nodes.values())
    .filter(node => selector.value.matches(node.object.metadata.labels ?? {}))
    .map(node => node.name)
  return { ok: true, value: [...new Set([...goal.nodes, ...selected])] }
}
