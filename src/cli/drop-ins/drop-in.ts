// What commands that stand for an upstream's program have in common: they take its flags as words, log as it does, and end in order.

import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { type DefineCommand, exitAtOnce, type Surroundings } from '../command-line.ts'

interface DropIn {
  readonly name: string
  /** Lines of the help, after what commander prints of the command. */
  readonly help: readonly string[]
  readonly run: (words: readonly string[], surroundings: Surroundings) => Promise<void>
}

/** The command: flags are upstream's, and read by `run`. */
export function defineDropIn({ name, help, run }: DropIn): DefineCommand {
  return (program, surroundings, about) => {
    program
      .command(name)
      .description(about)
      .argument('[words...]', "upstream's flags")
      .allowUnknownOption()
      .helpOption('-h, --help', 'what it takes')
      .addHelpText('after', ['', ...help].join('\n'))
      .action((words: readonly string[]) => run(words, surroundings))
  }
}

/** What `-version` prints. */
export const versionSaid = (program: string): string => `${program} by Ballast ${programVersion}`

interface KlogSettings {
  readonly program: string
  /** `-v` as it was given. */
  readonly verbosity: number
  readonly format?: 'text' | 'json'
  /** A sentence for each flag that has no effect: they are told first. */
  readonly warnings?: readonly string[]
}

/** The log of a program whose upstream writes by klog. */
export function klogOf(
  { program, verbosity, format = 'text', warnings = [] }: KlogSettings,
  { terminal }: Pick<Surroundings, 'terminal'>,
): Log {
  const { machinery } = klog({
    program,
    format,
    // What upstream tells at its lowest level is information of the machinery's second.
    verbosity: verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  })
  for (const warning of warnings) machinery.warn({}, warning)
  return machinery
}

/** Runs `work` until the process is told to end, or a fault that nobody owns ends it. */
export async function untilEnded(
  { signal, ending }: Surroundings,
  log: Log,
  work: (until: AbortSignal) => Promise<void>,
): Promise<void> {
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, work)
}

/** Resolves when `signal` is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}
