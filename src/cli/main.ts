// The command line: reads arguments and environment, runs one command, ends with its code. Commands lie beside, one a file.
import { Command, CommanderError } from 'commander'
import { systemClock } from '#kube/clock.ts'
import { InputError } from '#kube/problem.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { calledAs } from './called-as.ts'
import type { DefineCommand, Surroundings } from './command-line.ts'
import { processTerminal } from './terminal/terminal.ts'

/** Only the command that is asked for is loaded: a controller carries nothing of the twin. In the order of the help. */
const commands: Readonly<Record<string, () => Promise<DefineCommand>>> = {
  up: async () => (await import('./up.ts')).defineUp,
  twin: async () => (await import('./twin.ts')).defineTwin,
  top: async () => (await import('./top.ts')).defineTop,
  dashboard: async () => (await import('./dashboard.ts')).defineDashboard,
  snapshot: async () => (await import('./snapshot.ts')).defineSnapshot,
  plan: async () => (await import('./plan.ts')).definePlan,
  simulate: async () => (await import('./simulate.ts')).defineSimulate,
  isolate: async () => (await import('./isolate.ts')).defineIsolate,
  why: async () => (await import('./why.ts')).defineWhy,
  permits: async () => (await import('./permits.ts')).definePermits,
  shadow: async () => (await import('./shadow.ts')).defineShadow,
  migrate: async () => (await import('./migrate.ts')).defineMigrate,
  doctor: async () => (await import('./doctor.ts')).defineDoctor,
  manifests: async () => (await import('./manifests.ts')).defineManifests,
  chart: async () => (await import('./chart.ts')).defineChart,
  'node-config': async () => (await import('./node-config.ts')).defineNodeConfig,
  uninstall: async () => (await import('./uninstall.ts')).defineUninstall,
  controller: async () => (await import('./controller-command.ts')).defineController,
  apiserver: async () => (await import('./apiserver-command.ts')).defineApiserver,
  gateway: async () => (await import('./gateway-command.ts')).defineGateway,
  agent: async () => (await import('./agent-command.ts')).defineAgent,
  reloader: async () => (await import('./reloader.ts')).defineReloader,
  descheduler: async () => (await import('./descheduler.ts')).defineDescheduler,
  spegel: async () => (await import('./spegel.ts')).defineSpegel,
  'readiness-condition-reporter': async () =>
    (await import('./readiness-condition-reporter.ts')).defineReadinessConditionReporter,
}

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
let askedMs = 0
/** A signal to the whole group comes twice: from whoever sent it, and passed on by the launcher. */
const sameSignalMs = 500
for (const [name, signalNumber] of Object.entries(signalNumbers)) {
  process.on(name, () => {
    if (stop.signal.aborted && systemClock.elapsed() - askedMs < sameSignalMs) return
    // Who asks twice does not want to wait.
    if (stop.signal.aborted) process.exit(exitCodes.failed)
    askedMs = systemClock.elapsed()
    interrupted = 128 + signalNumber
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
const words = calledAs({ argv: process.argv, argv0: process.argv0, environment: process.env })
const asked = words[2]
const known = asked !== undefined && Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands)
for (const name of known) (await commands[name]?.())?.(program, surroundings)

try {
  await program.parseAsync(words)
  process.exitCode = code
} catch (error) {
  process.exitCode = codeOf(error)
  // What is at fault may keep timers and sockets: it is not waited for.
  if (error instanceof ProcessFault) process.exit()
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
