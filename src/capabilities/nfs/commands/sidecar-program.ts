// What the programs of CSI's sidecars have in common: their log, their port, how they end, and jobs beside a driver.

import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import { klogOf, untilAborted, untilEnded, versionSaid } from '#cli/drop-ins/drop-in.ts'
import type { Check } from '#coordination/capability.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { loopFront } from '#kube/server/front/loop-front.ts'
import { type HealthOptions, startHealthServer } from '#kube/server/health.ts'
import { programVersion } from '#kube/version.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { LogSettings, SidecarSettings } from '../flags/sidecar-flags.ts'
import { callTimes } from '../jobs/driver/call-metrics.ts'
import { DriverLink } from '../jobs/driver/driver-link.ts'
import { type JobsConfig, startJobs } from '../jobs/jobs.ts'

const accountNamespace = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

/** What all of upstream's sidecars take, for their help. */
export const standardHelp = [
  '  -kubeconfig FILE, -leader-election (off), -leader-election-namespace NAMESPACE, -leader-election-lease-duration 15s,',
  '  -leader-election-renew-deadline 10s, -leader-election-retry-period 5s, -kube-api-qps, -kube-api-burst,',
  '  -http-endpoint ADDRESS, -metrics-address ADDRESS, -metrics-path /metrics, -feature-gates NAME=true, -version, -v 0, -logging-format text;',
  '  other flags of logs, and those for what is not done here, are taken without effect and told',
].join('\n')

/** What the two programs beside a driver that are no jobs have in common. */
interface BesideDriver {
  readonly program: string
  readonly settings: LogSettings & { readonly address: string; readonly limitMs: number }
  /** Calls of the driver are counted in it. */
  readonly metrics: Registry
  readonly work: (link: DriverLink, log: Log, until: AbortSignal) => Promise<void>
}

/** A process beside a driver, with the way to it, until it is told to end. */
export async function runBesideDriver(
  { program, settings, metrics, work }: BesideDriver,
  surroundings: Surroundings,
): Promise<void> {
  const { address, limitMs } = settings
  if (settings.version) {
    surroundings.terminal.write(versionSaid(program))
    return
  }
  preferSmallHeap()
  const log = klogOf({ program, ...settings }, surroundings)
  log.info({ version: programVersion, address }, `${program} by Ballast`)
  const around = { clock: systemClock, random: systemRandom, log }
  await untilEnded(surroundings, log, async until => {
    using link = new DriverLink({ ...around, address, askLimitMs: limitMs, times: callTimes(metrics) })
    await work(link, log, until)
  })
}

interface Served {
  readonly metrics: Registry
  readonly log: Log
  readonly also: NonNullable<HealthOptions['also']>
}

/** Serves at an address of a flag; '' is nowhere. */
export async function serveAt(endpoint: string, flag: string, { metrics, log, also }: Served): Promise<AsyncDisposable> {
  const address = endpoint === '' ? undefined : readAddress(endpoint, flag)
  if (address === undefined) return { [Symbol.asyncDispose]: async () => undefined }
  const front = loopFront({ clock: systemClock, log })
  return await startHealthServer({ ...address, live: () => [], ready: () => [], metrics, also, log, front })
}

/** Answers of a scrape, for a path of a flag. */
export function metricsAt(path: string, metrics: Registry): NonNullable<HealthOptions['also']> {
  return { [path]: async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.metrics() }) }
}

export interface JobProgram {
  readonly program: string
  readonly settings: SidecarSettings
  /** The driver's socket, where there is one. */
  readonly address: string | undefined
  readonly config: Omit<JobsConfig, 'election'>
}

/** A process of one job with upstream's flags. */
export async function runJobProgram(
  { program, settings, address, config }: JobProgram,
  surroundings: Surroundings,
): Promise<void> {
  const { environment, terminal } = surroundings
  if (settings.version) {
    terminal.write(versionSaid(program))
    return
  }
  preferSmallHeap()
  const log = klogOf({ program, ...settings }, surroundings)
  const namespace = settings.election?.namespace || environment['POD_NAMESPACE'] || accountNamespaceIfThere() || 'default'
  const election = settings.election === undefined ? undefined : { ...settings.election, namespace }
  await using stack = new AsyncDisposableStack()
  const api = await connect(settings, log, surroundings)
  stack.defer(() => api.close())
  const metrics = new Registry()
  collectProcessMetrics(metrics)
  const name = environment['POD_NAME'] || hostname()
  log.info({ version: programVersion, address, namespace, elects: election !== undefined }, `${program} by Ballast`)
  await untilEnded(surroundings, log, async until => {
    await using jobs = startJobs(
      {
        api,
        address,
        config: { ...config, election },
        clock: systemClock,
        random: systemRandom,
        log,
        identity: { instance: `${name}_${randomUuid(systemRandom)}` },
        metrics,
      },
      until,
    )
    const flag = '--http-endpoint'
    const also = { ...metricsAt(settings.metricsPath, metrics), '/healthz/leader-election': () => leadership(jobs.checks()) }
    await using _served = await serveAt(settings.endpoint, flag, { metrics, log, also })
    await untilAborted(until)
  })
}

/** A lost Lease ends what led by it, and the process goes on: only a job that is stuck would be a reason to end it. */
function leadership(checks: readonly Check[]): { readonly status: number; readonly body: string } {
  const states = checks.map(({ state }) => state ?? '').join(', ')
  return { status: 200, body: `ok: ${states}` }
}

async function connect({ kubeconfig, bucket }: SidecarSettings, log: Log, { environment }: Surroundings): Promise<Api> {
  // The variable comes before the flag, as upstream's provisioner has it.
  const named = environment['KUBECONFIG'] || kubeconfig
  const config = await loadConfig({ environment, homeDirectory: homedir(), kubeconfig: named === '' ? undefined : named })
  for (const warning of config.warnings) log.warn({}, warning)
  const transport = openHttpTransport(config, { clock: systemClock, random: systemRandom, log, environment, isTerminal: false })
  return openApi(transport, {
    clock: systemClock,
    userAgent: `ballast/${programVersion} csi`,
    log,
    ...(bucket === undefined ? {} : { bucket }),
  })
}

/** @throws CommandRefused where there is something that cannot be read */
function accountNamespaceIfThere(): string | undefined {
  try {
    return readFileSync(accountNamespace, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new CommandRefused(`${accountNamespace} cannot be read: ${messageOf(error)}`)
  }
}
