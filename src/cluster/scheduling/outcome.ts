// What evaluating a pod found: kept as columns, made into verdicts, landing and messages when these are asked for.

import type { PodState } from '../cluster-state.ts'
import type { SchedulerSettings } from '../scheduler-settings.ts'
import type { Filters } from './filters.ts'
import type { NodeTable } from './node-table.ts'
import { possibleWinners } from './partial-search.ts'
import { type Refusal, unavailableMessage } from './refusal.ts'
import { normalise, type RawScore } from './scores.ts'

export type NodeVerdict =
  | {
      readonly kind: 'feasible'
      /** Weighted, by plugin; a plugin that has no say on the pod is absent. */
      readonly scores: Readonly<Record<string, number>>
      readonly total: number
    }
  | {
      readonly kind: 'refused'
      /** The first plugin that refuses the node. */
      readonly filter: string
      /** In kube-scheduler's words. */
      readonly reasons: readonly string[]
    }

export interface Evaluation {
  /** Verdicts for every node, in order of names. */
  readonly verdicts: ReadonlyMap<string, NodeVerdict>
  /** Names of the feasible nodes, ascending. */
  readonly feasible: readonly string[]
  /**
   * Where the pod may land, ascending: the nodes with the top total, among which the scheduler draws; from 100 nodes on all nodes
   * that could have it in a partial search. Empty where nothing fits.
   */
  readonly landing: readonly string[]
  /** How many feasible nodes the scheduler looks for: it knows of no others when it compares. */
  readonly found: number
  /** What each plugin gave a feasible node before it was normalised and weighted; empty for other nodes, and where only one is feasible. */
  rawScores(node: string): Readonly<Record<string, number>>
  /** `0/4 nodes are available: …`, as in the PodScheduled condition; empty where something fits. */
  readonly message: string
  /**
   * What follows it there, after a space, when nothing can be gained by preemption: `no new claims to deallocate, preemption: …`;
   * empty where something fits.
   */
  readonly preemption: string
  /** Whether the scheduler gave up with an error; `message` says which. */
  readonly isError: boolean
}

interface OutcomeParts {
  readonly table: NodeTable
  readonly settings: SchedulerSettings
  readonly pod: PodState
  readonly filters: Filters
  readonly refusals: readonly (Refusal | undefined)[]
  readonly feasible: Int32Array
  readonly scores: readonly RawScore[]
  /** How many of the feasible nodes the scheduler finds. */
  readonly found: number
  /** Why the scheduler gives up on the pod. */
  readonly error: Refusal | undefined
}

interface PluginScores {
  readonly plugin: string
  readonly weighted: Float64Array
}

/** Keeps what was found and makes of it what is asked for, when it is. */
export class Outcome implements Evaluation {
  readonly #parts: OutcomeParts
  #scores: readonly PluginScores[] | undefined
  #totals: Float64Array | undefined
  #verdicts: ReadonlyMap<string, NodeVerdict> | undefined
  #landing: readonly string[] | undefined

  constructor(parts: OutcomeParts) {
    this.#parts = parts
  }

  get feasible(): readonly string[] {
    const { feasible, table } = this.#parts
    return Array.from(feasible, node => table.names[node] ?? '')
  }

  get found(): number {
    return this.#parts.found
  }

  get landing(): readonly string[] {
    this.#landing ??= this.#winners().map(at => this.#parts.table.names[this.#parts.feasible[at] ?? 0] ?? '')
    return this.#landing
  }

  get verdicts(): ReadonlyMap<string, NodeVerdict> {
    this.#verdicts ??= this.#makeVerdicts()
    return this.#verdicts
  }

  rawScores(node: string): Readonly<Record<string, number>> {
    const { feasible, scores, table } = this.#parts
    const at = feasible.indexOf(table.indexOf.get(node) ?? -1)
    return at < 0 ? {} : Object.fromEntries(scores.map(({ plugin, raw }) => [plugin, raw[at] ?? 0]))
  }

  get isError(): boolean {
    return this.#parts.error !== undefined
  }

  get message(): string {
    const { feasible, filters, table, refusals, error } = this.#parts
    if (feasible.length > 0) return ''
    if (error !== undefined) return `running "${error.filter}" filter plugin: ${error.reasons.join(', ')}`
    if (filters.kind === 'none' && filters.refusal.filter === 'SchedulingGates') return filters.refusal.reasons.join(', ')
    if (table.size === 0) return 'no nodes available to schedule pods'
    if (filters.kind === 'none') return `0/${table.size} nodes are available: ${filters.refusal.reasons.join(', ')}.`
    return unavailableMessage(table.size, counted(refusals.flatMap(found => found?.reasons ?? [])))
  }

  get preemption(): string {
    const { feasible, filters, table, refusals, pod, error } = this.#parts
    if (feasible.length > 0 || table.size === 0 || error !== undefined) return ''
    // The plugin for devices speaks first, and finds nothing of its own when another one stopped the search before it began.
    const isOfDevices = filters.kind === 'none' && filters.refusal.filter === 'DynamicResources'
    if (filters.kind === 'none' && !isOfDevices) return filters.refusal.filter === 'SchedulingGates' ? '' : 'not found'
    const devices =
      !isOfDevices && (pod.object.spec.resourceClaims ?? []).length > 0 ? 'still not schedulable' : 'no new claims to deallocate'
    if (pod.object.spec.preemptionPolicy === 'Never') return `${devices}, preemption: not eligible due to preemptionPolicy=Never.`
    const reasons = refusals.map(found =>
      found?.isUnresolvable === false
        ? 'No preemption victims found for incoming pod'
        : 'Preemption is not helpful for scheduling',
    )
    return `${devices}, preemption: ${unavailableMessage(table.size, counted(reasons))}`
  }

  #pluginScores(): readonly PluginScores[] {
    this.#scores ??= this.#parts.scores.map(({ plugin, normalisation, raw }) => {
      const weighted = raw.slice()
      normalise(weighted, normalisation)
      const weight = this.#parts.settings.weights[plugin]
      for (let at = 0; at < weighted.length; at++) weighted[at] = (weighted[at] ?? 0) * weight
      return { plugin, weighted }
    })
    return this.#scores
  }

  #sums(): Float64Array {
    if (this.#totals !== undefined) return this.#totals
    const totals = new Float64Array(this.#parts.feasible.length)
    for (const { weighted } of this.#pluginScores())
      for (let at = 0; at < totals.length; at++) totals[at] = (totals[at] ?? 0) + (weighted[at] ?? 0)
    this.#totals = totals
    return totals
  }

  /** Positions in the feasible nodes. */
  #winners(): readonly number[] {
    const { feasible, found, scores, settings } = this.#parts
    if (found < feasible.length) {
      const weighted = scores.map(({ plugin, normalisation, variants }) => ({
        normalisation,
        variants,
        weight: settings.weights[plugin],
      }))
      return possibleWinners(weighted, feasible.length, found)
    }
    const totals = this.#sums()
    let top = Number.NEGATIVE_INFINITY
    for (const total of totals) if (total > top) top = total
    const winners: number[] = []
    for (let at = 0; at < totals.length; at++) if (totals[at] === top) winners.push(at)
    return winners
  }

  #makeVerdicts(): ReadonlyMap<string, NodeVerdict> {
    const { table, refusals, feasible } = this.#parts
    const totals = this.#sums()
    const verdicts = new Map<string, NodeVerdict>()
    const positions = new Map(Array.from(feasible, (node, at) => [node, at]))
    for (const [node, name] of table.names.entries()) {
      const found = refusals[node]
      const at = positions.get(node)
      if (found !== undefined) verdicts.set(name, { kind: 'refused', filter: found.filter, reasons: found.reasons })
      else if (at !== undefined) {
        const scores = Object.fromEntries(this.#pluginScores().map(({ plugin, weighted }) => [plugin, weighted[at] ?? 0]))
        verdicts.set(name, { kind: 'feasible', scores, total: totals[at] ?? 0 })
      }
    }
    return verdicts
  }
}

function counted(reasons: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return counts
}
