// ImageLocality: nodes that already have the pod's images, the big and widespread ones counting most.

import { scaledQuotient } from './exact.ts'
import type { NodeTable } from './node-table.ts'
import type { Ask } from './pod-info.ts'

const mebibyte = 1024 * 1024
const leastBytes = 23 * mebibyte
const mostBytesPerContainer = 1000 * mebibyte

/** The score of each feasible node, 0 to 100. */
export function imageScores(table: NodeTable, ask: Ask, feasible: Int32Array): Float64Array {
  const scores = new Float64Array(feasible.length)
  const bytes = new Float64Array(table.size)
  let isPresent = false
  for (const name of ask.images) {
    const image = table.images.get(name)
    if (image === undefined) continue
    isPresent = true
    const counted = Math.trunc(image.sizeBytes * (image.nodes.length / table.size))
    for (const node of image.nodes) bytes[node] = (bytes[node] ?? 0) + counted
  }
  if (!isPresent) return scores
  const most = mostBytesPerContainer * ask.containers
  for (const [at, node] of feasible.entries()) {
    const sum = Math.min(Math.max(bytes[node] ?? 0, leastBytes), most)
    scores[at] = scaledQuotient(sum - leastBytes, 100, most - leastBytes)
  }
  return scores
}
