// What programs in the place of upstream's that log by zap have in common as processes: their help, log, connection, ports of metrics and
// probes, and their end.
import { readdirSync, readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { Registry } from 'prom-client'
import { countedTransport } from '#kube/client/client-metrics.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { InputError } from '#kube/problem.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import { type Random, systemRandom } from '#kube/random.ts'
import { certificatesIn } from '#kube/server/certificate-trust.ts'
import { Front } from '#kube/server/front/front.ts'
import { eventLoopCheck, type HealthCheck, startHealthServer } from '#kube/server/health.ts'
import { type MetricsGuard, startGuardedMetrics } from '#kube/server/serving/guarded-metrics.ts'
import { programVersion } from '#kube/version.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import type { Parsed, WireSettings } from '#process/drop-ins/parsed-settings.ts'
import { type ZapSettings, zapLog } from '#process/drop-ins/zap.ts'
import { readAddress } from '#process/health/health-listener.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { type DefineCommand, exitAtOnce, type Surroundings } from '../command-line.ts'
import { defineDropIn } from './drop-in.ts'

/** What a program is given to run with. */
export interface Started {
  readonly transport: Transport
  readonly log: Log
  readonly registry: Registry
  readonly front: Front
  /** The name of this pod or host. */
  readonly name: string
  readonly userAgent: string
  readonly clock: Clock
  readonly random: Random
  /** The way to the cluster of another kubeconfig; whoever asks closes it. */
  readonly transportOf: (kubeconfig: string) => Promise<Transport>
  /** Answers metrics, and probes where `ready` is given, until the program ends. `0`: nowhere. */
  readonly listen: (address: string, flag: string, ready: () => readonly HealthCheck[]) => Promise<void>
  /** Answers metrics alone, as `guard` says, until the program ends. `0`: nowhere. */
  readonly listenGuarded: (address: string, flag: string, guard: MetricsGuard) => Promise<void>
}

interface Common {
  readonly log: ZapSettings
  /** Empty: KUBECONFIG, the pod's account, the home's file. */
  readonly client: { readonly kubeconfig: string }
}

interface Program<Settings extends Common> {
  readonly name: string
  /** What upstream calls itself as it starts. */
  readonly component: string
  readonly help: readonly string[]
  readonly parse: (words: readonly string[], environment: Surroundings['environment']) => Parsed<Settings>
  /** Upstream's sentence for a fault of the whole. */
  readonly failure: string
  readonly run: (settings: Settings, started: Started, signal: AbortSignal) => Promise<void>
}

/** The command that stands for an upstream's program. */
export const defineZapProgram = <Settings extends Common>(of: Program<Settings>): DefineCommand =>
  defineDropIn({ ...of, run: (words, surroundings) => start(of, words, surroundings) })

async function start<Settings extends Common>(
  of: Program<Settings>,
  words: readonly string[],
  surroundings: Surroundings,
): Promise<void> {
  const { terminal, environment, signal } = surroundings
  const parsed = of.parse(words, environment)
  if (!parsed.ok)
    throw new CommandRefused(
      parsed.problems
        .map(({ message, where, expected, found }) => message ?? `${where}: found ${found}, expected ${expected}`)
        .join('\n'),
      exitCodes.badInput,
    )
  const { settings } = parsed
  const log = zapLog({ settings: settings.log, logger: 'setup', clock: systemClock, write: line => terminal.say(line) })
  for (const warning of parsed.warnings) log.warn({}, warning)
  for (const { message, error } of parsed.refused) log.error({ err: error }, message)
  if (parsed.refused.length > 0) return surroundings.end(exitCodes.failed)
  try {
    await run(of, settings, { log, surroundings })
  } catch (error) {
    if (signal.aborted && !(error instanceof ProcessFault)) {
      if (error !== signal.reason) log.warn({ err: error }, 'ended while something was under way')
      return
    }
    if (!isForeseen(error)) throw error
    log.error({ err: error }, of.failure)
    surroundings.end(exitCodes.failed)
  }
}

/** No fault of ours to trace: what the cluster, the host or a file answered. */
function isForeseen(error: unknown): boolean {
  if (error instanceof InputError || error instanceof CommandRefused || error instanceof RangeError) return true
  return error instanceof Error && !(error instanceof ProcessFault) && (isOutside(error) || 'syscall' in error)
}

async function run<Settings extends Common>(
  of: Program<Settings>,
  settings: Settings,
  { log, surroundings }: { readonly log: Log; readonly surroundings: Surroundings },
): Promise<void> {
  const { environment, signal, ending } = surroundings
  using faults = processFaults(exitAtOnce, ending)
  await using stack = new AsyncDisposableStack()
  const homeDirectory = environment['HOME'] || homedir()
  const isTerminal = process.stdin.isTTY === true
  const open = async (kubeconfig: string) => {
    const config = await loadConfig({ environment, homeDirectory, ...(kubeconfig === '' ? {} : { kubeconfig }) })
    for (const warning of config.warnings) log.warn({}, warning)
    const transport = openHttpTransport(config, { clock: systemClock, random: systemRandom, log, environment, isTerminal })
    return { config, transport }
  }
  const { config, transport } = await open(settings.client.kubeconfig)
  const registry = new Registry()
  collectProcessMetrics(registry)
  const host = new URL(config.server).host
  const counted = countedTransport(transport, { registry, clock: systemClock, host })
  stack.defer(() => counted.close())
  const front = stack.use(new Front({ clock: systemClock, log }))
  const loop = stack.use(eventLoopCheck(systemClock))
  const listen: Started['listen'] = async (address, flag, ready) => {
    const at = readAddress(address, flag)
    if (at === undefined) return
    stack.use(await startHealthServer({ ...at, live: () => [loop], ready, metrics: registry, log, front }))
  }
  const listenGuarded: Started['listenGuarded'] = async (address, flag, guard) => {
    const at = readAddress(address, flag)
    if (at === undefined) return
    stack.use(await startGuardedMetrics({ ...at, ...guard, metrics: registry, clock: systemClock, log, front }))
  }
  log.info({ version: programVersion, cluster: config.source }, `Starting ${of.component}, by Ballast`)
  const started: Started = {
    ...{ transport: counted, log, registry, front, listen, listenGuarded },
    name: environment['POD_NAME'] || hostname(),
    userAgent: `ballast/${programVersion} ${of.name}`,
    clock: systemClock,
    random: systemRandom,
    transportOf: async path => (await open(path)).transport,
  }
  const onFault = (why: string) => log.error({ err: why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, until => of.run(settings, started, until))
}

/**
 * For all connections of this process by TLS from now on: versions and ciphers, and the authorities in `directories` besides those of the
 * system. A directory that is not there is passed over, as upstream does; a file that has no authority is told.
 */
export function trustForProcess(wire: WireSettings, directories: readonly string[], log: Log): void {
  tls.DEFAULT_MIN_VERSION = wire.minVersion
  if (wire.ciphers !== undefined) tls.DEFAULT_CIPHERS = wire.ciphers
  const more = directories.flatMap(directory => authoritiesIn(directory, log))
  if (more.length > 0) tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...more])
}

const mostAuthorityFiles = 256

function authoritiesIn(directory: string, log: Log): readonly string[] {
  const files = filesIn(directory, log)
  return files.slice(0, mostAuthorityFiles).flatMap(file => {
    const path = join(directory, file)
    try {
      const text = readFileSync(path, 'utf8')
      if (certificatesIn(text).length > 0) return [text]
      log.error({ path, err: 'no certificates in it' }, 'authorities of a file are not used')
    } catch (error) {
      log.error({ path, err: messageOf(error) }, 'authorities of a file are not used')
    }
    return []
  })
}

function filesIn(directory: string, log: Log): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => !entry.isDirectory() && !entry.name.startsWith('..'))
      .map(({ name }) => name)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      log.debug({ directory }, 'there is no directory of authorities')
    else log.error({ directory, err: messageOf(error) }, 'authorities cannot be read')
    return []
  }
}
