// What stands in metrics-server's place as a process runs it: watches, scrapes, and the API behind the aggregator, until it is told to end.
import type { Registry } from 'prom-client'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import type { Random } from '#kube/random.ts'
import type { AggregatedServer } from '#kube/server/aggregated-server.ts'
import { begun, serveByFlags } from '#process/drop-ins/aggregated-serving.ts'
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
  const server = serving === undefined ? undefined : stack.use(await serve({ options, serving, measuring }, work.signal, stack))
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

async function serve(
  {
    options,
    serving,
    measuring,
  }: {
    readonly options: MetricsServerOptions
    readonly serving: NonNullable<MetricsServerSettings['serving']>
    readonly measuring: Measuring
  },
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<AggregatedServer> {
  const { settings, registry, clock, random, log } = options
  const { authentication, authorization } = settings
  const apis = [measuring.api]
  return await serveByFlags(
    {
      apis: () => apis,
      settings: { serving, authentication, authorization },
      authenticationApi: options.authenticationApi,
      authorizationApi: options.authorizationApi,
      ...{ clock, random, log, registry },
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
      version: options.version,
      title: 'Kubernetes metrics-server',
    },
    signal,
    stack,
  )
}
