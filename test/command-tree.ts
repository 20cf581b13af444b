// All commands of `ballast` as Commander has them, without a process: for tests that look at them or run them here.
import { Command } from 'commander'
import type { DefineCommand, Surroundings } from '../src/cli/command-line.ts'
import { commands } from '../src/cli/commands.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'
import { embeddedEnding } from '../src/process/surroundings.ts'

/** What defines each command, by the command's name. Importing them takes a second or two. */
export async function commandDefinitions(): Promise<ReadonlyMap<string, DefineCommand>> {
  const found = new Map<string, DefineCommand>()
  for (const [name, { about, load }] of commands) {
    const define = await load()
    if (define === undefined) throw new Error(`no capability has the command ${name}`)
    found.set(name, (program, surroundings) => define(program, surroundings, about))
  }
  return found
}

const silent: Surroundings = {
  terminal: processTerminal({}),
  environment: {},
  signal: new AbortController().signal,
  ending: embeddedEnding,
  end: () => undefined,
}

/** The command line with all commands. It throws where `main.ts` would end the process. */
export function commandTree(definitions: ReadonlyMap<string, DefineCommand>, surroundings: Surroundings = silent): Command {
  const program = new Command('ballast').exitOverride().configureOutput({ writeErr: () => undefined })
  for (const define of definitions.values()) define(program, surroundings, '')
  return program
}
