// Which nodes a mirror asks first for the others: up to 64 of them, an address a line. Pure. Which of many they are follows from their names
// alone, so that a node that comes or goes changes one line at most.
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { Node } from '#kube/objects.ts'

/** As many as a mirror reads of its file. */
export const mostListed = 64

/** The first internal address of a node; `undefined` where it has none, or another system than Linux. */
export function addressOf(node: Node): string | undefined {
  if ((node.metadata.labels?.['kubernetes.io/os'] ?? 'linux') !== 'linux') return undefined
  const found = (node.status?.addresses ?? []).find(({ type, address }) => type === 'InternalIP' && isIP(address) !== 0)
  return found?.address
}

const isReady = ({ status }: Node): boolean =>
  (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True')

/** Its place in the order of all nodes there could ever be. */
const placeOf = ({ metadata: { name } }: Node): string => createHash('sha256').update(name).digest('hex')

/**
 * The text of the list, with a newline at its end; empty where no node has an address. Nodes that go are left out; where there are more than 64,
 * those that are not ready come last.
 */
export function peerList(nodes: readonly Node[]): string {
  const able = nodes.filter(node => node.metadata.deletionTimestamp === undefined && addressOf(node) !== undefined)
  const rank = (node: Node) => `${able.length > mostListed && !isReady(node) ? 1 : 0}${placeOf(node)}`
  const chosen = able
    .map(node => ({ node, rank: rank(node) }))
    .toSorted((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, mostListed)
  // A family's addresses are bare: the port is the router's own, which all have.
  const lines = [...new Set(chosen.map(({ node }) => addressOf(node)))].toSorted()
  return lines.map(line => `${line}\n`).join('')
}
