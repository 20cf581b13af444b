// The command line: reads arguments and environment, runs one command, ends with its code. Commands lie beside, one a file.
import { Command, CommanderError } from 'commander'
import { InputError } from '#kube/problem.ts'
import { CommandRefused, type ExitCode, exitCodes, type Surroundings } from './command-line.ts'
import { defineController } from './controller-command.ts'
import { definePlan } from './plan.ts'
import { processTerminal } from './terminal.ts'
import { defineTwin } from './twin.ts'
import { defineUp } from './up.ts'

const stop = new AbortController()
const terminal = processTerminal(process.env)
let code: ExitCode = exitCodes.done
const surroundings: Surroundings = {
  terminal,
  environment: process.env,
  signal: stop.signal,
  end: value => {
    code = value
  },
}

// The first signal asks for an orderly end, the second ends at once. A launcher that is gone counts as a signal.
const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, disconnect: 1 } as const
let interrupted = 128
for (const [name, signalNumber] of Object.entries(signalNumbers)) {
  process.on(name, () => {
    interrupted = 128 + signalNumber
    if (stop.signal.aborted) process.exit(interrupted)
    stop.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
  })
}
process.channel?.unref()

const program = new Command('ballast')
  .description(
    'Keeps a Kubernetes cluster trim: one arbiter for every disruption, and a twin on which every decision is proven first.',
  )
  .version('0.1.0')
  .exitOverride()
  .configureOutput({ writeErr: text => terminal.say(text.trimEnd()) })
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 failed, 2 bad usage or input, 3 the answer is "not so", 4 infeasible.\nExample: ballast plan --cluster examples/talos-homelab',
  )
for (const define of [defineUp, defineTwin, definePlan, defineController]) define(program, surroundings)

try {
  await program.parseAsync(process.argv)
  process.exitCode = code
} catch (error) {
  process.exitCode = codeOf(error)
}

/** What the process ends with; a command that was stopped before it had an answer ends as shells say it: 128 and the signal's number. */
function codeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput
  if (stop.signal.aborted && (error === stop.signal.reason || (error instanceof Error && error.name === 'AbortError')))
    return interrupted
  if (error instanceof InputError) {
    terminal.say(error.message)
    return exitCodes.badInput
  }
  if (error instanceof CommandRefused) {
    terminal.say(`ballast: ${error.message}`)
    return error.code
  }
  if (error instanceof Error && 'syscall' in error) {
    terminal.say(`ballast: ${error.message}`) // a port that is taken, a folder that may not be written: no fault of ours to trace
    return exitCodes.failed
  }
  terminal.say(`ballast: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return exitCodes.failed
}
