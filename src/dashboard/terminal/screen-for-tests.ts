// A terminal for tests: takes the bytes that a program writes and has the screen that a person would see.
import type { Tty } from './screen.ts'

interface TerminalModel {
  readonly tty: Tty
  /** Lines of the screen without blanks at their ends; empty lines at the bottom left out. */
  lines(): readonly string[]
  /** What scrolled off the top. */
  readonly scrolledOff: readonly string[]
  readonly isAlternate: boolean
  readonly hasCursor: boolean
  readonly wraps: boolean
  readonly isReadingKeys: boolean
  /** Bytes written so far. */
  readonly written: string
  type(text: string): void
  resize(columns: number, rows: number): void
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is read
const token = /\x1b\[([?0-9;]*)([A-Za-z])|[\s\S]/gu

interface Buffer {
  rows: string[][]
  row: number
  column: number
}

/** @throws Error on an escape sequence that it does not know */
export function terminalModel(columns: number, rows: number): TerminalModel {
  const size = { columns, rows }
  const main: Buffer = { rows: [[]], row: 0, column: 0 }
  let screen = main
  const modes = { isAlternate: false, hasCursor: true, wraps: true }
  const scrolledOff: string[] = []
  const keyListeners = new Set<(text: string) => void>()
  const resizeListeners = new Set<() => void>()
  let written = ''

  const lineFeed = () => {
    screen.row++
    if (screen.row >= size.rows) {
      const [first = []] = screen.rows.splice(0, 1)
      if (screen === main) scrolledOff.push(first.join('').trimEnd())
      screen.row = size.rows - 1
    }
  }
  const put = (character: string) => {
    if (screen.column >= size.columns) {
      if (!modes.wraps) screen.column = size.columns - 1
      else {
        screen.column = 0
        lineFeed()
      }
    }
    while (screen.rows.length <= screen.row) screen.rows.push([])
    const line = screen.rows[screen.row] ?? []
    while (line.length < screen.column) line.push(' ')
    line[screen.column] = character
    screen.column++
  }
  const setMode = (number: string, on: boolean) => {
    if (number === '?25') modes.hasCursor = on
    else if (number === '?7') modes.wraps = on
    else if (number === '?1049') {
      modes.isAlternate = on
      screen = on ? { rows: [[]], row: 0, column: 0 } : main
    } else throw new Error(`unknown mode ${number}`)
  }
  const control = (parameters: string, final: string) => {
    const [first = 0, second = 0] = parameters.split(';').map(Number)
    switch (final) {
      case 'H':
        screen.row = Math.max(0, first - 1)
        screen.column = Math.max(0, second - 1)
        return
      case 'A':
        screen.row = Math.max(0, screen.row - Math.max(1, first))
        return
      case 'J':
        if (first === 2) screen.rows = [[]]
        else {
          screen.rows.splice(screen.row + 1)
          screen.rows[screen.row]?.splice(screen.column)
        }
        return
      case 'K':
        if (first === 2) screen.rows[screen.row]?.splice(0)
        else screen.rows[screen.row]?.splice(screen.column)
        return
      case 'h':
      case 'l':
        setMode(parameters, final === 'h')
        return
      case 'm':
        return
      default:
        throw new Error(`unknown sequence ${parameters}${final}`)
    }
  }

  return {
    tty: {
      write: text => {
        written += text
        for (const [character, parameters, final] of text.matchAll(token)) {
          if (final !== undefined) control(parameters ?? '', final)
          else if (character === '\r') screen.column = 0
          else if (character === '\n') {
            screen.column = 0 // as a terminal does it that turns it into both
            lineFeed()
          } else if (character === '\x1b') throw new Error('an escape without a sequence')
          else put(character)
        }
      },
      size: () => ({ ...size }),
      onResize: listener => {
        resizeListeners.add(listener)
        return () => resizeListeners.delete(listener)
      },
      readKeys: listener => {
        keyListeners.add(listener)
        return () => keyListeners.delete(listener)
      },
    },
    lines: () => {
      const lines = screen.rows.map(line => line.join('').trimEnd())
      while (lines.at(-1) === '') lines.pop()
      return lines
    },
    scrolledOff,
    get isAlternate() {
      return modes.isAlternate
    },
    get hasCursor() {
      return modes.hasCursor
    },
    get wraps() {
      return modes.wraps
    },
    get isReadingKeys() {
      return keyListeners.size > 0
    },
    get written() {
      return written
    },
    type: text => {
      for (const listener of keyListeners) listener(text)
    },
    resize: (toColumns, toRows) => {
      size.columns = toColumns
      size.rows = toRows
      for (const listener of resizeListeners) listener()
    },
  }
}
