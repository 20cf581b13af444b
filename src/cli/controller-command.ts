// `ballast controller`: the process that decides and disrupts, on a live cluster, through its API alone.

import { homedir, hostname } from 'node:os'
import type { Command } from 'commander'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import type { Override } from '#kube/configuration.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { Front } from '#kube/server/front/front.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { enabling } from '#process/configuration/controller-configuration.ts'
import { runLiveController } from '#process/controller/live-controller.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { processLog } from '#process/process-log.ts'
import { openOwnWebhooks, readClientAuthority } from '#process/webhooks/own-webhooks.ts'
import { SharedWebhooks } from '#process/webhooks/shared-webhooks.ts'
import { about } from './about.ts'
import { commaList, type DefineCommand, exitAtOnce, oneOf, type Surroundings, wholeNumber } from './command-line.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** What variables that its upstream reads say of its configuration. */
    readonly environment?: (environment: Surroundings['environment']) => {
      readonly overrides: readonly Override[]
      readonly warnings: readonly string[]
    }
  }
}

interface ControllerOptions {
  readonly config?: string
  readonly enable?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace: string
  readonly agentNamespace: string
  readonly installCrds: 'auto' | 'never'
  readonly webhookHost?: string
  readonly webhookPort: number
  readonly webhookCertDir?: string
  readonly webhookClientCa?: string
  readonly healthProbeBindAddress: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export const defineController: DefineCommand = (program, surroundings) => {
  program
    .command('controller')
    .description(about.controller)
    .option(
      '--config <file>',
      'BallastConfiguration; changes of the file take effect without a restart where they can. Default: BALLAST_CONFIG',
    )
    .option('--enable <names>', 'more capabilities to enable, separated by commas; may be repeated', commaList)
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then the service account of the pod, then ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '--namespace <name>',
      "Ballast's own namespace: Lease and roles",
      surroundings.environment['BALLAST_POD_NAMESPACE'] ?? ballastNamespace,
    )
    .option(
      '--agent-namespace <name>',
      'where pods of `ballast agent` are',
      surroundings.environment['BALLAST_AGENT_NAMESPACE'] ?? standardAgentNamespace,
    )
    .option(
      '--install-crds <when>',
      'auto: applies kinds of Ballast that are missing, where its rights allow it; never',
      oneOf('auto', 'never'),
      'auto',
    )
    .option(
      '--webhook-host <host>',
      'HOST or HOST:PORT where the API server reaches this process, or all replicas: landings are then held by a webhook instead of a taint',
    )
    .option('--webhook-port <number>', 'port of the webhooks; 0 takes a free one', wholeNumber(0, 65_535), 9443)
    .option(
      '--webhook-cert-dir <directory>',
      'tls.crt, tls.key and ca.crt of the webhooks, read again when they change. Else they are kept in a Secret that all replicas share',
    )
    .option(
      '--webhook-client-ca <file>',
      'PEM: who has no certificate of it is refused in the TLS handshake. For clusters whose API servers show one to webhooks; read at the start',
    )
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT for health and metrics; 0 switches it off, which is the default outside a cluster',
      surroundings.environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option('--log-level <level>', 'debug, info, warn or error', oneOf('debug', 'info', 'warn', 'error'), 'info')
    .addHelpText('after', '\nExample: ballast controller --kubeconfig ~/.kube/config')
    .action((options: ControllerOptions, command: Command) =>
      controlLiveCluster({ options, overrides: overridesOf(options, command) }, surroundings),
    )
}

/** Flags that were given, over the same keys of the file. */
function overridesOf(options: ControllerOptions, command: Command): readonly Override[] {
  const keys = {
    logLevel: '--log-level',
    webhookPort: '--webhook-port',
    healthProbeBindAddress: '--health-probe-bind-address',
  } as const
  const isGiven = (key: string) => command.getOptionValueSource(key) === 'cli'
  const given = (Object.keys(keys) as (keyof typeof keys)[]).filter(isGiven)
  return [
    ...given.map(key => ({ path: ['process', key], value: options[key], where: keys[key] })),
    ...(options.enable === undefined ? [] : enabling(options.enable, enabledCapabilities)),
  ]
}

async function controlLiveCluster(
  { options, overrides }: { readonly options: ControllerOptions; readonly overrides: readonly Override[] },
  surroundings: Surroundings,
): Promise<void> {
  const { environment, signal } = surroundings
  const fileLog = processLog({ level: options.logLevel, clock: systemClock })
  // Variables of upstreams hold here, too: over the file, below flags.
  const upstream = enabledCapabilities.flatMap(one => one.environment?.(environment) ?? [])
  for (const warning of upstream.flatMap(({ warnings }) => warnings)) fileLog.warn({}, warning)
  const path = options.config ?? environment['BALLAST_CONFIG']
  using settings = new ConfigurationFile({
    path: path === '' ? undefined : path,
    overrides: [...upstream.flatMap(one => one.overrides), ...overrides],
    capabilities: enabledCapabilities,
    clock: systemClock,
    log: fileLog,
  })
  const settled = settings.process
  const config = await loadConfig({
    environment,
    homeDirectory: homedir(),
    kubeconfig: options.kubeconfig,
    context: options.context,
  })
  const log = processLog({ level: settled.logLevel, clock: systemClock })
  const { webhookHost, webhookCertDir: certificates, webhookClientCa } = options
  const asked = webhookClientCa === undefined ? {} : { clientAuthority: readClientAuthority(webhookClientCa) }
  const openWebhooks = async (host: string, front: Front) => {
    const at = { host, port: settled.webhookPort, ending: signal, clock: systemClock, log, front, ...asked }
    return certificates === undefined ? new SharedWebhooks(at) : await openOwnWebhooks({ ...at, certificates })
  }
  const live = {
    config,
    settings,
    capabilities: enabledCapabilities,
    identity: {
      name: environment['BALLAST_POD_NAME'] ?? hostname(),
      namespace: options.namespace,
      agentNamespace: options.agentNamespace,
    },
    log,
    installDefinitions: options.installCrds === 'auto',
    address: readAddress(settled.healthProbeBindAddress ?? options.healthProbeBindAddress),
    exit: exitAtOnce,
    ...(webhookHost === undefined ? {} : { openWebhooks: (front: Front) => openWebhooks(webhookHost, front) }),
  }
  await runLiveController(live, surroundings)
}
