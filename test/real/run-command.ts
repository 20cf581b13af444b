// Runs one program to its end, without a shell.
import { spawn } from 'node:child_process'
import { atEnd } from './endings.ts'

export interface CommandOptions {
  readonly cwd?: string
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Written to the program's standard input; without it the input is empty. */
  readonly input?: string
}

export interface CommandResult {
  /** Exit code; -1 where the program was ended by a signal or could not be started. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `program` with `args` as they are; a program that is not there yields code -1 and says so on `stderr`. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>()
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
  })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', cause => {
    // A program may end before it has read its input; its exit code tells the rest. Of no input nothing is lost.
    if (options.input !== undefined) stderr += `standard input: ${cause.message}\n`
  })
  child.on('error', cause => resolve({ code: -1, stdout, stderr: `${stderr}${program}: ${cause.message}\n` }))
  child.on('close', code => resolve({ code: code ?? -1, stdout, stderr }))
  child.stdin.end(options.input ?? '')
  return promise
}

/** Like {@link runCommand}, for programs that must succeed: yields the standard output, throws with the last lines otherwise. */
export async function commandOutput(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(program, args, options)
  if (result.code === 0) return result.stdout
  const tail = result.stderr.trim().split('\n').slice(-12).join('\n')
  throw new Error(`${program} ${args.join(' ')} ended with code ${result.code}: ${tail}`)
}
