// In a big cluster the scheduler stops looking when it has found enough nodes, from a start that moves on with every pod. Which nodes
// it finds cannot be known, so neither can the winner; but which nodes may win can.
//
// Scores are normalised over the nodes found, by the least and the greatest raw score among them. So every choice of nodes falls under
// one case: what those ends are for each score. Within a case totals are fixed, only nodes between the ends can be in the choice, and a
// node may win when few enough of them are better: those may all be the ones that were not found. A node is named when it may win in
// some case; one more than can win may be named, never one less.

import { scaledQuotient } from './exact.ts'
import { affinityScore } from './pod-affinity.ts'
import type { Normalisation } from './scores.ts'
import { spreadScore } from './spread-scores.ts'

/** Below this many nodes all are looked at, and never fewer than this many are asked for. */
const fewestNodes = 100
const leastPercentage = 5

/** How many feasible nodes are enough among `nodes`. `percentage` 0: 50 less one for each 125 nodes. */
export function nodesToFind(nodes: number, percentage: number): number {
  if (nodes < fewestNodes) return nodes
  const share = percentage === 0 ? Math.max(leastPercentage, 50 - Math.floor(nodes / 125)) : percentage
  return Math.max(fewestNodes, Math.floor((nodes * share) / 100))
}

interface WeightedRaw {
  /** By position in the feasible nodes; more than one where the raw scores too depend on which nodes are found, `undefined`: too many. */
  readonly variants: readonly Float64Array[] | undefined
  readonly normalisation: Normalisation
  readonly weight: number
}

/** The least and the greatest raw score among the nodes found. */
interface Ends {
  readonly low: number
  readonly high: number
}

/** One score under one case: its weighted values, and which nodes can be in such a choice. */
interface Case {
  readonly values: Float64Array
  readonly isPossible: Uint8Array | undefined
}

/** So many cases are gone through; beyond, all feasible nodes are named. */
const mostCases = 4_096

/** Which of `feasible` nodes have the top total in some choice of `found` of them (positions, ascending). */
export function possibleWinners(scores: readonly WeightedRaw[], feasible: number, found: number): readonly number[] {
  const all = Array.from({ length: feasible }, (_, at) => at)
  const cases: (readonly Case[])[] = []
  for (const { variants, ...score } of scores) {
    if (variants === undefined) return all
    cases.push(variants.flatMap(raw => casesOf(raw, score, found)))
  }
  if (cases.reduce((product, list) => product * list.length, 1) > mostCases) return all
  const isWinner = new Uint8Array(feasible)
  eachChoice(cases, choice => markWinners(choice, isWinner, found))
  return all.filter(at => isWinner[at] === 1)
}

function eachChoice(
  cases: readonly (readonly Case[])[],
  visit: (choice: readonly Case[]) => void,
  chosen: readonly Case[] = [],
): void {
  const next = cases[chosen.length]
  if (next === undefined) visit(chosen)
  else for (const one of next) eachChoice(cases, visit, [...chosen, one])
}

function markWinners(choice: readonly Case[], isWinner: Uint8Array, found: number): void {
  const totals = new Float64Array(isWinner.length)
  for (const { values, isPossible } of choice) {
    for (let at = 0; at < totals.length; at++)
      totals[at] = isPossible?.[at] === 0 ? Number.NEGATIVE_INFINITY : (totals[at] ?? 0) + (values[at] ?? 0)
  }
  const possible = totals.reduce((count, total) => count + (total === Number.NEGATIVE_INFINITY ? 0 : 1), 0)
  if (possible < found) return
  // The total with possible - found better ones: whatever is as good may be the best of those found.
  const bar = totals.toSorted()[totals.length - 1 - (possible - found)] ?? Number.NEGATIVE_INFINITY
  for (let at = 0; at < totals.length; at++)
    if ((totals[at] ?? 0) >= bar && totals[at] !== Number.NEGATIVE_INFINITY) isWinner[at] = 1
}

function casesOf(raw: Float64Array, { normalisation, weight }: Omit<WeightedRaw, 'variants'>, found: number): readonly Case[] {
  if (normalisation === 'none') return [{ values: raw.map(score => score * weight), isPossible: undefined }]
  return endsOf(raw, normalisation, found).map(ends => ({
    values: raw.map(score => weight * normalised(score, normalisation, ends)),
    isPossible: Uint8Array.from(raw, score =>
      isOutside(score, normalisation) || (score >= ends.low && score <= ends.high) ? 1 : 0,
    ),
  }))
}

/** A node that lacks a key of a spread constraint has no part in the ends. */
function isOutside(score: number, normalisation: Normalisation): boolean {
  return normalisation === 'spread' && score < 0
}

function normalised(score: number, normalisation: Normalisation, { low, high }: Ends): number {
  switch (normalisation) {
    case 'none':
      return score
    case 'share':
      return high === 0 ? 0 : scaledQuotient(Math.min(score, high), 100, high)
    case 'inverse-share':
      return high === 0 ? 100 : 100 - scaledQuotient(Math.min(score, high), 100, high)
    case 'spread':
      return isOutside(score, normalisation) ? 0 : spreadScore(Math.min(Math.max(score, low), high), { low, high })
    case 'affinity':
      return affinityScore(score, { low, high })
  }
}

/** The ends that a choice of `found` nodes can have. Shares look at the upper end alone. */
function endsOf(raw: Float64Array, normalisation: Normalisation, found: number): readonly Ends[] {
  const scores = raw.filter(score => !isOutside(score, normalisation)).toSorted()
  // Nodes that have no part may fill the choice.
  const counted = found - (raw.length - scores.length)
  if (scores.length === 0) return [{ low: 0, high: 0 }]
  const highs = new Set(scores.subarray(Math.max(0, Math.min(counted, scores.length) - 1)))
  const lows = new Set(scores.subarray(0, scores.length - Math.max(1, Math.min(counted, scores.length)) + 1))
  if (normalisation === 'share' || normalisation === 'inverse-share')
    return Array.from(highs, high => ({ low: Number.NEGATIVE_INFINITY, high }))
  return Array.from(lows).flatMap(low => Array.from(highs).flatMap(high => (high >= low ? [{ low, high }] : [])))
}
