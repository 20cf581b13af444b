// `ballast agent --role=R`: the process on a node. Each role is a part of its own; usually a container has one.

import { hostname } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '#kube/clock.ts'
import { readAgentConfiguration } from '#process/agent/agent-configuration.ts'
import { runAgentParts } from '#process/agent/agent-host.ts'
import type { NodeRoles } from '#process/agent/agent-roles.ts'
import { trimAtRest } from '#process/agent/trimming.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { partsGraceMs } from '#process/parts/tuning.ts'
import { processLog } from '#process/process-log.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { about } from './about.ts'
import type { AskedRole } from './agent-role.ts'
import { type DefineCommand, exitAtOnce, type LogLevel, logLevelOf, type Surroundings } from './command-line.ts'
import { nodeRoles as roleTable } from './generated/node-roles.ts'

interface AgentCommandOptions {
  readonly role: readonly string[]
  readonly config?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly nodeName: string
  readonly healthProbeBindAddress: string
  readonly metricsBindAddress: string
  readonly logLevel?: LogLevel
}

/** Roles with flags of their own, which the help shows: they are loaded with this command. The others are loaded where they are asked for. */
const ownRoles = (
  await Promise.all(
    Object.entries(roleTable).map(async ([name, { capability, load }]) => ({ name, capability, role: await load?.() })),
  )
).flatMap(({ role, ...named }) => (role === undefined ? [] : [{ ...named, role }]))

export const defineAgent: DefineCommand = (program, surroundings) => {
  const { environment } = surroundings
  const command = program
    .command('agent')
    .description(about.agent)
    .requiredOption('--role <roles>', `${Object.keys(roleTable).join(', ')}; several by comma`, roleList)
    .option('--config <file>', 'BallastConfiguration; flags win. Else BALLAST_CONFIG, and for mirror upstream’s defaults')
    .option('--kubeconfig <file>', 'for roles that ask the API server; else KUBECONFIG, the service account of a pod')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--node-name <name>', 'which node this is; else NODE_NAME', environment['NODE_NAME'] || hostname())
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT for health and metrics of roles other than mirror, which has --metrics-addr; 0 switches it off',
      environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option(
      '--metrics-bind-address <address>',
      'HOST:PORT for metrics alone, where health is for this machine only; 0: metrics are told beside health and nowhere else',
      '0',
    )
    .option('--log-level <level>', 'DEBUG, INFO, WARN or ERROR', logLevelOf)
  for (const { role } of ownRoles) role.addFlags(command)
  command
    .addHelpText(
      'after',
      [
        ...ownRoles.map(({ role }) => `\n${role.help}`),
        'Exit codes: 0 stopped by a signal, 1 failed, 2 bad flag or configuration.',
        'Example: ballast agent --role=mirror --registry-addr=:30020 --bootstrap-kind=dns --dns-bootstrap-domain=mirror.ballast-agent',
      ].join('\n'),
    )
    .action((options: AgentCommandOptions, of: Command) => runAgent(options, of, surroundings))
}

function roleList(text: string): readonly string[] {
  const roles = text.split(',').map(role => role.trim())
  if (roles.some(role => !/^[a-z][a-z-]*$/.test(role)) || new Set(roles).size < roles.length)
    throw new InvalidArgumentError('It must be roles by comma, each once.')
  return roles
}

async function loadedRoles(roles: readonly string[], options: AgentCommandOptions): Promise<NodeRoles> {
  const unknown = roles.find(role => roleTable[role] === undefined)
  if (unknown !== undefined) {
    const known = Object.keys(roleTable).join(', ')
    throw new CommandRefused(`--role: found ${JSON.stringify(unknown)}, expected one of ${known}`)
  }
  const { nodeRoles } = await import('#process/agent/agent-roles.ts')
  const capabilities = await Promise.all(roles.map(role => roleTable[role]?.of()))
  return nodeRoles(roles, options, [...new Set(capabilities.filter(one => one !== undefined))])
}

async function runAgent(options: AgentCommandOptions, command: Command, surroundings: Surroundings): Promise<void> {
  const { environment, signal, ending } = surroundings
  // It runs on every node, and waits most of the time.
  preferSmallHeap()
  const path = options.config ?? environment['BALLAST_CONFIG']
  const file = path === '' ? undefined : path
  const others = options.role.filter(name => !ownRoles.some(own => own.name === name))
  // Loaded only where it is asked for: the others carry nothing of what speaks to the API server.
  const roles = others.length === 0 ? undefined : await loadedRoles(others, options)
  const wanted = ownRoles.filter(({ name }) => options.role.includes(name))
  const schemas = Object.fromEntries(wanted.map(({ capability, role }) => [capability, role.configuration]))
  const configuration = readAgentConfiguration(file, { ...roles?.schemas, ...schemas })
  const level = options.logLevel ?? configuration.process.logLevel
  const log = processLog({ level, clock: systemClock })
  const asked = (capability: string): AskedRole => ({
    command,
    section: file === undefined ? undefined : configuration.sections[capability],
    environment,
    log,
    connect: async () => (await import('#process/agent/connect.ts')).connect(options, { log, surroundings }),
  })
  for (const one of ownRoles) if (await one.role.actsInstead({ ...asked(one.capability), isWanted: wanted.includes(one) })) return
  const parts = wanted.map(({ capability, role }) => role.part(asked(capability)))
  const gracefulMs = partsGraceMs(configuration.process, { grace: ending.grace, log, moreMs: drainSlackMs })
  const opening = { sections: configuration.sections, log, surroundings }
  const program = roles === undefined ? onlyOne(parts)?.alone : parts.length === 0 ? await roles.alone(opening) : undefined
  await surroundings.becomeAlone?.({ program, level, gracefulMs })
  await using opened = await roles?.open(opening)
  parts.push(...(opened?.parts ?? []))
  const end = new AbortController()
  // What the start took is given back: it is twice what the roles need at rest.
  const trimming = opened === undefined ? undefined : trimAtRest({ clock: systemClock }, end.signal)
  await runAgentParts({
    parts,
    log,
    gracefulMs,
    ending,
    signal,
    exit: exitAtOnce,
    ...(opened === undefined ? {} : { onChecks: checks => opened.serve(checks) }),
  }).finally(() => end.abort())
  await trimming
}

const onlyOne = <T>([only, ...more]: readonly T[]): T | undefined => (more.length === 0 ? only : undefined)

/** What is being sent has 30 s to end; after that its connections are broken off, which takes a moment. */
const drainSlackMs = 5_000
