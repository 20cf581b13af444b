// Resource metrics as a part of `ballast apiserver`: kubelets are asked, metrics.k8s.io is served, and the rest of the process reads the same.
import { Registry } from 'prom-client'
import type { ApiEndpoint, ApiserverContext, Check, Running } from '#coordination/capability.ts'
import { type UsageSource, usagePort } from '#coordination/ports/usage.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { randomUuid } from '#kube/random.ts'
import { addressRules, kubeletSettings, type MetricsConfig, nodeSelectorOf, pointRules } from './config.ts'
import { Measuring } from './measuring.ts'
import { pointsWords, servedApi, servedApiService } from './names.ts'
import { openKubelets } from './scrape/kubelet-access.ts'
import { SharedNodes } from './sharing/shared-nodes.ts'

/** How the section calls what flags call otherwise. */
const fileKeys = {
  authority: 'capabilities.metrics.kubelet.certificateAuthority',
  certificate: 'capabilities.metrics.kubelet.clientCertificate',
  key: 'capabilities.metrics.kubelet.clientKey',
} as const
/** Nodes that are named in a check: whoever wants all asks the metrics. */
const namedNodes = 3

/** Begins to ask kubelets and serves what they say. @throws InputError where a file of the section cannot be used */
export async function startMetrics(
  context: ApiserverContext,
  config: MetricsConfig,
  outer: AbortSignal,
): Promise<Running<MetricsConfig>> {
  const { apis, clock, log, informers, kubelets, ports, events, identity } = context
  if (kubelets === undefined) return unasked
  await using started = new AsyncDisposableStack()
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const client = started.use(
    await openKubelets(kubeletSettings(config), kubelets.config, {
      clock,
      log,
      environment: kubelets.environment,
      dial: kubelets.dial,
      names: fileKeys,
    }),
  )
  const shares = apis === undefined ? undefined : sharedNodes({ ...context, apis }, config, started)
  const measuring = new Measuring({
    settings: {
      points: pointRules(config),
      address: addressRules(config),
      nodeSelector: nodeSelectorOf(config),
      exposeSwap: config.exposeSwap,
    },
    informers,
    client,
    clock,
    log,
    registry: context.metrics ?? new Registry(),
    events,
    shares,
  })
  const registration = informers.of<KubeObject>(servedApiService, { fieldSelector: `metadata.name=${servedApi.name}` })
  const running = measuring.run(signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  started.defer(async () => {
    stop.abort(new DOMException('metrics are measured no more', 'AbortError'))
    await running
  })
  const beganMs = clock.elapsed()
  const { resolutionMs } = pointRules(config)
  const served = apis?.serve(measuring.api)
  if (served !== undefined) started.use(served)
  ports.offer(usagePort, measuring.usage)
  const stack = started.move()
  return {
    health: () => [
      kubeletCheck(measuring.usage),
      ...(shares === undefined ? [] : [shares.check()]),
      pointsCheck(measuring.points.servable, { sinceMs: clock.elapsed() - beganMs, resolutionMs }),
      served === undefined
        ? { name: 'api', ok: true, state: 'no API server reaches this process' }
        : registrationCheck(registration, identity.namespace),
    ],
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The other ready replicas ask some of the kubelets: who they are, the EndpointSlices of our Service say. */
function sharedNodes(
  { apis, informers, clock, log, random, identity }: ApiserverContext & { readonly apis: ApiEndpoint },
  config: MetricsConfig,
  started: AsyncDisposableStack,
): SharedNodes {
  // Where they may not be read we are alone.
  const slices = informers.of<KubeObject>(builtIn.endpointslices, { namespace: identity.namespace, optional: true })
  const shares = started.use(
    new SharedNodes({
      apis,
      slices: () => (slices.isSynced ? slices.store.list() : undefined),
      resolutionMs: pointRules(config).resolutionMs,
      clock,
      log,
      instance: randomUuid(random),
    }),
  )
  started.defer(slices.onChange(() => shares.follow()))
  return shares
}

/** Where there is no way to kubelets, as in a twin that nobody reaches: what the API server says of use is its own. */
const unasked: Running<MetricsConfig> = {
  health: () => [{ name: 'kubelets', ok: true, state: 'not asked: there is no way to them from here' }],
  reconfigure: async () => 'applied',
  [Symbol.asyncDispose]: async () => undefined,
}

/** How many kubelets answered the last time, and why others did not. */
function kubeletCheck({ scrapes }: UsageSource): Check {
  const all = [...scrapes()]
  const failed = all.flatMap(({ node, failure }) => (failure === undefined ? [] : [`${node}: ${failure.reason}`]))
  const name = 'kubelets'
  if (all.length === 0) return { name, ok: true, state: 'no node was asked yet' }
  const rest = failed.length > namedNodes ? [`${failed.length - namedNodes} more`] : []
  const why = failed.length === 0 ? '' : ` (${[...failed.slice(0, namedNodes), ...rest].join(', ')})`
  const state = `${all.length - failed.length} of ${all.length} answered${why}`
  // What kubelets do not say keeps nothing else of this process from being asked.
  return { name, ok: failed.length < all.length, isGating: false, state }
}

/** A process that was started is not ready before it has rates, so that a roll-out leaves callers with those who have; but no longer than so. */
const warmingResolutions = 3

/** How much could be told now: a swap waits for it. `sinceMs`: how long it has been measured. */
export function pointsCheck(
  servable: Measuring['points']['servable'],
  { sinceMs, resolutionMs }: { readonly sinceMs: number; readonly resolutionMs: number },
): Check {
  const isWarming = servable.nodes === 0 && sinceMs < warmingResolutions * resolutionMs
  const state = pointsWords.said(servable)
  return isWarming
    ? { name: 'points', ok: false, message: 'no node has a rate yet', state }
    : { name: 'points', ok: true, isGating: false, state }
}

/** Whether API servers send their callers here. What another serves is left to it: a swap is somebody's decision. */
function registrationCheck(registration: Informer<KubeObject>, namespace: string): Check {
  const name = 'api'
  if (!registration.isSynced) return { name, ok: true, state: 'who serves it was not read yet' }
  const service = at(registration.store.get(undefined, servedApi.name), 'spec', 'service')
  const [place, called] = [at(service, 'namespace'), at(service, 'name')]
  if (called === undefined) return { name, ok: false, isGating: false, state: `no APIService ${servedApi.name} leads here` }
  const state = place === namespace ? 'served here' : `${place}/${called} serves it: see ballast migrate plan metrics-server`
  return { name, ok: true, state }
}
