// NodePorts: a host port can be taken once for an address and protocol; the wildcard address meets all.

import type { NodeLoads } from './node-loads.ts'
import type { HostPort } from './pod-info.ts'
import { type Refusal, refusal } from './refusal.ts'

const taken = refusal('NodePorts', "node(s) didn't have free ports for the requested pod ports", { isUnresolvable: false })
const wildcard = '0.0.0.0'

/** Whether a port that `wanted` names is taken on a node; `undefined` where none is wanted. */
export function portsFilter(loads: NodeLoads, wanted: readonly HostPort[]): ((node: number) => Refusal | undefined) | undefined {
  if (wanted.length === 0) return undefined
  return node => (loads.ports(node).some(held => wanted.some(port => conflicts(port, held))) ? taken : undefined)
}

function conflicts(a: HostPort, b: HostPort): boolean {
  return (
    a.port === b.port &&
    a.protocol === b.protocol &&
    (a.address === b.address || a.address === wildcard || b.address === wildcard)
  )
}
