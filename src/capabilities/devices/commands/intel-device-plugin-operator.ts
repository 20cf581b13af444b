// `ballast intel-device-plugin-operator`: Intel's operator with its flags, environment, ports, certificate and Lease, and Ballast's behind them.

import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf } from '#cli/drop-ins/drop-in.ts'
import type { Capability } from '#coordination/capability.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { Front } from '#kube/server/front/front.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'
import { programVersion } from '#kube/version.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { runLiveController } from '#process/controller/live-controller.ts'
import { withMemory } from '#process/drop-ins/memory-objects.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { CertificateDirectory } from '#process/webhooks/certificate-directory.ts'
import { devices } from '../capability.ts'
import { operatorProgram } from '../flags/operator-flags.ts'
import { webhookLabel } from '../operator/admission.ts'
import { fpgaWebhookLabel } from '../operator/fpga-pods.ts'
import { deviceNames } from '../operator/plugin-kinds.ts'
import { podWebhookLabel } from '../operator/sgx-pods.ts'

const name = 'intel-device-plugin-operator'
const accountNamespace = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'
/** Upstream's server of webhooks has no flag for it. */
const webhookPort = 9443

export const defineOperator = defineDropIn({
  name: name,
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -devices dsa|dlb|fpga|gpu|iaa|qat|sgx|npu, once for each; without it all of them',
    '  -deviceplugin-namespace kube-system, -leader-elect (off), -kubeconfig FILE',
    '  -metrics-bind-address :8080, -metrics-secure (off; with it nobody gets metrics), -health-probe-bind-address :8081',
    '  -enable-http2 is taken without effect; -v 0',
    'Environment: DEVICEPLUGIN_NAMESPACE, DEVICEPLUGIN_SECRET, INTEL_GPU_PLUGIN_SHA and its like for other images.',
    'Webhooks are answered on port 9443 at upstream’s paths, with the certificate in $TMPDIR/k8s-webhook-server/serving-certs.',
    'Exit codes: 0 stopped, 1 failed or a device that is unknown or named twice, 2 bad flag.',
    `Example: ballast ${name} -devices gpu -devices npu -leader-elect`,
  ],
  run,
})

type Program = ReturnType<typeof operatorProgram>

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment } = surroundings
  const given = operatorProgram(words, environment)
  const log = klogOf({ program: name, ...given }, surroundings)
  preferSmallHeap()
  const metrics = readAddress(given.metricsAddress, '--metrics-bind-address')
  const probes = readAddress(given.probeAddress, '--health-probe-bind-address')
  const certificates = new CertificateDirectory(given.certificateDirectory, 'webhooks')
  const { kubeconfig } = given
  const config = await loadConfig({
    environment,
    homeDirectory: environment['HOME'] || homedir(),
    kubeconfig: kubeconfig === '' ? undefined : kubeconfig,
  })
  const namespace = ownNamespace() ?? config.namespace
  const capability = operatorOnly()
  using file = new ConfigurationFile({
    path: undefined,
    overrides: overridesOf(given, namespace),
    capabilities: [capability],
    clock: systemClock,
    log,
  })
  const health = new ControllerHealth()
  log.info({ version: programVersion, namespace: given.namespace, cluster: config.source }, 'starting manager, by Ballast')
  await runLiveController(
    {
      config,
      settings: file,
      capabilities: [capability],
      identity: { name: hostname(), namespace, agentNamespace: given.namespace },
      log,
      installDefinitions: false,
      address: metrics,
      ...(probes === undefined ? {} : { furtherAddress: probes }),
      health,
      // Upstream's answers as soon as its webhooks are served, whatever the API server does.
      also: { '/healthz': () => ({ status: 200, body: 'ok' }), '/readyz': () => ({ status: 200, body: 'ok' }) },
      openWebhooks: front => openWebhooks(certificates, front, log),
      between: async transport => keptHere(transport, namespace),
      exit: exitAtOnce,
    },
    surroundings,
  )
}

/** The parts that make up what upstream's operator is. */
function operatorOnly(): Capability {
  return { ...devices, parts: devices.parts.filter(({ process }) => process === 'controller') }
}

function overridesOf({ elects, ...given }: Program, namespace: string) {
  const override = (path: string, value: unknown) => ({ path: path.split('.'), value, where: name })
  const off = { enabled: false }
  return [
    override('capabilities.devices.enabled', true),
    override('capabilities.devices.gpu', off),
    override('capabilities.devices.npu', off),
    override('capabilities.devices.amd', off),
    override('capabilities.devices.operator', {
      enabled: true,
      devices: given.devices,
      images: 'upstream',
      imagePullSecret: given.imagePullSecret,
      imageOverrides: given.imageOverrides,
      // Its chart has written who is asked, with the bundle of whoever issued the certificate.
      admission: 'upstream',
    }),
    // Who elects nobody holds no Lease, as upstream.
    override('capabilities.devices.guardLease', { enabled: elects, namespace }),
  ]
}

function ownNamespace(): string | undefined {
  try {
    return readFileSync(accountNamespace, 'utf8').trim() || undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Upstream's role has no place for what Ballast notes of itself: this process remembers it, and whoever leads is said by upstream's Lease. */
function keptHere(cluster: Transport, namespace: string): Transport {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
  const maps = `/api/v1/namespaces/${namespace}/configmaps`
  const places = [leases, maps]
  const isMade = ({ verb, path, body }: TransportRequest) =>
    verb === 'POST' && places.includes(path) && /"name":"ballast-/.test(String(body ?? ''))
  const isKept = (request: TransportRequest) =>
    places.some(place => request.path.startsWith(`${place}/ballast-`)) ||
    /^\/apis\/ballast\.dev\/[^/]+\/(namespaces\/[^/]+\/)?disruptionpermits(\/|$)/.test(request.path) ||
    isMade(request)
  return withMemory(cluster, { clock: systemClock, random: systemRandom, isKept })
}

const upstreamPaths = new Map([
  ...deviceNames.flatMap(device => {
    const kind = `deviceplugin-intel-com-v1-${device}deviceplugin`
    return [
      [`/mutate-${kind}`, `/mutate/${webhookLabel}`],
      [`/validate-${kind}`, `/validate/${webhookLabel}`],
    ] as const
  }),
  ['/pods', `/mutate/${fpgaWebhookLabel}`] as const,
  ['/mutate--v1-pod', `/mutate/${podWebhookLabel}`] as const,
])

async function openWebhooks(certificates: CertificateDirectory, front: Front, log: Log) {
  const webhooks: Webhook[] = []
  const around = { clock: systemClock, log }
  await using opening = new AsyncDisposableStack()
  const server = opening.use(
    await startWebhookServer({
      webhooks,
      paths: upstreamPaths,
      tls: { ...certificates.current.tls, minVersion: 'TLSv1.2' },
      port: webhookPort,
      front,
      ...around,
    }),
  )
  opening.use(certificates.watch(({ tls }) => server.setCertificate({ ...tls, minVersion: 'TLSv1.2' }), around))
  const opened = opening.move()
  return {
    clientConfig: () => ({}),
    serve(webhook: Webhook) {
      webhooks.push(webhook)
      return { [Symbol.dispose]: () => void webhooks.splice(webhooks.indexOf(webhook), 1) }
    },
    get certificates() {
      return { leaf: certificates.current.tls, authority: { certificate: certificates.current.bundle } }
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
