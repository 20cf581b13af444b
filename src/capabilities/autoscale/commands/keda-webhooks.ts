// `ballast keda-admission-webhooks`: the command of KEDA's webhooks with its flags and ports. It answers on upstream's paths, and writes nothing.

import { untilAborted } from '#cli/drop-ins/drop-in.ts'
import { defineZapProgram, type Started } from '#cli/drop-ins/zap-program.ts'
import { needsOf } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { Front } from '#kube/server/front/front.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'
import { webhookMetrics } from '#kube/server/webhook-metrics.ts'
import { watchNeed } from '#process/parts/part-roster.ts'
import { CertificateDirectory } from '#process/webhooks/certificate-directory.ts'
import { startAdmission } from '../admission/webhook.ts'
import { webhookPath } from '../admission/webhook-names.ts'
import { autoscale } from '../capability.ts'
import { autoscaleConfiguration } from '../config.ts'
import { parseWebhooksFlags, type WebhooksSettings } from '../flags/webhooks-flags.ts'

/** Where `keda-admission` has API servers ask. */
const upstreamPaths = [
  ...['scaledobject', 'scaledjob', 'triggerauthentication', 'clustertriggerauthentication'].map(
    kind => `/validate-keda-sh-v1alpha1-${kind}`,
  ),
  ...['cloudeventsource', 'clustercloudeventsource'].map(kind => `/validate-eventing-keda-sh-v1alpha1-${kind}`),
]

const help = [
  "Upstream's flags, with their defaults:",
  '  --port 9443, --cert-dir /certs (tls.crt, tls.key and ca.crt), --metrics-bind-address :8080,',
  '      --health-probe-bind-address :8081, --kubeconfig FILE, --kube-api-qps, --kube-api-burst',
  '  --zap-{encoder json,log-level info,time-encoding rfc3339,devel}; those of klog, --profiling-bind-address and',
  '      --cache-miss-to-direct-client are taken without effect',
  'Environment: KEDA_SERVICE_MIN_TLS_VERSION, KEDA_SERVICE_TLS_CIPHER_LIST.',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast keda-admission-webhooks --cert-dir=/certs',
]

interface RunOptions extends Omit<Started, 'front'> {
  /** A thread of its own unless given. */
  readonly front?: Front
  readonly host?: string
  readonly onServing?: (server: { readonly port: number }) => void
}

/** Runs until `signal` is aborted; reviews under way are answered. @throws CommandRefused for files that are not there; Error for a port that is taken */
export async function runKedaWebhooks(settings: WebhooksSettings, started: RunOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, registry, userAgent, transport, front, host } = started
  await using stack = new AsyncDisposableStack()
  const work = new AbortController()
  stack.defer(() => work.abort(new DOMException('the process has ended', 'AbortError')))
  let isServing = false
  const ready = () => [{ name: 'webhook', check: () => (isServing ? undefined : 'objects were not read yet') }]
  await started.listen(settings.metricsAddress, '--metrics-bind-address', ready)
  await started.listen(settings.probeAddress, '--health-probe-bind-address', ready)
  const directory = new CertificateDirectory(settings.certificateDirectory, '--cert-dir')
  const bucket = settings.client.bucket === undefined ? {} : { bucket: settings.client.bucket }
  const api = openApi(transport, { clock, userAgent, log, ...bucket })
  const config = autoscaleConfiguration.parse({})
  const part = partsIn('controller', autoscale).filter(({ role }) => role === 'autoscale-webhook')
  const watched = part.flatMap(one => needsOf(one, config))
  // None of them is in a namespace of ours.
  const needs = watched.map(need => watchNeed(need, { namespace: '' }))
  const informers = stack.use(new Informers(api, { clock, random, log, signal: work.signal })).share({ needs })
  for (const need of watched) informers.of(need, { optional: need.optional === true })
  await informers.allSynced(AbortSignal.any([signal, work.signal]))
  const webhooks: Webhook[] = []
  const serve = (webhook: Webhook) => {
    webhooks.push(webhook)
    return { [Symbol.dispose]: () => void webhooks.splice(webhooks.indexOf(webhook), 1) }
  }
  stack.use(
    await startAdmission({ webhooks: { clientConfig: () => ({}), serve }, clock, api, informers, metrics: registry }, config),
  )
  const server = stack.use(
    await startWebhookServer({
      webhooks,
      paths: new Map(upstreamPaths.map(path => [path, webhookPath])),
      tls: { ...directory.current.tls, ...settings.wire },
      port: settings.port,
      ...(host === undefined ? {} : { host }),
      ...(front === undefined ? {} : { front }),
      observer: webhookMetrics(registry),
      clock,
      log,
    }),
  )
  stack.use(directory.watch(({ tls }) => server.setCertificate({ ...tls, ...settings.wire }), { clock, log }))
  isServing = true
  log.info({ port: server.port }, 'Serving webhook server')
  started.onServing?.(server)
  await untilAborted(signal)
}

export const defineKedaWebhooks = defineZapProgram({
  name: 'keda-admission-webhooks',
  component: 'admission webhooks',
  help,
  parse: parseWebhooksFlags,
  failure: 'problem running admission webhooks',
  run: runKedaWebhooks,
})
