// What every command shares: its surroundings, how it ends, and how options are read.
import { type Command, InvalidArgumentError } from 'commander'
import type { Terminal } from './terminal.ts'

/** design.md's exit codes. */
export const exitCodes = { done: 0, failed: 1, badInput: 2, notSo: 3, infeasible: 4 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What a command gets of its process. */
export interface Surroundings {
  readonly terminal: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** The process ends with this once the command returns. */
  end(code: ExitCode): void
}

/** A file of this folder that has one command. */
export type DefineCommand = (program: Command, surroundings: Surroundings) => void

/** A refusal that ends a command with words but without a stack: what was attempted, and the exit code. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
  readonly code: ExitCode
  constructor(message: string, code: ExitCode = exitCodes.badInput) {
    super(message)
    this.code = code
  }
}

/** A whole number of an option, between `least` and `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    return value
  }
}

/** One of some words. */
export function oneOf<Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return text => {
    const word = words.find(candidate => candidate === text)
    if (word === undefined) throw new InvalidArgumentError(`It must be one of ${words.join(', ')}.`)
    return word
  }
}

export const outputFormats = ['table', 'json', 'yaml', 'lp'] as const
