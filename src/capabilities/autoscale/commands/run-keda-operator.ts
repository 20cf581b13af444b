// What stands in the place of KEDA's operator as a process runs it: one that leads looks at sources, scales, answers adapters, and keeps the
// certificates that all three programs share. It has upstream's rights and no others.
import type { Registry } from 'prom-client'
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import { needsOf } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { externalMetricsPort } from '#coordination/ports/external-metrics.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { WatchSelection } from '#kube/informers/watch-pool.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { builtIn, resourceKey } from '#kube/objects/resource.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import type { InjectedPlace } from '#kube/server/certificate-rights.ts'
import { rotatorLayout } from '#kube/server/certificate-secret.ts'
import { refusedVerbs } from '#process/drop-ins/own-rights.ts'
import { readByList, secretNamed } from '#process/drop-ins/read-by-list.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { watchNeed } from '#process/parts/part-roster.ts'
import { PortBook } from '#process/parts/port-book.ts'
import { CertificateDirectory } from '#process/webhooks/certificate-directory.ts'
import { autoscale } from '../capability.ts'
import type { OperatorSettings, RotationSettings } from '../flags/keda-flags.ts'
import {
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  externalMetrics,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from '../names.ts'
import { startScaling } from '../part.ts'
import { type MetricsService, type MutualTls, startMetricsService } from '../served/metrics-service.ts'

interface OperatorOptions {
  readonly settings: OperatorSettings
  /** Closed when it ends. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where all is counted. */
  readonly registry: Registry
  /** The name of this pod or host. */
  readonly name: string
  readonly userAgent: string
  readonly onServing?: (service: Pick<MetricsService, 'port'>) => void
}

const dayMs = 86_400_000
/** As upstream's. */
const authorityLifeMs = 10 * 365 * dayMs
const leafLifeMs = 365 * dayMs
/** Others read the authorities from files of their Secret, which kubelets bring within some two minutes. */
const settlingMs = 5 * 60_000
/** As upstream marks the Secret. */
const secretLabels = {
  app: 'keda-operator',
  'app.kubernetes.io/name': 'keda-operator',
  'app.kubernetes.io/component': 'keda-operator',
  'app.kubernetes.io/part-of': 'keda',
}

/** Runs until `signal` is aborted. @throws Error for a port that is taken, CommandRefused for files that are not there; ProcessFault where something does not end */
export async function runKedaOperator(options: OperatorOptions, signal: AbortSignal): Promise<void> {
  const { settings, clock, random, log } = options
  const instance = `${options.name}_${randomUuid(random)}`
  const transport = await withinRights(options, signal)
  const api = openApi(transport, {
    clock,
    userAgent: options.userAgent,
    log,
    ...(settings.client.bucket === undefined ? {} : { bucket: settings.client.bucket }),
  })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const { election, namespace } = settings
  if (election === undefined) return await lead({ ...options, api, instance, leadership: alone }, signal)
  const standing = new LeaseElection({
    ...{ api, clock, random, log, namespace, name: election.name, identity: instance },
    ...election.times,
  })
  await standing.run(
    leader => lead({ ...options, api, instance, leadership: leader }, AbortSignal.any([leader.signal, signal])),
    signal,
  )
}

/** Without an election it acts whoever else does, as upstream. */
const alone: Leadership = {
  transitions: 0,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}

/** KEDA's role may list Secrets and not get them. */
async function withinRights(
  { transport, clock, log, settings, userAgent }: OperatorOptions,
  signal: AbortSignal,
): Promise<Transport> {
  // It is not closed: the connections are the transport's.
  const asking = openApi(transport, { clock, userAgent, log })
  const refused = await untilDone(
    () =>
      refusedVerbs(
        { api: asking, log },
        {
          resource: builtIn.secrets,
          verbs: ['get'],
          ...(settings.autoscale.restrictSecretAccess ? { namespace: settings.namespace } : {}),
        },
        signal,
      ),
    { clock, log, what: 'the own rights are asked' },
    signal,
  )
  return refused.length === 0 ? transport : readByList(transport, secretNamed([]))
}

interface TermOptions extends OperatorOptions {
  readonly api: Api
  readonly instance: string
  readonly leadership: Leadership
}

/** One term: until `signal` is aborted. */
async function lead(options: TermOptions, signal: AbortSignal): Promise<void> {
  const { settings, clock, random, log, registry, leadership } = options
  const api = options.api.under(() => leadership.assert())
  await using stack = new AsyncDisposableStack()
  // What leads ends after what is asked of it.
  const work = new AbortController()
  stack.defer(() => work.abort(new DOMException('the term is over', 'AbortError')))
  const { namespace, namespaces } = settings
  const around = { clock, random, log, signal: work.signal }
  const all = stack.use(new Informers(api, { ...around, namespaces, selections: selectionsOf(settings) }))
  const leading = partsIn('apiserver', autoscale).filter(({ presence }) => presence === 'leading')
  const identity = { name: options.name, namespace, instance: options.instance }
  const needs = leading.flatMap(part => needsOf(part, settings.autoscale)).map(need => watchNeed(need, identity))
  const informers = stack.use(all.share({ needs, signal: work.signal }))
  const events = new EventRecorder(api, {
    ...{ clock, random, log },
    controller: 'keda-operator',
    instance: `keda-operator-${options.name}`,
  })
  stack.use(events)
  const book = new PortBook()
  const ports = stack.use(book.forPart())
  const scaling = startScaling(
    {
      ...{ clock, random, log, api, informers, events, identity, ports },
      metrics: registry,
      leading: { effects: { api, clock, leadership } },
    },
    settings.autoscale,
    work.signal,
  )
  const running = scaling.then(started => stack.use(started))
  // Certificates are made while the first lists are read.
  const material = certificates({ ...options, api }, stack, work.signal)
  await until(Promise.all([running, material]), signal)
  if (signal.aborted) return
  const { current, onChange, failed } = await material
  const source = book.take(externalMetricsPort)
  if (source === undefined) throw new Error('autoscaling answers no metrics')
  const address = readAddress(settings.serviceAddress, '--metrics-service-bind-address')
  if (address !== undefined) {
    const { host, port } = address
    const service = stack.use(
      await startMetricsService({
        ...{ source, host, port, material: current(), wire: settings.serviceWire, clock, log },
        metrics: registry,
      }),
    )
    onChange(next => service.setMaterial(next))
    options.onServing?.(service)
  }
  await until(failed, signal)
}

/** Resolves when `promise` does, or `signal` is aborted. */
async function until(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const onAbort = () => resolve()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, over])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** What upstream's two selectors leave out is not looked at; autoscalers bear the labels of their objects. */
function selectionsOf({ selectors: { objects, authentications } }: OperatorSettings): ReadonlyMap<string, WatchSelection> {
  const selected = (labelSelector: string | undefined): WatchSelection => (labelSelector === undefined ? {} : { labelSelector })
  return new Map([
    ...[scaledObjects, scaledJobs, builtIn.horizontalpodautoscalers].map(kind => [resourceKey(kind), selected(objects)] as const),
    [resourceKey(triggerAuthentications), selected(authentications)],
    [resourceKey(clusterTriggerAuthentications), { ...selected(authentications), isClusterWide: true }],
    [resourceKey(clusterCloudEventSources), { isClusterWide: true }],
  ])
}

interface Material {
  readonly current: () => MutualTls
  readonly onChange: (use: (next: MutualTls) => void) => void
  /** Rejects when it can be kept no more; else it does not settle. */
  readonly failed: Promise<unknown>
}

/** From the Secret that we keep, or from files that somebody else does. @throws CommandRefused where these are not there; `signal.reason` */
async function certificates(options: TermOptions, stack: AsyncDisposableStack, signal: AbortSignal): Promise<Material> {
  const { settings, clock, log } = options
  let use: (next: MutualTls) => void = () => undefined
  const onChange = (next: typeof use) => {
    use = next
  }
  if (settings.rotation !== undefined)
    return await rotated(options, settings.rotation, { stack, signal, onChange, changed: next => use(next) })
  const directory = new CertificateDirectory(settings.certificateDirectory, '--cert-dir')
  stack.use(directory.watch(next => use(next), { clock, log }))
  return { current: () => directory.current, onChange, failed: Promise.withResolvers<never>().promise }
}

/** Served from memory, so that nobody waits for the kubelet to bring the files of a Secret that was made just now. */
async function rotated(
  { api, settings, clock, random, log }: TermOptions,
  rotation: RotationSettings,
  {
    stack,
    signal,
    onChange,
    changed,
  }: {
    readonly stack: AsyncDisposableStack
    readonly signal: AbortSignal
    readonly onChange: Material['onChange']
    readonly changed: (next: MutualTls) => void
  },
): Promise<Material> {
  // Whatever namespaces are watched: the Secret is in ours, and what it is written into lies in none.
  const stop = new AbortController()
  const over = AbortSignal.any([signal, stop.signal])
  const informers = stack.use(new Informers(api, { clock, random, log, signal: over }))
  const first = Promise.withResolvers<void>()
  let material: MutualTls | undefined
  const keeper = new CertificateKeeper({
    ...{ api, informers, clock, random, log, settlingMs },
    secret: { namespace: settings.namespace, name: rotation.secret },
    layout: rotatorLayout(secretLabels),
    names: {
      authorityName: 'KEDA',
      authorityLifeMs,
      isAuthorityRsa: true,
      leaf: {
        commonName: rotation.dnsNames[0] ?? 'keda-operator',
        dnsNames: rotation.dnsNames,
        usages: ['server', 'client'],
        lifeMs: leafLifeMs,
      },
    },
    places: placesOf(rotation),
    onCertificate: (tls, bundle) => {
      material = { tls, bundle }
      changed(material)
      first.resolve()
    },
    onRefused: why => log.error({ err: why, secret: rotation.secret }, 'unable to set up cert rotation'),
  })
  const running = keeper.run(over).catch((error: unknown) => {
    if (over.aborted) return
    first.reject(error)
    throw error
  })
  // It is told by `failed`, or by `first`.
  running.catch(() => undefined)
  stack.defer(async () => {
    stop.abort(new DOMException('the term is over', 'AbortError'))
    await running.catch((error: unknown) => log.error({ err: messageOf(error) }, 'certificates were not kept'))
  })
  await until(first.promise, signal)
  const current = () => {
    if (material === undefined) throw new Error('there is no certificate yet')
    return material
  }
  return { current, onChange, failed: running }
}

function placesOf({ webhookConfiguration, patchesApiService }: RotationSettings): readonly InjectedPlace[] {
  const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' }
  return [
    ...(patchesApiService ? [{ resource: apiServices, name: externalMetrics.name, isUnasked: true }] : []),
    ...(webhookConfiguration === undefined
      ? []
      : [{ resource: builtIn.validatingwebhookconfigurations, name: webhookConfiguration, isUnasked: true }]),
  ]
}
