// Objects that the cluster has no place for, kept in this process instead: a server of our own, in memory, that answers for them alone. All
// other requests go to the cluster.

import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import { MemoryServer } from './memory-server.ts'

interface MemoryOptions {
  readonly clock: Clock
  readonly random: Random
  /** Whether a request is answered from memory. */
  readonly isKept: (request: TransportRequest) => boolean
}

/** `cluster` for all but what `isKept` says. Closing it closes the cluster's connections and forgets what was kept. */
export function withMemory(cluster: Transport, { clock, random, isKept }: MemoryOptions): Transport {
  const memory = new MemoryServer({ clock, random })
  const chosen = (request: TransportRequest): Transport => (isKept(request) ? memory : cluster)
  return {
    request: request => chosen(request).request(request),
    stream: request => chosen(request).stream(request),
    close: async () => {
      await Promise.all([cluster.close(), memory.close()])
    },
  }
}
