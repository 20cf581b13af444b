// What the programs of node-feature-discovery have in common: their log, where they run, metrics and health at one port.

import { readFileSync } from 'node:fs'
import { Gauge, type Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import type { Check } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { startHealthListener } from '#process/health/health-listener.ts'
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
export function buildInfo(program: 'master' | 'worker' | 'gc', metrics: Registry): void {
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
}

/** Metrics and health at upstream's paths and port. */
export async function serve(port: number, { metrics, log, checks }: Served): Promise<AsyncDisposable> {
  const health = new ControllerHealth()
  health.add('features', checks)
  const isWell = () => checks().every(({ ok }) => ok)
  const also = { '/healthz': () => (isWell() ? { status: 200, body: 'ok' } : { status: 500, body: 'it has not looked yet' }) }
  return await startHealthListener({ port }, { health, metrics, log, also })
}

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
