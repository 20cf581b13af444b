// Resource metrics as a part of `ballast apiserver`: kubelets are asked, metrics.k8s.io is served, and the rest of the process reads the same.
import { Registry } from 'prom-client'
import type { ApiEndpoint, ApiserverContext, Check, Running } from '#coordination/capability.ts'
import { type UsageSource, usagePort } from '#coordination/ports/usage.ts'
import { registrationCheck } from '#coordination/registration-check.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { apiServices, type ServiceAddress } from '#kube/objects/api-service.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { randomUuid } from '#kube/random.ts'
import { addressRules, kubeletSettings, type MetricsConfig, nodeSelectorOf, pointRules } from './config.ts'
import { handoverUntilMs, nothingSeen, seenNow, untilWords } from './handover.ts'
import { Measuring } from './measuring.ts'
import { pointsWords, servedApi } from './names.ts'
import { KubeletPins } from './pins/kubelet-pins.ts'
import { openKubelets } from './scrape/kubelet-access.ts'
import type { Scraper } from './scrape/scraper.ts'
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
  const nodes = informers.of<Node>(builtIn.nodes)
  const pins =
    config.kubelet.tls === 'pin'
      ? new KubeletPins({
          ...{ api: context.api, namespace: identity.namespace, clock, log },
          nodes: () => (nodes.isSynced ? namesOf(nodes.store.list()) : undefined),
        })
      : undefined
  const client = started.use(
    await openKubelets(kubeletSettings(config), kubelets.config, {
      clock,
      log,
      environment: kubelets.environment,
      dial: kubelets.dial,
      pins,
      names: fileKeys,
    }),
  )
  const registration = informers.of<KubeObject>(apiServices, { fieldSelector: `metadata.name=${servedApi.name}` })
  const own = { namespace: identity.namespace, ...(apis?.service ?? noService) }
  const handover = started.use(followHandover(registration, own, clock))
  const shares = apis === undefined ? undefined : sharedNodes({ ...context, apis }, config, started)
  const measuring = new Measuring({
    settings: {
      points: { ...pointRules(config), arePodsStrict: () => handover.untilMs() !== undefined },
      address: addressRules(config),
      nodeSelector: nodeSelectorOf(config),
      exposed: { swap: config.exposeSwap, storage: config.exposeEphemeralStorage },
    },
    informers,
    client,
    clock,
    log,
    registry: context.metrics ?? new Registry(),
    events,
    shares,
  })
  const running = Promise.all([measuring.run(signal), pins?.run(signal)]).catch((error: unknown) => {
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
  ports.offer(usagePort, { ...measuring.usage, strictUntilMs: handover.untilMs })
  const stack = started.move()
  return {
    health: () => [
      kubeletCheck(measuring.usage),
      ...(config.exposeEphemeralStorage ? [storageCheck(measuring.scraper)] : []),
      ...(pins === undefined ? [] : [pins.check()]),
      ...(shares === undefined ? [] : [shares.check()]),
      pointsCheck(measuring.points.servable, { sinceMs: clock.elapsed() - beganMs, resolutionMs }),
      registrationCheck(registration, {
        ...{ name: 'api', apiService: servedApi.name, upstream: 'metrics-server' },
        own: served === undefined ? undefined : own,
        more: handoverWords(handover.untilMs()),
      }),
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
  const all = [...scrapes()].map(({ node, failure }) => ({ node, reason: failure?.reason }))
  const failed = all.filter(({ reason }) => reason !== undefined)
  const name = 'kubelets'
  if (all.length === 0) return { name, ok: true, state: 'no node was asked yet' }
  // What kubelets do not say keeps nothing else of this process from being asked.
  return { name, ok: failed.length < all.length, isGating: false, state: answeredWords(all) }
}

/** The same of their disks, which keep nothing from being served. */
function storageCheck(scraper: Pick<Scraper, 'asked' | 'lastStorage'>): Check {
  const all = [...scraper.asked].flatMap(node => {
    const last = scraper.lastStorage(node)
    return last === undefined ? [] : [{ node, reason: last.failure?.reason }]
  })
  const ok = all.every(({ reason }) => reason === undefined)
  return {
    name: 'ephemeral-storage',
    ok,
    isGating: false,
    state: all.length === 0 ? 'no node was asked yet' : answeredWords(all),
  }
}

function answeredWords(all: readonly { readonly node: string; readonly reason: string | undefined }[]): string {
  const failed = all.flatMap(({ node, reason }) => (reason === undefined ? [] : [`${node}: ${reason}`]))
  const rest = failed.length > namedNodes ? [`${failed.length - namedNodes} more`] : []
  const why = failed.length === 0 ? '' : ` (${[...failed.slice(0, namedNodes), ...rest].join(', ')})`
  return `${all.length - failed.length} of ${all.length} answered${why}`
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

function* namesOf(nodes: Iterable<Node>): Generator<string> {
  for (const { metadata } of nodes) yield metadata.name
}

/** Nobody reaches us. */
const noService = { name: '', port: 0 }

/** Until when metrics-server's rules hold, by the APIService as it is now. */
function followHandover(registration: Informer<KubeObject>, own: ServiceAddress, clock: Clock): Handover {
  let seen = nothingSeen
  const current = () => registration.store.get(undefined, servedApi.name)
  const look = () => {
    seen = seenNow(seen, current(), own, clock.now())
  }
  look()
  const unsubscribe = registration.onChange(look)
  return { untilMs: () => handoverUntilMs(seen, current(), own, clock.now()), [Symbol.dispose]: unsubscribe }
}

interface Handover extends Disposable {
  readonly untilMs: () => number | undefined
}

const handoverWords = (untilMs: number | undefined) => (untilMs === undefined ? undefined : untilWords(untilMs))
