// `ballast metrics-server`: upstream's command with upstream's flags, and Ballast behind them.
import { homedir, hostname } from 'node:os'
import { Registry } from 'prom-client'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { defineDropIn } from '#cli/drop-ins/drop-in.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { countedTransport } from '#kube/client/client-metrics.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { InputError } from '#kube/problem.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { type Klog, klog } from '#process/drop-ins/klog.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { parseMetricsServerFlags } from '../flags/metrics-server-flags.ts'
import type { MetricsServerSettings } from '../flags/metrics-server-settings.ts'
import { KubeletPins } from '../pins/kubelet-pins.ts'
import { openKubelets } from '../scrape/kubelet-access.ts'
import { runMetricsServer } from './run-metrics-server.ts'

/** How the files are called of which kubelets are told. */
const kubeletFlags = {
  authority: '--kubelet-certificate-authority',
  certificate: '--kubelet-client-certificate',
  key: '--kubelet-client-key',
} as const

const help = [
  "Upstream's flags, with their defaults:",
  '  --metric-resolution 1m0s (10s at least), --kubeconfig FILE, --version',
  '  --kubelet-{request-timeout 10s,port 10250,use-node-status-port,insecure-tls,',
  '      preferred-address-types Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP,',
  '      certificate-authority,client-certificate,client-key},',
  '      --deprecated-kubelet-completely-insecure, -l, --node-selector',
  '  --secure-port 443 (0: off), --bind-address 0.0.0.0, --cert-dir DIR,',
  '      --tls-{cert-file,private-key-file,sni-cert-key,min-version,cipher-suites,',
  '      curve-preferences}',
  '  --authentication-{kubeconfig,skip-lookup,tolerate-lookup-failure,',
  '      token-webhook-cache-ttl 10s}, --client-ca-file, --requestheader-*',
  '  --authorization-{kubeconfig,always-allow-paths /healthz,/readyz,/livez,',
  '      webhook-cache-authorized-ttl 10s,webhook-cache-unauthorized-ttl 10s}',
  '  --max-requests-inflight 400, --request-timeout 1m0s, --shutdown-delay-duration 0s',
  '  -v 0, --vmodule, --logging-format text; the others are taken without effect',
  'Ours:',
  '  --stale-after DURATION   how long the last answer of a kubelet is served',
  '                           (two and a half resolutions)',
  "  --compat strict          upstream's rules to the letter",
  '  --expose-swap            swap besides CPU and memory',
  '  --expose-ephemeral-storage  local disks: takes the right to get nodes/stats',
  '  --kubelet-format text    or protobuf: what kubelets are asked for',
  '  --kubelet-tls verify     or pin: the first key of each node is kept, others refused',
  '  --kubelet-gzip           kubelets may compress their answers',
  '  --allow-fast-resolution  resolutions from 5s up',
  'Exit codes: 0 stopped; 1 failed; 2 bad flags.',
  'Example: ballast metrics-server --secure-port 10250 --metric-resolution 15s',
]

export const defineMetricsServer = defineDropIn({ name: 'metrics-server', help, run: start })

async function start(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { terminal } = surroundings
  const parsed = parseMetricsServerFlags(words)
  if (!parsed.ok)
    throw new CommandRefused(
      parsed.problems.map(({ message, where, expected }) => message ?? `${where}: expected ${expected}`).join('\n'),
      exitCodes.badInput,
    )
  if (parsed.isVersionAsked) {
    terminal.write(`ballast v${programVersion}`)
    return
  }
  const { settings } = parsed
  const log = klog({
    program: 'metrics-server',
    format: settings.loggingFormat,
    verbosity: settings.verbosity,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  })
  for (const warning of parsed.warnings) log.warned(warning, {})
  if (settings.vmodule !== '') log.warned('--vmodule is taken and has no effect: --v is for everything', {})
  try {
    await run(settings, log, surroundings)
  } catch (error) {
    if (surroundings.signal.aborted && !(error instanceof ProcessFault)) {
      if (error !== surroundings.signal.reason) log.warned('Ended while something was under way', { why: messageOf(error) })
      return
    }
    // Files and kubeconfigs that flags name: told with exit code 2, as the flags themselves.
    if (error instanceof InputError) throw error
    if (!isForeseen(error)) throw error
    log.failed('failed to run metrics-server', messageOf(error), {})
    surroundings.end(exitCodes.failed)
  }
}

/** No fault of ours to trace: what the cluster or the host answered. */
function isForeseen(error: unknown): boolean {
  return error instanceof Error && (isOutside(error) || 'syscall' in error)
}

/** Runs until the process is asked to end. */
async function run(settings: MetricsServerSettings, log: Klog, surroundings: Surroundings): Promise<void> {
  const { environment, signal, ending } = surroundings
  using faults = processFaults(exitAtOnce, ending)
  await using stack = new AsyncDisposableStack()
  const config = await configAt(settings.kubeconfig, environment)
  const reviewing = (path: string) => reviewConfig(path, config, environment)
  const opened = new Map<ClusterConfig, Api>()
  const registry = new Registry()
  const open = (of: ClusterConfig): Api => {
    const known = opened.get(of)
    if (known !== undefined) return known
    for (const warning of of.warnings) log.warned(warning, {})
    const around = {
      clock: systemClock,
      random: systemRandom,
      log: log.machinery,
      environment,
      isTerminal: process.stdin.isTTY === true,
    }
    const transport = openHttpTransport(of, around)
    const host = new URL(of.server).host
    // Names of metrics are taken once: reviews that go to another server are not counted.
    const isCounted = opened.size === 0
    const counted = isCounted ? countedTransport(transport, { registry, clock: systemClock, host }) : transport
    const api = openApi(counted, {
      clock: systemClock,
      userAgent: `ballast/${programVersion} metrics-server`,
      log: log.machinery,
    })
    opened.set(of, api)
    stack.defer(() => api.close())
    return api
  }
  const api = open(config)
  const authenticationApi = open(await reviewing(settings.authentication.kubeconfig))
  const authorizationApi = open(await reviewing(settings.authorization.kubeconfig))
  const around = { clock: systemClock, log: log.machinery }
  // Who runs there is told by the watch, when it is there.
  const known: { nodes: () => Iterable<string> | undefined } = { nodes: () => undefined }
  const pins = settings.kubelet.isPinned
    ? new KubeletPins({ ...around, api, namespace: config.namespace, nodes: () => known.nodes() })
    : undefined
  const kubelets = stack.use(await openKubelets(settings.kubelet, config, { ...around, environment, names: kubeletFlags, pins }))
  const onFault = (why: string) => log.failed('a fault that nobody owns: the process ends in order', why, {})
  await endedInOrder({ faults, signal, ending, onFault }, until =>
    runMetricsServer(
      {
        settings,
        api,
        authenticationApi,
        authorizationApi,
        kubelets,
        pins,
        onNodes: nodes => {
          known.nodes = nodes
        },
        registry,
        clock: systemClock,
        random: systemRandom,
        log: log.machinery,
        host: hostname(),
        version: programVersion,
      },
      until,
    ),
  )
}

/** The file that a flag names, else the pod's account, as upstream has it: no other place is looked at. */
async function configAt(kubeconfig: string, environment: Surroundings['environment']): Promise<ClusterConfig> {
  const homeDirectory = environment['HOME'] || homedir()
  return kubeconfig === ''
    ? await loadConfig({ environment, homeDirectory, inCluster: true })
    : await loadConfig({ environment, homeDirectory, kubeconfig })
}

/** Where reviews go: the file of their flag, else the pod's account; outside of a pod, where upstream ends, to the cluster that is watched. */
async function reviewConfig(
  path: string,
  watched: ClusterConfig,
  environment: Surroundings['environment'],
): Promise<ClusterConfig> {
  if (path !== '') return await configAt(path, environment)
  const isInPod = (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== ''
  return isInPod && watched.auth.kind !== 'tokenFile' ? await configAt('', environment) : watched
}
