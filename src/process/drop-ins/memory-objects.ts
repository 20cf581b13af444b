// Objects that the cluster has no place for, kept in this process instead: an API server of our own, in memory, that answers for them
// alone. All other requests go to the cluster.

import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { troubleLog } from '#twin/trouble.ts'
import { startTwin } from '#twin/twin.ts'

interface MemoryOptions {
  readonly clock: Clock
  /** Told of faults of the server in memory: it is never the end of this process. */
  readonly log: Log
  /** Kinds that such an API server has to be told first. */
  readonly definitions: readonly KubeObject[]
  /** Whether a request is answered from memory. */
  readonly isKept: (request: TransportRequest) => boolean
}

const namespaceOfPath = /\/namespaces\/([^/]+)\//

/** `cluster` for all but what `isKept` says. Closing it closes the cluster's connections and forgets what was kept. */
export async function withMemory(cluster: Transport, { clock, log, definitions, isKept }: MemoryOptions): Promise<Transport> {
  const server = await startTwin({
    clock,
    objects: definitions,
    components: false,
    authorization: 'AlwaysAllow',
    onTrouble: troubleLog(log),
  })
  const memory = server.transport({ admin: true })
  const namespaces = new Set<string>()
  /** Objects lie in namespaces of the cluster, which this server has not heard of. */
  const ensureNamespace = (path: string) => {
    const name = namespaceOfPath.exec(path)?.[1]
    if (name === undefined || namespaces.has(name)) return
    namespaces.add(name)
    server.load([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: decodeURIComponent(name) } }])
  }
  const chosen = (request: TransportRequest): Transport => {
    if (!isKept(request)) return cluster
    ensureNamespace(request.path)
    return memory
  }
  return {
    request: request => chosen(request).request(request),
    stream: request => chosen(request).stream(request),
    close: async () => {
      await Promise.all([cluster.close(), memory.close()])
      await server[Symbol.asyncDispose]()
    },
  }
}
