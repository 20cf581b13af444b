// The text of a HelmRelease: where its chart is said, what is written there instead, and where a document can go before it.
import { isAlias, isMap, isNode, isScalar, type Scalar, visit } from 'yaml'
import { lastEnd, pairOf, type Splice, type YamlFile } from './yaml-file.ts'

/** The lines that say the chart. */
interface ChartText {
  readonly start: number
  readonly end: number
  /** Column of the key `chart`. */
  readonly column: number
  /** Columns from one level to the next, as the file has it. */
  readonly step: number
  readonly isFlow: boolean
  /** Comments that stay with the release. */
  readonly comments: readonly string[]
  /** Comments that tools read of the version, above it. */
  readonly aboveVersion: readonly string[]
  /** The comment behind the version. */
  readonly besideVersion: string | undefined
  /** The version as it was written, with its quotes; and what it says. */
  readonly version: { readonly raw: string; readonly value: string } | undefined
}

type ReadChart =
  | { readonly chart: ChartText }
  | { readonly refused: 'anchor-in-chart' | 'unusual-text'; readonly because: string }

const unusual = (because: string): ReadChart => ({ refused: 'unusual-text', because })

/** Reads where the chart of a release is said. */
export function chartTextOf(file: YamlFile, at: number): ReadChart {
  const contents = file.documents[at]?.contents
  const spec = pairOf(contents, 'spec')?.value
  const pair = pairOf(spec, 'chart')
  if (!isMap(spec) || pair === undefined || !isScalar(pair.key) || !pair.key.range || !isMap(pair.value))
    return unusual('spec.chart is not written as a map below spec')
  let shared = false
  let isLong = false
  visit(pair.value, {
    Node: (_, node) => {
      shared ||= isAlias(node) || node.anchor !== undefined
      const [from, to] = node.range ?? [0, 0]
      isLong ||= isScalar(node) && file.text.slice(from, to).includes('\n')
    },
  })
  if (shared) return { refused: 'anchor-in-chart', because: 'an anchor or an alias stands in spec.chart: others may need it' }
  if (isLong) return unusual('a value of spec.chart has several lines')
  const [start] = pair.key.range
  const valueEnd = lastEnd(pair.value)
  if (valueEnd === undefined) return unusual('spec.chart has no end')
  const isFlow = pair.value.flow === true || spec.flow === true
  const slice = file.text.slice(start, valueEnd)
  if (isFlow && /(^|\s)#/m.test(slice)) return unusual('a comment stands in braces')
  const column = file.columnOf(start)
  if (!isFlow && file.text.slice(file.lineStart(start), start).trim() !== '')
    return unusual('something stands before chart in its line')
  const inner = isMap(pair.value) ? pair.value.items[0]?.key : undefined
  const below = isNode(inner) && inner.range ? file.columnOf(inner.range[0]) - column : 2
  const version = pairOf(pairOf(pair.value, 'spec')?.value, 'version')
  const versionNode = isScalar(version?.value) && version.value.value !== null ? version.value : undefined
  const found = isFlow ? noComments : commentsOf(file, start, valueEnd, versionNode)
  return {
    chart: {
      start,
      end: isFlow ? valueEnd : file.lineEnd(valueEnd),
      column,
      step: isFlow ? 2 : below,
      isFlow,
      ...found,
      version: versionNode && {
        raw: file.text.slice(versionNode.range?.[0], versionNode.range?.[1]),
        // As it was written: 1.10 is no 1.1.
        value: versionNode.source ?? String(versionNode.value),
      },
    },
  }
}

const noComments = { comments: [], aboveVersion: [], besideVersion: undefined } as const

/** All comments of these lines; no value of them has several lines, so that a line begins with `#` only where it is one. */
function commentsOf(
  file: YamlFile,
  start: number,
  valueEnd: number,
  version: Scalar | undefined,
): Pick<ChartText, 'comments' | 'aboveVersion' | 'besideVersion'> {
  const comments: string[] = []
  const aboveVersion: string[] = []
  let besideVersion: string | undefined
  const versionAt = version?.range?.[0] ?? -1
  for (let line = file.lineStart(start); line < valueEnd; line = file.nextLine(line)) {
    const text = file.text.slice(line, file.lineEnd(line))
    const own = text.trim()
    if (own.startsWith('#')) (/^#\s*renovate\b/.test(own) ? aboveVersion : comments).push(own)
    else {
      const isVersion = versionAt >= line && versionAt < file.nextLine(line)
      const from = isVersion ? (version?.range?.[1] ?? line) - line : 0
      const beside = /(?:^|\s)(#.*)$/.exec(withoutQuoted(text).slice(from))?.[1]
      const written = beside === undefined ? undefined : text.slice(text.length - beside.length).trim()
      if (isVersion) besideVersion = written
      else if (written !== undefined) comments.push(written)
    }
    if (file.nextLine(line) <= line) break
  }
  return { comments, aboveVersion, besideVersion }
}

/** The line with each `#` in quotes made something else, so that places stay. */
const withoutQuoted = (line: string): string => line.replace(/"(?:\\.|[^"\\])*"|'[^']*'/g, text => '_'.repeat(text.length))

/** The reference in the place of the chart. */
export function chartRefSplice(file: YamlFile, chart: ChartText, name: string, comments: readonly string[]): Splice {
  const { start, end, column, step, isFlow } = chart
  if (isFlow) return { start, end, text: `chartRef: {kind: OCIRepository, name: ${name}}` }
  const inner = ' '.repeat(column + step)
  const lines = [...comments, 'chartRef:'].map((line, at) => (at === 0 ? line : `${' '.repeat(column)}${line}`))
  return { start, end, text: [...lines, `${inner}kind: OCIRepository`, `${inner}name: ${name}`].join(file.eol) }
}

/** The schema comment of the release's document, without its end of line. */
export function schemaComment(file: YamlFile, at: number): string | undefined {
  const { body, end } = file.segmentOf(at)
  return /^# yaml-language-server:\s*\$schema=\S+/m.exec(file.text.slice(body, end))?.[0]
}

type DocumentPlace = { readonly at: number } | { readonly because: string }

/** Where a document goes that is to stand before the one at `at`: comments at the top of the file stay there. */
export function placeBefore(file: YamlFile, at: number): DocumentPlace {
  const { marker, body, hasMarker } = file.segmentOf(at)
  if (hasMarker) {
    const line = file.text.slice(marker, file.lineEnd(marker)).replace(/^---\s*/, '')
    return line === '' || line.startsWith('#') ? { at: body } : { because: 'something stands behind its ---' }
  }
  const content = file.documents[at]?.contents?.range[0] ?? body
  const head = file.text.slice(body, content)
  if (/^%/m.test(head)) return { because: 'a directive of YAML stands before it' }
  const blank = [...head.matchAll(/^[ \t]*\r?\n/gm)].at(-1)
  return { at: blank === undefined ? body : body + blank.index + blank[0].length }
}
