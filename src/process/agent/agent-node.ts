// What parts on a node share in one process: who it is, health and metrics. Nothing here reads settings, so that a program that is one part alone has it, too.

import { hostname } from 'node:os'
import { Registry } from 'prom-client'
import type { Check, NodeContext, Running } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { countTurnedAway } from '#kube/server/front/front-metrics.ts'
import { loopFront } from '#kube/server/front/loop-front.ts'
import { startMetricsServer } from '#kube/server/health.ts'
import { ControllerHealth } from '../health/controller-health.ts'
import { readAddress, startHealthListener } from '../health/health-listener.ts'
import { ballastNamespace } from '../own-names.ts'
import { ownedClock } from '../parts/part-owner.ts'
import { PortBook } from '../parts/port-book.ts'
import type { ProcessSurroundings } from '../surroundings.ts'
import type { AgentPart } from './agent-host.ts'

export interface RoleOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly nodeName: string
  readonly healthProbeBindAddress: string
  /** Where metrics are told beside health; `0`: nowhere. */
  readonly metricsBindAddress: string
}

/** A part before it has what the process shares. */
export interface NodePart {
  readonly capability: string
  readonly role: string
  start(context: NodeContext, signal: AbortSignal): Promise<Running<unknown>>
}

export interface OpenRoles extends AsyncDisposable {
  readonly parts: readonly AgentPart[]
  /** Answers probes by the checks of all parts from now on. */
  serve(checks: () => readonly Check[]): void
}

/** How the API server is reached; without `api` parts ask by `apiAs`, or not at all. */
type ToApi = Pick<NodeContext, 'api' | 'apiAs'>

interface Around {
  readonly log: Log
  readonly environment: ProcessSurroundings['environment']
}

/** @throws CommandRefused for an address that is none; what listening throws */
export async function openNode(
  parts: readonly NodePart[],
  options: RoleOptions,
  { log, environment }: Around,
  toApi: ToApi,
): Promise<OpenRoles> {
  await using stack = new AsyncDisposableStack()
  const metrics = new Registry()
  const ports = new PortBook()
  const health = new ControllerHealth()
  let checks: () => readonly Check[] = () => [{ name: 'start', ok: false, state: 'starting' }]
  stack.use(health.add('agent', () => checks()))
  const address = readAddress(options.healthProbeBindAddress)
  const open = readAddress(options.metricsBindAddress, '--metrics-bind-address')
  const front = loopFront({ clock: systemClock, log, onTurnedAway: countTurnedAway(metrics) })
  if (address !== undefined) stack.use(await startHealthListener(address, { health, metrics, log, front }))
  if (open !== undefined) stack.use(await startMetricsServer({ ...open, metrics, log, front }))
  const name = environment['BALLAST_POD_NAME'] ?? hostname()
  const namespace = environment['BALLAST_POD_NAMESPACE'] ?? ballastNamespace
  const podUid = environment['BALLAST_POD_UID']
  const identity = {
    name,
    namespace,
    instance: `${name}_${randomUuid(systemRandom)}`,
    ...(podUid === undefined || podUid === '' ? {} : { podUid }),
  }
  const nodeAddress = environment['NODE_IP'] || undefined
  const shared = { random: systemRandom, log, identity, metrics, node: options.nodeName, nodeAddress, ...toApi }
  const whole = stack.move()
  return {
    parts: parts.map(({ capability, role, start }) => ({
      capability,
      role,
      start: async ({ owner, signal }) => {
        const doors = ports.forPart()
        const running = await start({ ...shared, clock: ownedClock(systemClock, owner), ports: doors }, signal)
        return {
          health: () => running.health(),
          reconfigure: config => running.reconfigure(config),
          async [Symbol.asyncDispose]() {
            await running[Symbol.asyncDispose]()
            doors[Symbol.dispose]()
          },
        }
      },
    })),
    serve: source => {
      checks = source
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}
