// Everything that is wanted of one node, by whichever rules, as one patch. Pure: the same node, the same answer; what is written once is not
// wanted again.

import { formatTime } from '#kube/time/time.ts'
import type { NidhoggConfig } from './config.ts'
import { type Heartbeats, silentConditions, withoutSilent } from './heartbeats.ts'
import { timedOutCondition } from './names.ts'
import { isSameTaint, type NodeFacts } from './node-facts.ts'
import type { NodeCondition } from './reporter/reporter-decision.ts'
import { decideNidhogg, type NidhoggDecision } from './rules/nidhogg.ts'
import type { NodeReadinessRule } from './rules/node-readiness-rule.ts'
import { decideOwn, type NodeMarks, type OwnDecision, type OwnWorld } from './rules/own-decision.ts'
import { decideRule, type RuleDecision } from './rules/rule-decision.ts'

export interface World {
  readonly own: OwnWorld
  readonly heartbeats: Heartbeats
  readonly rules: readonly NodeReadinessRule[]
  readonly nidhogg: NidhoggConfig | undefined
  /** Whether a rule has looked at a node before. */
  readonly hasSeen: (rule: NodeReadinessRule, node: NodeFacts) => boolean
}

export interface NodeDecision {
  readonly node: NodeFacts
  readonly own: OwnDecision
  readonly rules: readonly RuleDecision[]
  readonly nidhogg: NidhoggDecision | undefined
  readonly marks: NodeMarks
  /** Conditions of agents that are silent for too long. */
  readonly silent: readonly string[]
  /** To be written beside the marks: what silent agents said is Unknown, and which rules are over their time. */
  readonly conditions: readonly NodeCondition[]
}

/** What is to be done with `node`, and each rule's reason. */
export function decideNode(facts: NodeFacts, world: World, nowMs: number): NodeDecision {
  const silent = silentConditions(facts, world.heartbeats)
  const node = withoutSilent(facts, silent)
  const own = decideOwn(node, world.own, nowMs)
  const rules = world.rules.map(rule => decideRule(rule, node, { first: !world.hasSeen(rule, node), others: world.rules }))
  const nidhogg = world.nidhogg === undefined ? undefined : decideNidhogg(node, world.nidhogg, world.own.daemonSets, nowMs)
  const all = [own.marks, ...rules.map(({ marks }) => marks), ...(nidhogg === undefined ? [] : [nidhogg.marks])]
  const add = all.flatMap(marks => marks.add)
  return {
    node,
    own,
    rules,
    nidhogg,
    marks: {
      add,
      remove: all.flatMap(marks => marks.remove).filter(taint => !add.some(one => isSameTaint(one, taint))),
      annotations: Object.assign({}, ...all.map(({ annotations }) => annotations)),
    },
    silent,
    conditions: node.isDeleting ? [] : conditionsOf(facts, { silent, heartbeats: world.heartbeats, own, nowMs }),
  }
}

function conditionsOf(
  facts: NodeFacts,
  of: {
    readonly silent: readonly string[]
    readonly heartbeats: Heartbeats
    readonly own: OwnDecision
    readonly nowMs: number
  },
): readonly NodeCondition[] {
  const now = formatTime(of.nowMs)
  const seconds = Math.round(of.heartbeats.silentMs / 1_000)
  const message = `the agent of the node has not written this condition for ${seconds} s`
  const vanished = of.silent
    .filter(type => facts.conditions.get(type) !== 'Unknown')
    // Without a heartbeat: that one is the agent's.
    .map((type): NodeCondition => ({ type, status: 'Unknown', reason: 'AgentVanished', message, lastTransitionTime: now }))
  const { tells } = of.own
  if (tells === undefined) return vanished
  const isTurned = facts.timeoutTold?.status !== tells.status
  return [
    ...vanished,
    { type: timedOutCondition, ...tells, lastHeartbeatTime: now, ...(isTurned ? { lastTransitionTime: now } : {}) },
  ]
}

/** Whether there is nothing to write. */
export function isNothing({ add, remove, annotations }: NodeMarks): boolean {
  return add.length === 0 && remove.length === 0 && Object.keys(annotations).length === 0
}

/** Whether taints come that were not there: somebody's pods will not be placed. A changed value keeps nobody away. */
export function takesRoom(node: NodeFacts, { add }: NodeMarks): boolean {
  return add.some(taint => !node.taints.some(one => isSameTaint(one, taint)))
}

/** What may be written without a permit: what takes nothing from anybody. Annotations of ours say when rules were done, with or without. */
export function withoutTaking(node: NodeFacts, marks: NodeMarks): NodeMarks {
  return { ...marks, add: marks.add.filter(taint => node.taints.some(one => isSameTaint(one, taint))) }
}
