// Nidhogg's rules: a taint for each DaemonSet that has no Ready pod on the node, on every node of the selector, always. Pure.
// Unlike there, a pod without any container status is not taken to be ready.

import { parseLabelSelector } from '#kube/objects/selector.ts'
import { formatTime } from '#kube/time/time.ts'
import type { NidhoggConfig } from '../config.ts'
import { firstTimeReadyAnnotation, nidhoggPrefix } from '../names.ts'
import type { NodeFacts } from '../node-facts.ts'
import { type NodeMarks, noMarks } from './own-decision.ts'
import type { DaemonSets } from './own-rules.ts'

export interface NidhoggDecision {
  readonly isSelected: boolean
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly isTaintless: boolean
  readonly marks: NodeMarks
}

/** The key of the taint that stands for a DaemonSet. */
function nidhoggTaint({ name, namespace }: { readonly name: string; readonly namespace: string }): string {
  return `${nidhoggPrefix}/${namespace}.${name}`
}

/** What the file wants of `node`. Taints of an earlier file go. */
export function decideNidhogg(node: NodeFacts, config: NidhoggConfig, daemonSets: DaemonSets, nowMs: number): NidhoggDecision {
  const isSelected =
    !node.isDeleting &&
    config.nodeSelector.every(text => {
      const parsed = parseLabelSelector(text)
      return parsed.ok && parsed.value.matches(node.labels)
    })
  if (!isSelected) return { isSelected, added: [], removed: [], isTaintless: false, marks: noMarks }
  const unready = config.daemonsets.filter(
    ({ name, namespace }) => daemonSets.get(namespace, name)?.ready.has(node.name) !== true,
  )
  const wanted = new Set(unready.map(nidhoggTaint))
  const present = node.taints.filter(({ key }) => key.startsWith(`${nidhoggPrefix}/`))
  const added = [...wanted].filter(key => !present.some(taint => taint.key === key))
  const gone = present.filter(({ key }) => !wanted.has(key))
  const isTaintless = wanted.size === 0
  const isFirst = isTaintless && node.annotations[firstTimeReadyAnnotation] === undefined
  return {
    isSelected,
    added,
    removed: gone.map(({ key }) => key),
    isTaintless,
    marks: {
      add: added.map(key => ({ key, effect: 'NoSchedule' })),
      remove: gone.map(({ key, effect }) => ({ key, effect })),
      annotations: isFirst ? { [firstTimeReadyAnnotation]: formatTime(nowMs) } : {},
    },
  }
}
