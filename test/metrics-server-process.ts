// `ballast metrics-server` as a process of its own, from its flags: `node test/metrics-server-process.ts FLAGS…`. For tests.
import { Command } from 'commander'
import { InputError } from '#kube/problem.ts'
import { graceOf } from '#process/ending.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { defineMetricsServer } from '../src/capabilities/metrics/commands/metrics-server.ts'
import { processTerminal } from '../src/cli/terminal/terminal.ts'

const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => stop.abort(new DOMException(`stopped by ${name}`, 'AbortError')))
const terminal = processTerminal(process.env)
const program = new Command('ballast').exitOverride()
let code = 0
defineMetricsServer(
  program,
  {
    terminal,
    environment: process.env,
    signal: stop.signal,
    ending: { grace: graceOf({}), begin: () => undefined },
    end: given => {
      code = given
    },
  },
  '',
)
try {
  await program.parseAsync(['metrics-server', ...process.argv.slice(2)], { from: 'user' })
  process.exitCode = code
} catch (error) {
  if (!(error instanceof InputError) && !(error instanceof CommandRefused)) throw error
  terminal.say(error.message)
  process.exitCode = error instanceof CommandRefused ? error.code : 2
}
