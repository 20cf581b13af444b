// What the programs of node-feature-discovery have in common: their log, where they run, metrics and health at one port.

import { readFileSync } from 'node:fs'
import { Gauge, Registry } from 'prom-client'
import { exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import type { Check, Identity, NodeContext, Running } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { connect } from '#process/agent/connect.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { startHealthListener } from '#process/health/health-listener.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { thisMachine } from '../publishing/worker.ts'

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
async function untilEnded(
  { signal, ending }: Surroundings,
  log: Log,
  work: (until: AbortSignal) => Promise<void>,
): Promise<void> {
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, work)
}

interface NodeProgramSettings {
  readonly version: boolean
  readonly verbosity: number
  readonly warnings: readonly string[]
  readonly kubeconfig: string
  readonly oneshot: boolean
  readonly port: number
  readonly hostRootPrefix: string
}

type Place = ReturnType<typeof thisMachine>

interface NodeProgram {
  readonly name: string
  readonly build: Parameters<typeof buildInfo>[0]
  /** False: it looks and writes nothing, so that no API server is needed. */
  readonly asksServer: boolean
  readonly once: (context: NodeContext, signal: AbortSignal, place: Place) => Promise<void>
  readonly start: (
    context: NodeContext,
    until: AbortSignal,
    place: Place,
  ) => Promise<Pick<Running<unknown>, 'health'> & AsyncDisposable>
  readonly waiting?: Served['waiting']
}

/** Runs what looks at its own node: once, or until the process is told to end. @throws CommandRefused where nobody says which node it is */
export async function runOnNode(
  { name, build, asksServer, once, start, waiting }: NodeProgram,
  settings: NodeProgramSettings,
  surroundings: Surroundings,
): Promise<void> {
  const { environment, terminal, signal } = surroundings
  if (settings.version) {
    terminal.write(versionSaid(name))
    return
  }
  const node = environment['NODE_NAME'] ?? ''
  if (node === '') throw new CommandRefused('NODE_NAME is not set: it is the name of the node')
  const log = nfdLog(name, settings.verbosity, surroundings)
  for (const warning of settings.warnings) log.warn({}, warning)
  const { kubeconfig } = settings
  const api = asksServer ? await connect(kubeconfig === '' ? {} : { kubeconfig }, { log, surroundings }) : undefined
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api?.close())
  const metrics = new Registry()
  const context: NodeContext = {
    clock: systemClock,
    random: systemRandom,
    log,
    identity: identityOf(environment, node),
    ports: { take: () => undefined, offer: () => undefined },
    metrics,
    node,
    api,
  }
  const place = thisMachine(settings.hostRootPrefix)
  if (settings.oneshot) {
    await once(context, signal, place)
    surroundings.end(exitCodes.done)
    return
  }
  await untilEnded(surroundings, log, async until => {
    let checks: () => readonly Check[] = () => [{ name, ok: false }]
    buildInfo(build, metrics)
    await using _served = await serve(settings.port, {
      ...{ metrics, log, checks: () => checks() },
      ...(waiting === undefined ? {} : { waiting }),
    })
    await using running = await start(context, until, place)
    checks = () => running.health()
    await endOf(until)
  })
}

/** By upstream's variables. */
function identityOf(environment: Surroundings['environment'], node: string): Identity {
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
const versionSaid = (program: string): string => `${program} by Ballast ${programVersion}`

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
function endOf(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
