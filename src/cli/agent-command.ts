// `ballast agent --role=R`: the process on a node. Each role is a part of its own; usually a container has one.

import { hostname } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import type * as z from 'zod'
import { mirrorConfiguration } from '#capabilities/mirror'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import { readAgentConfiguration } from '#process/agent/agent-configuration.ts'
import { type AgentPart, runAgentParts } from '#process/agent/agent-host.ts'
import type { NodeRoles } from '#process/agent/agent-roles.ts'
import { writeHosts } from '#process/agent/mirror-hosts.ts'
import { processLog } from '#process/process-log.ts'
import { about } from './about.ts'
import { type DefineCommand, exitAtOnce, oneOf, type Surroundings } from './command-line.ts'
import { mirrorPart, mirrorSettings } from './drop-ins/mirror-run.ts'
import { addRegistryFlags } from './drop-ins/registry-flags.ts'

interface AgentCommandOptions {
  readonly role: readonly string[]
  readonly config?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly nodeName: string
  readonly healthProbeBindAddress: string
  readonly writeHosts?: boolean
  readonly hostsRecord?: string
  readonly logLevel?: LogLevel
}

const mirrorServiceName = 'ballast-agent-mirror'

type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const levels = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

/** As upstream writes levels, in either case. */
export function logLevelOf(text: string): LogLevel {
  return levels[oneOf('DEBUG', 'INFO', 'WARN', 'ERROR')(text.toUpperCase())]
}

export const defineAgent: DefineCommand = (program, surroundings) => {
  const { environment } = surroundings
  const command = program
    .command('agent')
    .description(about.agent)
    .requiredOption('--role <roles>', 'mirror, readiness; several by comma', roleList)
    .option('--config <file>', 'BallastConfiguration; flags win. Else BALLAST_CONFIG, and for mirror upstream’s defaults')
    .option('--kubeconfig <file>', 'for roles that ask the API server; else KUBECONFIG, the service account of a pod')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--node-name <name>', 'which node this is; else NODE_NAME', environment['NODE_NAME'] || hostname())
    .option(
      '--health-probe-bind-address <address>',
      'HOST:PORT for health and metrics of roles other than mirror, which has --metrics-addr; 0 switches it off',
      environment['KUBERNETES_SERVICE_HOST'] === undefined ? '0' : ':8081',
    )
    .option('--write-hosts', "role mirror: writes containerd's hosts files for NODE_IP and ends")
    .option('--hosts-record <file>', 'role mirror: where --write-hosts counts how it went, for the metrics of the mirror')
    .option('--log-level <level>', 'DEBUG, INFO, WARN or ERROR', logLevelOf)
  addRegistryFlags(command)
    .addHelpText(
      'after',
      [
        '\nThe flags from --registry-addr on belong to role mirror. They are those of `spegel registry`; each is also a variable (REGISTRY_ADDR).',
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

async function runAgent(options: AgentCommandOptions, command: Command, surroundings: Surroundings): Promise<void> {
  const { environment, signal } = surroundings
  const path = options.config ?? environment['BALLAST_CONFIG']
  const file = path === '' ? undefined : path
  const isMirror = options.role.includes('mirror')
  const others = options.role.filter(role => role !== 'mirror')
  // Loaded only where it is asked for: the mirror carries nothing of what speaks to the API server.
  const roles: NodeRoles | undefined =
    others.length === 0 ? undefined : (await import('#process/agent/agent-roles.ts')).nodeRoles(others, options)
  const schemas: Record<string, z.ZodObject> = { ...roles?.schemas, ...(isMirror ? { mirror: mirrorConfiguration } : {}) }
  const configuration = readAgentConfiguration(file, schemas)
  const log = processLog({ level: options.logLevel ?? configuration.process.logLevel, clock: systemClock })
  if (options.writeHosts === true) {
    await writeHosts(file === undefined ? undefined : configuration.sections['mirror'], {
      environment,
      log,
      isMirror,
      record: options.hostsRecord,
    })
    return
  }
  const parts: AgentPart[] = []
  if (isMirror) {
    const section = file === undefined ? undefined : configuration.sections['mirror']
    const settings = mirrorSettings({ command, section, environment }, log)
    parts.push(
      mirrorPart(settings, {
        clock: systemClock,
        log,
        openService: () => mirrorService(options, { log, surroundings }),
        ...(options.hostsRecord === undefined ? {} : { hostsRecord: options.hostsRecord }),
      }),
    )
  }
  await using opened = await roles?.open({ sections: configuration.sections, log, surroundings })
  parts.push(...(opened?.parts ?? []))
  await runAgentParts({
    parts,
    log,
    gracefulMs: durationMs(configuration.process.gracefulShutdownTimeout) + drainSlackMs,
    signal,
    exit: exitAtOnce,
    ...(opened === undefined ? {} : { onChecks: checks => opened.serve(checks) }),
  })
}

/** Where the others are told by the API: the headless Service of the mirrors. */
async function mirrorService(options: AgentCommandOptions, around: { readonly log: Log; readonly surroundings: Surroundings }) {
  const { connect } = await import('#process/agent/agent-roles.ts')
  const api = await connect(options, around)
  return {
    api,
    namespace: around.surroundings.environment['BALLAST_POD_NAMESPACE'] || standardAgentNamespace,
    name: mirrorServiceName,
  }
}

/** What is being sent has 30 s to end; after that its connections are broken off, which takes a moment. */
const drainSlackMs = 5_000
