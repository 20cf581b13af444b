// On which nodes the replacement of a move may land. Few nodes are named; in a large cluster those are named where it may not.

/** What a move says of where it may land. */
interface Landing {
  readonly from: string
  readonly acceptable: readonly string[]
  readonly closed?: number | undefined
}

/** The part of a plan that its moves refer to. */
interface Closing {
  readonly closedNodes?: readonly string[] | undefined
}

/**
 * Whether the replacement of `move` may land on a node. Those of `acceptable` are; where the move has `closed`, so is every other node but
 * its source and the first so many of the plan's `closedNodes`.
 */
export function acceptance({ closedNodes = [] }: Closing, move: Landing): (node: string) => boolean {
  const named = new Set(move.acceptable)
  if (move.closed === undefined) return node => named.has(node)
  const closed = new Set(closedNodes.slice(0, move.closed))
  return node => named.has(node) || (node !== move.from && !closed.has(node))
}

/** Names that are told. */
const mostTold = 8

/** The first names, and how many there are besides. */
export function namedNodes(nodes: readonly string[]): string {
  const rest = nodes.length - mostTold
  return rest <= 0 ? nodes.join(', ') : `${nodes.slice(0, mostTold).join(', ')} and ${rest} more`
}

/** `n2`, `n2, n3`, or `any node but n1 and 40 more`. */
export function acceptableText({ closedNodes = [] }: Closing, { acceptable, closed, from }: Landing): string {
  if (closed === undefined) return namedNodes(acceptable)
  const others = closedNodes.slice(0, closed).filter(node => node !== from && !acceptable.includes(node))
  return `any node but ${namedNodes([from, ...others])}`
}
