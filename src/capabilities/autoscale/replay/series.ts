// A recorded series from CSV: a line for each moment, a column for each trigger. An empty cell is a source that did not answer.
import type { Parsed, Problem } from '#kube/problem.ts'
import { parseTime } from '#kube/time/time.ts'

export interface Series {
  /** Names of the columns after the time. */
  readonly columns: readonly string[]
  /** Milliseconds since 1970, rising. */
  readonly times: readonly number[]
  /** Column by column, a value for each time; undefined: the source did not answer. */
  readonly values: readonly (readonly (number | undefined)[])[]
}

type Read = { readonly ok: true; readonly value: Series } | { readonly ok: false; readonly problems: readonly Problem[] }

/** Lines: a year of one each 15 s. */
const mostLines = 2_200_000
/** One wrong export is wrong in every line. */
const mostProblems = 10
const mostColumns = 64
/** Beyond this a number counts milliseconds: in seconds it would be the year 5138. */
const firstMilliseconds = 1e11
const failedWords: ReadonlySet<string> = new Set(['', 'nan', 'null', 'error'])

/** `file` is what problems call it. */
export function readSeries(file: string, text: string): Read {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const refused = (line: number, found: string, expected: string): Problem => ({
    code: 'series-syntax',
    where: `${file}: line ${line}`,
    found,
    expected,
  })
  const heading = cellsOf(lines[0] ?? '')
  if (heading[0]?.toLowerCase() !== 'time')
    return failed(refused(1, lines[0] ?? '', 'a heading such as time,queue: the time first, then a column for each trigger'))
  if (heading.length > mostColumns) return failed(refused(1, `${heading.length} columns`, `at most ${mostColumns}`))
  const columns = heading.slice(1)
  const twice = columns.find((name, at) => columns.indexOf(name) !== at)
  if (twice !== undefined) return failed(refused(1, twice, 'each column once'))
  if (lines.length > mostLines) return failed(refused(mostLines + 1, `${lines.length} lines`, `at most ${mostLines}`))
  const times: number[] = []
  const values = columns.map((): (number | undefined)[] => [])
  const problems: Problem[] = []
  for (const [at, line] of lines.entries()) {
    if (at === 0 || line.trim() === '') continue
    if (problems.length >= mostProblems) break
    const problem = takeLine(line, { columns, times, values })
    if (problem !== undefined) problems.push(refused(at + 1, problem.found, problem.expected))
  }
  if (problems.length > 0) return { ok: false, problems }
  if (times.length < 2)
    return failed(refused(lines.length, `${times.length} lines of values`, 'at least two, to last from one to the other'))
  return { ok: true, value: { columns, times, values } }
}

function failed(problem: Problem): Read {
  return { ok: false, problems: [problem] }
}

function takeLine(
  line: string,
  {
    columns,
    times,
    values,
  }: { readonly columns: readonly string[]; readonly times: number[]; readonly values: (number | undefined)[][] },
): Pick<Problem, 'found' | 'expected'> | undefined {
  const [time = '', ...cells] = cellsOf(line)
  if (cells.length !== columns.length) return { found: line, expected: `${columns.length + 1} cells, as the heading has` }
  const parsed = timeOf(time)
  if (!parsed.ok) return parsed.problem
  const last = times.at(-1)
  if (last !== undefined && parsed.value <= last) return { found: time, expected: 'a later time than in the line before' }
  const read = cells.map(cell => (failedWords.has(cell.toLowerCase()) ? undefined : Number(cell)))
  const wrong = read.findIndex(value => value !== undefined && !Number.isFinite(value))
  if (wrong >= 0)
    return { found: cells[wrong] ?? '', expected: `a number for ${columns[wrong]}, or nothing where its source did not answer` }
  times.push(parsed.value)
  for (const [at, value] of read.entries()) values[at]?.push(value)
  return undefined
}

/** RFC 3339, or seconds or milliseconds since 1970. */
function timeOf(text: string): Parsed<number> {
  if (!/^\d+(?:\.\d+)?$/.test(text)) {
    const parsed = parseTime(text)
    if (parsed.ok) return parsed
    const expected = 'a time such as 2026-03-04T05:06:07Z, or seconds since 1970'
    return { ok: false, problem: { ...parsed.problem, expected } }
  }
  const number = Number(text)
  return { ok: true, value: Math.round(number < firstMilliseconds ? number * 1_000 : number) }
}

/** Cells hold numbers and names, so that no comma is ever inside of quotes. */
function cellsOf(line: string): readonly string[] {
  return line.split(',').map(cell => cell.trim().replace(/^"(.*)"$/, '$1'))
}
