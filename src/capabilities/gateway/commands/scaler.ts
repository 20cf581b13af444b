// `ballast scaler`: the command of the HTTP add-on's scaler with its environment and port; interceptors, upstream's or ours, are asked.
import { untilAborted } from '#cli/drop-ins/drop-in.ts'
import { defineZapProgram, type Started } from '#cli/drop-ins/zap-program.ts'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { askPeer, peersOf } from '../counts/peers.ts'
import { RequestCounts } from '../counts/request-counts.ts'
import { scalerMetrics } from '../counts/scaler-metrics.ts'
import { SharedCounts } from '../counts/shared-counts.ts'
import { parseScaler, type ScalerSettings } from '../flags/add-on-settings.ts'
import { httpScaledObjects, interceptorRoutes } from '../names.ts'
import type { Route } from '../routing/route.ts'
import { routesOf } from '../routing/route-of.ts'
import { Consents } from '../scaler/consent.ts'
import { startScaler } from '../scaler/scaler-server.ts'

const help = [
  "Upstream's environment (0.15):",
  '  KEDA_HTTP_SCALER_PORT 8080, KEDA_HTTP_SCALER_TARGET_ADMIN_{NAMESPACE,SERVICE,DEPLOYMENT,PORT} (required),',
  '  KEDA_HTTP_QUEUE_TICK_DURATION 500ms, KEDA_HTTP_SCALER_STREAM_INTERVAL_MS 200, OTEL_PROM_EXPORTER_{ENABLED true,PORT 2223}.',
  'Flags: --zap-{encoder json,log-level info,time-encoding rfc3339,devel}, --kubeconfig FILE; those of klog have no effect.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast scaler --zap-log-level=info',
]

const nothingMore = () => []

type Begun = Pick<Started, 'transport' | 'clock' | 'random' | 'log' | 'registry' | 'name' | 'userAgent' | 'listen'>

/** Runs until `signal` is aborted. @throws Error for a port that is taken */
export async function runScaler(
  settings: ScalerSettings,
  started: Begun & { readonly onServing?: (ports: { readonly scaler: number }) => void },
  signal: AbortSignal,
): Promise<void> {
  const { transport, clock, random, log, registry, userAgent } = started
  if (settings.metricsPort > 0) await started.listen(`:${settings.metricsPort}`, 'OTEL_PROM_EXPORTER_PORT', nothingMore)
  const api = openApi(transport, { clock, userAgent, log })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const informers = stack.use(new Informers(api, { clock, random, log, namespaces: [], signal }))
  const kinds = [
    informers.of<KubeObject>(interceptorRoutes, { optional: true }),
    informers.of<KubeObject>(httpScaledObjects, { optional: true }),
  ] as const
  const slices = informers.of<KubeObject>(builtIn.endpointslices, { namespace: settings.namespace })
  await informers.allSynced(signal)
  let routes = new Map<string, Route>()
  const look = () => {
    const found = routesOf(kinds[0].store.list(), kinds[1].store.list())
    routes = new Map([...found.routes, ...found.shadowed].map(route => [`${route.kind} ${route.key}`, route]))
  }
  look()
  for (const kind of kinds) stack.defer(kind.onChange(look))
  let reaches = false
  const measure = scalerMetrics(registry)
  // It has no requests of its own.
  const own = new RequestCounts(clock)
  const shared = new SharedCounts({
    ...{ clock, log, own, tickMs: settings.tickMs },
    peers: () => peersOf(slices.store.list(settings.namespace), { service: settings.service, port: settings.adminPort }),
    ask: (peer, path, limit) => askPeer(peer, path, limit),
    onRound: round => {
      reaches = round.peers > round.unreached
      measure(round)
    },
  })
  stack.defer(slices.onChange(() => shared.hurry()))
  // Where pods are is the interceptor's matter: nobody is asked before zero.
  const consents = stack.use(
    new Consents({
      clock,
      log,
      endpointsOf: () => [],
      ask: () => Promise.reject(new Error('nobody is asked here')),
      onChange: () => undefined,
    }),
  )
  const server = stack.use(
    await startScaler({
      ...{ clock, log, own, shared, consents, host: '::', port: settings.port, againMs: settings.streamMs },
      routeOf: (key, kind) => routes.get(`${kind} ${key}`),
      isServing: () => reaches,
    }),
  )
  log.info({ port: server.port, routes: routes.size }, 'the scaler listens')
  started.onServing?.({ scaler: server.port })
  const asking = shared.run(signal)
  await untilAborted(signal)
  await asking
}

export const defineScaler = defineZapProgram({
  name: 'scaler',
  component: 'scaler',
  help,
  parse: parseScaler,
  failure: 'fatal error',
  run: runScaler,
})
