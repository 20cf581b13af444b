// Why a node was refused, in kube-scheduler's words.

import type { FilterPlugin } from '../scheduler-settings.ts'

export interface Refusal {
  readonly filter: FilterPlugin | 'SchedulingGates' | 'DynamicResources'
  readonly reasons: readonly string[]
  /** Whether evicting pods from the node could not change it. */
  readonly isUnresolvable: boolean
  /** The scheduler gives up on the pod with an error; no node is looked at further. */
  readonly isError?: true
}

/** A refusal for one reason. */
export function refusal(filter: Refusal['filter'], reason: string, options: { readonly isUnresolvable: boolean }): Refusal {
  return { filter, reasons: [reason], isUnresolvable: options.isUnresolvable }
}

/** `0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had untolerated taint(s).` for what `reasons` counts. */
export function unavailableMessage(nodes: number, reasons: ReadonlyMap<string, number>): string {
  const counted = Array.from(reasons, ([reason, count]) => `${count} ${reason}`).toSorted(byBytes)
  const start = `0/${nodes} nodes are available:`
  return counted.length === 0 ? start : `${start} ${counted.join(', ')}.`
}

/** Plain order of texts: what Go's sort gives for ASCII. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
