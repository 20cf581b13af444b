// The terminal of this process as something to draw on, given back however the process ends.
import type { Screen, Tty } from '#dashboard/terminal/screen.ts'

/** The terminal that a person looks at; `undefined` where there is none, or one that can only be written on line by line. */
export function processTty(environment: Readonly<Record<string, string | undefined>>): Tty | undefined {
  const { stdin, stdout } = process
  if (stdout.isTTY !== true || environment['TERM'] === 'dumb') return undefined
  return {
    write: text => void stdout.write(text),
    size: () => ({ columns: positive(stdout.columns, 80), rows: positive(stdout.rows, 24) }),
    onResize: listener => {
      stdout.on('resize', listener)
      return () => void stdout.off('resize', listener)
    },
    readKeys: listener => {
      if (stdin.isTTY !== true) return () => undefined
      const onData = (piece: Buffer) => listener(piece.toString('utf8'))
      stdin.setRawMode(true)
      stdin.on('data', onData)
      stdin.resume()
      return () => {
        stdin.off('data', onData)
        stdin.setRawMode(false)
        stdin.pause()
      }
    },
  }
}

/** Terminals that do not know their size say 0. */
function positive(size: number | undefined, otherwise: number): number {
  return size === undefined || size < 1 ? otherwise : size
}

/** Calls `restore` when the process ends in any way that can be noticed, before a fault is told. Disposing forgets it. */
export function restoredOnEnd(restore: () => void): Disposable {
  const onQuit = () => {
    restore()
    process.off('SIGQUIT', onQuit)
    process.kill(process.pid, 'SIGQUIT')
  }
  process.on('exit', restore)
  process.on('uncaughtExceptionMonitor', restore)
  process.on('SIGQUIT', onQuit)
  return {
    [Symbol.dispose]: () => {
      process.off('exit', restore)
      process.off('uncaughtExceptionMonitor', restore)
      process.off('SIGQUIT', onQuit)
    },
  }
}

/** Ctrl-C, where keys are read one by one: what the terminal would have sent to all that were started together. */
export function interruptAll(): void {
  process.kill(0, 'SIGINT')
}

/** Ctrl-Z: stops all that were started together; `onGoingOn` when the shell lets them go on. */
export function suspendAll(screen: Pick<Screen, 'end'>, onGoingOn: () => void): void {
  const { stdin } = process
  screen.end()
  if (stdin.isTTY === true) stdin.setRawMode(false)
  process.once('SIGCONT', () => {
    if (stdin.isTTY === true) stdin.setRawMode(true)
    onGoingOn()
  })
  process.kill(0, 'SIGTSTP')
}
