// What a container gets for the ids that the kubelet chose.

import type { DeviceNode } from '../discovery/found-device.ts'
import type { Offer } from '../discovery/offers.ts'
import { NoAnswer } from './preferred.ts'

export interface Allocation {
  readonly nodes: readonly DeviceNode[]
  readonly mounts: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Devices by their names for CDI. */
  readonly cdi: readonly string[]
}

/**
 * Each file, mount and name once, in order.
 * @throws NoAnswer naming an id that is not offered, or not well
 */
export function allocate({ resource, shares }: Offer, ids: readonly string[]): Allocation {
  const nodes = new Map<string, DeviceNode>()
  const mounts = new Set<string>()
  const environment = new Map<string, Set<string>>()
  const cdi = new Set<string>()
  for (const id of ids) {
    const share = shares.get(id)
    if (share === undefined) throw new NoAnswer(`${resource} has no device ${id}`)
    if (!share.isHealthy) throw new NoAnswer(`device ${id} of ${resource} is unhealthy`)
    for (const node of share.nodes) nodes.set(node.path, node)
    for (const mount of share.mounts) mounts.add(mount)
    for (const [name, value] of Object.entries(share.environment ?? {})) {
      const values = environment.get(name) ?? new Set()
      environment.set(name, values.add(value))
    }
    if (share.cdi !== undefined) cdi.add(share.cdi)
  }
  return {
    nodes: [...nodes.values()],
    mounts: [...mounts],
    environment: Object.fromEntries(Array.from(environment, ([name, values]) => [name, [...values].join(',')])),
    cdi: [...cdi],
  }
}
