// `ballast keda-adapter`: the command of KEDA's metrics adapter with its flags, environment and ports. It keeps nothing: every value is asked
// of the operator, KEDA's or ours.

import { untilAborted } from '#cli/drop-ins/drop-in.ts'
import { defineZapProgram, type Started } from '#cli/drop-ins/zap-program.ts'
import { openApi } from '#kube/client/api.ts'
import { programVersion } from '#kube/version.ts'
import { begun, serveByFlags } from '#process/drop-ins/aggregated-serving.ts'
import { CertificateDirectory } from '#process/webhooks/certificate-directory.ts'
import { type AdapterSettings, parseAdapterFlags } from '../flags/adapter-flags.ts'
import { externalMetricsApi } from '../served/external-metrics.ts'
import { openMetricsClient } from '../served/metrics-client.ts'

const help = [
  "Upstream's flags, with their defaults:",
  '  --secure-port 443 (the chart says 6443), --bind-address 0.0.0.0, --tls-{cert-file,private-key-file,sni-cert-key,',
  '      min-version,cipher-suites,curve-preferences}, --client-ca-file, --requestheader-*,',
  '      --authentication-{kubeconfig,skip-lookup,tolerate-lookup-failure,token-webhook-cache-ttl 10s},',
  '      --authorization-{kubeconfig,always-allow-paths,webhook-cache-authorized-ttl 10s,webhook-cache-unauthorized-ttl 10s}',
  '  --metrics-service-address keda-operator.NAMESPACE.svc.cluster.local:9666, --metrics-service-grpc-authority NAME',
  '  --cert-dir DIR (ca.crt, tls.crt and tls.key, by which operator and adapter know each other)',
  '  --port 8080 (metrics), --msg, --kubeconfig FILE, --kube-api-qps, --kube-api-burst',
  '  --zap-{encoder json,log-level info,time-encoding rfc3339,devel}, --v, --logtostderr (lines of text);',
  '      the others are taken without effect',
  'Environment: WATCH_NAMESPACE (required, without effect), POD_NAMESPACE, KEDA_SERVICE_MIN_TLS_VERSION,',
  '  KEDA_SERVICE_TLS_CIPHER_LIST.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast keda-adapter --secure-port=6443 --cert-dir=/certs',
]

/** Runs until `signal` is aborted; questions under way are answered. @throws InputError, CommandRefused for files that cannot be used; Error for a port that is taken */
export async function runKedaAdapter(
  settings: AdapterSettings,
  started: Omit<Started, 'front'> & { readonly onServing?: (server: { readonly port: number }) => void },
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, log, registry, userAgent } = started
  const { service, client } = settings
  await using stack = new AsyncDisposableStack()
  const work = new AbortController()
  stack.defer(() => work.abort(new DOMException('the process has ended', 'AbortError')))
  const open = async (kubeconfig: string) => {
    const transport = kubeconfig === '' ? started.transport : await started.transportOf(kubeconfig)
    const bucket = client.bucket === undefined ? {} : { bucket: client.bucket }
    const api = openApi(transport, { clock, userAgent, log, ...bucket })
    // The connections of the process are its own to close.
    if (kubeconfig !== '') stack.defer(() => api.close())
    return api
  }
  const directory = new CertificateDirectory(service.directory, '--cert-dir')
  log.info({ address: service.address }, 'Connecting Metrics Service gRPC client to the server')
  const { address, authority, wire } = service
  const source = stack.use(
    openMetricsClient({ address, authority, material: directory.current, wire, clock, log, metrics: registry }),
  )
  stack.use(directory.watch(next => source.setMaterial(next), { clock, log }))
  const apis = [externalMetricsApi(() => source)]
  await started.listen(`:${settings.metricsPort}`, '--port', () => [])
  const server = stack.use(
    await serveByFlags(
      {
        apis: () => apis,
        settings,
        authenticationApi: await open(settings.authentication.kubeconfig),
        authorizationApi: await open(settings.authorization.kubeconfig),
        ...{ clock, random, log, registry },
        ready: () => [],
        // As upstream's: an operator that is away fails what is asked, not the adapter.
        probes: ({ authorities, shutdown }) => ({
          live: () => begun,
          ready: () => [...begun, ...(authorities.check() === undefined ? [] : [authorities]), shutdown],
        }),
        version: programVersion,
        title: 'KEDA metrics adapter',
      },
      work.signal,
      stack,
    ),
  )
  log.info({}, settings.message)
  started.onServing?.(server)
  await untilAborted(signal)
  server.drain()
  const { shutdownDelayMs } = settings.serving
  if (shutdownDelayMs > 0) await clock.after(shutdownDelayMs, work.signal)
}

export const defineKedaAdapter = defineZapProgram({
  name: 'keda-adapter',
  component: 'metrics server',
  help,
  parse: parseAdapterFlags,
  failure: 'unable to run external metrics adapter',
  run: runKedaAdapter,
})
