// What every command shares: its surroundings, how it ends, and how options are read.
import { type Command, InvalidArgumentError } from 'commander'
import { CommandRefused, type ExitCode, type ProcessSurroundings } from '#process/surroundings.ts'
import type { AloneWish } from './become-alone.ts'
import type { Terminal } from './terminal/terminal.ts'

/** What a command gets of its process. */
export interface Surroundings extends ProcessSurroundings {
  readonly terminal: Terminal
  /** The process ends with this once the command returns. */
  end(code: ExitCode): void
  /**
   * The process goes on as a smaller one, which carries nothing of what has read its settings. Comes back where that cannot be: then the command
   * does the work itself. Absent where the process is somebody else's.
   */
  readonly becomeAlone?: (wish: AloneWish) => Promise<void>
}

/** A file that has one command; `about` is what the list of all says of it. */
export type DefineCommand = (program: Command, surroundings: Surroundings, about: string) => void

/** Ends the process at once, whatever still runs: for what nobody caught and nobody owns. */
export const exitAtOnce = (code: number): void => process.exit(code)

/** A whole number of an option, between `least` and `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    return value
  }
}

/** What an option's reader makes of a variable, or of a flag that is read later; what it refuses is told by the name of that `place`. */
export function readAt<Value>(place: string, text: string, read: (text: string) => Value): Value {
  try {
    return read(text)
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new CommandRefused(`${place}: found "${text}". ${error.message}`)
    throw error
  }
}

/** The seed of every random choice, where no flag names it. */
export const seedReader = wholeNumber(0, 2 ** 32 - 1)
export function seedOfEnvironment(environment: Surroundings['environment']): number {
  const given = environment['BALLAST_SEED'] ?? ''
  return given === '' ? 1 : readAt('BALLAST_SEED', given, seedReader)
}

/** An option that may be given often: all of it, by comma. */
export const commaList = (text: string, before?: string): string => (before === undefined ? text : `${before},${text}`)

/** An option without the one that it is for is refused, not dropped. @throws CommandRefused naming both */
export function assertUsed(given: Readonly<Record<string, unknown>>, isThere: boolean, needed: string): void {
  if (isThere) return
  for (const [option, value] of Object.entries(given))
    if (value !== undefined && value !== false) throw new CommandRefused(`${option} is for ${needed}: give both, or neither`)
}

/** One of some words, which completions read from it. */
export function oneOf<Word extends string>(
  ...words: readonly Word[]
): ((text: string) => Word) & { readonly words: readonly Word[] } {
  const read = (text: string): Word => {
    const word = words.find(candidate => candidate === text)
    if (word === undefined) throw new InvalidArgumentError(`It must be one of ${words.join(', ')}.`)
    return word
  }
  return Object.assign(read, { words })
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const levels = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

/** As upstreams write levels, in either case. */
export function logLevelOf(text: string): LogLevel {
  return levels[oneOf('DEBUG', 'INFO', 'WARN', 'ERROR')(text.toUpperCase())]
}

export const outputFormats = ['table', 'json', 'yaml', 'lp'] as const
