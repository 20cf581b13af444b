// The difference between two texts as `git apply` takes it: hunks with three lines around each change.

export interface FileChange {
  /** From the root, with `/`. */
  readonly path: string
  /** `undefined`: the file is new. */
  readonly before: string | undefined
  readonly after: string
}

/** A file that goes. */
export interface FileRemoval {
  readonly path: string
  readonly before: string
  readonly after: undefined
}

const context = 3
/** Beyond so many changed lines the middle is shown as removed and written anew: still right, less readable. */
const mostEdits = 4_000
const noNewline = '\\ No newline at end of file'

type Edit = { readonly mark: ' ' | '-' | '+'; readonly line: string }

/** Nothing for a file that does not change. */
export function unifiedDiff({ path, before, after }: FileChange | FileRemoval): string {
  if (before === after) return ''
  const quoted = (prefix: string) => quotedPath(`${prefix}/${path}`)
  const mode = before === undefined ? ['new file mode 100644'] : after === undefined ? ['deleted file mode 100644'] : []
  const head = [`diff --git ${quoted('a')} ${quoted('b')}`, ...mode]
  const names = [
    `--- ${before === undefined ? '/dev/null' : quoted('a')}`,
    `+++ ${after === undefined ? '/dev/null' : quoted('b')}`,
  ]
  const edits = editsBetween(linesOf(before ?? ''), linesOf(after ?? ''))
  return `${[...head, ...names, ...hunks(edits, before === undefined)].join('\n')}\n`
}

/** As git quotes what is not plain. */
function quotedPath(path: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(path)) return path
  const bytes = [...Buffer.from(path, 'utf8')]
  const text = bytes.map(byte =>
    byte === 0x22 || byte === 0x5c
      ? `\\${String.fromCharCode(byte)}`
      : byte >= 0x20 && byte < 0x7f
        ? String.fromCharCode(byte)
        : `\\${byte.toString(8).padStart(3, '0')}`,
  )
  return `"${text.join('')}"`
}

/** Lines with their ends; the last one may have none. */
function linesOf(text: string): readonly string[] {
  return text === '' ? [] : (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
}

/** The shortest way from one to the other (Myers), what is alike at both ends left out first. */
function editsBetween(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const same = (lines: readonly string[]) => lines.map((line): Edit => ({ mark: ' ', line }))
  const middle = shortest(before.slice(start, before.length - end), after.slice(start, after.length - end))
  return [...same(before.slice(0, start)), ...middle, ...same(before.slice(before.length - end))]
}

function shortest(before: readonly string[], after: readonly string[]): readonly Edit[] {
  const [n, m] = [before.length, after.length]
  const replaced = (): readonly Edit[] => [
    ...before.map((line): Edit => ({ mark: '-', line })),
    ...after.map((line): Edit => ({ mark: '+', line })),
  ]
  if (n === 0 || m === 0) return replaced()
  const reach = new Map<number, number>([[1, 0]])
  const trace: ReadonlyMap<number, number>[] = []
  for (let cost = 0; cost <= Math.min(n + m, mostEdits); cost++) {
    trace.push(new Map(reach))
    for (let diagonal = -cost; diagonal <= cost; diagonal += 2) {
      const down = diagonal === -cost || (diagonal !== cost && (reach.get(diagonal - 1) ?? 0) < (reach.get(diagonal + 1) ?? 0))
      let x = down ? (reach.get(diagonal + 1) ?? 0) : (reach.get(diagonal - 1) ?? 0) + 1
      while (x < n && x - diagonal < m && before[x] === after[x - diagonal]) x++
      reach.set(diagonal, x)
      if (x >= n && x - diagonal >= m) return traced(before, after, trace)
    }
  }
  return replaced()
}

function traced(
  before: readonly string[],
  after: readonly string[],
  trace: readonly ReadonlyMap<number, number>[],
): readonly Edit[] {
  const edits: Edit[] = []
  let [x, y] = [before.length, after.length]
  for (let cost = trace.length - 1; cost >= 0; cost--) {
    const reach = trace[cost] ?? new Map<number, number>()
    const diagonal = x - y
    const down = diagonal === -cost || (diagonal !== cost && (reach.get(diagonal - 1) ?? 0) < (reach.get(diagonal + 1) ?? 0))
    const from = down ? diagonal + 1 : diagonal - 1
    const fromX = reach.get(from) ?? 0
    const fromY = fromX - from
    while (x > fromX && y > fromY) {
      x--
      y--
      edits.push({ mark: ' ', line: before[x] ?? '' })
    }
    if (cost === 0) break
    if (down) {
      y--
      edits.push({ mark: '+', line: after[y] ?? '' })
    } else {
      x--
      edits.push({ mark: '-', line: before[x] ?? '' })
    }
  }
  return edits.reverse()
}

function hunks(edits: readonly Edit[], isNew: boolean): readonly string[] {
  const changed = edits.flatMap(({ mark }, at) => (mark === ' ' ? [] : [at]))
  const groups: { start: number; end: number }[] = []
  for (const at of changed) {
    const last = groups.at(-1)
    if (last !== undefined && at - last.end <= 2 * context) last.end = at
    else groups.push({ start: at, end: at })
  }
  const lines: string[] = []
  let [oldLine, newLine, walked] = [1, 1, 0]
  for (const { start, end } of groups) {
    const first = Math.max(0, start - context)
    const last = Math.min(edits.length - 1, end + context)
    for (; walked < first; walked++) [oldLine, newLine] = stepped(edits[walked], oldLine, newLine)
    const part = edits.slice(first, last + 1)
    const olds = part.filter(({ mark }) => mark !== '+').length
    const news = part.filter(({ mark }) => mark !== '-').length
    const oldStart = isNew || olds === 0 ? oldLine - 1 : oldLine
    const newStart = news === 0 ? newLine - 1 : newLine
    lines.push(`@@ -${oldStart},${olds} +${newStart},${news} @@`)
    for (const { mark, line } of part) {
      lines.push(`${mark}${line.endsWith('\n') ? line.slice(0, -1) : line}`)
      if (!line.endsWith('\n')) lines.push(noNewline)
    }
    for (; walked <= last; walked++) [oldLine, newLine] = stepped(edits[walked], oldLine, newLine)
  }
  return lines
}

function stepped(edit: Edit | undefined, oldLine: number, newLine: number): [number, number] {
  return [oldLine + Number(edit?.mark !== '+'), newLine + Number(edit?.mark !== '-')]
}
