// Where the drop-in `nfd-master` keeps what Ballast writes down of itself: in the cluster where it may, else in its own memory, and says so. Upstream's
// role has neither our kinds nor ConfigMaps, and of Leases one name alone.

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
import type { ControllerHealth } from '#process/health/controller-health.ts'
import { nodeFeatureRules } from '../names.ts'

interface StoreOptions {
  readonly namespace: string
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

interface Store {
  readonly transport: Transport
  /** Statuses of rules may be written. */
  readonly tellsRules: boolean
}

/** `cluster`, or a transport that keeps our Lease, permits and status in memory; what is kept together is in one place. */
export async function masterStore(cluster: Transport, options: StoreOptions, health: ControllerHealth): Promise<Store> {
  const { namespace, clock, log, signal } = options
  // Asked with an Api of its own, which is not closed: the connections are the transport's.
  const api = openApi(cluster, { clock, userAgent: `ballast/${programVersion} nfd-master`, log })
  const asking = { api, log }
  const rights = await untilDone(
    async () => ({
      lack:
        (await leasesLack(asking, namespace, signal)) ??
        (await permitsLack(asking, ['list', 'watch', 'create', 'patch', 'delete'], signal)) ??
        (await mapsLack(asking, namespace, signal)),
      ofRules: await refusedVerbs(asking, { resource: ruleStatuses, verbs: ['patch'] }, signal),
    }),
    { clock, log, what: 'the own rights are asked' },
    signal,
  )
  const tellsRules = rights.ofRules.length === 0
  if (rights.lack === undefined) return { transport: cluster, tellsRules }
  const state = `kept in memory: ${rights.lack}`
  log.info({ why: rights.lack }, 'what Ballast notes of its own is kept in memory, and forgotten at a restart')
  health.add('store', () => [{ name: 'records', ok: true, state }])
  const kept = [
    new RegExp(`^/apis/coordination\\.k8s\\.io/v1/namespaces/${namespace}/leases/ballast-`),
    new RegExp(`^/api/v1/namespaces/${namespace}/configmaps/ballast-`),
    /^\/apis\/ballast\.dev\/[^/]+\/(namespaces\/[^/]+\/)?disruptionpermits(\/|$)/,
  ]
  const isKept = (request: TransportRequest) => kept.some(path => path.test(request.path)) || isOwnMade(request, namespace)
  return { transport: withMemory(cluster, { clock, random: systemRandom, isKept }), tellsRules }
}

const ruleStatuses = { ...nodeFeatureRules, resource: `${nodeFeatureRules.resource}/status` }

async function mapsLack(
  asking: Parameters<typeof refusedVerbs>[0],
  namespace: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const verbs = ['get', 'create', 'patch']
  const refused = await refusedVerbs(asking, { resource: builtIn.configmaps, verbs, namespace }, signal)
  return refused.length === 0 ? undefined : `no right to ${refused.join(', ')} configmaps in ${namespace}`
}

const ownName = /"name":"ballast-/

/** A Lease or ConfigMap of ours that is made: its name is in the body alone. */
function isOwnMade({ verb, path, body }: TransportRequest, namespace: string): boolean {
  const places = [`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, `/api/v1/namespaces/${namespace}/configmaps`]
  return verb === 'POST' && places.includes(path) && ownName.test(String(body ?? ''))
}
