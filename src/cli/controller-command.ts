// `ballast controller`: the process that decides and disrupts, on a live cluster, through its API alone.
import { homedir, hostname } from 'node:os'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/config.ts'
import { openHttpTransport } from '#kube/http-transport.ts'
import { systemRandom } from '#kube/random.ts'
import { type DefineCommand, oneOf, type Surroundings, wholeNumber } from './command-line.ts'
import { ControllerHealth, runController } from './controller.ts'
import { enabledCapabilities } from './embedded-cluster.ts'
import { readAddress, startHealthListener } from './health-listener.ts'
import { heardTransport } from './heard-transport.ts'
import { ballastNamespace } from './install-ballast.ts'
import { openOwnWebhooks } from './own-webhooks.ts'
import { processLog } from './process-log.ts'

interface ControllerOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace: string
  readonly installCrds: 'auto' | 'never'
  readonly webhookHost?: string
  readonly webhookPort: number
  readonly healthProbeBindAddress: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export const defineController: DefineCommand = (program, surroundings) => {
  program
    .command('controller')
    .description('decides and disrupts on a live cluster; what it does is up to its RebalancePolicies (mode Report by default)')
    .option('--kubeconfig <file>', 'else KUBECONFIG, the service account of a pod, ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '--namespace <name>',
      "Ballast's own namespace: Lease and roles",
      surroundings.environment['BALLAST_POD_NAMESPACE'] ?? ballastNamespace,
    )
    .option(
      '--install-crds <when>',
      'auto: a kind of ours that is absent is applied, if we may; never',
      oneOf('auto', 'never'),
      'auto',
    )
    .option(
      '--webhook-host <host>',
      'where the API server reaches this process: landings are then held by a webhook instead of a taint',
    )
    .option('--webhook-port <number>', 'port of the webhooks; 0 takes a free one', wholeNumber(0, 65_535), 9443)
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT of health and metrics; 0 is none, the default outside of a cluster',
      surroundings.environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option('--log-level <level>', 'debug, info, warn or error', oneOf('debug', 'info', 'warn', 'error'), 'info')
    .addHelpText('after', '\nExample: ballast controller --kubeconfig ~/.kube/config')
    .action((options: ControllerOptions) => controlLiveCluster(options, surroundings))
}

async function controlLiveCluster(options: ControllerOptions, { environment, signal }: Surroundings): Promise<void> {
  const config = await loadConfig({
    environment,
    homeDirectory: homedir(),
    kubeconfig: options.kubeconfig,
    context: options.context,
  })
  const log = processLog({ level: options.logLevel, clock: systemClock })
  for (const warning of config.warnings) log.warn({}, warning)
  const transport = heardTransport(
    openHttpTransport(config, {
      clock: systemClock,
      random: systemRandom,
      log,
      environment,
      isTerminal: process.stdin.isTTY === true,
    }),
    systemClock,
  )
  const health = new ControllerHealth()
  health.add('api', () => {
    const silence = transport.silence()
    return [{ name: 'server', ok: silence === undefined, ...(silence === undefined ? {} : { message: silence }) }]
  })
  await using listeners = new AsyncDisposableStack()
  const address = readAddress(options.healthProbeBindAddress)
  if (address !== undefined) listeners.use(await startHealthListener(address, health, log))
  const webhooks =
    options.webhookHost === undefined
      ? undefined
      : listeners.use(await openOwnWebhooks({ host: options.webhookHost, port: options.webhookPort, clock: systemClock, log }))
  await runController({
    transport,
    clock: systemClock,
    random: systemRandom,
    log,
    identity: { name: environment['BALLAST_POD_NAME'] ?? hostname(), namespace: options.namespace },
    capabilities: enabledCapabilities,
    installDefinitions: options.installCrds === 'auto',
    health,
    ...(webhooks === undefined ? {} : { webhooks }),
    signal,
  })
}
