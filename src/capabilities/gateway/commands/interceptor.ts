// `ballast interceptor`: the command of the HTTP add-on's interceptor with its environment and ports, and Ballast's gateway behind them.
import { untilAborted } from '#cli/drop-ins/drop-in.ts'
import { defineZapProgram, type Started } from '#cli/drop-ins/zap-program.ts'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { randomUuid } from '#kube/random.ts'
import { PortBook } from '#process/parts/port-book.ts'
import { type InterceptorSettings, parseInterceptor } from '../flags/add-on-settings.ts'
import { startGateway } from '../part.ts'

const help = [
  "Upstream's environment (0.15, and what 0.16 documents):",
  '  KEDA_HTTP_PROXY_PORT and KEDA_HTTP_ADMIN_PORT (required), KEDA_HTTP_WATCH_NAMESPACE (empty: all),',
  '  KEDA_HTTP_{REQUEST 0s,RESPONSE_HEADER 300s,READINESS 0s,CONNECT 500ms}_TIMEOUT, KEDA_HTTP_SHUTDOWN_DELAY 5s,',
  '  KEDA_HTTP_DRAIN_TIMEOUT 30s, KEDA_HTTP_ENABLE_COLD_START_HEADER true, KEDA_HTTP_LOG_REQUESTS false,',
  '  KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS 0 (1,000 a route), KEDA_HTTP_PROXY_TLS_{ENABLED,PORT,CERT_PATH,KEY_PATH,',
  '  CERT_STORE_PATHS,SKIP_VERIFY,MIN_VERSION}, OTEL_PROM_EXPORTER_{ENABLED true,PORT 2223}.',
  '  KEDA_CONDITION_WAIT_TIMEOUT and KEDA_RESPONSE_HEADER_TIMEOUT count more where they are set.',
  'Flags: --zap-{encoder json,log-level info,time-encoding rfc3339,devel}, --kubeconfig FILE; those of klog have no effect.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast interceptor --zap-log-level=info (with KEDA_HTTP_PROXY_PORT=8080, KEDA_HTTP_ADMIN_PORT=9090)',
]

/** Upstream has its probes on the admin port. */
const nothingMore = () => []

type Begun = Pick<Started, 'transport' | 'clock' | 'random' | 'log' | 'registry' | 'name' | 'userAgent' | 'listen'>

/** Runs until `signal` is aborted, then drains. @throws Error for a port that is taken; InputError for a certificate that is none */
export async function runInterceptor(
  settings: InterceptorSettings,
  started: Begun & { readonly onServing?: (ports: { readonly traffic: number; readonly admin: number }) => void },
  signal: AbortSignal,
): Promise<void> {
  const { transport, clock, random, log, registry, name, userAgent } = started
  if (settings.metricsPort > 0) await started.listen(`:${settings.metricsPort}`, 'OTEL_PROM_EXPORTER_PORT', nothingMore)
  const api = openApi(transport, { clock, userAgent, log })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  // Requests under way are ended after the signal: what they need goes on.
  const over = new AbortController()
  stack.defer(() => over.abort(new DOMException('the process has ended', 'AbortError')))
  const informers = stack.use(
    new Informers(api, {
      ...{ clock, random, log, signal: over.signal },
      namespaces: settings.namespace === undefined ? [] : [settings.namespace],
    }),
  )
  const ports = stack.use(new PortBook().forPart())
  const context = {
    ...{ clock, log, informers, api, ports, metrics: registry },
    identity: { name, namespace: '', instance: `${name}_${randomUuid(random)}` },
  }
  const options = { hasScaler: false, mostPending: settings.mostPending }
  // Until it listens there is nothing to drain; from then on the signal begins the drain, and does not end it.
  const giveUp = () => over.abort(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  await using gateway = await startGateway(context, settings.gateway, over.signal, options)
  signal.removeEventListener('abort', giveUp)
  started.onServing?.(gateway.ports)
  await untilAborted(signal)
}

export const defineInterceptor = defineZapProgram({
  name: 'interceptor',
  component: 'interceptor',
  help,
  parse: parseInterceptor,
  failure: 'fatal error',
  run: runInterceptor,
})
