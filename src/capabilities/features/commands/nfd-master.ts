// `ballast nfd-master`: upstream's master with its flags, configuration file, port and Lease, and Ballast's labelling behind them.

import { homedir, hostname } from 'node:os'
import type { Registry } from 'prom-client'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf, versionSaid } from '#cli/drop-ins/drop-in.ts'
import type { Leadership } from '#coordination/arbiter/leadership.ts'
import type { Capability } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { Log } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { connect } from '#process/agent/connect.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { runLiveController } from '#process/controller/live-controller.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { features } from '../capability.ts'
import { masterSettings } from '../flags/master-flags.ts'
import { type Duties, startLabelling } from '../labelling/labeller.ts'
import { labellingMetrics } from '../labelling/metrics.ts'
import { prune } from '../labelling/prune.ts'
import { masterStore } from './nfd-master-store.ts'
import { buildInfo, ownNamespace, readIfThere } from './nfd-program.ts'

/** How often nodes are listed where they may not be watched, as by upstream's role. */
const pollMs = 60_000
/** Objects in a page of a list where the whole is asked for at once. */
const wholePage = 10_000

export const defineNfdMaster = defineDropIn({
  name: 'nfd-master',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -config /etc/kubernetes/node-feature-discovery/nfd-master.conf, -options YAML, -instance NAME',
    '  -prune takes from all nodes what a master put there, and ends',
    '  -enable-leader-election (off), -extra-label-ns, -deny-label-ns, -label-whitelist, -enable-taints (off),',
    '  -no-publish (off), -resync-period 1h, -nfd-api-parallelism 10, -informer-page-size 200,',
    '  -feature-gates DisableAutoPrefix=false,NodeFeatureGroupAPI=false',
    '  -kubeconfig FILE, -port 8080, -version, -v 0; those of klog are taken without effect',
    'Environment: NODE_NAME, KUBERNETES_NAMESPACE.',
    "By upstream's role nodes are listed each minute, and what Ballast notes of its own is kept in memory.",
    'Exit codes: 0 done or stopped, 1 failed, 2 bad flag or configuration.',
    'Example: ballast nfd-master -enable-taints -options "{denyLabelNs: [\'*.corp.example\']}"',
    'Example: ballast nfd-master -prune -kubeconfig ~/.kube/config',
  ],
  run,
})

type Settings = ReturnType<typeof masterSettings>

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const settings = masterSettings(words, readIfThere)
  if (settings.version) {
    surroundings.terminal.write(versionSaid('nfd-master'))
    return
  }
  const log = klogOf({ program: 'nfd-master', ...settings }, surroundings)
  if (settings.prune) await runPrune(settings, log, surroundings)
  else await runMaster(settings, log, surroundings)
}

async function runMaster(settings: Settings, log: Log, surroundings: Surroundings): Promise<void> {
  const { environment, signal } = surroundings
  preferSmallHeap()
  const namespace = ownNamespace(environment)
  const { kubeconfig, port, oldPort, pageSize } = settings
  const config = await loadConfig({
    environment,
    homeDirectory: homedir(),
    kubeconfig: kubeconfig === '' ? undefined : kubeconfig,
  })
  const health = new ControllerHealth()
  // Known when the cluster was asked what we may, which is before anything starts.
  let tellsRules = false
  const capability = masterOnly(() => ({ collects: false, tellsRules, tellsWorkers: false, asksForNodes: true }))
  using file = new ConfigurationFile({
    path: undefined,
    overrides: overridesOf(settings, namespace),
    capabilities: [capability],
    clock: systemClock,
    log,
  })
  log.info({ version: programVersion, namespace, cluster: config.source }, 'Node Feature Discovery Master, by Ballast')
  await runLiveController(
    {
      config,
      settings: file,
      capabilities: [capability],
      // Our own namespace comes first where several NodeFeatures describe one node, as upstream has it.
      identity: { name: environment['NODE_NAME'] || hostname(), namespace, agentNamespace: namespace },
      log,
      installDefinitions: false,
      address: { port },
      ...(oldPort === undefined ? {} : { furtherAddress: { port: oldPort } }),
      health,
      also: { '/healthz': healthz(health) },
      between: async transport => {
        const store = await masterStore(transport, { namespace, clock: systemClock, log, signal }, health)
        tellsRules = store.tellsRules
        return store.transport
      },
      // Where lists are allowed and watches are not (nodes, by upstream's role), lists are all there is.
      tuning: { lists: { watchList: 'off', pageSize: pageSize === 0 ? wholePage : pageSize, pollMs, isAllOptional: true } },
      exit: exitAtOnce,
    },
    surroundings,
  )
}

/** The capability as a master alone has it: upstream's master deletes nothing, that is its collector's. */
function masterOnly(duties: () => Duties): Capability {
  const parts = features.parts.flatMap(part =>
    part.process === 'controller'
      ? [{ ...part, start: (...of: Parameters<typeof part.start>) => startLabelling(of[0], featuresOf(of[1]), of[2], duties()) }]
      : [],
  )
  const metrics = (registry: Registry) => {
    labellingMetrics(registry)
    buildInfo('master', registry)
  }
  return { ...features, parts, metrics }
}

function featuresOf(section: unknown): Parameters<typeof startLabelling>[1] {
  return features.config.parse(section)
}

function overridesOf({ config, elects, election }: Settings, namespace: string) {
  const where = 'nfd-master'
  const override = (path: string, value: unknown) => ({ path: path.split('.'), value, where })
  return [
    override('capabilities.features.enabled', true),
    override('capabilities.features.master', config.master),
    // Who elects nobody holds no Lease, so that several instances may act side by side.
    override('capabilities.features.guardLease', { enabled: elects, namespace }),
    override('process.leaderElectLeaseDuration', election.leaseDuration),
    override('process.leaderElectRenewDeadline', election.renewDeadline),
    override('process.leaderElectRetryPeriod', election.retryPeriod),
  ]
}

/** Well from the first moment at which all was read; later only a loop that stands still is not: an API server that is away needs no new process. */
function healthz(health: ControllerHealth) {
  let hasBegun = false
  const isWell = (checks: ReturnType<ControllerHealth['live']>) => checks.every(({ check }) => check() === undefined)
  return () => {
    hasBegun ||= isWell(health.ready())
    return hasBegun && isWell(health.live()) ? { status: 200, body: 'ok' } : { status: 500, body: 'it has not begun yet' }
  }
}

/** A pruner leads nothing: what it takes away is written by nobody else once the master is gone. */
const nobodyLeads: Leadership = {
  transitions: 0,
  assert: () => undefined,
  confirm: async () => undefined,
  annotations: () => ({}),
  outlast: async () => undefined,
  annotate: async () => undefined,
}

async function runPrune({ config, kubeconfig }: Settings, log: Log, surroundings: Surroundings): Promise<void> {
  const { instance, noPublish } = config.master
  if (noPublish) {
    log.info({}, 'noPublish is on: nothing is pruned')
    return
  }
  const api = await connect(kubeconfig === '' ? {} : { kubeconfig }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const effects = { api, clock: systemClock, leadership: nobodyLeads }
  const { nodes, failed } = await prune({ effects, instance, log }, surroundings.signal)
  log.info({ nodes, failed: failed.length }, 'pruned')
  if (failed.length > 0)
    throw new CommandRefused(
      `${failed.length} of ${nodes} nodes are not pruned: ${failed.slice(0, 5).join('; ')}`,
      exitCodes.failed,
    )
}
