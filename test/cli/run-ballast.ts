// Runs the command as a user does, in a process of its own.
import { spawn } from 'node:child_process'
import { commandLine } from './bundled.ts'

export interface Ended {
  readonly code: number | null
  readonly output: string
  readonly words: string
}

/** Resolves when the command has ended. @throws when it takes longer than four minutes: against hanging only */
export function runBallast(
  args: readonly string[],
  input = '',
  { environment: given = {} }: { readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const environment: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  for (const name of ['KUBECONFIG', 'FORCE_COLOR']) Reflect.deleteProperty(environment, name)
  Object.assign(environment, given)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', commandLine, ...args], {
    env: environment,
    timeout: 240_000,
  })
  const output: Buffer[] = []
  const words: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => words.push(chunk))
  child.stdin.end(input)
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  child.on('error', reject)
  child.on('close', code =>
    resolve({ code, output: Buffer.concat(output).toString('utf8'), words: Buffer.concat(words).toString('utf8') }),
  )
  return promise
}
