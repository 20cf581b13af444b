// Roles of an agent that come from capabilities as parts of nodes: each with the API server, its own clock and its checks.

import { homedir, hostname } from 'node:os'
import { Registry } from 'prom-client'
import * as z from 'zod'
import type { Capability, Check, NodeContext, PartOf } from '#coordination/capability.ts'
import { assertHosted, partsIn } from '#coordination/part-hosts.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import type { Log } from '#kube/log.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { countTurnedAway } from '#kube/server/front/front-metrics.ts'
import { loopFront } from '#kube/server/front/loop-front.ts'
import { startMetricsServer } from '#kube/server/health.ts'
import { programVersion } from '#kube/version.ts'
import { ControllerHealth } from '../health/controller-health.ts'
import { readAddress, startHealthListener } from '../health/health-listener.ts'
import { ballastNamespace } from '../own-names.ts'
import { ownedClock } from '../parts/part-owner.ts'
import { PortBook } from '../parts/port-book.ts'
import { CommandRefused, type ProcessSurroundings } from '../surroundings.ts'
import type { AgentPart } from './agent-host.ts'

interface RoleOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly nodeName: string
  readonly healthProbeBindAddress: string
  /** Where metrics are told beside health; `0`: nowhere. */
  readonly metricsBindAddress: string
}

interface Opening {
  readonly sections: Readonly<Record<string, unknown>>
  readonly log: Log
  readonly surroundings: ProcessSurroundings
}

export interface OpenRoles extends AsyncDisposable {
  readonly parts: readonly AgentPart[]
  /** Answers probes by the checks of all parts from now on. */
  serve(checks: () => readonly Check[]): void
}

export interface NodeRoles {
  /** Schemas of the sections that the roles have, by capability. */
  readonly schemas: Readonly<Record<string, z.ZodObject>>
  open(opening: Opening): Promise<OpenRoles>
}

/** `capabilities` are those that have the roles. @throws CommandRefused naming a role that nothing has */
export function nodeRoles(roles: readonly string[], options: RoleOptions, capabilities: readonly Capability[]): NodeRoles {
  assertHosted(capabilities)
  const found = roles.map(role => partOf(role, capabilities))
  const schemas = Object.fromEntries(
    found.map(({ capability }) => [capability.name, capability.config instanceof z.ZodObject ? capability.config : z.object({})]),
  )
  return { schemas, open: opening => open(found, options, opening) }
}

interface FoundPart {
  readonly capability: Capability
  readonly part: PartOf<'node', unknown>
  readonly role: string
}

function partOf(role: string, capabilities: readonly Capability[]): FoundPart {
  const parts = capabilities.flatMap(capability =>
    partsIn('node', capability).map(part => ({ capability, part, role: part.role ?? capability.name })),
  )
  const found = parts.find(one => one.role === role)
  if (found !== undefined) return found
  const known = parts.map(one => one.role)
  throw new CommandRefused(`--role: found ${JSON.stringify(role)}, expected one of ${[...new Set(known)].join(', ')}`)
}

async function open(found: readonly FoundPart[], options: RoleOptions, opening: Opening): Promise<OpenRoles> {
  const { log, surroundings, sections } = opening
  const { environment } = surroundings
  await using stack = new AsyncDisposableStack()
  const api = await connect(options, opening)
  stack.defer(() => api.close())
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
  const apiAs = (user: string) => connect({ ...options, as: user }, opening)
  const shared = { random: systemRandom, log, identity, metrics, node: options.nodeName, nodeAddress, api, apiAs }
  const whole = stack.move()
  return {
    parts: found.map(({ capability, part, role }) => ({
      capability: capability.name,
      role,
      start: async ({ owner, signal }) => {
        const doors = ports.forPart()
        const context: NodeContext = { ...shared, clock: ownedClock(systemClock, owner), ports: doors }
        const running = await part.start(context, sections[capability.name], signal)
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

/** The API server of this node's cluster; whoever asks closes it. */
export async function connect(
  options: Pick<RoleOptions, 'kubeconfig' | 'context'> & { readonly as?: string },
  { log, surroundings }: Pick<Opening, 'log' | 'surroundings'>,
): Promise<Api> {
  const { environment } = surroundings
  const { kubeconfig, context, as } = options
  const overrides = as === undefined ? {} : { overrides: { as } }
  const config = await loadConfig({ environment, homeDirectory: homedir(), kubeconfig, context, ...overrides })
  for (const warning of config.warnings) log.warn({}, warning)
  const transport = openHttpTransport(config, {
    clock: systemClock,
    random: systemRandom,
    log,
    environment,
    isTerminal: false,
  })
  return openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion} agent`, log })
}
