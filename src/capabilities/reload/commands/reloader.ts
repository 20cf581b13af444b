// `ballast reloader`: upstream's command with upstream's flags, environment, port and Lease, and Ballast's reload behind them.

import { existsSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { textLog } from '#cli/terminal/text-log.ts'
import type { Capability } from '#coordination/capability.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { programVersion } from '#kube/version.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { runLiveController } from '#process/controller/live-controller.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { type Address, readAddress } from '#process/health/health-listener.ts'
import { processLog } from '#process/process-log.ts'
import { reload } from '../capability.ts'
import { commandOption, type FlagValue, reloaderFlags } from './reloader-flags.ts'
import { publishMetaInfo } from './reloader-meta-info.ts'
import { type GivenFlags, reloaderLog, reloaderSettings } from './reloader-settings.ts'
import { reloaderStore } from './reloader-store.ts'

/** How often workloads are listed, unless a change asks for it, where they may not be watched. */
const pollMs = 60_000

export const defineReloader: DefineCommand = (program, surroundings, about) => {
  const command = program
    .command('reloader')
    .description(about)
    .option(
      '--config <file>',
      'BallastConfiguration, for settings that have no flag (windows, custom kinds, the arbiter); flags win',
    )
  for (const flag of reloaderFlags) command.addOption(commandOption(flag))
  command
    .addHelpText(
      'after',
      [
        '\nLists are CSV as in Go: a,b or repeated flags; "k in (a,b)" in double quotes is one entry.',
        'Environment: KUBECONFIG, KUBERNETES_NAMESPACE, POD_NAME, POD_NAMESPACE, RELOADER_NAMESPACE, RELOADER_DEPLOYMENT_NAME,',
        '  METRICS_COUNT_BY_NAMESPACE, ALERT_ON_RELOAD, ALERT_SINK, ALERT_WEBHOOK_URL, ALERT_WEBHOOK_PROXY, ALERT_ADDITIONAL_INFO.',
        'Two Leases are taken, with and without --enable-ha, in POD_NAMESPACE, else RELOADER_NAMESPACE, else the namespace of the',
        '  kubeconfig or pod: ballast-controller and stakater-reloader-lock. Where Leases or DisruptionPermits may not be written',
        "  (Reloader's own role allows neither without HA), they are kept in memory, and the log and /readyz?verbose say so.",
        'Exit codes: 0 stopped, 1 failed, 2 bad flag, selector or strategy.',
        'Example: ballast reloader --reload-strategy=annotations --namespaces-to-ignore=kube-system',
        'Example, as soon and as often as Reloader: ballast reloader --debounce=0s --rate-guard=false',
      ].join('\n'),
    )
    .action(async (_options: object, of: Command) => runReloader(givenFlags(of), of.opts(), surroundings))
}

function givenFlags(command: Command): GivenFlags {
  const values: Readonly<Record<string, unknown>> = command.opts()
  const given = command.options.flatMap(option => {
    const name = option.attributeName()
    const value = values[name]
    const isTaken = command.getOptionValueSource(name) === 'cli' && isFlagValue(value)
    return isTaken ? [[option.long?.slice(2) ?? name, value] as const] : []
  })
  return new Map(given)
}

function isFlagValue(value: unknown): value is FlagValue {
  return typeof value === 'string' || typeof value === 'boolean' || Array.isArray(value)
}

async function runReloader(given: GivenFlags, options: { readonly config?: string }, surroundings: Surroundings): Promise<void> {
  const { environment, terminal, signal } = surroundings
  preferSmallHeap()
  const wanted = reloaderLog(given)
  const { level } = wanted
  const log = wanted.isJson
    ? processLog({ level, clock: systemClock })
    : textLog({ level, clock: systemClock, write: line => terminal.say(line) })
  for (const warning of wanted.warnings) log.warn({}, warning)
  // What is wrong with flags is told before anybody looks for a cluster.
  const hostName = hostname()
  // A file may have sections of others, and only then are these looked at: they take as much memory as reload itself.
  const capabilities =
    options.config === undefined ? [reload] : (await import('#process/enabled-capabilities.ts')).enabledCapabilities
  const open = (namespace: string) => {
    const settled = reloaderSettings(given, environment, { hostName, namespace })
    const settings = new ConfigurationFile({
      path: options.config,
      overrides: settled.overrides,
      capabilities,
      clock: systemClock,
      log,
    })
    return { settled, settings }
  }
  open('default').settings[Symbol.dispose]()
  const config = await upstreamConfig(environment)
  const { settled, settings } = open(config.namespace)
  using _settings = settings
  for (const warning of settled.warnings) log.warn({}, warning)
  const { namespace, isHighlyAvailable } = settled
  const capability = reloadUnder(settled.guardLease)
  const health = new ControllerHealth()
  const address = addressOf(given, 'metrics-addr', ':9090')
  const further = addressOf(given, 'health-addr', '0')
  log.info({ version: programVersion, namespace, cluster: config.source }, 'Starting Reloader, by Ballast')
  await runLiveController(
    {
      config,
      settings,
      capabilities: [capability],
      identity: { name: settled.name, namespace },
      log,
      installDefinitions: false,
      address,
      ...(further === undefined ? {} : { furtherAddress: further }),
      health,
      also: { '/live': () => alive(health) },
      between: async transport => {
        const asked = { namespace, isHighlyAvailable, clock: systemClock, log, signal }
        const reached = await reloaderStore(transport, asked, health)
        await tellMetaInfo(reached)
        return reached
      },
      // Where lists are allowed and watches are not (Reloader's role, of workloads), lists are all there is.
      tuning: { lists: { watchList: 'off', pageSize: 500, pollMs, isAllOptional: true } },
      exit: exitAtOnce,
    },
    surroundings,
  )

  async function tellMetaInfo(transport: Parameters<typeof openApi>[0]): Promise<void> {
    const own = environment['RELOADER_NAMESPACE'] ?? ''
    if (own === '') {
      log.info({}, 'RELOADER_NAMESPACE is not set: no ConfigMap reloader-meta-info')
      return
    }
    const api = openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion} reloader`, log })
    const info = {
      namespace: own,
      deployment: environment['RELOADER_DEPLOYMENT_NAME'] ?? '',
      version: programVersion,
      options: { ...optionsOf(settings, given), enableHA: isHighlyAvailable },
    }
    await publishMetaInfo({ api, log }, info, signal)
  }
}

/** KUBECONFIG, else the home's file, where there is one; else the pod's. */
async function upstreamConfig(environment: Surroundings['environment']): Promise<ClusterConfig> {
  const homeDirectory = environment['HOME'] || homedir()
  const path = environment['KUBECONFIG'] || join(homeDirectory, '.kube', 'config')
  return existsSync(path)
    ? await loadConfig({ environment, homeDirectory, kubeconfig: path })
    : await loadConfig({ environment, homeDirectory, inCluster: true })
}

function addressOf(given: GivenFlags, flag: string, standard: string): Address | undefined {
  const value = given.get(flag)
  return readAddress(typeof value === 'string' && value !== '' ? value : standard, `--${flag}`)
}

/** The capability, kept apart from Reloader by a Lease of this name. */
function reloadUnder(lease: string): Capability {
  return { ...reload, replaces: reload.replaces.map(replacement => ({ ...replacement, leases: [lease] })) }
}

/** Names as upstream has them in its options. */
function optionsOf(settings: ConfigurationFile, given: GivenFlags): Readonly<Record<string, unknown>> {
  const config = settings.current.capabilities[reload.name]?.config
  const options = typeof config === 'object' && config !== null ? { ...config } : {}
  const { alerts: _, webhookUrl: __, ...shown } = Object.fromEntries(Object.entries(options))
  return { ...shown, logFormat: given.get('log-format') ?? '', logLevel: given.get('log-level') ?? 'info' }
}

/** What upstream's liveness probe asks. Upstream fails it where the Lease was lost, too, so that an outage restarts every leader; ours does not. */
function alive(health: ControllerHealth): { readonly status: number; readonly body: string } {
  const isAlive = health.live().every(({ check }) => check() === undefined)
  return isAlive ? { status: 200, body: 'alive' } : { status: 500, body: '' }
}
