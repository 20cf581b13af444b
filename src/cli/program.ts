// The command line: reads arguments and environment, runs one command, ends with its code. Commands lie beside, one a file.
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { programVersion } from '#kube/version.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { type ExitCode, exitCodes } from '#process/surroundings.ts'
import { becomeAlone } from './become-alone.ts'
import { asksForCandidates, calledAs, shownName } from './called-as.ts'
import type { Surroundings } from './command-line.ts'
import { commands } from './commands.ts'
import { exitCodeOf } from './exit-code.ts'
import type { Started } from './started-process.ts'
import { processTerminal, type Terminal } from './terminal/terminal.ts'

/** Runs the command that was asked for; the process ends with its code when nothing keeps it any more. */
export async function runProgram(started: Started): Promise<void> {
  const terminal = processTerminal(process.env)
  let code: ExitCode = exitCodes.done
  const surroundings: Surroundings = {
    terminal,
    environment: process.env,
    signal: started.signal,
    ending: started.ending,
    becomeAlone: wish => becomeAlone(wish, started.signal),
    end: value => {
      code = value
    },
  }
  const call = { argv: process.argv, argv0: process.argv0, environment: process.env }
  const words = calledAs(call)
  if (words[2] === asksForCandidates) {
    const { completionAnswer } = await import('./completion/answer.ts')
    for (const line of await completionAnswer(words.slice(3), surroundings)) terminal.write(line)
    return
  }
  const program = new Command(shownName(call))
    .description(
      'Keeps a Kubernetes cluster trim: one arbiter for every disruption, and a twin on which every decision is proven first.',
    )
    .version(programVersion)
    .exitOverride()
    .configureOutput({ writeErr: text => terminal.say(text.trimEnd()) })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 bad usage or input, 3 the answer is "not so", 4 infeasible.\nExample: ballast plan --cluster examples/talos-homelab',
    )
  // `help plan` is of one command as well.
  const asked = words[2] === 'help' ? words[3] : words[2]
  const listed = commands.get(asked ?? '')
  if (listed === undefined) {
    for (const [name, { about }] of commands) program.command(name).description(about)
    program.configureHelp({
      subcommandTerm: command => `${command.name()} ${commands.get(command.name())?.usage ?? '[command]'}`.trimEnd(),
    })
  } else {
    const define = await listed.load()
    if (define === undefined) throw new Error(`no capability has the command ${asked}: run npm run generate`)
    define(program, surroundings, listed.about)
  }

  try {
    await program.parseAsync(words)
    process.exitCode = code
  } catch (error) {
    process.exitCode = codeOf(error, terminal, started)
    // What is at fault may keep timers and sockets: it is not waited for.
    if (error instanceof ProcessFault) process.exit()
  }
}

/** Commander tells what it refuses itself; of a value that a command read later nothing was told yet. */
function codeOf(error: unknown, terminal: Terminal, started: Started): number {
  if (error instanceof InvalidArgumentError) terminal.say(`ballast: ${error.message}`)
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput
  return exitCodeOf(error, terminal, started)
}
