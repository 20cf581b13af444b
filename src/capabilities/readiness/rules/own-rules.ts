// Rules of the configuration as they are decided on: selectors read, requirements made one shape, times in milliseconds.

import type { Selector } from '#kube/objects/selector.ts'
import { checkedSelector } from '#kube/schema/label-selector.ts'
import { durationMs } from '#kube/time/duration.ts'
import { httpConditionOf, type ReadinessConfig } from '../config.ts'
import type { ConditionStatus, NodeFacts } from '../node-facts.ts'

type Requirement =
  | { readonly kind: 'daemon-set'; readonly namespace: string; readonly name: string }
  /** `url`: the condition is how the node's agent answers for it. */
  | { readonly kind: 'condition'; readonly type: string; readonly status: ConditionStatus; readonly url?: string }

export interface OwnRule {
  readonly name: string
  readonly selector: Selector
  readonly requirements: readonly Requirement[]
  readonly mode: 'bootstrap' | 'continuous'
  readonly timeoutMs: number
  readonly onTimeout: 'hold' | 'release'
}

/** The rules of a configuration that its schema has checked. */
export function ownRules({
  rules,
  timeout,
  onTimeout,
}: Pick<ReadinessConfig, 'rules' | 'timeout' | 'onTimeout'>): readonly OwnRule[] {
  return rules.map((rule): OwnRule => {
    return {
      name: rule.name,
      selector: checkedSelector(rule.nodeSelector),
      requirements: rule.require.map(requirementOf),
      mode: rule.mode,
      timeoutMs: durationMs(rule.timeout ?? timeout),
      onTimeout: rule.onTimeout ?? onTimeout,
    }
  })
}

function requirementOf(of: ReadinessConfig['rules'][number]['require'][number]): Requirement {
  if ('daemonSet' in of) {
    const [namespace = '', name = ''] = of.daemonSet.split('/')
    return { kind: 'daemon-set', namespace, name }
  }
  if ('http' in of) return { kind: 'condition', type: httpConditionOf(of.http), status: 'True', url: of.http }
  const [type = '', status = ''] = of.condition.split('=')
  return { kind: 'condition', type, status: status === 'True' ? 'True' : status === 'False' ? 'False' : 'Unknown' }
}

/** Which nodes have a pod of a DaemonSet that is Ready. */
export interface DaemonSets {
  /** `undefined`: there is no such DaemonSet. `present`: a pod is there; `ready`: it is Ready and not on its way out. */
  get(namespace: string, name: string): { readonly ready: ReadonlySet<string>; readonly present: ReadonlySet<string> } | undefined
}

export interface Met {
  readonly isMet: boolean
  /** Something of what is asked for is there: it starts. */
  readonly isBegun: boolean
  /** The first that is not met, for people; empty where all are. */
  readonly why: string
}

/** Whether all that is required holds on the node. */
export function meets(requirements: readonly Requirement[], node: NodeFacts, daemonSets: DaemonSets): Met {
  const unmet: string[] = []
  let isBegun = false
  for (const one of requirements) {
    if (one.kind === 'condition') {
      const is = node.conditions.get(one.type) ?? 'Unknown'
      isBegun ||= node.conditions.has(one.type)
      if (is !== one.status) unmet.push(conditionSentence(one, node.conditions.get(one.type)))
      continue
    }
    const set = daemonSets.get(one.namespace, one.name)
    isBegun ||= set?.present.has(node.name) === true
    if (set === undefined) unmet.push(`there is no DaemonSet ${one.namespace}/${one.name}`)
    else if (!set.ready.has(node.name)) {
      const how = set.present.has(node.name) ? 'is not Ready' : 'is not there'
      unmet.push(`the pod of DaemonSet ${one.namespace}/${one.name} ${how}`)
    }
  }
  return { isMet: unmet.length === 0, isBegun, why: unmet[0] ?? '' }
}

function conditionSentence(of: Extract<Requirement, { kind: 'condition' }>, is: ConditionStatus | undefined): string {
  if (of.url !== undefined)
    return is === undefined ? `nobody on the node has asked ${of.url} yet` : `${of.url} does not answer 2xx`
  return is === undefined
    ? `condition ${of.type} is missing, ${of.status} is required`
    : `condition ${of.type} is ${is}, not ${of.status}`
}
