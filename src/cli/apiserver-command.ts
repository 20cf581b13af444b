// `ballast apiserver`: the process that faces the outside, on a live cluster.

import { homedir, hostname } from 'node:os'
import type { Command } from 'commander'
import { Registry } from 'prom-client'
import { settingsForServer } from '#cluster/scheduler-settings.ts'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { processPorts } from '#coordination/part-hosts.ts'
import { openActions } from '#dashboard/actions/actions.ts'
import { isLoopback, parseListen } from '#dashboard/configuration.ts'

import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { Override } from '#kube/configuration.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { bearerOf, Credentials } from '#kube/credentials/credentials.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { certificateMetrics } from '#kube/server/certificate-metrics.ts'
import { programVersion } from '#kube/version.ts'
import { runApiserver } from '#process/apiserver/apiserver.ts'
import { openStandby } from '#process/apiserver/apiserver-standby.ts'
import { mirrorMetricsPort } from '#process/apiserver/mirror-port.ts'
import { SharedApis } from '#process/apiserver/shared-apis.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { enabling } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities, hostedNames } from '#process/enabled-capabilities.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { readAddress, startHealthListener } from '#process/health/health-listener.ts'
import { memoryCheck, memoryUses } from '#process/health/health-memory.ts'
import { Shutdown } from '#process/health/health-shutdown.ts'
import { heardTransport } from '#process/health/heard-transport.ts'
import { heldProcess } from '#process/idle.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { tuningOf } from '#process/parts/tuning.ts'
import { processLog } from '#process/process-log.ts'
import { about } from './about.ts'
import { commaList, type DefineCommand, exitAtOnce, oneOf, type Surroundings, wholeNumber } from './command-line.ts'
import { bundleWords, openPage, pageBundle } from './page/page.ts'
import { hostOf, shownCapabilities } from './source/fixed-picture.ts'

interface ApiserverCommandOptions {
  readonly config?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace: string
  readonly clusterName?: string
  readonly enable?: string
  readonly agentNamespace: string
  readonly dashboard: boolean
  readonly apiService: string
  readonly apiPort: number
  readonly dashboardService?: string
  readonly leaderService?: string
  readonly healthProbeBindAddress: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export const defineApiserver: DefineCommand = (program, surroundings) => {
  const { environment } = surroundings
  program
    .command('apiserver')
    .description(about.apiserver)
    .option(
      '--config <file>',
      "the controller's BallastConfiguration, whose section dashboard holds here. Default: BALLAST_CONFIG",
    )
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then the service account of the pod, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '--namespace <name>',
      "Ballast's own namespace: Lease and Service",
      environment['BALLAST_POD_NAMESPACE'] ?? ballastNamespace,
    )
    .option('--cluster-name <name>', 'name of the cluster on the page; default: its name in the kubeconfig')
    .option('--enable <names>', 'capabilities that are enabled whatever the configuration says, by comma', commaList)
    .option(
      '--agent-namespace <name>',
      'namespace of the pods on nodes',
      environment['BALLAST_AGENT_NAMESPACE'] ?? standardAgentNamespace,
    )
    .option('--no-dashboard', 'serve no page, whatever the configuration says')
    .option('--api-service <name>', 'Service by which the API server reaches the APIs of this process', 'ballast-apiserver')
    .option('--api-port <number>', 'port of those APIs; 0 takes a free one', wholeNumber(0, 65_535), processPorts.aggregated)
    .option(
      '--dashboard-service <name>',
      'Service without a selector; the leader writes its EndpointSlice, so that the page is reached from outside its pod',
    )
    .option(
      '--leader-service <name>',
      'Service without a selector; the leader writes its EndpointSlice, so that parts that lead are reached from outside its pod',
    )
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT for health and metrics; 0 switches it off, which is the default outside a cluster',
      environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option('--log-level <level>', 'debug, info, warn or error', oneOf('debug', 'info', 'warn', 'error'), 'info')
    .addHelpText('after', '\nExample: ballast apiserver --kubeconfig ~/.kube/config')
    .action((options: ApiserverCommandOptions, command: Command) => serve(options, command, surroundings))
}

/** Flags that were given, over the same keys of the file. */
function overridesOf(options: ApiserverCommandOptions, command: Command): readonly Override[] {
  const keys = { logLevel: '--log-level', healthProbeBindAddress: '--health-probe-bind-address' } as const
  const given = (Object.keys(keys) as (keyof typeof keys)[]).filter(key => command.getOptionValueSource(key) === 'cli')
  return [
    ...given.map(key => ({ path: ['process', key], value: options[key], where: keys[key] })),
    ...(options.enable === undefined ? [] : enabling(options.enable, enabledCapabilities)),
  ]
}

async function serve(options: ApiserverCommandOptions, command: Command, surroundings: Surroundings): Promise<void> {
  const { environment, signal, ending } = surroundings
  const path = options.config ?? environment['BALLAST_CONFIG']
  const fileLog = processLog({ level: options.logLevel, clock: systemClock })
  using settings = new ConfigurationFile({
    path: path === '' ? undefined : path,
    overrides: overridesOf(options, command),
    capabilities: enabledCapabilities,
    clock: systemClock,
    log: fileLog,
  })
  const settled = settings.process
  const log = processLog({ level: settled.logLevel, clock: systemClock })
  const { kubeconfig, context } = options
  const config = await loadConfig({ environment, homeDirectory: homedir(), kubeconfig, context })
  for (const warning of config.warnings) log.warn({}, warning)
  const health = new ControllerHealth()
  const metrics = new Registry()
  using shutdown = new Shutdown(signal, systemClock, ending)
  await using stack = new AsyncDisposableStack()
  health.add('process', () => [
    memoryCheck(memoryUses()),
    { name: 'shutdown', ok: !signal.aborted, ...(signal.aborted ? { state: 'shutting down' } : {}) },
  ])
  const address = readAddress(settled.healthProbeBindAddress ?? options.healthProbeBindAddress)
  if (address !== undefined) stack.use(await startHealthListener(address, { health, metrics, log }))
  settings.watch()
  const { dashboard: configuration } = settings
  const { namespace } = options
  const isShown = configuration.enabled && options.dashboard
  if (!isShown && hostedNames('apiserver', settings.current).length === 0) {
    log.warn({}, 'no page is to be served and no enabled capability has a part here: this process has nothing to do')
    return await idle(signal)
  }
  const transport = heardTransport(transportOf(config, { log, surroundings }), systemClock)
  health.add('api', () => {
    const silence = transport.silence()
    return [{ name: 'server', ok: silence === undefined, ...(silence === undefined ? {} : { message: silence }) }]
  })
  const credentials = new Credentials(
    { ...config, impersonate: undefined },
    { clock: systemClock, log, environment, isTerminal: false },
  )
  const apis = new SharedApis({
    service: options.apiService,
    port: options.apiPort,
    clock: systemClock,
    log,
    metrics,
    version: programVersion,
    token: () => bearerOf(credentials),
  })
  certificateMetrics(metrics, () => apis.certificates)
  using faults = processFaults(exitAtOnce, ending)
  const page = isShown ? pageOptions({ options, config, settings, log, metrics, path }, { surroundings, stack }) : undefined
  const leaderService = options.leaderService === undefined ? undefined : ledService(options.leaderService, { environment, log })
  const running = runApiserver({
    transport,
    clock: systemClock,
    random: systemRandom,
    log,
    identity: { name: environment['BALLAST_POD_NAME'] ?? hostname(), namespace, agentNamespace: options.agentNamespace },
    health,
    capabilities: enabledCapabilities,
    settings,
    apis,
    kubelets: { config, environment },
    metrics,
    faults,
    ...(page === undefined ? {} : { page }),
    ...(leaderService === undefined ? {} : { leaderService }),
    tuning: tuningOf(settled, { grace: ending.grace, log }),
    signal,
  })
  await shutdown.within(ending.grace.inOrderMs, running, {
    stillRunning: () => health.groups().filter(group => !own.has(group)),
    log,
  })
}

/** Groups of health that are no part's. */
const own: ReadonlySet<string> = new Set(['api', 'apis', 'process'])

/** What the page is opened with, by whoever leads. */
function pageOptions(
  {
    options,
    config,
    settings,
    log,
    metrics,
    path,
  }: {
    readonly options: ApiserverCommandOptions
    readonly config: ClusterConfig
    readonly settings: ConfigurationFile
    readonly log: Log
    readonly metrics: Registry
    readonly path: string | undefined
  },
  { surroundings, stack }: { readonly surroundings: Surroundings; readonly stack: AsyncDisposableStack },
): Parameters<typeof runApiserver>[0]['page'] {
  const { dashboard: configuration } = settings
  const { namespace } = options
  const bundle = stack.use(pageBundle(surroundings, log))
  void bundle.ready.then(() => {
    if (bundle.problem !== undefined) log.warn({}, bundleWords(bundle.problem))
  })
  const actions = configuration.actions === true ? stack.use(openActions({ random: systemRandom, log })) : undefined
  const viewers = stack.use(new AsyncDisposableStack())
  const viewerApi = (token: string) => {
    const auth = { kind: 'token', token } as const
    const api = openApi(transportOf(asNobody(config, auth), { log, surroundings }), {
      clock: systemClock,
      userAgent: `ballast/${programVersion} dashboard`,
    })
    viewers.defer(() => api.close())
    return api
  }
  const shownBy = { configuration, port: undefined, hasKey: false, viewerApi, actions, bundle, log, metrics }
  return {
    cluster: options.clusterName ?? options.context ?? hostOf(config.server),
    mirrorPort: () => mirrorMetricsPort(settings.current),
    settings: gitVersion => ({
      arbiter: settings.current.arbiter,
      ownerLabel: settings.current.ownerLabel,
      scheduler: settingsForServer(gitVersion),
      ownNamespace: namespace,
      ...shownCapabilities(settings.current),
    }),
    openPage: shown => openPage({ ...shown, ...shownBy, origins: { file: path, flags: {} } }, surroundings),
    openStandby: holder => openStandby({ configuration, namespace, holder }),
    ...serviceOf(options, { configuration, environment: surroundings.environment, log }),
  }
}

function transportOf(config: ClusterConfig, { log, surroundings }: { readonly log: Log; readonly surroundings: Surroundings }) {
  const { environment } = surroundings
  return openHttpTransport(config, { clock: systemClock, random: systemRandom, log, environment })
}

/** The way to the API server for nobody but the bearer of a token. */
function asNobody(config: ClusterConfig, auth: ClusterConfig['auth']): ClusterConfig {
  return { ...config, tls: { ...config.tls, clientCertificate: undefined, clientKey: undefined }, auth, impersonate: undefined }
}

/** Where others than the pod itself are to reach the page. */
function serviceOf(
  { dashboardService }: ApiserverCommandOptions,
  given: {
    readonly configuration: ConfigurationFile['dashboard']
    readonly environment: Surroundings['environment']
    readonly log: Log
  },
) {
  if (dashboardService === undefined || isLoopback(parseListen(given.configuration.listen)?.host)) return {}
  const service = ledService(dashboardService, given)
  return service === undefined ? {} : { service }
}

/** A Service whose traffic the leader takes; `undefined` where our address is not known. */
function ledService(
  name: string,
  { environment, log }: { readonly environment: Surroundings['environment']; readonly log: Log },
) {
  const address = environment['BALLAST_POD_IP']
  if (address !== undefined && address !== '') return { name, address }
  log.warn({}, `BALLAST_POD_IP is not set: the Service ${name} leads nowhere`)
  return undefined
}

async function idle(signal: AbortSignal): Promise<void> {
  using _held = heldProcess()
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}
