// `ballast gateway`: the process in the way of requests, on a live cluster.
import { homedir, hostname } from 'node:os'
import type { Command } from 'commander'
import { Registry } from 'prom-client'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { systemRandom } from '#kube/random.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { enabling } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities, hostedNames } from '#process/enabled-capabilities.ts'
import { runGateway } from '#process/gateway/gateway.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { readAddress, startHealthListener } from '#process/health/health-listener.ts'
import { memoryCheck, memoryUses } from '#process/health/health-memory.ts'
import { Shutdown } from '#process/health/health-shutdown.ts'
import { heardTransport } from '#process/health/heard-transport.ts'
import { heldProcess } from '#process/idle.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { partsGraceMs, tuningOf } from '#process/parts/tuning.ts'
import { processLog } from '#process/process-log.ts'
import { about } from './about.ts'
import { commaList, type DefineCommand, exitAtOnce, oneOf, type Surroundings } from './command-line.ts'

const drainMoreMs = 15_000

interface GatewayCommandOptions {
  readonly config?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace: string
  readonly agentNamespace: string
  readonly enable?: string
  readonly healthProbeBindAddress: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export const defineGateway: DefineCommand = (program, surroundings) => {
  const { environment } = surroundings
  program
    .command('gateway')
    .description(about.gateway)
    .option('--config <file>', "the controller's BallastConfiguration. Default: BALLAST_CONFIG")
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then the service account of the pod, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--namespace <name>', "Ballast's own namespace", environment['BALLAST_POD_NAMESPACE'] ?? ballastNamespace)
    .option(
      '--agent-namespace <name>',
      'where pods on nodes are',
      environment['BALLAST_AGENT_NAMESPACE'] ?? standardAgentNamespace,
    )
    .option('--enable <names>', 'capabilities that are enabled whatever the configuration says, by comma', commaList)
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT of health and metrics; 0 is none, the default outside of a cluster',
      environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option('--log-level <level>', 'debug, info, warn or error', oneOf('debug', 'info', 'warn', 'error'), 'info')
    .addHelpText('after', '\nExample: ballast gateway --kubeconfig ~/.kube/config')
    .action((options: GatewayCommandOptions, command: Command) => serve(options, command, surroundings))
}

async function serve(options: GatewayCommandOptions, command: Command, surroundings: Surroundings): Promise<void> {
  const { environment, signal, ending } = surroundings
  const path = options.config ?? environment['BALLAST_CONFIG']
  const isGiven = (key: string) => command.getOptionValueSource(key) === 'cli'
  const keys = { logLevel: '--log-level', healthProbeBindAddress: '--health-probe-bind-address' } as const
  const given = (Object.keys(keys) as (keyof typeof keys)[]).filter(isGiven)
  using settings = new ConfigurationFile({
    path: path === '' ? undefined : path,
    overrides: [
      ...given.map(key => ({ path: ['process', key], value: options[key], where: keys[key] })),
      ...(options.enable === undefined ? [] : enabling(options.enable, enabledCapabilities)),
    ],
    capabilities: enabledCapabilities,
    clock: systemClock,
    log: processLog({ level: options.logLevel, clock: systemClock }),
  })
  const settled = settings.process
  const log = processLog({ level: settled.logLevel, clock: systemClock })
  const { kubeconfig, context } = options
  const config = await loadConfig({ environment, homeDirectory: homedir(), kubeconfig, context })
  for (const warning of config.warnings) log.warn({}, warning)
  const health = new ControllerHealth()
  const metrics = new Registry()
  using shutdown = new Shutdown(signal, systemClock, ending)
  using faults = processFaults(exitAtOnce, ending)
  health.add('process', () => [
    memoryCheck(memoryUses()),
    { name: 'shutdown', ok: !signal.aborted, ...(signal.aborted ? { state: 'shutting down' } : {}) },
  ])
  using _held = heldProcess()
  await using stack = new AsyncDisposableStack()
  const address = readAddress(settled.healthProbeBindAddress ?? options.healthProbeBindAddress)
  if (address !== undefined) stack.use(await startHealthListener(address, { health, metrics, log }))
  settings.watch()
  if (hostedNames('gateway', settings.current).length === 0)
    log.warn({}, 'no enabled capability has a part here: this process has nothing to do')
  const transport = heardTransport(
    openHttpTransport(config, { clock: systemClock, random: systemRandom, log, environment }),
    systemClock,
  )
  const running = runGateway({
    transport,
    clock: systemClock,
    random: systemRandom,
    log,
    identity: {
      name: environment['BALLAST_POD_NAME'] ?? hostname(),
      namespace: options.namespace,
      agentNamespace: options.agentNamespace,
    },
    capabilities: enabledCapabilities,
    health,
    settings,
    metrics,
    faults,
    tuning: {
      ...tuningOf(settled, { grace: ending.grace, log }),
      // Requests under way have their own time, after others have learned that we end.
      gracefulMs: partsGraceMs(settled, { grace: ending.grace, log, moreMs: drainMoreMs }),
    },
    signal,
  })
  await shutdown.within(ending.grace.inOrderMs, running, {
    stillRunning: () => health.groups().filter(group => group !== 'process'),
    log,
  })
}
