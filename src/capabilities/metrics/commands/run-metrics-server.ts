// What stands in metrics-server's place as a process runs it: watches, scrapes, and the API behind the aggregator, until it is told to end.
import type { Registry } from 'prom-client'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import type { Random } from '#kube/random.ts'
import { type AggregatedServer, startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { namesOf } from '#kube/server/certificates.ts'
import type { GivenTrust } from '#kube/server/client-trust.ts'
import type { HealthCheck } from '#kube/server/health.ts'
import { ServedMetrics } from '#kube/server/served-metrics.ts'
import { followAuthorities } from '#kube/server/serving/followed-texts.ts'
import type { NamedPair } from '#kube/server/serving/named-pairs.ts'
import { servingPair, watchedPair } from '#kube/server/serving/serving-pair.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import type { MetricsServerSettings } from '../flags/metrics-server-settings.ts'
import { Measuring } from '../measuring.ts'
import { nodeFields, podFields } from '../names.ts'
import type { KubeletPins } from '../pins/kubelet-pins.ts'
import type { KubeletClient } from '../scrape/kubelet-client.ts'

interface MetricsServerOptions {
  readonly settings: MetricsServerSettings
  /** Nodes and pods are watched there. */
  readonly api: Api
  /** Who calls is asked there, and whom to believe is read. */
  readonly authenticationApi: Api
  readonly authorizationApi: Api
  readonly kubelets: Pick<KubeletClient, 'scrape'> & Partial<Pick<KubeletClient, 'storage' | 'forget'>>
  /** Those that `kubelets` believes by. */
  readonly pins?: Pick<KubeletPins, 'run'> | undefined
  /** Told how to know which nodes there are. */
  readonly onNodes?: (nodes: () => Iterable<string> | undefined) => void
  /** Where all is counted. */
  readonly registry: Registry
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The name of this host. */
  readonly host: string
  readonly version: string
  readonly onServing?: (server: Pick<AggregatedServer, 'port'>) => void
}

const core = (resource: string) => ({ group: '', version: 'v1', resource, mode: 'projection' }) as const
/** Pods that ended are not measured. */
const watchedPods = 'status.phase=Running'
/** As upstream's: `localhost` on every address, for a year. */
const ownPair = {
  name: 'localhost',
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  lifeMs: 365 * 86_400_000,
  isWritten: true,
}

/**
 * Runs until `signal` is aborted; then calls under way are answered.
 * @throws InputError where files of flags cannot be used; what goes wrong otherwise
 */
export async function runMetricsServer(options: MetricsServerOptions, signal: AbortSignal): Promise<void> {
  const { settings, api, clock, random, log } = options
  const { serving } = settings
  await using stack = new AsyncDisposableStack()
  const { registry } = options
  collectProcessMetrics(registry)
  // What is measured is served while the server drains: its work ends after it.
  const work = new AbortController()
  stack.defer(() => work.abort(new DOMException('the process has ended', 'AbortError')))
  const around = { clock, random, log, signal: work.signal }
  const informers = stack.use(new Informers(api, around)).share({
    needs: [
      { ...core('nodes'), fields: nodeFields },
      { ...core('pods'), fieldSelector: watchedPods, fields: podFields },
    ],
  })
  const events = stack.use(
    new EventRecorder(api, { clock, random, controller: 'metrics-server', instance: `metrics-server-${options.host}`, log }),
  )
  const { kubelet, resolutionMs, staleAfterMs, isStrict, nodeSelector, exposed } = settings
  const measuring = new Measuring({
    settings: {
      points: { resolutionMs, staleAfterMs, isStrict },
      address: {
        addressTypes: kubelet.addressTypes,
        port: kubelet.port,
        useNodeStatusPort: kubelet.useNodeStatusPort,
        scheme: kubelet.isPlain ? 'http' : 'https',
      },
      nodeSelector,
      exposed,
      watchedPods,
    },
    informers,
    client: options.kubelets,
    clock,
    log,
    registry,
    events,
  })
  const server =
    serving === undefined ? undefined : stack.use(await serve({ ...options, serving, registry, measuring }, work.signal, stack))
  if (server !== undefined) options.onServing?.(server)
  options.onNodes?.(() => measuring.knownNodes)
  const running = Promise.all([measuring.run(work.signal), options.pins?.run(work.signal)])
  // Its end is told below; until then nobody waits for it.
  running.catch(() => undefined)
  await Promise.race([running, aborted(signal)])
  if (!signal.aborted) return void (await running)
  server?.drain()
  const delayMs = serving?.shutdownDelayMs ?? 0
  if (delayMs > 0) await clock.after(delayMs, work.signal)
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}

interface ServeOptions extends MetricsServerOptions {
  readonly serving: NonNullable<MetricsServerSettings['serving']>
  readonly registry: Registry
  readonly measuring: Measuring
}

async function serve(options: ServeOptions, signal: AbortSignal, stack: AsyncDisposableStack): Promise<AggregatedServer> {
  const { settings, serving, measuring, registry, clock, random, log } = options
  const { authentication, authorization } = settings
  const { unavailable, ...wire } = tlsSettings(serving)
  if (unavailable.length > 0)
    log.warn({ cipherSuites: unavailable.join(',') }, 'cipher suites that no TLS library has any more are left out')
  const pair = stack.use(await servingPair(serving, ownPair, { clock, log }))
  const named = await namedPairs(options, stack)
  const state: { server: AggregatedServer | undefined } = { server: undefined }
  const follow = stack.use(
    await followAuthorities({
      files: authorityFiles(authentication),
      clock,
      log,
      onChange: texts => state.server?.setGivenTrust(givenTrust(authentication, texts)),
    }),
  )
  const trusted = stack.use(new Informers(options.authenticationApi, { clock, random, log, signal }))
  const apis = [measuring.api]
  const server = await startAggregatedServer({
    apis: () => apis,
    tls: pair.current,
    wire,
    ...(named.length === 0 ? {} : { namedPairs: () => named.map(({ current, names }) => ({ pair: current(), names: names() })) }),
    port: serving.port,
    ...(serving.address !== '0.0.0.0' && serving.address !== '' && { host: serving.address }),
    api: options.authenticationApi,
    informers: trusted,
    trust: { lookup: authentication.lookup, given: givenTrust(authentication, follow.texts) },
    reviews: {
      accessApi: options.authorizationApi,
      lives: { tokenMs: authentication.tokenMs, allowedMs: authorization.allowedMs, refusedMs: authorization.refusedMs },
    },
    openPaths: authorization.alwaysAllowPaths,
    clock,
    random,
    log,
    // As upstream, which listens when it has seen all nodes and pods: then lists are answered, however little was measured.
    ready: () => [{ name: 'informers', check: () => (measuring.isSynced ? undefined : 'nodes or pods were not read yet') }],
    probes: ({ authorities, shutdown }) => ({
      live: () => [...begun, ...measuring.livenessChecks()],
      healthy: () => [...begun, ...measuring.livenessChecks().filter(({ name }) => name === 'metadata-informer-sync')],
      // Upstream has no check of the authorities' name: it is shown where it fails.
      ready: () => [
        ...begun,
        ...measuring.readinessChecks(),
        ...(authorities.check() === undefined ? [] : [authorities]),
        shutdown,
      ],
    }),
    metrics: registry,
    served: new ServedMetrics(registry),
    version: options.version,
    title: 'Kubernetes metrics-server',
    headers: serving.headers,
    limits: { answerMs: serving.requestTimeoutMs, inFlight: serving.inFlight },
  })
  state.server = server
  pair.onChange(changed => server.setCertificate(changed))
  log.info({ address: serving.address, port: server.port, isSelfSigned: pair.isOwn }, 'Serving securely')
  return server
}

const fine = (name: string): HealthCheck => ({ name, check: () => undefined })
/** Names that users' probes read. */
const begun = [
  fine('ping'),
  fine('log'),
  fine('poststarthook/max-in-flight-filter'),
  fine('poststarthook/storage-object-count-tracker-hook'),
]

interface NamedPairNow {
  readonly current: () => NamedPair['pair']
  readonly names: () => readonly string[]
}

async function namedPairs({ serving, clock, log }: ServeOptions, stack: AsyncDisposableStack): Promise<readonly NamedPairNow[]> {
  const found: NamedPairNow[] = []
  for (const { certificateFile, keyFile, names } of serving.named) {
    const pair = stack.use(await watchedPair({ certificate: certificateFile, key: keyFile }, { clock, log }))
    const ownNames = () => namesOf(pair.current.certificate).dnsNames ?? []
    found.push({ current: () => pair.current, names: () => (names.length > 0 ? names : ownNames()) })
  }
  return found
}

type Authentication = MetricsServerSettings['authentication']

function authorityFiles({ clientAuthorityFile, frontProxy }: Authentication) {
  const files: Record<string, { readonly path: string; readonly flag: string }> = {}
  if (clientAuthorityFile !== '') files['client-ca-file'] = { path: clientAuthorityFile, flag: '--client-ca-file' }
  if (frontProxy.authorityFile !== '')
    files['requestheader-client-ca-file'] = { path: frontProxy.authorityFile, flag: '--requestheader-client-ca-file' }
  return files
}

/** By the keys of the ConfigMap. */
function givenTrust({ frontProxy }: Authentication, texts: GivenTrust): GivenTrust {
  return {
    ...texts,
    'requestheader-allowed-names': JSON.stringify(frontProxy.allowedNames),
    'requestheader-username-headers': JSON.stringify(frontProxy.usernameHeaders),
    'requestheader-group-headers': JSON.stringify(frontProxy.groupHeaders),
    'requestheader-uid-headers': JSON.stringify(frontProxy.uidHeaders),
    'requestheader-extra-headers-prefix': JSON.stringify(frontProxy.extraPrefixes),
  }
}
