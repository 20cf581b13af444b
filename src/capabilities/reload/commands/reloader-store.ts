// Where the drop-in `reloader` keeps what Ballast writes down: in the cluster where it may, else in its own memory, and says so. Who only
// swapped image or command has neither our kinds nor rights to them, and without HA no right to Leases.

import { openApi } from '#kube/client/api.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import type { Log } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { withMemory } from '#process/drop-ins/memory-objects.ts'
import { leasesLack, permitsLack } from '#process/drop-ins/own-records.ts'
import { refusedVerbs } from '#process/drop-ins/own-rights.ts'
import { patchByUpdate } from '#process/drop-ins/patch-by-update.ts'
import type { ControllerHealth } from '#process/health/controller-health.ts'

type Asking = Parameters<typeof refusedVerbs>[0]

interface StoreOptions {
  readonly namespace: string
  readonly isHighlyAvailable: boolean
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** `cluster`, or a transport that keeps permits and Leases in memory; of several replicas each keeps the cluster's Leases. */
export async function reloaderStore(cluster: Transport, options: StoreOptions, health: ControllerHealth): Promise<Transport> {
  const { namespace, isHighlyAvailable, clock, log, signal } = options
  // Asked with an Api of its own, which is not closed: the connections are the transport's.
  const api = openApi(cluster, { clock, userAgent: `ballast/${programVersion} reloader`, log })
  const asking = { api, log }
  const around = { clock, log, what: 'the own rights are asked' }
  const { permits, maps, leases } = await untilDone(
    async () => ({
      permits: await permitsLack(asking, ['list', 'watch', 'create', 'patch', 'delete'], signal),
      maps: await mapsLack(asking, namespace, signal),
      leases: isHighlyAvailable ? undefined : await leasesLack(asking, namespace, signal),
    }),
    around,
    signal,
  )
  const updating = maps.isUpdating ? patchByUpdate(cluster, path => ownMap(namespace, '').test(path)) : cluster
  if (permits === undefined && leases === undefined && maps.lack === undefined) return updating
  const checks = [
    ...(permits === undefined ? [] : [{ name: 'permits', ok: true, state: `kept in memory: ${permits}` }]),
    ...(leases === undefined ? [] : [{ name: 'leases', ok: true, state: `kept in memory: ${leases}` }]),
    ...(maps.lack === undefined ? [] : [{ name: 'baseline', ok: true, state: `kept in memory: ${maps.lack}` }]),
  ]
  for (const { name, state } of checks) log.warn({ what: name }, `${state}; what was done is forgotten at a restart`)
  health.add('store', () => checks)
  const keepsMaps = maps.lack !== undefined
  const keptPaths = [
    // How each capability stands is applied, which no upstream's role allows.
    ...(maps.isUpdating || keepsMaps ? [ownMap(namespace, 'status')] : []),
    ...(permits === undefined ? [] : [permitPath]),
    ...(leases === undefined ? [] : [new RegExp(`^/apis/coordination\\.k8s\\.io/v1/namespaces/${namespace}/leases(/|$)`)]),
  ]
  return withMemory(updating, {
    clock,
    random: systemRandom,
    isKept: request => keptPaths.some(kept => kept.test(request.path)) || (keepsMaps && isOwnMap(namespace, request)),
  })
}

interface MapRights {
  /** What is patched has to be updated. */
  readonly isUpdating: boolean
  /** Why they cannot be kept in the cluster at all. */
  readonly lack: string | undefined
}

/** What reload remembers lies in ConfigMaps of our own namespace. */
async function mapsLack(asking: Asking, namespace: string, signal: AbortSignal): Promise<MapRights> {
  const refused = await refusedVerbs(
    asking,
    { resource: builtIn.configmaps, verbs: ['get', 'create', 'update', 'patch'], namespace },
    signal,
  )
  const needed = refused.filter(verb => verb !== 'patch' && verb !== 'update')
  const isWritable = !refused.includes('patch') || !refused.includes('update')
  if (needed.length === 0 && isWritable) return { isUpdating: refused.includes('patch'), lack: undefined }
  return { isUpdating: false, lack: `no right to ${refused.join(', ')} configmaps in ${namespace}` }
}

/** The path of a ConfigMap of ours. */
function ownMap(namespace: string, name: string): RegExp {
  return new RegExp(`^/api/v1/namespaces/${namespace}/configmaps/ballast-${name}`)
}

const mapName = /"name":"ballast-/

/** A request for a ConfigMap of ours, made or not. */
function isOwnMap(namespace: string, { verb, path, body }: TransportRequest): boolean {
  if (ownMap(namespace, '').test(path)) return true
  return verb === 'POST' && path === `/api/v1/namespaces/${namespace}/configmaps` && mapName.test(String(body ?? ''))
}

const permitPath = /^\/apis\/ballast\.dev\/[^/]+\/(namespaces\/[^/]+\/)?disruptionpermits(\/|$)/
