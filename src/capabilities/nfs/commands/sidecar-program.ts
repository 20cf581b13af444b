// What the programs of CSI's sidecars have in common: their log, their port, how they end, and jobs beside a driver.

import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { Registry } from 'prom-client'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
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
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { LogSettings, SidecarSettings } from '../flags/sidecar-flags.ts'
import { type JobsConfig, startJobs } from '../jobs/jobs.ts'

const accountNamespace = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

/** What all of upstream's sidecars take, for their help. */
export const standardHelp = [
  '  -kubeconfig FILE, -leader-election (off), -leader-election-namespace NAMESPACE, -leader-election-lease-duration 15s,',
  '  -leader-election-renew-deadline 10s, -leader-election-retry-period 5s, -kube-api-qps, -kube-api-burst,',
  '  -http-endpoint ADDRESS, -metrics-address ADDRESS, -metrics-path /metrics, -feature-gates NAME=true, -version, -v 0, -logging-format text;',
  '  other flags of logs, and those for what is not done here, are taken without effect and told',
].join('\n')

/** The log of `program`, as klog writes it; flags without effect are told first. */
export function sidecarLog(
  program: string,
  { verbosity, format, warnings }: LogSettings,
  { terminal }: Pick<Surroundings, 'terminal'>,
): Log {
  const { machinery } = klog({
    program,
    format,
    // What upstream tells at its lowest level is information of the machinery's second.
    verbosity: verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  })
  for (const warning of warnings) machinery.warn({}, warning)
  return machinery
}

/** What `-version` prints. */
export const versionSaid = (program: string): string => `${program} by Ballast ${programVersion}`

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

/** Runs `work` until the process is told to end, or a fault that nobody owns ends it. */
export async function untilEnded(
  { signal, ending }: Surroundings,
  log: Log,
  work: (until: AbortSignal) => Promise<void>,
): Promise<void> {
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, work)
}

/** Resolves when `signal` is aborted. */
export function endOf(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}

interface JobProgram {
  readonly program: string
  readonly settings: SidecarSettings
  /** The driver's socket, where there is one. */
  readonly address?: string
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
  const log = sidecarLog(program, settings, surroundings)
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
    await endOf(until)
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
