// A `ballast` of this clone as a program of its own, with what it has printed.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atEnd } from '../endings.ts'

const program = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const printedMs = 120_000

export interface BallastProcess extends AsyncDisposable {
  /** A directory of its own, for a kubeconfig. */
  readonly directory: string
  printed(): string
  /** What `pattern` finds in what was printed, once it is there. @throws Error after two minutes, or when the program has ended */
  until(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends it a signal that does not end it: `SIGSTOP`, `SIGCONT`. */
  send(signal: NodeJS.Signals): void
  /** Ends it and waits for that. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Starts `ballast` with `args`; standard input stays open. */
export function startBallast(args: readonly string[]): BallastProcess {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-page-'))
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...args.map(arg => arg.replace('{directory}', directory))],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    },
  )
  const isOver = atEnd(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  void ended.then(isOver)
  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
  }
  return {
    directory,
    printed: () => text,
    async until(pattern) {
      const startMs = performance.now()
      for (;;) {
        const found = pattern.exec(text)
        if (found !== null) return found
        if (child.exitCode !== null || performance.now() - startMs > printedMs)
          throw new Error(`ballast ${args.join(' ')} did not print ${pattern} but:\n${text.slice(-4_000)}`)
        await pause(50)
      }
    },
    send: signal => void child.kill(signal),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** `ballast up` of the example, with its page, on any port; it waits for somebody who approves. */
export async function startExample(...more: readonly string[]): Promise<BallastProcess & { readonly url: string }> {
  const ballast = startBallast(['up', '--ask', '--port', '0', '--kubeconfig-out', '{directory}/kubeconfig', ...more])
  const [, url = ''] = await ballast.until(/Ballast {2}(http:\/\/127\.0\.0\.1:\d+\/)/)
  return { ...ballast, url, [Symbol.asyncDispose]: () => ballast[Symbol.asyncDispose]() }
}
