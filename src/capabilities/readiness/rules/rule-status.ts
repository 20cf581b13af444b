// What the status of a NodeReadinessRule says, in upstream's fields and words. Pure. Times move only with what they are the time of.
import { isDeepStrictEqual } from 'node:util'
import { formatTime } from '#kube/time/time.ts'
import { carries, type NodeFacts } from '../node-facts.ts'
import { mostNodes, type NodeReadinessRule, type RuleStatus } from './node-readiness-rule.ts'
import { conditionResults, isSatisfied, type RuleDecision, speaksOf } from './rule-decision.ts'

type Failure = { readonly reason: string; readonly message: string }

/** A node as the rule's status tells of it, after what was decided was done. */
export interface Evaluated {
  readonly node: NodeFacts
  readonly decision: RuleDecision
  /** What kept the write from being done. */
  readonly failure?: Failure
}

const longestMessage = 10_240

/** The status of `rule`, with the very objects of the one it has where they say the same. */
export function ruleStatus(rule: NodeReadinessRule, evaluated: readonly Evaluated[], nowMs: number): RuleStatus {
  const before = rule.status ?? {}
  const now = formatTime(nowMs)
  const { generation } = rule.metadata
  const observed = generation === undefined || generation < 1 ? {} : { observedGeneration: generation }
  const nodes = evaluated.filter(({ node }) => speaksOf(rule, node)).slice(0, mostNodes)
  if (rule.spec.dryRun === true) {
    const kept = keptOf(before, new Set(nodes.map(({ node }) => node.name)))
    return {
      ...kept,
      ...observed,
      dryRunResults: dryRunResults(
        rule,
        nodes.map(({ node }) => node),
      ),
    }
  }
  const failed = nodes.flatMap(({ node, decision, failure = decision.failure }) => {
    if (failure === undefined) return []
    const known = before.failedNodes?.find(({ nodeName }) => nodeName === node.name)
    const one = { nodeName: node.name, reason: failure.reason, message: failure.message.slice(0, longestMessage) }
    return [
      known !== undefined && known.reason === one.reason && known.message === one.message
        ? known
        : { ...one, lastEvaluationTime: now },
    ]
  })
  const failing = new Set(failed.map(({ nodeName }) => nodeName))
  const evaluations = nodes.map(({ node }) => {
    const known = before.nodeEvaluations?.find(({ nodeName }) => nodeName === node.name)
    const one = {
      nodeName: node.name,
      conditionResults: conditionResults(rule, node),
      taintStatus: carries(node, rule.spec.taint) ? ('Present' as const) : ('Absent' as const),
    }
    const { lastEvaluationTime = now, ...said } = known ?? {}
    return known !== undefined && isDeepStrictEqual(said, one)
      ? known
      : { ...one, lastEvaluationTime: known === undefined ? lastEvaluationTime : now }
  })
  const applied = nodes.map(({ node }) => node.name).filter(name => !failing.has(name))
  return {
    ...observed,
    ...(applied.length === 0 ? {} : { appliedNodes: applied }),
    ...(failed.length === 0 ? {} : { failedNodes: failed }),
    ...(evaluations.length === 0 ? {} : { nodeEvaluations: evaluations }),
  }
}

/** A trial leaves what was said before, of nodes that are still there. */
function keptOf({ appliedNodes, failedNodes, nodeEvaluations }: RuleStatus, names: ReadonlySet<string>): RuleStatus {
  const kept = {
    appliedNodes: appliedNodes?.filter(name => names.has(name)) ?? [],
    failedNodes: failedNodes?.filter(({ nodeName }) => names.has(nodeName)) ?? [],
    nodeEvaluations: nodeEvaluations?.filter(({ nodeName }) => names.has(nodeName)) ?? [],
  }
  return {
    ...(kept.appliedNodes.length === 0 ? {} : { appliedNodes: kept.appliedNodes }),
    ...(kept.failedNodes.length === 0 ? {} : { failedNodes: kept.failedNodes }),
    ...(kept.nodeEvaluations.length === 0 ? {} : { nodeEvaluations: kept.nodeEvaluations }),
  }
}

function dryRunResults(rule: NodeReadinessRule, nodes: readonly NodeFacts[]): NonNullable<RuleStatus['dryRunResults']> {
  const count = (isCounted: (node: NodeFacts) => boolean) => nodes.filter(isCounted).length
  const taintsToAdd = count(node => !isSatisfied(rule, node) && !carries(node, rule.spec.taint))
  const taintsToRemove = count(node => isSatisfied(rule, node) && carries(node, rule.spec.taint))
  const riskyOperations = count(node => rule.spec.conditions.some(({ type }) => !node.conditions.has(type)))
  const parts = [
    ...(taintsToAdd > 0 ? [`would add ${taintsToAdd} taints`] : []),
    ...(taintsToRemove > 0 ? [`would remove ${taintsToRemove} taints`] : []),
    ...(riskyOperations > 0 ? [`${riskyOperations} nodes have missing conditions`] : []),
  ]
  const summary = parts.length === 0 ? 'No changes needed' : parts.join(', ')
  return { affectedNodes: nodes.length, taintsToAdd, taintsToRemove, riskyOperations, summary }
}

/** The merge patch that makes `before` into `after`; `undefined`: they say the same. */
export function statusPatch(before: RuleStatus | undefined, after: RuleStatus): object | undefined {
  if (isDeepStrictEqual(before ?? {}, after)) return undefined
  const gone = Object.keys(before ?? {}).filter(key => !Object.hasOwn(after, key))
  return { status: { ...after, ...Object.fromEntries(gone.map(key => [key, null])) } }
}
