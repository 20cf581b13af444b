// One program under several names: called by an upstream's, it is the command that takes that upstream's place.
import { basename, delimiter, join } from 'node:path'
import { capabilityCommands } from './generated/capability-commands.ts'

/** Names of programs, and the command that each is. */
const dropIns: ReadonlyMap<string, string> = new Map([
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
  const words = [argv0, script].map(path => basename(path).replace(/\.[cm]?[jt]s$/, ''))
  const name =
    words.map(word => dropIns.get(word)).find(word => word !== undefined) ??
    (isFlagsAlone(rest) ? byChart(environment) : undefined)
  return name === undefined ? argv : [node, script, name, ...rest]
}

function isFlagsAlone([first]: readonly string[]): boolean {
  return first === undefined || (first.startsWith('-') && !['-h', '--help', '-V', '--version'].includes(first))
}

function byChart(environment: Call['environment']): string | undefined {
  const isSet = (variable: string) => (environment[variable] ?? '') !== ''
  return chartVariables.find(([, variables]) => variables.length > 0 && variables.every(isSet))?.[0]
}

/** How the program is typed here: by its name where PATH has it, else by `launcher`, the clone's own. */
export function typedAs(path: string | undefined, launcher: string, isThere: (path: string) => boolean): string {
  const isOnPath = (path ?? '').split(delimiter).some(directory => directory !== '' && isThere(join(directory, 'ballast')))
  return isOnPath || !isThere(launcher) ? 'ballast' : launcher
}
