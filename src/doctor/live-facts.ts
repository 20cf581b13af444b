// What doctor knows of a live cluster: everything that the checks look at, and how Ballast is installed there.
import type { Capability } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { ClusterFacts } from './facts.ts'
import { gatherCluster } from './gather-cluster.ts'
import { ownFacts, readOwnConfigMap } from './own-facts.ts'

interface LiveCluster {
  readonly api: Api
  readonly capabilities: readonly Capability[]
  readonly nowMs: number
  readonly helmSecrets: boolean
  readonly signal: AbortSignal
}

/** Reads it; nothing is written. @throws Error where the cluster cannot be reached */
export async function liveFacts({ api, capabilities, nowMs, helmSecrets, signal }: LiveCluster): Promise<ClusterFacts> {
  const { objects, unread } = await gatherCluster({ api, signal, helmSecrets })
  const configMap = await readOwnConfigMap(api, objects, signal)
  return { objects, unread, nowMs, ours: ownFacts(objects, configMap, { capabilities, nowMs }) }
}
