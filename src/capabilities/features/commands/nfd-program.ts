// What the programs of node-feature-discovery have in common: their log, where they run, metrics and health at one port.

import { readFileSync } from 'node:fs'
import { Gauge, Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import { klogOf, untilAborted, untilEnded, versionSaid } from '#cli/drop-ins/drop-in.ts'
import type { Check, Identity, NodeContext, Running } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { connect } from '#process/agent/connect.ts'
import { ControllerHealth } from '#process/health/controller-health.ts'
import { startHealthListener } from '#process/health/health-listener.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { thisMachine } from '../publishing/worker.ts'

const accountNamespace = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

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
  const log = klogOf({ program: name, verbosity: settings.verbosity, warnings: settings.warnings }, surroundings)
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
    await untilAborted(until)
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
