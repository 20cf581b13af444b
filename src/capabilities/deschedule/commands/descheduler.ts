// `ballast descheduler`: upstream's command with upstream's flags, and Ballast behind them.

import { homedir, hostname } from 'node:os'
import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { messageOf, silentLog } from '#kube/log.ts'
import { StatusError } from '#kube/objects/status.ts'
import { InputError } from '#kube/problem.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { leasesLack, permitsLack } from '#process/drop-ins/own-records.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { runDescheduler } from '../compat/run/descheduler.ts'
import { DeschedulerFailed } from '../compat/run/descheduler-failed.ts'
import type { DeschedulerLog } from '../compat/run/descheduler-log.ts'
import { parseDeschedulerFlags } from '../flags/descheduler-flags.ts'
import type { DeschedulerSettings } from '../flags/descheduler-settings.ts'
import { dropInConfiguration } from './descheduler-configuration.ts'

/** client-go's, where flags say nothing. */
const standardBurst = 500

export const defineDescheduler: DefineCommand = (program, surroundings, about) => {
  program
    .command('descheduler')
    .description(about)
    .argument('[words...]', "upstream's flags, or `version`")
    .option('--config <file>', 'BallastConfiguration, for settings that have no flag (coordination, windows, the arbiter)')
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText('after', helpText)
    .action(async (words: readonly string[], options: { readonly config?: string }) => {
      if (words[0] === 'version') surroundings.terminal.write(`Descheduler version ballast v${programVersion}`)
      else await start(words, options, surroundings)
    })
}

const helpText = [
  "\nUpstream's flags, with their defaults:",
  '  --policy-config-file FILE             the policy, read again when it changes',
  '  --descheduling-interval 0s            0: one cycle, then it ends',
  '  --dry-run                             evicts nothing, says what it would',
  '  --kubeconfig FILE, --client-connection-{kubeconfig,qps,burst}',
  '  --leader-elect, --leader-elect-{lease-duration 2m17s,renew-deadline 1m47s,',
  '      retry-period 26s,resource-lock leases,resource-name descheduler,',
  '      resource-namespace kube-system}',
  '  --secure-port 10258 (0: off), --bind-address 0.0.0.0, --cert-dir DIR,',
  '      --tls-{cert-file,private-key-file,min-version,cipher-suites},',
  '      --disable-metrics, --enable-http2',
  '  --feature-gates EvictionsInBackground=false',
  '  -v 0, --vmodule, --logging-format text, --otel-*',
  'DisruptionPermits and the Lease ballast-controller are kept in memory where they',
  "may not be written; the log says so. From upstream's chart or manifests:",
  'ballast migrate plan descheduler, and docs/install.md.',
  'Exit codes: 0 stopped, or its one cycle done; 1 failed.',
  'Example: ballast descheduler --policy-config-file policy.yaml --descheduling-interval 5m -v 3',
].join('\n')

async function start(words: readonly string[], options: { readonly config?: string }, surroundings: Surroundings): Promise<void> {
  const { terminal } = surroundings
  const parsed = parseDeschedulerFlags(words)
  if (!parsed.ok)
    throw new CommandRefused(
      parsed.problems.map(({ message, where, expected }) => message ?? `${where}: expected ${expected}`).join('\n'),
      exitCodes.failed,
    )
  const { settings } = parsed
  const log = klog({
    program: 'descheduler',
    format: settings.loggingFormat,
    verbosity: settings.verbosity,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  })
  for (const warning of parsed.warnings) log.warned(warning, {})
  if (settings.vmodule !== '') log.warned('--vmodule is taken and has no effect: --v is for everything', {})
  try {
    await run(settings, { ...options, log }, surroundings)
  } catch (error) {
    if (surroundings.signal.aborted && !(error instanceof ProcessFault)) {
      if (error !== surroundings.signal.reason) log.warned('Ended while something was under way', { why: messageOf(error) })
      return
    }
    if (!isForeseen(error)) throw error
    log.failed('failed to run descheduler server', messageOf(error), {})
    surroundings.end(exitCodes.failed)
  }
}

/** No fault of ours to trace: what was given, or what the cluster or the host answered. */
function isForeseen(error: unknown): boolean {
  const kinds = [DeschedulerFailed, InputError, StatusError, ConnectionError, RequestTimeoutError]
  return kinds.some(kind => error instanceof kind) || (error instanceof Error && 'syscall' in error)
}

/** Runs until the process is asked to end, or one cycle. */
async function run(
  settings: DeschedulerSettings,
  { config: path, log }: { readonly config?: string; readonly log: DeschedulerLog },
  { environment, signal, ending }: Surroundings,
): Promise<void> {
  using faults = processFaults(exitAtOnce, ending)
  const configuration = await dropInConfiguration(path, log.machinery)
  const config = await clusterConfig(settings, environment)
  for (const warning of config.warnings) log.warned(warning, {})
  const transport = openHttpTransport(config, {
    clock: systemClock,
    random: systemRandom,
    log: log.machinery,
    environment,
    isTerminal: process.stdin.isTTY === true,
  })
  const api = openApi(transport, {
    clock: systemClock,
    userAgent: `ballast/${programVersion} descheduler`,
    log: log.machinery,
    ...bucketOf(settings),
  })
  const onFault = (why: string) => log.failed('a fault that nobody owns: the process ends in order', why, {})
  try {
    const name = hostname()
    await endedInOrder({ faults, signal, ending, onFault }, until =>
      runDescheduler(
        {
          settings,
          api,
          ...configuration,
          identity: { name, namespace: config.namespace },
          permitsLack: async asking =>
            await recordsLack(api, settings.leaderElection === undefined ? config.namespace : undefined, asking),
          log,
          clock: systemClock,
          random: systemRandom,
          environment,
          version: programVersion,
        },
        until,
      ),
    )
  } finally {
    await api.close()
  }
}

/** Why permits cannot be kept in the cluster. `namespace`: where the book's Lease lies; `undefined`: another Lease stands for it. */
export async function recordsLack(api: Api, namespace: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  const asking = { api, log: silentLog }
  const permits = await permitsLack(asking, ['list', 'watch', 'create', 'delete'], signal)
  return permits ?? (namespace === undefined ? undefined : await leasesLack(asking, namespace, signal))
}

/** The file that flags name, else the pod's account, as upstream has it: no other place is looked at. */
async function clusterConfig(
  { kubeconfig }: DeschedulerSettings,
  environment: Surroundings['environment'],
): Promise<ClusterConfig> {
  const homeDirectory = environment['HOME'] || homedir()
  return kubeconfig === ''
    ? await loadConfig({ environment, homeDirectory, inCluster: true })
    : await loadConfig({ environment, homeDirectory, kubeconfig })
}

function bucketOf({ clientQps, clientBurst }: DeschedulerSettings) {
  if (clientQps === 0 && clientBurst === 0) return {}
  return { bucket: { perSecond: clientQps, burst: clientBurst > 0 ? clientBurst : standardBurst } }
}
