// In a big cluster the scheduler stops looking when it has found enough nodes, from a start that moves on with every pod. Which nodes
// it finds cannot be known, so neither can the winner; but which nodes may win can: those that few enough others must beat.

import type { Normalisation } from './scores.ts'

/** Below this many nodes all are looked at, and never fewer than this many are asked for. */
const fewestNodes = 100
const leastPercentage = 5

/** How many feasible nodes are enough among `nodes`. `percentage` 0: 50 less one for each 125 nodes. */
export function nodesToFind(nodes: number, percentage: number): number {
  if (nodes < fewestNodes) return nodes
  const share = percentage === 0 ? Math.max(leastPercentage, 50 - Math.floor(nodes / 125)) : percentage
  return Math.max(fewestNodes, Math.floor((nodes * share) / 100))
}

export interface WeightedRaw {
  readonly raw: Float64Array
  readonly normalisation: Normalisation
  readonly weight: number
}

/**
 * Which of the feasible nodes have the top total in some choice of `found` of them (positions, ascending). Each score's least and
 * greatest value over all choices is bounded by itself, so a node more may be named than can win, never one less.
 */
export function possibleWinners(scores: readonly WeightedRaw[], feasible: number, found: number): readonly number[] {
  const least = new Float64Array(feasible)
  const most = new Float64Array(feasible)
  for (const { raw, normalisation, weight } of scores) {
    const bounds = boundsOf(raw, normalisation, found)
    for (let at = 0; at < feasible; at++) {
      const { low, high } = bounds(raw[at] ?? 0)
      least[at] = (least[at] ?? 0) + weight * low
      most[at] = (most[at] ?? 0) + weight * high
    }
  }
  const sorted = least.toSorted()
  const spare = feasible - found
  // A node may win when at most `spare` others are better in every choice: those may all be the ones that were not found.
  const bar = sorted[feasible - spare - 1] ?? Number.NEGATIVE_INFINITY
  const winners: number[] = []
  for (let at = 0; at < feasible; at++) if ((most[at] ?? 0) >= bar) winners.push(at)
  return winners
}

interface Bounds {
  readonly low: number
  readonly high: number
}

/** The least and greatest normalised score of a node with a raw score, over all choices of `found` nodes that hold it. */
function boundsOf(raw: Float64Array, normalisation: Normalisation, found: number): (score: number) => Bounds {
  if (normalisation === 'none') return score => ({ low: score, high: score })
  const sorted = raw.toSorted()
  const top = sorted.at(-1) ?? 0
  const bottom = sorted[0] ?? 0
  // The greatest raw score of a choice is at least this, the least at most that.
  const leastTop = sorted[found - 1] ?? top
  const mostBottom = sorted[sorted.length - found] ?? bottom
  switch (normalisation) {
    case 'share':
      return score => ({ low: share(score, top), high: share(score, Math.max(score, leastTop)) })
    case 'inverse-share':
      return score => ({ low: 100 - share(score, Math.max(score, leastTop)), high: 100 - share(score, top) })
    case 'spread':
      return score => {
        if (score < 0) return { low: 0, high: 0 }
        const ofSpread = (low: number, high: number) => (high <= 0 ? 100 : Math.floor((100 * (high + low - score)) / high))
        // Grows with both ends. How many domains are found moves raw scores too, for which two points are left as room.
        return { low: Math.max(0, ofSpread(Math.max(0, bottom), Math.max(score, leastTop)) - 2), high: Math.min(100, ofSpread(Math.min(score, Math.max(0, mostBottom)), Math.max(top, score)) + 2) }
      }
    case 'affinity':
      return score => {
        const ofAffinity = (low: number, high: number) => (high > low ? Math.trunc((100 * (score - low)) / (high - low)) : 0)
        return { low: ofAffinity(Math.min(score, mostBottom), Math.max(score, top)), high: ofAffinity(bottom, Math.max(score, leastTop)) }
      }
  }
}

function share(score: number, most: number): number {
  return most <= 0 ? 0 : Math.floor((100 * score) / most)
}
