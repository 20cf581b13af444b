// One YAML file as text with places: what changes are pieces of it, everything else keeps its bytes. What comes out is read back.
import { type Document, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { mostAliases } from '#doctor/repository/documents.ts'
import { isSame } from '#planning/manifest-patches/yaml-edit.ts'

/** A piece of a text, from `start` up to `end`, and what stands there afterwards. */
export interface Splice {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** What becomes of one document, to hold the text against. */
export interface DocumentChange {
  /** Which document of the file, from 0. */
  readonly at: number
  readonly before?: unknown
  /** `undefined`: it goes. */
  readonly now?: unknown
}

/** One part between `---` and `---`. */
interface Segment {
  /** Where its `---` begins; its own beginning where it has none. */
  readonly marker: number
  readonly hasMarker: boolean
  /** After the line of its `---`. */
  readonly body: number
  readonly end: number
}

export class YamlFile {
  readonly path: string
  readonly text: string
  readonly documents: readonly Document.Parsed[]
  readonly eol: string
  readonly #lines = new LineCounter()

  /** @throws where it is no YAML: the reader of the repository passed it before */
  constructor(path: string, text: string) {
    this.path = path
    this.text = text
    this.documents = parsed(text, this.#lines)
    this.eol = /\r\n/.test(text) ? '\r\n' : '\n'
  }

  /** The document whose content begins in `line`, as the reader of the repository counts. */
  documentAt(line: number): number {
    return this.documents.findIndex(({ contents }) => this.#lines.linePos(contents?.range[0] ?? 0).line === line)
  }

  /** A document marker is one wherever it stands at the beginning of a line, so no parser is needed to find it. */
  segmentOf(at: number): Segment {
    const offset = this.documents[at]?.contents?.range[0] ?? 0
    const bom = this.text.startsWith('\uFEFF') ? 1 : 0
    const markers = [...this.text.matchAll(/^\uFEFF?---(?=\s|$).*(?:\r?\n|$)/gm)].map(({ 0: line, index }) => ({
      marker: line.startsWith('\uFEFF') ? index + 1 : index,
      body: index + line.length,
    }))
    const last = markers.findLastIndex(({ marker }) => marker <= offset)
    const own = markers[last]
    return {
      marker: own?.marker ?? bom,
      hasMarker: own !== undefined,
      body: own?.body ?? bom,
      end: markers[last + 1]?.marker ?? this.text.length,
    }
  }

  valueOf(at: number): unknown {
    return this.documents[at]?.toJS({ maxAliasCount: mostAliases })
  }

  columnOf(offset: number): number {
    return offset - this.lineStart(offset)
  }

  lineStart(offset: number): number {
    return this.text.lastIndexOf('\n', offset - 1) + 1
  }

  /** Where the line ends, before what ends it. */
  lineEnd(offset: number): number {
    const end = this.text.indexOf('\n', offset)
    if (end < 0) return this.text.length
    return this.text[end - 1] === '\r' && end > offset ? end - 1 : end
  }

  nextLine(offset: number): number {
    const end = this.text.indexOf('\n', offset)
    return end < 0 ? this.text.length : end + 1
  }

  /** @throws where what comes out is not what was meant: then nothing is to be written */
  changed(splices: readonly Splice[], changes: readonly DocumentChange[]): string {
    let text = this.text
    const ordered = splices.toSorted((a, b) => b.start - a.start || b.end - a.end)
    for (const [index, { start, end, text: piece }] of ordered.entries()) {
      if (end > (ordered[index - 1]?.start ?? text.length)) throw new Error(`${this.path}: two changes of one place`)
      text = text.slice(0, start) + piece + text.slice(end)
    }
    const wanted = this.documents.flatMap((_, at) => {
      const own = changes.filter(change => change.at === at)
      const before = own.flatMap(change => (change.before === undefined ? [] : [change.before]))
      const replaced = own.find(change => 'now' in change)
      if (replaced === undefined) return [...before, this.valueOf(at)]
      return replaced.now === undefined ? before : [...before, replaced.now]
    })
    const read = parsed(text).map(one => one.toJS({ maxAliasCount: mostAliases }))
    if (read.length !== wanted.length || !read.every((one, at) => isSame(one, wanted[at])))
      throw new Error(`${this.path}: the changed text does not say what was meant`)
    return text
  }
}

function parsed(text: string, lineCounter?: LineCounter): readonly Document.Parsed[] {
  const documents = Array.from(
    parseAllDocuments(text, { merge: true, prettyErrors: false, logLevel: 'error', ...(lineCounter && { lineCounter }) }),
  ) as readonly Document.Parsed[]
  const error = documents.flatMap(({ errors }) => errors)[0]
  if (error !== undefined) throw new Error(error.message)
  return documents
}

/** Where the last thing that belongs to a node ends: a block's own end takes in comments and empty lines that follow it. */
export function lastEnd(node: unknown): number | undefined {
  if (isPair(node)) return lastEnd(node.value) ?? lastEnd(node.key)
  if ((isMap(node) || isSeq(node)) && node.flow !== true) {
    const last = node.items.at(-1)
    return last === undefined ? node.range?.[1] : lastEnd(last)
  }
  return isNode(node) ? node.range?.[1] : undefined
}

/** The pair of a key in a map, `undefined` where there is none. */
export function pairOf(map: unknown, key: string) {
  return isMap(map) ? map.items.find(pair => isScalar(pair.key) && pair.key.value === key) : undefined
}
