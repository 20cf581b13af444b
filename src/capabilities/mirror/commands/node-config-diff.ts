// What differs between a file and what it should be, by lines. Pure; for small files.

/** Lines with `-`, `+` or a space before them, below two that name the file; empty where both are the same. */
export function lineDifference(path: string, found: string | undefined, wanted: string): readonly string[] {
  if (found === wanted) return []
  const [before, after] = [found === undefined ? [] : linesOf(found), linesOf(wanted)]
  const head = [found === undefined ? '--- /dev/null' : `--- ${path}`, `+++ ${path}`]
  return [...head, ...merged(before, after)]
}

function linesOf(text: string): readonly string[] {
  if (text === '') return []
  if (!text.endsWith('\n'))
    return [...text.split('\n').slice(0, -1), `${text.split('\n').at(-1)}`, '\\ No newline at end of file']
  return text.slice(0, -1).split('\n')
}

/** Beyond so many lines a file is shown as removed and written anew. */
const mostCompared = 2_000

function merged(before: readonly string[], after: readonly string[]): readonly string[] {
  const marked = (line: string, mark: string) => (line.startsWith('\\ ') ? line : `${mark}${line}`)
  if (before.length > mostCompared || after.length > mostCompared)
    return [...before.map(line => marked(line, '-')), ...after.map(line => marked(line, '+'))]
  const lengths = commonLengths(before, after)
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    const [old = '', now = ''] = [before[i], after[j]]
    if (i < before.length && j < after.length && old === now) {
      lines.push(marked(old, ' '))
      i++
      j++
    } else if (j >= after.length || (i < before.length && (lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0))) {
      lines.push(marked(old, '-'))
      i++
    } else {
      lines.push(marked(now, '+'))
      j++
    }
  }
  return lines
}

/** For each pair of ends: how many lines both have in common, in order. */
function commonLengths(before: readonly string[], after: readonly string[]): readonly (readonly number[])[] {
  const lengths: number[][] = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0))
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--) {
      const row = lengths[i]
      if (row === undefined) continue
      row[j] =
        before[i] === after[j] ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(lengths[i + 1]?.[j] ?? 0, lengths[i]?.[j + 1] ?? 0)
    }
  return lengths
}
