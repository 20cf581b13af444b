// `ballast spegel …`: upstream's command with upstream's subcommands, flags and environment, and Ballast's mirror behind them.

import type { Command } from 'commander'
import {
  type DefineCommand,
  exitAtOnce,
  type LogLevel,
  logLevelOf,
  oneOf,
  readAt,
  type Surroundings,
  wholeNumber,
} from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { InputError, type Parsed } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { programVersion } from '#kube/version.ts'
import { runAgentParts } from '#process/agent/agent-host.ts'
import { parseStringSlice } from '#process/drop-ins/string-slice.ts'
import { processLog } from '#process/process-log.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { boolOf } from '../registry-flags.ts'
import { actOnFiles } from './act-on-files.ts'
import { basicAuthDirectory, readBasicAuth } from './basic-auth-files.ts'
import { addRegistryFlags, variableOf } from './flag-table.ts'
import { mirrorPart } from './mirror-part.ts'
import { mirrorSettings } from './mirror-run.ts'

const gracefulMs = 35_000
/** As upstream's files have it. */
const dialTimeout = '200ms'
const configPathFlag = 'containerd-registry-config-path'
const configPathStandard = '/etc/containerd/certs.d'

export const defineSpegel: DefineCommand = (program, surroundings, about) => {
  const spegel = program
    .command('spegel')
    .description(about)
    .option('--log-level <level>', 'DEBUG, INFO, WARN or ERROR; else LOG_LEVEL', logLevelOf)
    .addHelpText(
      'after',
      '\nEach flag is also a variable: --registry-addr is REGISTRY_ADDR; lists in variables have commas.\nExample: ballast spegel version',
    )
  const subcommand = (name: string, description: string, example: string): Command =>
    spegel
      .command(name)
      .description(description)
      .option('--log-level <level>', 'DEBUG, INFO, WARN or ERROR', logLevelOf)
      .addHelpText('after', `\nExample: ballast spegel ${name}${example}`)
  addRegistryFlags(
    subcommand(
      'registry',
      'answers containerd and other nodes',
      ' --bootstrap-kind=dns --dns-bootstrap-domain=spegel-bootstrap.spegel',
    ),
  ).action((_options, command: Command) => runRegistry(command, surroundings))
  subcommand('configuration', "writes containerd's hosts files", ' --mirror-targets http://10.0.0.7:30020')
    .option(`--${configPathFlag} <directory>`, `where the hosts files lie (${configPathStandard})`)
    .option('--mirrored-registries <values...>', 'registries that get a file of their own; none: _default')
    .option('--mirror-targets <values...>', 'mirrors that containerd asks, in this order')
    .option('--resolve-tags [value]', 'whether tags are asked too (true)')
    .option('--prepend-existing [value]', 'keep hosts that were configured before, after ours (false)')
    .action((_options, command: Command) => runConfiguration(command, surroundings))
  subcommand(
    'cleanup',
    'restores the hosts files that were there before, then answers /readyz until it is stopped',
    ' --addr=:8080',
  )
    .option('--addr <address>', 'HOST:PORT of /readyz')
    .option(`--${configPathFlag} <directory>`, `where hosts files lie (${configPathStandard})`)
    .action((_options, command: Command) => runCleanup(command, surroundings))
  subcommand('cleanup-wait', 'waits until cleanup is done on every node', ' --probe-endpoint=spegel-cleanup.spegel:8080')
    .option('--probe-endpoint <endpoint>', 'HOST:PORT; every address of HOST is asked')
    .option('--threshold <count>', 'how many rounds without a failure are needed (3)')
    .option('--period <duration>', 'time between rounds (2s)')
    .action((_options, command: Command) => runCleanupWait(command, surroundings))
  subcommand('version', 'prints the version', ' --format=json')
    .option('--format <format>', 'text or json', oneOf('text', 'json'), 'text')
    .action(({ format }: { readonly format: 'text' | 'json' }) => {
      const text =
        format === 'json' ? JSON.stringify({ version: programVersion, program: 'ballast' }) : `ballast ${programVersion}`
      surroundings.terminal.write(text)
    })
}

/** What was given to a subcommand, in the command line or the environment. */
class Given {
  readonly #command: Command
  readonly #environment: Surroundings['environment']

  constructor(command: Command, environment: Surroundings['environment']) {
    this.#command = command
    this.#environment = environment
  }

  text(flag: string): string | undefined {
    const value = this.#said(flag)
    return value === undefined ? this.#environment[variableOf(flag)] || undefined : String(value)
  }

  /** @throws CommandRefused where it was not given */
  needed(flag: string): string {
    const value = this.text(flag)
    if (value === undefined) throw new CommandRefused(`--${flag} is needed`)
    return value
  }

  list(flag: string): readonly string[] {
    const value = this.#said(flag)
    if (Array.isArray(value)) return value.map(String)
    const text = this.#environment[variableOf(flag)] ?? ''
    return parseStringSlice(text) ?? [text]
  }

  bool(flag: string, standard: boolean): boolean {
    const text = this.text(flag)
    return text === undefined ? standard : checked(boolOf(text, `--${flag}`))
  }

  #said(flag: string): unknown {
    const name = flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const values: Readonly<Record<string, unknown>> = this.#command.opts()
    return this.#command.getOptionValueSource(name) === 'cli' ? values[name] : undefined
  }
}

function checked<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new InputError([parsed.problem])
  return parsed.value
}

/** Level of a subcommand's log, by a flag before or after its name, or by the environment. */
function levelOf(command: Command, environment: Surroundings['environment']): LogLevel {
  const all: { readonly logLevel?: LogLevel } = command.optsWithGlobals()
  const variable = environment['LOG_LEVEL'] ?? ''
  return all.logLevel ?? (variable === '' ? 'info' : readAt('LOG_LEVEL', variable, logLevelOf))
}

const logOf = (command: Command, environment: Surroundings['environment']): Log =>
  processLog({ level: levelOf(command, environment), clock: systemClock })

async function runRegistry(command: Command, { environment, signal, ending, becomeAlone }: Surroundings): Promise<void> {
  const level = levelOf(command, environment)
  const log = processLog({ level, clock: systemClock })
  const settings = mirrorSettings({ command, section: undefined, environment }, log)
  const part = mirrorPart(settings, { clock: systemClock, log })
  const partsMs = ending.grace.parts(gracefulMs)
  await becomeAlone?.({ program: part.alone, level, gracefulMs: partsMs })
  await runAgentParts({ parts: [part], log, gracefulMs: partsMs, signal, exit: exitAtOnce, ending })
}

async function runConfiguration(command: Command, { environment }: Surroundings): Promise<void> {
  const given = new Given(command, environment)
  const mirrorTargets = given.list('mirror-targets')
  if (mirrorTargets.length === 0) throw new CommandRefused('--mirror-targets is needed')
  const { writeConfiguration } = await import('../node-files/writer.ts')
  await actOnFiles(() =>
    writeConfiguration({
      registryConfigPath: given.text(configPathFlag) ?? configPathStandard,
      mirroredRegistries: given.list('mirrored-registries'),
      mirrorTargets,
      resolveTags: given.bool('resolve-tags', true),
      dialTimeout,
      basicAuth: readBasicAuth(environment['BALLAST_BASIC_AUTH_DIR'] ?? basicAuthDirectory),
      existing: given.bool('prepend-existing', false) ? 'prepend-mirrored' : 'replace',
      nowMs: systemClock.now(),
      log: logOf(command, environment),
    }),
  )
}

async function runCleanup(command: Command, { environment, signal }: Surroundings): Promise<void> {
  const given = new Given(command, environment)
  const { cleanUp } = await import('../node-files/cleanup.ts')
  await actOnFiles(() =>
    cleanUp({
      registryConfigPath: given.text(configPathFlag) ?? configPathStandard,
      nowMs: systemClock.now(),
      address: given.needed('addr'),
      signal,
      log: logOf(command, environment),
    }),
  )
}

const mostRounds = 1_000

async function runCleanupWait(command: Command, { environment, signal }: Surroundings): Promise<void> {
  const given = new Given(command, environment)
  const { waitForCleanup } = await import('../node-files/cleanup-wait.ts')
  await waitForCleanup({
    probeEndpoint: given.needed('probe-endpoint'),
    threshold: readAt('--threshold', given.text('threshold') ?? '3', wholeNumber(1, mostRounds)),
    periodMs: checked(parseDurationMs(given.text('period') ?? '2s', '--period')),
    clock: systemClock,
    signal,
    log: logOf(command, environment),
  })
}
