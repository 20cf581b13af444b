// Roles of an agent that come from capabilities as parts of nodes: each with the API server, its own clock and its checks.

import * as z from 'zod'
import type { Capability, PartOf } from '#coordination/capability.ts'
import { assertHosted, partsIn } from '#coordination/part-hosts.ts'
import type { Log } from '#kube/log.ts'
import { CommandRefused, type ProcessSurroundings } from '../surroundings.ts'
import type { AloneProgram } from './agent-host.ts'
import { type NodePart, type OpenRoles, openNode, type RoleOptions } from './agent-node.ts'
import { configOf, connect } from './connect.ts'

interface Opening {
  readonly sections: Readonly<Record<string, unknown>>
  readonly log: Log
  readonly surroundings: ProcessSurroundings
}

export interface NodeRoles {
  /** Schemas of the sections that the roles have, by capability. */
  readonly schemas: Readonly<Record<string, z.ZodObject>>
  /** The program that is the one role and nothing else, where there is one. @throws InputError where nothing says where the API server is */
  alone(opening: Opening): Promise<AloneProgram | undefined>
  open(opening: Opening): Promise<OpenRoles>
}

/** What a program that is one part alone gets to know. */
export interface KnownPart {
  readonly config: unknown
  readonly options: RoleOptions
}

/** `capabilities` are those that have the roles. @throws CommandRefused naming a role that nothing has */
export function nodeRoles(roles: readonly string[], options: RoleOptions, capabilities: readonly Capability[]): NodeRoles {
  assertHosted(capabilities)
  const found = roles.map(role => partOf(role, capabilities))
  const schemas = Object.fromEntries(
    found.map(({ capability }) => [capability.name, capability.config instanceof z.ZodObject ? capability.config : z.object({})]),
  )
  return {
    schemas,
    alone: opening => alone(found, options, opening),
    open: opening => open(found, options, opening),
  }
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

async function alone(
  found: readonly FoundPart[],
  { kubeconfig, context, nodeName, healthProbeBindAddress, metricsBindAddress }: RoleOptions,
  { sections, surroundings }: Opening,
): Promise<AloneProgram | undefined> {
  const [only, ...more] = found
  const program = more.length === 0 ? await only?.part.alone?.() : undefined
  if (program === undefined || only === undefined) return undefined
  // What is wrong with it is told now, though that program asks the API server only when it has something to say.
  await configOf({ kubeconfig, context }, surroundings.environment)
  const options: RoleOptions = {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    nodeName,
    healthProbeBindAddress,
    metricsBindAddress,
  }
  return { ...program, knows: { config: sections[only.capability.name], options } satisfies KnownPart }
}

async function open(found: readonly FoundPart[], options: RoleOptions, opening: Opening): Promise<OpenRoles> {
  const { log, surroundings, sections } = opening
  await using stack = new AsyncDisposableStack()
  const api = await connect(options, opening)
  stack.defer(() => api.close())
  const parts = found.map(
    ({ capability, part, role }): NodePart => ({
      capability: capability.name,
      role,
      start: (context, signal) => part.start(context, sections[capability.name], signal),
    }),
  )
  const apiAs = (user: string) => connect({ ...options, as: user }, opening)
  const opened = stack.use(await openNode(parts, options, { log, environment: surroundings.environment }, { api, apiAs }))
  const whole = stack.move()
  return { parts: opened.parts, serve: opened.serve, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}
