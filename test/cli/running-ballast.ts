// A command that goes on, in a process of its own: what it has said so far, and its end in order.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

// From the sources: what `up` says of the example is where it lies in the clone.
const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

export interface RunningBallast extends AsyncDisposable {
  /** Resolves with the first match in what it has written to either stream. @throws Error with what was said, where it ends before */
  said(pattern: RegExp): Promise<RegExpMatchArray>
  /** All that was said on standard output and on standard error. */
  readonly output: string
  readonly words: string
  type(text: string): void
  /** Ends it as Ctrl-C does. @returns its exit code */
  stop(): Promise<number | null>
}

/** With `onTerminal` it has a terminal of 122 by 40 (Debian's `script`), and its output is all that is written on that. */
export function startBallast(
  args: readonly string[],
  {
    onTerminal = false,
    environment: more = {},
  }: { readonly onTerminal?: boolean; readonly environment?: Readonly<Record<string, string>> } = {},
): RunningBallast {
  const environment: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm', NO_COLOR: '1' }
  for (const name of ['KUBECONFIG', 'FORCE_COLOR']) Reflect.deleteProperty(environment, name)
  Object.assign(environment, more)
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', main, ...args]
  const quoted = command.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const [program = '', ...given] = onTerminal
    ? ['script', '-qefc', `stty rows 40 cols 122; exec ${quoted}`, '/dev/null']
    : command
  const child = spawn(program, given, { env: environment, stdio: ['pipe', 'pipe', 'pipe'], timeout: 280_000 })
  // It may end while somebody types: `said` tells of that.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  const listeners = new Set<() => void>()
  let output = ''
  let words = ''
  let isOver = false
  const tell = () => {
    for (const listener of listeners) listener()
  }
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece
    tell()
  })
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    words += piece
    tell()
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', code => {
    isOver = true
    resolve(code)
    tell()
  })
  const stop = () => {
    if (onTerminal) child.stdin.write('\x03')
    else child.kill('SIGINT')
    return ended
  }
  return {
    said: pattern => {
      const { promise, resolve: found, reject: lost } = Promise.withResolvers<RegExpMatchArray>()
      const look = () => {
        const match = output.match(pattern) ?? words.match(pattern)
        if (match !== null) found(match)
        else if (isOver) lost(new Error(`it ended before it said ${pattern}:\n${output}\n${words}`))
        else return
        listeners.delete(look)
      }
      listeners.add(look)
      look()
      return promise
    },
    get output() {
      return output
    },
    get words() {
      return words
    },
    type: text => void child.stdin.write(text),
    stop,
    [Symbol.asyncDispose]: async () => {
      if (isOver) return
      child.kill('SIGKILL')
      await ended
    },
  }
}
