// A live cluster that is followed by watches, for those who look at it for a while: with the rights of the kubeconfig's user.
import { buildClusterState } from '#cluster/cluster-state.ts'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { disruptionPermits } from '#coordination/api.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { type LiveSource, openLiveSource } from '#dashboard/source/live-source.ts'
import { pageNeeds } from '#dashboard/source/needs.ts'
import type { Api } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { type Log, silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, isClusterScoped, resourceKey } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { systemRandom } from '#kube/random.ts'
import { mirrorMetricsPort } from '#process/apiserver/mirror-port.ts'
import { readMetrics } from '#process/apiserver/read-metrics.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { Surroundings } from '../command-line.ts'
import type { LoadedCluster, SourceOptions } from './cluster-source.ts'
import { hostOf, shownCapabilities } from './fixed-picture.ts'
import { type ConfigurationOptions, installedSettings } from './installed-settings.ts'
import { kubeconfigOf, openLiveApi } from './live-source.ts'
import { seenNamespaces } from './seen-namespaces.ts'

interface FollowedCluster extends AsyncDisposable {
  readonly api: Api
  readonly source: LiveSource
  /** As the kubeconfig names it. */
  readonly server: string
}

/** Opens the cluster that the options name; `log` is told what could not be read. @throws as `openLiveApi`; InputError for what is wrong in the configuration */
export async function followCluster(
  options: SourceOptions & ConfigurationOptions & { readonly namespace?: readonly string[] },
  surroundings: Surroundings,
  log: Log = silentLog,
): Promise<FollowedCluster> {
  const { environment, signal } = surroundings
  await using opened = new AsyncDisposableStack()
  const kubeconfig = kubeconfigOf(options.kubeconfig, environment)
  const { api, server, config } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
  opened.defer(() => api.close())
  const version = await api.getPath('/version', { signal })
  const gitVersion =
    typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : 'v1.34.0'
  const { settings } = await installedSettings(options, await ownDeployments(api, signal), surroundings)
  const named = options.namespace ?? []
  const namespaces = await seenNamespaces(api, { named, ofContext: config.namespace, signal })
  const around = { clock: systemClock, random: systemRandom, log, signal }
  const informers = opened.use(
    new Informers(api, namespaces === undefined ? around : { ...around, namespaces, selections: wholeKinds }),
  )
  const own = {
    arbiter: settings.arbiter,
    ownerLabel: settings.ownerLabel,
    scheduler: settingsForServer(gitVersion),
    ownNamespace: ballastNamespace,
    ...shownCapabilities(settings),
  }
  const source = opened.use(
    openLiveSource({
      informers,
      api,
      clock: systemClock,
      wallClock: systemClock,
      random: systemRandom,
      mode: 'cluster',
      ...(namespaces === undefined ? {} : { onlyNamespaces: namespaces }),
      cluster: options.context ?? hostOf(server),
      settings: () => own,
      mirrors: { read: readMetrics, port: () => mirrorMetricsPort(settings) },
      log,
      signal,
    }),
  )
  const whole = opened.move()
  return { api, source, server, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

/** Kinds that are asked for as a whole, also where some namespaces are all that may be seen: they lie in none, or in Ballast's own. */
const wholeKinds = new Map(
  [...clusterNeeds, ...pageNeeds]
    .filter(need => isClusterScoped(need) || need.resource === disruptionPermits.resource)
    .map(need => [resourceKey(need), { isClusterWide: true }]),
)

/** Deployments of a live cluster from which the configuration is read, beside its ConfigMap: none where they may not be read. */
async function ownDeployments(api: Api, signal: AbortSignal): Promise<Pick<LoadedCluster, 'isLive' | 'objects' | 'state'>> {
  const objects: KubeObject[] = []
  try {
    const list = await api.resource(builtIn.deployments).list({ namespace: ballastNamespace, signal })
    for (const item of list.items) objects.push({ ...item, apiVersion: list.apiVersion, kind: 'Deployment' })
  } catch (error) {
    if (!isForbidden(error) && !isNotFound(error)) throw error
  }
  return { isLive: true, objects, state: buildClusterState(objects).state }
}
