// Autoscaling as parts of `ballast apiserver`: whoever leads looks at sources and scales, every replica answers external.metrics.k8s.io.
import type { ApiserverContext, Running } from '#coordination/capability.ts'
import { type ExternalMetricSource, externalMetricsPort } from '#coordination/ports/external-metrics.ts'
import { registrationCheck } from '#coordination/registration-check.ts'
import { apiServices } from '#kube/objects/api-service.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type AutoscaleConfig, httpTimeoutMs } from './config.ts'
import { kedaMetrics } from './counts/keda-metrics.ts'
import { ClusterData } from './credentials/cluster-data.ts'
import { credentialsOf } from './credentials/credentials.ts'
import type { TriggerAuthentication } from './kinds/trigger-authentication.ts'
import { clusterTriggerAuthentications, externalMetrics, triggerAuthentications } from './names.ts'
import { Notices } from './notices/notices.ts'
import { Autoscaling } from './operator/autoscaling.ts'
import { Outgoing } from './scalers/outgoing.ts'
import { askingLeader } from './served/asking-leader.ts'
import { externalMetricsApi } from './served/external-metrics.ts'

/** Answers of a twin's sources take the host's time, while its clock may run so many times as fast. */
const fastestTwin = 100

type ScalingContext = Pick<
  ApiserverContext,
  'leading' | 'informers' | 'clock' | 'random' | 'log' | 'events' | 'api' | 'identity' | 'ports' | 'sources' | 'metrics'
>

/** Looks at sources and scales, where we lead. @throws Error where we do not */
export async function startScaling(
  context: ScalingContext,
  config: AutoscaleConfig,
  outer: AbortSignal,
): Promise<Running<AutoscaleConfig>> {
  const { leading, informers, clock, random, log, events, api, identity, ports } = context
  if (leading === undefined) throw new Error('only a leader scales')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const ownNamespace = identity.namespace
  const outgoing = new Outgoing({
    clock,
    timeoutMs: httpTimeoutMs(config) * (context.sources === undefined ? 1 : fastestTwin),
    guard: { refused: config.addresses.deny, allowed: config.addresses.allow },
    dial: context.sources,
  })
  const cluster = new ClusterData({ api, config, ownNamespace, pods: informers.of<Pod>(builtIn.pods) })
  const authentications = informers.of<TriggerAuthentication>(triggerAuthentications)
  const clusterAuthentications = informers.of<TriggerAuthentication>(clusterTriggerAuthentications)
  const given = credentialsOf({
    ...{ api, log, config, ownNamespace, outgoing, authentications, clusterAuthentications },
    data: cluster,
  })
  const metrics = context.metrics === undefined ? undefined : kedaMetrics(context.metrics)
  const notices = new Notices({
    ...{ informers, api, clock, random, log, outgoing, metrics },
    place: { cluster: config.clusterName, namespace: config.clusterObjectNamespace || ownNamespace },
  })
  const autoscaling = new Autoscaling({
    informers,
    clock,
    log,
    events: notices.beside(events),
    metrics,
    api,
    effects: leading.effects,
    world: { clock, log, outgoing, cluster, counts: metrics },
    given,
    groups: config.groups,
    ownNamespace,
  })
  await informers.allSynced(signal)
  const running = Promise.all([autoscaling.run(signal), notices.run(signal)]).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  ports.offer(externalMetricsPort, autoscaling)
  return {
    health: () => [{ name: 'autoscaling', ok: true, state: autoscaling.state }],
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('autoscaling is stopped', 'AbortError'))
      await notices[Symbol.asyncDispose]()
      await autoscaling[Symbol.asyncDispose]()
      await running
      await outgoing[Symbol.asyncDispose]()
    },
  }
}

/** Answers external.metrics.k8s.io: by itself where it leads, else by asking the replica that does. */
export async function startServing(
  context: ApiserverContext,
  _config: AutoscaleConfig,
  _signal: AbortSignal,
): Promise<Running<AutoscaleConfig>> {
  const { apis } = context
  const stack = new AsyncDisposableStack()
  const leading = (): ExternalMetricSource | undefined => context.ports.take(externalMetricsPort)
  const one = { fieldSelector: `metadata.name=${externalMetrics.name}` }
  const registration = context.informers.of<KubeObject>(apiServices, one)
  const own = apis?.service === undefined ? undefined : { namespace: context.identity.namespace, ...apis.service }
  if (apis !== undefined) {
    const source = stack.use(askingLeader({ ...context, apis }, leading))
    stack.use(apis.serve(externalMetricsApi(() => source)))
  }
  const of = { name: 'external-metrics', apiService: externalMetrics.name, own, upstream: 'keda' }
  return {
    health: () => [registrationCheck(registration, of)],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
