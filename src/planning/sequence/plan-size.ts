// How many moves a plan can have so that its object stays below what an API server takes.
import { fewestOfPartialSearch } from './acceptable-nodes.ts'

/** What the moves of a plan take together at most; an object has 1.5 MiB, and the rest of it has to fit too. */
const mostBytes = 1_000_000
/** A move with its certificate and its step, long names in it. */
const bytesOfMove = 1_500
/** A node in a certificate that names each: quotes and points besides the name. */
const bytesOfNode = 10

/** Moves that a plan can have in a cluster of these nodes: the certificates of small clusters name each of them. */
export function mostMovesOf(nodes: readonly string[]): number {
  const named = nodes.length < fewestOfPartialSearch ? nodes.reduce((sum, name) => sum + name.length + bytesOfNode, 0) : 0
  return Math.floor(mostBytes / (bytesOfMove + named))
}
