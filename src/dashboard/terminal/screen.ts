// A terminal that is drawn on: the whole of it (the alternate screen), or the lines below what was printed. Only lines that changed are
// written. What was changed of the terminal is put back by `end`, whoever calls it and however often.

/** A terminal, as a process has it. */
export interface Tty {
  write(text: string): void
  size(): { readonly columns: number; readonly rows: number }
  /** Returns what ends that. */
  onResize(listener: () => void): () => void
  /** Input as it is typed, not shown and not gathered to lines. Returns what ends that. */
  readKeys(listener: (text: string) => void): () => void
}

const enterAlternate = '\x1b[?1049h\x1b[2J\x1b[H'
const leaveAlternate = '\x1b[?1049l'
const hideCursor = '\x1b[?25l'
const showCursor = '\x1b[?25h'
/** What is too long for a line is not continued in the next. */
const noWrap = '\x1b[?7l'
const wrap = '\x1b[?7h'
const clearLine = '\x1b[2K'
const clearBelow = '\x1b[J'

export interface Screen {
  /** Columns and rows that may be drawn on. */
  size(): { readonly columns: number; readonly rows: number }
  /** Shows these lines, none wider than the screen. */
  draw(lines: readonly string[]): void
  /** Text that stays, above what is drawn where there is such a place. */
  print(text: string): void
  /** All is drawn again: somebody else wrote on it. */
  redraw(): void
  /** Gives the terminal back as it was; drawing takes it again. */
  end(): void
}

/** The whole terminal, apart from what was printed on it: that comes back with `end`. */
export function wholeScreen(tty: Tty): Screen {
  let drawn: readonly string[] | undefined
  let shown: readonly string[] = []
  const show = (lines: readonly string[]) => {
    let text = ''
    if (drawn === undefined) text += `${enterAlternate}${hideCursor}${noWrap}`
    const before = drawn ?? []
    for (const [index, line] of lines.entries()) {
      if (before[index] !== line) text += `${at(index)}${clearLine}${line}`
    }
    if (before.length > lines.length) text += `${at(lines.length)}${clearBelow}`
    drawn = lines
    if (text !== '') tty.write(text)
  }
  return {
    size: () => tty.size(),
    draw: lines => {
      shown = lines.slice(0, Math.max(1, tty.size().rows))
      show(shown)
    },
    print: () => undefined, // there is no place for what stays
    redraw: () => {
      if (drawn === undefined) return
      drawn = []
      tty.write('\x1b[2J')
      show(shown)
    },
    end: () => {
      if (drawn === undefined) return
      drawn = undefined
      tty.write(`${wrap}${showCursor}${leaveAlternate}`)
    },
  }
}

function at(row: number): string {
  return `\x1b[${row + 1};1H`
}

/** The lines below what was printed; they stay when it ends. */
export function lowerScreen(tty: Tty): Screen {
  let drawn: readonly string[] | undefined
  let shown: readonly string[] = []
  let width = tty.size().columns
  /** To the first of the drawn lines. Where the terminal became narrower it has folded them. */
  const toTop = () => {
    const { columns } = tty.size()
    const folded = (line: string) => (columns < width ? Math.max(1, Math.ceil(visible(line) / Math.max(1, columns))) : 1)
    const up = (drawn ?? []).reduce((sum, line) => sum + folded(line), 0)
    width = columns
    return up === 0 ? '\r' : `\x1b[${up}A\r`
  }
  const whole = (lines: readonly string[]) => lines.map(line => `${clearLine}${line}\r\n`).join('')
  const show = (lines: readonly string[]) => {
    const before = drawn
    if (before === undefined) {
      drawn = lines
      tty.write(`${hideCursor}${noWrap}${whole(lines)}${wrap}`)
      return
    }
    if (lines.length === before.length && lines.every((line, index) => line === before[index])) return
    const changes = lines.map((line, index) => (before[index] === line ? '\r\n' : `${clearLine}${line}\r\n`)).join('')
    const text = `${toTop()}${noWrap}${changes}${before.length > lines.length ? clearBelow : ''}${wrap}`
    drawn = lines
    tty.write(text)
  }
  const again = (printed: string) => {
    const text = `${toTop()}${clearBelow}${printed}${noWrap}${whole(shown)}${wrap}`
    drawn = shown
    tty.write(text)
  }
  const size = () => {
    const { columns, rows } = tty.size()
    // The line below belongs to the cursor, and some of what was printed shall be seen.
    return { columns, rows: Math.max(3, Math.min(rows - 1, Math.max(12, Math.floor(rows * 0.6)))) }
  }
  return {
    size,
    draw: lines => {
      shown = lines.slice(0, size().rows)
      show(shown)
    },
    print: text => {
      if (drawn === undefined) tty.write(`${text}\n`)
      else again(`${text.replaceAll('\n', '\r\n')}\r\n`)
    },
    redraw: () => {
      if (drawn === undefined) return
      shown = shown.slice(0, size().rows)
      again('')
    },
    end: () => {
      if (drawn === undefined) return
      drawn = undefined
      tty.write(showCursor)
    },
  }
}

/** How many columns `line` takes without its colours; none of ours is wider than its letters where it matters. */
function visible(line: string): number {
  let inEscape = false
  let columns = 0
  for (const character of line) {
    if (character === '\x1b') inEscape = true
    else if (!inEscape) columns++
    else if (character === 'm') inEscape = false
  }
  return columns
}
