// A RebalancePolicy as the planner takes it: selectors resolved to the nodes of this moment, defaults filled in.
import { createHash } from 'node:crypto'
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import type { IsolationRules, PlanPolicy } from '#planning/goals/policy.ts'
import { type RebalancePolicy, type RebalancePolicySpec, rebalancePolicySpec } from '../api.ts'
import { type PlanPurpose, plansFor } from '../intent.ts'
import { energyRulesOf } from './energy-policy.ts'
import { goalsOf } from './goal-policy.ts'
import { leftOfLimits } from './left-of-limits.ts'

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
  readonly ownerLabel: OwnerLabel
  /** How landings are steered where the policy does not say. */
  readonly landing: 'prefer' | 'hold'
  /** What is planned for: its goals alone (default), or the isolation of nodes with the goals aimed for. */
  readonly purpose?: PlanPurpose
}

/** The planner's policy for the nodes of `state`. Problems: a selector that does not parse, an isolation that is not switched on. */
export function planPolicyOf(policy: RebalancePolicy, state: ClusterState, options: PlanPolicyOptions): Parsed<PlanPolicy> {
  const { spec } = policy
  const resolved = goalsOf(policy, state)
  if (!resolved.ok) return resolved
  const { goals, fleetGoals, leftOut } = resolved.value
  const isolation = isIsolation(options.purpose) ? isolationRulesOf(policy, state) : undefined
  if (isolation?.ok === false) return isolation
  const energy = energyRulesOf(policy)
  if (!energy.ok) return energy
  return {
    ok: true,
    value: {
      name: policy.metadata.name,
      ...(isolation === undefined ? {} : { isolation: isolation.value }),
      goals,
      fleetGoals,
      ...(leftOut.length === 0 ? {} : { leftOut }),
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
      coordination: { ...spec.coordination, ...demandsOf(spec), ownerLabel: options.ownerLabel },
      landing: spec.landing ?? options.landing,
      method: spec.method,
      objective: spec.objective,
      singleReplica: singleReplicaOf(spec),
      ...(energy.value === undefined ? {} : { energy: energy.value }),
    },
  }
}

/** Fields of a policy that a plan is made from. When, in which windows and in which mode it runs is looked at each time. */
const decisiveFields = [
  'goals',
  'scope',
  'headroom',
  'limits',
  'preferences',
  'coordination',
  'landing',
  'objective',
  'singleReplica',
] as const

/**
 * What is demanded of a pod that is moved. Who looks at a plan before it runs sees its risks; nobody looks at one of mode `Auto`, where the
 * same are hard stops unless the policy says otherwise.
 */
function demandsOf({ mode, coordination }: RebalancePolicySpec): Pick<PlanPolicy['coordination'], 'requirePDB' | 'localStorage'> {
  const isAuto = mode === 'Auto'
  const { requirePDB = isAuto, localStorage = isAuto ? 'refuse' : 'allow' } = coordination
  return { requirePDB, localStorage }
}

function singleReplicaOf({ mode, singleReplica }: RebalancePolicySpec): PlanPolicy['singleReplica'] {
  return singleReplica ?? (mode === 'Auto' ? 'surgeOnly' : 'surge')
}

/** A hash of what a plan of this policy rests on: while it stays, the plan means what its policy says. */
export function policyHash({ spec }: Pick<RebalancePolicy, 'spec'>, purpose: PlanPurpose): string {
  const { concurrent: _, ...limits } = spec.limits
  const coordination = { ...spec.coordination, ...demandsOf(spec) }
  const read = { ...spec, limits, coordination, singleReplica: singleReplicaOf(spec) }
  const decisive = decisiveFields.map(field => read[field] ?? null)
  const rates = spec.goals.some(({ watts, cost }) => (watts ?? cost) !== undefined)
    ? [spec.prices, spec.energy?.nodes ?? null]
    : []
  const text = JSON.stringify([...decisive, isIsolation(purpose) ? (spec.isolation ?? null) : null, ...rates])
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** Whether plans of the purpose empty nodes. */
export function isIsolation(purpose: PlanPurpose | undefined): boolean {
  return purpose !== undefined && plansFor(purpose).emptiesNodes
}

/** What is to be isolated, with the nodes of this moment. */
export function isolationRulesOf({ metadata, spec }: RebalancePolicy, state: ClusterState): Parsed<IsolationRules> {
  const where = `RebalancePolicy ${metadata.name}: spec.isolation`
  const { isolation } = spec
  if (isolation?.enabled !== true)
    return { ok: false, problem: { code: 'isolation-off', where, found: 'not enabled', expected: 'enabled: true' } }
  const selector = parseLabelSelector(isolation.nodes, `${where}.nodes`)
  if (!selector.ok) return selector
  const nodes = Array.from(state.nodes.values()).filter(node => selector.value.matches(node.object.metadata.labels))
  const { taint, coreNamespaces, exceptions, keda, includeUnmanaged, tolerations } = isolation
  const from = tolerations === 'webhook' ? { tolerationsFrom: 'webhook' as const } : {}
  const rules = { nodes: nodes.map(({ name }) => name), taint, coreNamespaces, exceptions, keda, includeUnmanaged, ...from }
  return { ok: true, value: rules }
}

/** What is wrong with the isolation of a policy: its selector, its exceptions. None where it is off. */
export function isolationProblems({ metadata, spec }: RebalancePolicy): readonly Problem[] {
  const { isolation } = spec
  if (isolation?.enabled !== true) return []
  const where = `RebalancePolicy ${metadata.name}: spec.isolation`
  const selector = parseLabelSelector(isolation.nodes, `${where}.nodes`)
  return [
    ...(selector.ok ? [] : [selector.problem]),
    ...(selector.ok && selector.value.requirements.length === 0
      ? [
          {
            code: 'isolation-nodes',
            where: `${where}.nodes`,
            found: isolation.nodes,
            expected: 'a selector that picks some nodes, not all',
          },
        ]
      : []),
    ...isolation.exceptions.flatMap((exception, at) =>
      /^[^/\s]+\/([A-Z][^/\s]*\/)?[^/\s]+$/.test(exception)
        ? []
        : [
            {
              code: 'isolation-exception',
              where: `${where}.exceptions[${at}]`,
              found: exception,
              expected: 'namespace/name or namespace/Kind/name',
            },
          ],
    ),
  ]
}

/** The pods that may leave per hour and per day bound a plan too: a plan runs within both. */
function limitsOf(spec: RebalancePolicySpec): PlanPolicy['limits'] {
  const { perNode, perNamespace, concurrent } = spec.limits
  return {
    ...leftOfLimits({ spec, metadata: { name: '' } }, [], 0),
    concurrent,
    ...(perNode === undefined ? {} : { perNode }),
    ...(perNamespace === undefined ? {} : { perNamespace }),
  }
}
