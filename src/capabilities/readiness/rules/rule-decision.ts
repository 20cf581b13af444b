// What a NodeReadinessRule wants of one node: upstream's four cases. Pure.
import type { Taint } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { bootstrapAnnotations } from '../names.ts'
import { carries, isSameTaint, type NodeFacts } from '../node-facts.ts'
import type { ConditionResult, NodeReadinessRule } from './node-readiness-rule.ts'
import { type NodeMarks, noMarks } from './own-decision.ts'

type RuleAction =
  /** Nothing to do: it does not speak of the node, is done with it, or all is as it should be. */
  | 'none'
  | 'add'
  | 'remove'
  /** The taint was there before the rule first looked. */
  | 'adopt'
  /** Satisfied without ever being held. */
  | 'complete'

export interface RuleDecision {
  readonly rule: string
  /** It speaks of the node, and is neither a trial nor on its way out. */
  readonly isActive: boolean
  readonly isSatisfied: boolean
  readonly results: readonly ConditionResult[]
  readonly action: RuleAction
  readonly marks: NodeMarks
  /** Why it cannot do its work on this node. */
  readonly failure?: { readonly reason: string; readonly message: string }
}

/** Whether `rule` is on its way out. */
export function isLeaving({ metadata }: NodeReadinessRule): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null
}

/** Whether its selector takes the node; one that does not parse, or is empty, takes none. */
export function speaksOf({ spec }: NodeReadinessRule, node: Pick<NodeFacts, 'labels'>): boolean {
  const parsed = labelSelectorOf(spec.nodeSelector)
  return parsed.ok && parsed.value.requirements.length > 0 && parsed.value.matches(node.labels)
}

/** Each condition of the rule as it is on the node, as its status says it. */
export function conditionResults({ spec }: NodeReadinessRule, node: NodeFacts): readonly ConditionResult[] {
  return spec.conditions.map(({ type, requiredStatus, defaultStatus = 'Unknown' }) => ({
    type,
    currentStatus: node.conditions.get(type) ?? 'Unknown',
    requiredStatus,
    defaultStatus,
  }))
}

/** Whether the rule's policy over observed (or default) statuses holds. */
export function isSatisfied({ spec }: NodeReadinessRule, node: NodeFacts): boolean {
  const holds = spec.conditions.map(
    ({ type, requiredStatus, defaultStatus = 'Unknown' }) => (node.conditions.get(type) ?? defaultStatus) === requiredStatus,
  )
  return spec.conditionPolicy === 'anyOf' ? holds.includes(true) : !holds.includes(false)
}

/** Whether a rule of mode bootstrap-only is done with the node. */
function isCompleted({ metadata }: NodeReadinessRule, node: Pick<NodeFacts, 'annotations'>): boolean {
  const { current, old } = bootstrapAnnotations({ name: metadata.name, uid: metadata.uid ?? '' })
  return node.annotations[current] !== undefined || node.annotations[old] !== undefined
}

const inactive = { isActive: false, isSatisfied: false, results: [], action: 'none', marks: noMarks } as const

/** What `rule` wants of `node`. `first`: it has not looked at the node before. `others`: all rules, this one among them. */
export function decideRule(
  rule: NodeReadinessRule,
  node: NodeFacts,
  { first, others }: { readonly first: boolean; readonly others: readonly NodeReadinessRule[] },
): RuleDecision {
  const { spec, metadata } = rule
  const { name } = metadata
  if (node.isDeleting || isLeaving(rule) || !speaksOf(rule, node)) return { rule: name, ...inactive, ...left(rule, node, others) }
  const satisfied = isSatisfied(rule, node)
  const said = { rule: name, isSatisfied: satisfied, results: conditionResults(rule, node) } as const
  if (spec.dryRun === true) return { ...said, isActive: false, action: 'none', marks: noMarks }
  const failure = faultOf(rule, node, others)
  if (failure !== undefined) return { ...said, isActive: true, action: 'none', marks: noMarks, failure }
  const isOnce = spec.enforcementMode === 'bootstrap-only'
  if (isOnce && isCompleted(rule, node)) return { ...said, isActive: true, action: 'none', marks: noMarks }
  const isTainted = carries(node, spec.taint)
  const { key, effect, value } = spec.taint
  const done = isOnce
    ? { [bootstrapAnnotations({ name, uid: metadata.uid ?? '' }).current]: JSON.stringify({ 'rule-name': name }) }
    : {}
  if (satisfied && isTainted) {
    return { ...said, isActive: true, action: 'remove', marks: { add: [], remove: [{ key, effect }], annotations: done } }
  }
  if (satisfied) {
    return isOnce
      ? { ...said, isActive: true, action: 'complete', marks: { ...noMarks, annotations: done } }
      : { ...said, isActive: true, action: 'none', marks: noMarks }
  }
  if (isTainted) return { ...said, isActive: true, action: first ? 'adopt' : 'none', marks: noMarks }
  const taint: Taint = { key, effect, ...(value === undefined ? {} : { value }) }
  return { ...said, isActive: true, action: 'add', marks: { ...noMarks, add: [taint] } }
}

/** A rule that goes, or whose node has other labels now, takes its taint along, unless another rule wants it there. */
function left(
  rule: NodeReadinessRule,
  node: NodeFacts,
  others: readonly NodeReadinessRule[],
): Pick<RuleDecision, 'action' | 'marks'> | undefined {
  const { key, effect } = rule.spec.taint
  if (node.isDeleting || !carries(node, { key, effect })) return undefined
  const wasHeld = rule.status?.nodeEvaluations?.some(
    ({ nodeName, taintStatus }) => nodeName === node.name && taintStatus === 'Present',
  )
  if (!(isLeaving(rule) && speaksOf(rule, node)) && wasHeld !== true) return undefined
  const isWanted = others.some(
    other => other !== rule && !isLeaving(other) && speaksOf(other, node) && isSameTaint(other.spec.taint, rule.spec.taint),
  )
  return isWanted ? undefined : { action: 'remove', marks: { ...noMarks, remove: [{ key, effect }] } }
}

/** What the API server and the webhook refuse, and came through all the same. */
function faultOf(rule: NodeReadinessRule, node: NodeFacts, others: readonly NodeReadinessRule[]): RuleDecision['failure'] {
  const { taint, conditions, enforcementMode, conditionPolicy } = rule.spec
  if (!taint.key.startsWith('readiness.k8s.io/'))
    return { reason: 'InvalidTaint', message: "taint key must start with 'readiness.k8s.io/'" }
  if (!['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(taint.effect))
    return { reason: 'InvalidTaint', message: "taint effect must be one of 'NoSchedule', 'PreferNoSchedule', 'NoExecute'" }
  if (enforcementMode === 'bootstrap-only' && conditions.some(({ defaultStatus }) => defaultStatus !== undefined))
    return { reason: 'InvalidRule', message: 'defaultStatus should not be used with bootstrap-only enforcementMode' }
  if (enforcementMode === 'bootstrap-only' && conditionPolicy === 'anyOf')
    return { reason: 'InvalidRule', message: 'conditionPolicy anyOf cannot be used with bootstrap-only enforcementMode' }
  const rival = others
    .filter(other => other !== rule && !isLeaving(other) && other.spec.dryRun !== true && speaksOf(other, node))
    .find(other => isSameTaint(other.spec.taint, taint) && isOlder(other, rule))
  if (rival === undefined) return undefined
  const { key, effect } = taint
  const message = `conflicts with existing rule '${rival.metadata.name}' - same taint key '${key}' and effect '${effect}' with overlapping node selectors`
  return { reason: 'ConflictingRule', message }
}

function isOlder(a: NodeReadinessRule, b: NodeReadinessRule): boolean {
  const [aMs, bMs] = [Date.parse(a.metadata.creationTimestamp ?? ''), Date.parse(b.metadata.creationTimestamp ?? '')]
  return aMs === bMs || Number.isNaN(aMs) || Number.isNaN(bMs) ? a.metadata.name < b.metadata.name : aMs < bMs
}
