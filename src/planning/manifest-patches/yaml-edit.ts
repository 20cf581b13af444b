// One value in a YAML text changed so that everything else keeps its bytes: comments, order, quotes, indentation. What cannot be put in
// between lines is written anew by the document's own printer, and only that; the result is read back and compared before it is believed.

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Pair,
  type ParsedNode,
  parseAllDocuments,
  stringify,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

export type YamlPath = readonly (string | number)[]

interface Place {
  /** Which document of the file, from 0. */
  readonly document: number
  readonly path: YamlPath
}

const mostAliases = 100

/**
 * The text with `value` at `place`. A list that only grew gets its new items, a map its new keys. `undefined`: it cannot be done
 * without changing something else.
 */
export function withValue(text: string, { document: at, path }: Place, value: unknown): string | undefined {
  const isCrlf = /\r\n/.test(text)
  const plain = isCrlf ? text.replaceAll('\r\n', '\n') : text
  const documents = documentsOf(plain)
  const document = documents?.[at]
  if (documents === undefined || document === undefined) return undefined
  const before = document.toJS({ maxAliasCount: mostAliases })
  if (isSame(valueAt(before, path), value)) return text
  const wanted = documents.map((one, index) =>
    index === at ? changedAt(before, path, value) : one.toJS({ maxAliasCount: mostAliases }),
  )
  // What is shared by name is printed out by a printer; lines in between leave it alone, and what is read back tells a change that is shared.
  for (const way of hasAnchors(document) ? [spliced] : [spliced, reprinted]) {
    const result = way(plain, document, path, value)
    if (result !== undefined && isRead(result, wanted)) return isCrlf ? result.replaceAll('\n', '\r\n') : result
  }
  return undefined
}

function documentsOf(text: string): readonly Document.Parsed[] | undefined {
  const documents = Array.from(parseAllDocuments(text, { keepSourceTokens: true, prettyErrors: false }))
  return documents.some(({ errors }) => errors.length > 0) ? undefined : (documents as readonly Document.Parsed[])
}

function hasAnchors(document: Document.Parsed): boolean {
  let isShared = false
  visit(document, {
    Node: (_key, node) => {
      isShared ||= isAlias(node) || node.anchor !== undefined
      return isShared ? visit.BREAK : undefined
    },
  })
  return isShared
}

function isRead(text: string, wanted: readonly unknown[]): boolean {
  const documents = documentsOf(text)
  return (
    documents?.length === wanted.length &&
    documents.every((document, at) => isSame(document.toJS({ maxAliasCount: mostAliases }), wanted[at]))
  )
}

function valueAt(value: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}

function changedAt(value: unknown, path: YamlPath, change: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return change
  if (Array.isArray(value)) {
    const items: unknown[] = [...value]
    items[Number(key)] = changedAt(items[Number(key)], rest, change)
    return items
  }
  const fields = typeof value === 'object' && value !== null ? value : {}
  return { ...fields, [key]: changedAt(Reflect.get(fields, key), rest, change) }
}

/** Equal as JSON, whatever the order of keys. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every(key => Object.hasOwn(other, key) && isSame(Reflect.get(one, key), Reflect.get(other, key)))
  )
}

type Way = (text: string, document: Document.Parsed, path: YamlPath, value: unknown) => string | undefined

/** New keys and items go in between lines. */
const spliced: Way = (text, document, path, value) => {
  const { contents } = document
  return contents === null ? undefined : grown(text, contents, changedAt(contents.toJSON(), path, value))
}

/** The text with the node grown to `wanted`: keys that it lacks, items after its last one. */
function grown(text: string, node: ParsedNode, wanted: unknown): string | undefined {
  const now: unknown = node.toJSON()
  if (isSame(now, wanted)) return text
  if (isMap(node) && node.flow !== true && isRecord(wanted)) {
    let result = text
    // From the last key to the first, so that places before stay where they are.
    const pairs = node.items.toReversed()
    const isPart = Object.keys(wanted).some(key => !node.has(key))
    for (const pair of pairs) {
      const key = keyOf(pair)
      if (!Object.hasOwn(wanted, key)) continue
      const inner = wanted[key]
      if (!isNode(pair.value)) return undefined
      const next = isSame(pair.value.toJSON(), inner)
        ? result
        : (grown(result, pair.value, inner) ?? replacedScalar(result, pair, inner))
      if (next === undefined) return undefined
      result = next
    }
    if (!isPart) return result
    if (result !== text) return undefined
    const fresh = Object.fromEntries(Object.entries(wanted).filter(([key]) => !node.has(key)))
    return insertedAfter(text, node, block(text, fresh, columnOf(text, node)))
  }
  if (isSeq(node) && node.flow !== true && Array.isArray(wanted)) {
    const items: readonly unknown[] = wanted
    const old: readonly unknown[] = Array.isArray(now) ? now : []
    let result = text
    for (let at = old.length - 1; at >= 0; at--) {
      const item = node.items[at]
      if (isSame(old[at], items[at])) continue
      const next = isNode(item) ? grown(result, item as ParsedNode, items[at]) : undefined
      if (next === undefined) return undefined
      result = next
    }
    if (items.length === old.length) return result
    if (items.length < old.length || result !== text || old.length === 0) return undefined
    return insertedAfter(text, node, block(text, items.slice(old.length), columnOf(text, node)))
  }
  return undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
}

/** A plain value in place of a plain value, on its line. */
function replacedScalar(text: string, pair: Pair<unknown, ParsedNode | null>, value: unknown): string | undefined {
  const node = pair.value
  if (!isScalar(node) || typeof value === 'object' || !('range' in node) || !node.range) return undefined
  return text.slice(0, node.range[0]) + stringify(value).trimEnd() + text.slice(node.range[1])
}

/** The column of the node's keys or dashes. */
function columnOf(text: string, node: YAMLMap | YAMLSeq): number {
  const start = node.range?.[0] ?? 0
  return start - (text.lastIndexOf('\n', start - 1) + 1)
}

/** The value as lines at a column; lists are indented as the file has them. */
function block(text: string, value: unknown, column: number): string {
  const printed = stringify(value, { lineWidth: 0, indentSeq: isSeqIndented(text) })
  return printed
    .trimEnd()
    .split('\n')
    .map(line => `${' '.repeat(column)}${line}`)
    .join('\n')
}

/** Whether lists below a key stand further right than the key. */
function isSeqIndented(text: string): boolean {
  const [, keyIndent, dashIndent] = /^( *)(?:- )?[\w./-]+:[ \t]*(?:#.*)?\n( *)- /m.exec(text) ?? []
  return keyIndent === undefined || dashIndent === undefined || dashIndent.length > keyIndent.length
}

/** Lines after the last line of what the node holds. */
function insertedAfter(text: string, node: YAMLMap | YAMLSeq, lines: string): string | undefined {
  const end = lastEnd(node)
  if (end === undefined) return undefined
  if (end > 0 && text[end - 1] === '\n') return `${text.slice(0, end)}${lines}\n${text.slice(end)}`
  const lineEnd = text.indexOf('\n', end)
  return lineEnd < 0 ? `${text}\n${lines}\n` : `${text.slice(0, lineEnd)}\n${lines}${text.slice(lineEnd)}`
}

/** Where the value of the last thing in the node ends. */
function lastEnd(node: unknown): number | undefined {
  if (isPair(node)) return lastEnd(node.value) ?? lastEnd(node.key)
  if ((isMap(node) || isSeq(node)) && node.flow !== true) {
    const last = node.items.at(-1)
    return last === undefined ? node.range?.[1] : lastEnd(last)
  }
  return isNode(node) ? node.range?.[1] : undefined
}

/** The nearest value around the place that stands in a block is printed anew. */
const reprinted: Way = (text, document, path, value) => {
  document.setIn([...path], document.createNode(value))
  for (let length = path.length - 1; length >= 1; length--) {
    const parent = document.getIn(
      path.slice(0, length - 1).map(key => key),
      true,
    )
    const key = path[length - 1]
    if (!isMap(parent) || parent.flow === true || key === undefined) continue
    const pair = parent.items.find(one => keyOf(one) === String(key))
    const node = pair?.value
    const range = isNode(node) ? node.range : undefined
    const keyRange = isNode(pair?.key) ? pair.key.range : undefined
    if (pair === undefined || !range || !keyRange) continue
    const column = keyRange[0] - (text.lastIndexOf('\n', keyRange[0] - 1) + 1)
    const printed = stringify(
      { [String(key)]: node },
      { lineWidth: 0, indentSeq: isSeqIndented(text), flowCollectionPadding: false },
    )
    const lines = printed.trimEnd().split('\n')
    const joined = lines.map((line, at) => (at === 0 ? line : `${' '.repeat(column)}${line}`)).join('\n')
    return text.slice(0, keyRange[0]) + joined + text.slice(range[1])
  }
  return undefined
}
