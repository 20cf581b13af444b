// All commands of `ballast` as Commander has them, without a process: for tests that look at them or run them here.
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { readTree } from '../scripts/check/source-tree.ts'
import type { DefineCommand, Surroundings } from '../src/cli/command-line.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'

const root = dirname(import.meta.dirname)

/** Every function of `src/cli` that defines a command, by its name. Importing them takes a second or two. */
export async function commandDefinitions(): Promise<ReadonlyMap<string, DefineCommand>> {
  const found = new Map<string, DefineCommand>()
  for (const { path, exports } of readTree(root, 'src/cli')) {
    for (const { text: name } of exports) {
      if (!/^define[A-Z]/.test(name)) continue
      const module: Readonly<Record<string, DefineCommand>> = await import(join(root, path))
      if (module[name] !== undefined) found.set(name, module[name])
    }
  }
  return found
}

const silent: Surroundings = {
  terminal: processTerminal({}),
  environment: {},
  signal: new AbortController().signal,
  end: () => undefined,
}

/** The command line with all commands. It throws where `main.ts` would end the process. */
export function commandTree(definitions: ReadonlyMap<string, DefineCommand>, surroundings: Surroundings = silent): Command {
  const program = new Command('ballast').exitOverride().configureOutput({ writeErr: () => undefined })
  for (const define of definitions.values()) define(program, surroundings)
  return program
}
