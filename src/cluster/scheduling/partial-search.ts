// In a big cluster the scheduler stops looking when it has found enough nodes, from a start that moves on with every pod. Which nodes
// it finds cannot be known, so neither can the winner; but which nodes may win can.
//
// Scores are normalised over the nodes found, by the least and the greatest raw score among them. So every choice of nodes falls under
// one case: what those ends are for each score. Within a case totals are fixed, only nodes between the ends can be in the choice, and a
// node may win when few enough of them are better: those may all be the ones that were not found. A node is named when it may win in
// some case; one more than can win may be named, never one less.

import type { Node } from '#kube/objects/objects.ts'
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

const zoneLabels = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'] as const

/**
 * The order in which the scheduler goes through `nodes` (in order of name, as it lists them when it starts): one of each zone in turn. It
 * begins each search where the last one ended. Nodes that came later are at the end of their zone; nobody can see that from outside.
 */
export function searchOrder(nodes: readonly Node[]): readonly string[] {
  const zones = Map.groupBy(nodes, ({ metadata: { labels = {} } }) => zoneLabels.map(label => labels[label] ?? '').join('/'))
  const lists = [...zones.values()]
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, at) => lists.flatMap(list => list[at]?.metadata.name ?? [])).flat()
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

/** One score under one case: the weighted value of each of its classes; `-Infinity` for one whose nodes cannot be in such a choice. */
interface Case {
  /** By position in the feasible nodes. */
  readonly classOf: Int32Array
  readonly values: Float64Array
}

/** Nodes of one raw score are alike: there are few classes, and many nodes. */
interface Classes {
  readonly classOf: Int32Array
  /** The raw score of each class, ascending, and how many nodes have it. */
  readonly raws: Float64Array
  readonly counts: Int32Array
}

/** So many cases are gone through; beyond, all feasible nodes are named. */
const mostCases = 4_096

/** Which of `feasible` nodes have the top total in some choice of `found` of them (positions, ascending). */
export function possibleWinners(scores: readonly WeightedRaw[], feasible: number, found: number): readonly number[] {
  const all = () => Array.from({ length: feasible }, (_, at) => at)
  const open: (readonly Case[])[] = []
  const fixed = new Float64Array(feasible)
  let product = 1
  for (const { variants, ...score } of scores) {
    if (variants === undefined) return all()
    if (score.normalisation === 'none' && variants.length === 1) {
      const [raw = fixed] = variants
      for (let at = 0; at < feasible; at++) fixed[at] = (fixed[at] ?? 0) + (raw[at] ?? 0) * score.weight
      continue
    }
    const cases = variants.flatMap(raw => casesOf(classesOf(raw), score, found))
    product *= cases.length
    const [only, second] = cases
    if (only !== undefined && second === undefined) addCase(fixed, only)
    else open.push(cases)
  }
  if (product > mostCases) return all()
  const isWinner = new Uint8Array(feasible)
  eachChoice(open, fixed, totals => markWinners(totals, isWinner, found))
  const winners: number[] = []
  for (let at = 0; at < feasible; at++) if (isWinner[at] === 1) winners.push(at)
  return winners
}

function addCase(totals: Float64Array, { classOf, values }: Case): void {
  for (let at = 0; at < totals.length; at++) totals[at] = (totals[at] ?? 0) + (values[classOf[at] ?? 0] ?? 0)
}

function eachChoice(cases: readonly (readonly Case[])[], totals: Float64Array, visit: (totals: Float64Array) => void): void {
  const [next, ...rest] = cases
  if (next === undefined) {
    visit(totals)
    return
  }
  const sum = new Float64Array(totals.length)
  for (const one of next) {
    sum.set(totals)
    addCase(sum, one)
    eachChoice(rest, sum, visit)
  }
}

function markWinners(totals: Float64Array, isWinner: Uint8Array, found: number): void {
  let possible = 0
  let top = Number.NEGATIVE_INFINITY
  for (let at = 0; at < totals.length; at++) {
    const total = totals[at] ?? 0
    if (total === Number.NEGATIVE_INFINITY) continue
    possible++
    if (total > top) top = total
  }
  if (possible < found) return
  // The total with possible - found better ones: whatever is as good may be the best of those found.
  const bar = totalAfter(totals, possible - found, top)
  for (let at = 0; at < totals.length; at++) {
    const total = totals[at] ?? 0
    if (total >= bar && total !== Number.NEGATIVE_INFINITY) isWinner[at] = 1
  }
}

/** Totals lie this close together but for odd weights. */
const usualRange = 2_048
const below = new Int32Array(usualRange)

/** The total that has `better` totals before it when they are sorted from the top. */
function totalAfter(totals: Float64Array, better: number, top: number): number {
  below.fill(0)
  for (let at = 0; at < totals.length; at++) {
    const distance = top - (totals[at] ?? 0)
    if (distance < usualRange) below[distance] = (below[distance] ?? 0) + 1
  }
  let passed = 0
  for (let distance = 0; distance < usualRange; distance++) {
    passed += below[distance] ?? 0
    if (passed > better) return top - distance
  }
  return totals.toSorted()[totals.length - 1 - better] ?? Number.NEGATIVE_INFINITY
}

function classesOf(raw: Float64Array): Classes {
  const counted = new Map<number, number>()
  for (let at = 0; at < raw.length; at++) {
    const score = raw[at] ?? 0
    counted.set(score, (counted.get(score) ?? 0) + 1)
  }
  const raws = Float64Array.from(counted.keys()).sort()
  const indexOf = new Map<number, number>()
  for (let index = 0; index < raws.length; index++) indexOf.set(raws[index] ?? 0, index)
  const classOf = new Int32Array(raw.length)
  for (let at = 0; at < raw.length; at++) classOf[at] = indexOf.get(raw[at] ?? 0) ?? 0
  return { classOf, raws, counts: Int32Array.from(raws, score => counted.get(score) ?? 0) }
}

function casesOf(classes: Classes, { normalisation, weight }: Omit<WeightedRaw, 'variants'>, found: number): readonly Case[] {
  const { classOf, raws } = classes
  if (normalisation === 'none') return [{ classOf, values: raws.map(score => score * weight) }]
  return endsOf(classes, normalisation, found).map(ends => ({
    classOf,
    values: raws.map(score =>
      isOutside(score, normalisation) || (score >= ends.low && score <= ends.high)
        ? weight * normalised(score, normalisation, ends)
        : Number.NEGATIVE_INFINITY,
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
function endsOf({ raws, counts }: Classes, normalisation: Normalisation, found: number): readonly Ends[] {
  let inside = 0
  let outside = 0
  for (let index = 0; index < raws.length; index++) {
    if (isOutside(raws[index] ?? 0, normalisation)) outside += counts[index] ?? 0
    else inside += counts[index] ?? 0
  }
  if (inside === 0) return [{ low: 0, high: 0 }]
  // Nodes that have no part may fill the choice.
  const counted = Math.min(found - outside, inside)
  const [firstHigh, lastLow] = [Math.max(0, counted - 1), inside - Math.max(1, counted)]
  const lows: number[] = []
  const highs: number[] = []
  let before = 0
  for (let index = 0; index < raws.length; index++) {
    const score = raws[index] ?? 0
    if (isOutside(score, normalisation)) continue
    if (before <= lastLow) lows.push(score)
    before += counts[index] ?? 0
    if (before > firstHigh) highs.push(score)
  }
  if (normalisation === 'share' || normalisation === 'inverse-share')
    return highs.map(high => ({ low: Number.NEGATIVE_INFINITY, high }))
  return lows.flatMap(low => highs.flatMap(high => (high >= low ? [{ low, high }] : [])))
}
