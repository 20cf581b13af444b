// What the programs of node-feature-discovery have in common: their log, where they run, metrics and health at one port.

import { readFileSync } from 'node:fs'
import { Gauge, type Registry } from 'prom-client'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import type { Check, Identity } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { startHealthListener } from '#process/health/health-listener.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused } from '#process/surroundings.ts'

const accountNamespace = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

/** The log of `program`, as klog writes it. */
export function nfdLog(program: string, verbosity: number, { terminal }: Pick<Surroundings, 'terminal'>): Log {
  return klog({
    program,
    format: 'text',
    // What upstream tells at its lowest level is information of the machinery's second.
    verbosity: verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  }).machinery
}

/** Says which program and version runs. */
export function buildInfo(program: 'master' | 'worker' | 'gc' | 'topology_updater', metrics: Registry): void {
  new Gauge({
    name: `nfd_${program}_build_info`,
    help: 'The version, with the time of the start',
    labelNames: ['version'] as const,
    registers: [metrics],
  }).set({ version: programVersion }, Math.floor(systemClock.now() / 1_000))
}

interface Served {
  readonly metrics: Registry
  readonly log: Log
  readonly checks: () => readonly Check[]
  /** Why `/healthz` is not well, `undefined` where it is; absent: it is by the checks. */
  readonly waiting?: () => string | undefined
}

/** Metrics and health at upstream's paths and port. */
export async function serve(port: number, { metrics, log, checks, waiting }: Served): Promise<AsyncDisposable> {
  const health = new ControllerHealth()
  health.add('features', checks)
  const isWaiting = waiting ?? (() => (checks().every(({ ok }) => ok) ? undefined : 'it has not looked yet'))
  const healthz = () => {
    const why = isWaiting()
    return why === undefined ? { status: 200, body: 'ok' } : { status: 500, body: why }
  }
  return await startHealthListener({ port }, { health, metrics, log, also: { '/healthz': healthz } })
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

/** By upstream's variables. */
export function identityOf(environment: Surroundings['environment'], node: string): Identity {
  const name = environment['POD_NAME'] || node
  const podUid = environment['POD_UID'] || undefined
  return {
    name,
    namespace: ownNamespace(environment),
    instance: `${name}_${randomUuid(systemRandom)}`,
    // Upstream names the pod as an owner only where it knows both.
    ...(podUid === undefined || environment['POD_NAME'] === undefined ? {} : { podUid }),
  }
}

/** What `-version` prints. */
export const versionSaid = (program: string): string => `${program} by Ballast ${programVersion}`

/** The namespace of the pod, else what the environment says. */
export function ownNamespace(environment: Surroundings['environment']): string {
  return readIfThere(accountNamespace)?.trim() || environment['KUBERNETES_NAMESPACE'] || 'default'
}

/** @throws CommandRefused where there is something that cannot be read */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new CommandRefused(`${path} cannot be read: ${messageOf(error)}`)
  }
}

/** Resolves when `signal` is aborted. */
export function endOf(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
