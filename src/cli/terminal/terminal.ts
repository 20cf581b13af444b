// What a person sees: tables, colours, words. Data goes to standard output, words to standard error.
import pc from 'picocolors'

export { table } from '#dashboard/terminal/lines.ts'

export interface Terminal {
  /** Data: standard output, a line. */
  write(text: string): void
  /** Words: standard error, a line. */
  say(text: string): void
  /** Words that the next ones replace: a line of standard error that goes. Absent where it is no terminal. */
  status?(text: string): void
  readonly isInteractive: boolean
  /** How many columns a line has; absent: nobody says, as in a pipe. */
  readonly columns?: number
  readonly colour: ReturnType<typeof pc.createColors>
}

/** Nobody knows whether a narrower terminal is meant. */
const fewestColumns = 40

/** The terminal of this process. Colours only where a person looks and `NO_COLOR` is not set. */
export function processTerminal(environment: Readonly<Record<string, string | undefined>>): Terminal {
  const isInteractive = process.stdout.isTTY === true && environment['TERM'] !== 'dumb'
  // A reader that has seen enough, as `head` has, ends us as it ends every program of a pipe: by the number of SIGPIPE.
  process.stdout.on('error', error => {
    if (!('code' in error) || error.code !== 'EPIPE') throw error
    process.exit(128 + 13)
  })
  const wantsColour = environment['FORCE_COLOR'] !== undefined || (isInteractive && environment['NO_COLOR'] === undefined)
  const columns = process.stdout.isTTY === true ? process.stdout.columns : Number(environment['COLUMNS'])
  const { stderr } = process
  const hasStatus = stderr.isTTY === true && environment['TERM'] !== 'dumb'
  let isStatusShown = false
  const clear = () => {
    if (isStatusShown) stderr.write('\r\u001b[K')
    isStatusShown = false
  }
  const status = (text: string) => {
    clear()
    stderr.write(text.slice(0, Math.max(fewestColumns, stderr.columns) - 1))
    isStatusShown = true
  }
  return {
    ...(hasStatus ? { status } : {}),
    ...(Number.isInteger(columns) && columns >= fewestColumns ? { columns } : {}),
    write: text => {
      clear()
      process.stdout.write(`${text}\n`)
    },
    say: text => {
      clear()
      stderr.write(`${text}\n`)
    },
    isInteractive,
    colour: pc.createColors(wantsColour),
  }
}
