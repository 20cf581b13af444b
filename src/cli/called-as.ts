// One program under several names: called by an upstream's, it is the command that takes that upstream's place.
import { basename, delimiter, join } from 'node:path'
import { capabilityCommands } from './generated/capability-commands.ts'

/** What shells and kubectl ask while a line is typed: a command that the help does not tell of. */
export const asksForCandidates = '__complete'

/** Names by which kubectl finds what it is extended by. */
const pluginName = 'kubectl-ballast'
const pluginCompletion = 'kubectl_complete-ballast'

/** Names of programs, and the command that each is. */
const dropIns: ReadonlyMap<string, string> = new Map([
  [pluginCompletion, asksForCandidates],
  ...Object.entries(capabilityCommands).flatMap(([name, { programs }]) => programs.map(program => [program, name] as const)),
])

/** What an upstream's chart says to its container: whoever swapped only the image is called with flags alone. */
const chartVariables = Object.entries(capabilityCommands).map(([name, { variables }]) => [name, variables] as const)

interface Call {
  /** As Node gives them. */
  readonly argv: readonly string[]
  /** As the process was started. */
  readonly argv0: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The arguments with the command put first that the program was called as, by its name or by an upstream's chart. */
export function calledAs({ argv, argv0, environment }: Call): readonly string[] {
  const [node = '', script = '', ...rest] = argv
  const name =
    namesOf(argv0, script)
      .map(word => dropIns.get(word))
      .find(word => word !== undefined) ?? (isFlagsAlone(rest) ? byChart(environment) : undefined)
  return name === undefined ? argv : [node, script, name, ...rest]
}

/** What the program is called in its own help: called by kubectl, what was typed. */
export function shownName({ argv: [, script = ''], argv0 }: Pick<Call, 'argv' | 'argv0'>): string {
  return namesOf(argv0, script).includes(pluginName) ? 'kubectl ballast' : 'ballast'
}

const namesOf = (...paths: readonly string[]) => paths.map(path => basename(path).replace(/\.[cm]?[jt]s$/, ''))

function isFlagsAlone([first]: readonly string[]): boolean {
  return first === undefined || (first.startsWith('-') && !['-h', '--help', '-V', '--version'].includes(first))
}

function byChart(environment: Call['environment']): string | undefined {
  const isSet = (variable: string) => (environment[variable] ?? '') !== ''
  return chartVariables.find(([, variables]) => variables.length > 0 && variables.every(isSet))?.[0]
}

interface Typing {
  readonly environment: Call['environment']
  /** The clone's own, where this is one. */
  readonly launcher: string | undefined
  readonly isThere: (path: string) => boolean
}

/** How the program is typed here: as npx was told to, by its name where PATH has it, else by the clone's launcher. */
export function typedAs({ environment, launcher, isThere }: Typing): string {
  // The PATH of npx has the program as long as npx runs, and no longer.
  if (environment['npm_lifecycle_event'] === 'npx') return 'npx ballast'
  const path = environment['PATH'] ?? ''
  const isOnPath = path.split(delimiter).some(directory => directory !== '' && isThere(join(directory, 'ballast')))
  return isOnPath || launcher === undefined || !isThere(launcher) ? 'ballast' : launcher
}
