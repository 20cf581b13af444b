// What a claim has of a driver on this node, read from the claim as the API server has it. Pure.

import type { AllocatedDevice, ResourceClaim } from '#cluster/devices/device-shapes.ts'
import type { DraDevice } from './dra-devices.ts'
import type { PreparedClaim } from './prepared-claims.ts'

/** A claim as the kubelet names it. */
export interface NamedClaim {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

interface Around {
  readonly driver: string
  /** The pool is the node's. */
  readonly node: string
  readonly cdiKind: string
  /** By name. */
  readonly devices: ReadonlyMap<string, DraDevice>
  /** What other claims have. */
  readonly others: readonly PreparedClaim[]
}

/** A claim has at most so many devices, by the API server's own rule. */
const mostDevices = 32

/** What is to be kept of the claim, or why it cannot be prepared. */
export function readClaim(asked: NamedClaim, claim: ResourceClaim, around: Around): PreparedClaim | string {
  const { driver, node, cdiKind, devices, others } = around
  const { namespace, name, uid } = asked
  if (claim.metadata.uid !== uid)
    return `claim ${namespace}/${name} is another one by now: its UID is ${claim.metadata.uid ?? 'unknown'}`
  const results = (claim.status?.allocation?.devices?.results ?? []).filter(result => result.driver === driver)
  if (results.length === 0) return `claim ${namespace}/${name} has no device of ${driver}`
  if (results.length > mostDevices) return `claim ${namespace}/${name} has ${results.length} devices, above ${mostDevices}`
  for (const result of results) {
    const { pool, device } = result
    if (pool !== node) return `device ${device} is in pool ${pool}, and this node is ${node}`
    if (!devices.has(device)) return `there is no device ${device} of ${driver} on ${node}`
    const holder = others.find(
      other => other.uid !== uid && other.devices.some(held => held.device === device && isInWay(held, result)),
    )
    if (holder !== undefined) return `device ${device} is prepared for claim ${holder.namespace}/${holder.name} (${holder.uid})`
  }
  return {
    uid,
    namespace,
    name,
    pool: node,
    devices: results.map(({ request, device, shareID, adminAccess }) => ({
      // The kubelet knows a request by its name alone; what follows says which of its alternatives was taken.
      requests: [request.split('/', 1)[0] ?? request],
      device,
      cdi: [`${cdiKind}=${device}`],
      ...(shareID === undefined ? {} : { shareId: shareID }),
      isAdmin: adminAccess === true,
    })),
  }
}

/** Access for administration takes nothing from anybody, and shares lie side by side. */
function isInWay(held: PreparedClaim['devices'][number], result: AllocatedDevice): boolean {
  if (held.isAdmin || result.adminAccess === true) return false
  return held.shareId === undefined || result.shareID === undefined
}
