// When an agent lets its own node go: no controller did, though the time of every rule is over by a margin. It knows the configuration and its
// node, and neither pods nor what a controller remembers; so it waits longer than any controller would. Pure.

import type { Node } from '#kube/objects/objects.ts'
import { durationMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ReadinessConfig } from '../config.ts'
import { isOwnTaint, releasedAnnotation, timedOutAnnotation } from '../names.ts'
import type { NodeFacts } from '../node-facts.ts'
import { type NodeMarks, taintedSinceMs } from '../rules/own-decision.ts'
import { type DaemonSets, meets, ownRules } from '../rules/own-rules.ts'

export type OwnRelease =
  | { readonly kind: 'free' }
  /** `untilMs`: milliseconds since 1970. */
  | { readonly kind: 'waits'; readonly untilMs: number }
  /** By rules that may not let go unmet. */
  | { readonly kind: 'held'; readonly why: string }
  | { readonly kind: 'released'; readonly marks: NodeMarks; readonly unmet: readonly Unmet[] }

interface Unmet {
  readonly rule: string
  readonly why: string
}

/** No agent sees a DaemonSet's pods: a rule that asks for one is not met as far as it knows. */
const unseen: DaemonSets = { get: () => undefined }

/**
 * Now, milliseconds since 1970, and no later than the server's clock can be: it notes on the node when it was written last, which the kubelet and
 * the agent see to within a heartbeat. A node's own clock may be hours ahead, and a node that is let go by it would not have waited at all.
 */
export function nowOnServer(
  { metadata: { managedFields = [] } }: Pick<Node, 'metadata'>,
  config: ReadinessConfig,
  nowMs: number,
): number {
  const writtenMs = Math.max(...managedFields.map(({ time }) => Date.parse(time ?? '')).filter(ms => !Number.isNaN(ms)))
  return Number.isFinite(writtenMs) ? Math.min(nowMs, writtenMs + durationMs(config.agent.heartbeat)) : nowMs
}

/** What an agent does about our taint on its own node. */
export function decideOwnRelease(node: NodeFacts, config: ReadinessConfig, nowMs: number): OwnRelease {
  const tainted = node.taints.find(isOwnTaint)
  if (!config.agent.release || tainted === undefined || node.isDeleting) return { kind: 'free' }
  const rules = ownRules(config)
  const mine = rules.filter(({ selector }) => selector.matches(node.labels))
  const longestMs = mine.length === 0 ? durationMs(config.timeout) : Math.max(...mine.map(({ timeoutMs }) => timeoutMs))
  const untilMs = taintedSinceMs(node, tainted, nowMs) + longestMs + durationMs(config.agent.releaseMargin)
  if (nowMs < untilMs) return { kind: 'waits', untilMs }
  const unmet: Unmet[] = []
  for (const { name: rule, requirements, onTimeout } of mine) {
    const { isMet } = meets(requirements, node, unseen)
    if (isMet) continue
    const why = whyUnmet(requirements, node)
    if (onTimeout === 'hold') return { kind: 'held', why: `rule '${rule}': ${why}` }
    unmet.push({ rule, why })
  }
  const names = unmet.map(({ rule }) => rule).join(',')
  return {
    kind: 'released',
    unmet,
    marks: {
      add: [],
      remove: node.taints.filter(isOwnTaint).map(({ key, effect }) => ({ key, effect })),
      annotations: { [releasedAnnotation]: formatTime(nowMs), ...(names === '' ? {} : { [timedOutAnnotation]: names }) },
    },
  }
}

/** A DaemonSet that an agent cannot see is not said to be missing. */
function whyUnmet(requirements: Parameters<typeof meets>[0], node: NodeFacts): string {
  const seen = meets(
    requirements.filter(({ kind }) => kind === 'condition'),
    node,
    unseen,
  )
  return seen.isMet ? 'an agent does not see whether the pod of its DaemonSet is Ready' : seen.why
}
