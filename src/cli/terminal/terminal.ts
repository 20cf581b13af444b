// What a person sees: tables, colours, words. Data goes to standard output, words to standard error.
import Table from 'cli-table3'
import pc from 'picocolors'

export interface Terminal {
  /** Data: standard output, a line. */
  write(text: string): void
  /** Words: standard error, a line. */
  say(text: string): void
  readonly isInteractive: boolean
  readonly colour: ReturnType<typeof pc.createColors>
}

/** A column of a table: its heading and on which side its cells stand. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Rows under headings, without borders, each column as wide as its widest cell; one line a row. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  }
  const sheet = new Table({
    head: columns.map(column => column.title),
    colAligns: columns.map(column => column.align ?? 'left'),
    chars: { ...none, left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  sheet.push(...rows.map(cells => [...cells]))
  return sheet
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}

/** The terminal of this process. Colours only where a person looks and `NO_COLOR` is not set. */
export function processTerminal(environment: Readonly<Record<string, string | undefined>>): Terminal {
  const isInteractive = process.stdout.isTTY === true && environment['TERM'] !== 'dumb'
  // A reader that has seen enough, as `head` has, ends us as it ends every program of a pipe: by the number of SIGPIPE.
  process.stdout.on('error', error => {
    if (!('code' in error) || error.code !== 'EPIPE') throw error
    process.exit(128 + 13)
  })
  const wantsColour = environment['FORCE_COLOR'] !== undefined || (isInteractive && environment['NO_COLOR'] === undefined)
  return {
    write: text => void process.stdout.write(`${text}\n`),
    say: text => void process.stderr.write(`${text}\n`),
    isInteractive,
    colour: pc.createColors(wantsColour),
  }
}
