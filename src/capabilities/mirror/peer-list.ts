// Which nodes a mirror asks first for the others: up to 64 of them, an address a line. Pure. Which of many they are follows from their names
// alone, so that a node that comes or goes changes one line at most. Whoever is listed alone is ready alone: a node that has no mirror, or is
// switched off, must not be listed, or the last one there would wait for it for ever.
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { DaemonSet, Node } from '#kube/objects/objects.ts'

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

/** Pods of ours on nodes that serve images. */
const component = 'agent-mirror'

/** Whether a mirror is meant for each node: one of the DaemonSets in `namespace` that bring mirrors picks it. Without any, all are. */
export function mirrorNodes(daemonSets: Iterable<DaemonSet>, namespace: string): (node: Node) => boolean {
  const ours = [...daemonSets].filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.['app.kubernetes.io/component'] === component,
  )
  if (ours.length === 0) return () => true
  const tests = ours.map(({ spec, metadata }) =>
    requiredNodes({ apiVersion: 'v1', kind: 'Pod', metadata, spec: spec.template.spec }),
  )
  return node => tests.some(picks => picks(node))
}

/**
 * The text of the list, with a newline at its end; empty where no node has an address. Nodes that go are left out, and those that are not ready
 * unless none is.
 */
export function peerList(nodes: readonly Node[]): string {
  const able = nodes.filter(node => node.metadata.deletionTimestamp === undefined && addressOf(node) !== undefined)
  const ready = able.filter(isReady)
  const chosen = (ready.length > 0 ? ready : able)
    .map(node => ({ node, place: placeOf(node) }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1))
    .slice(0, mostListed)
  // A family's addresses are bare: the port is the router's own, which all have.
  const lines = [...new Set(chosen.map(({ node }) => addressOf(node)))].toSorted()
  return lines.map(line => `${line}\n`).join('')
}
