// The first of the program: it hears signals, then loads what runs one command.
import { startedProcess } from './started-process.ts'

const started = startedProcess()
const { runProgram } = await import('./program.ts')
if (started.signal.aborted) process.exit(started.interrupted())
await runProgram(started)
