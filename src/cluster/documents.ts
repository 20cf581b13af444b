// Kubernetes objects from the text of a file: YAML with any number of documents, or JSON; lists are taken apart.

import { LineCounter, parseAllDocuments } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import type { JsonItem } from './json-items.ts'
import { type SchedulerConfiguration, simulatorExport } from './simulator-export.ts'

interface ReadObject {
  readonly object: KubeObject
  /** `cluster/pods.yaml: document 3`, with `: items[5]` for the items of a list. */
  readonly where: string
}

interface Documents {
  readonly objects: readonly ReadObject[]
  /** Documents that do not parse or hold no object. The others are read all the same. */
  readonly problems: readonly Problem[]
  /** Configurations in exports of kube-scheduler-simulator; absent where there is none. */
  readonly configurations?: readonly SchedulerConfiguration[]
}

/** What was collected so far. */
interface Collected {
  readonly objects: ReadObject[]
  readonly problems: Problem[]
  readonly configurations: SchedulerConfiguration[]
}

/** Beyond this many bytes a file is no dump of a cluster that Ballast handles. */
const mostBytes = 512 * 1024 * 1024
/** The parser of YAML takes a hundred times a text's size in memory; JSON has no such limit. */
const mostYamlBytes = 32 * 1024 * 1024
const mostDocuments = 100_000
const mostAliases = 1_000
/** Levels of an object; one that holds itself by an alias has no end of them. */
const deepestObject = 200
/** An API server takes no request of more than 3 MiB, so no line of an object is longer; JSON may be one line. */
const longestLine = 3 * 1024 * 1024
/** Lists within lists. */
const deepestList = 3

/** The objects that `text` holds. `file` is what its problems call it. Items of a list get the kind of the list where they have none. */
export function readDocuments(file: string, text: string): Documents {
  if (text.length > mostBytes) {
    return {
      objects: [],
      problems: [{ code: 'file-too-large', where: file, found: `${text.length} characters`, expected: `at most ${mostBytes}` }],
    }
  }
  const json = looksLikeJson(text) ? parseJson(text) : undefined
  const values = json === undefined ? parseYaml(file, text) : { documents: json, problems: [] }
  const into: Collected = { objects: [], problems: [...values.problems], configurations: [] }
  for (const { value, number } of values.documents) collect(value, { where: `${file}: document ${number}`, depth: 0 }, into)
  return documentsOf(into)
}

/** The objects of one piece of a long JSON text; `item` says where in `file` it stood. */
export function readJsonItem(file: string, item: JsonItem): Documents {
  const document = `${file}: document ${item.document}`
  const where = item.item === undefined ? document : `${document}: items[${item.item}]`
  const into: Collected = { objects: [], problems: [], configurations: [] }
  if (item.problem !== undefined) into.problems.push({ code: 'json-syntax', where, found: item.problem, expected: 'JSON' })
  else {
    const { value } = item
    const isNamed = typeof value === 'object' && value !== null && !Array.isArray(value) && item.item !== undefined
    const named = isNamed ? { ...listItems({ ...item.head, items: [] })?.defaults, ...value } : value
    collect(named, { where, depth: item.item === undefined ? 0 : 1 }, into)
  }
  return documentsOf(into)
}

function documentsOf({ objects, problems, configurations }: Collected): Documents {
  return { objects, problems, ...(configurations.length === 0 ? {} : { configurations }) }
}

function tooMuchYaml(file: string, text: string): Problem | undefined {
  const hint = 'the same as JSON (kubectl get -o json) may be sixteen times as long'
  if (text.length > mostYamlBytes)
    return {
      code: 'file-too-large',
      where: file,
      found: `${text.length} characters of YAML`,
      expected: `at most ${mostYamlBytes}; ${hint}`,
    }
  let documents = 0
  for (let at = text.indexOf('\n---'); at >= 0 && documents <= mostDocuments; at = text.indexOf('\n---', at + 1)) documents++
  if (documents <= mostDocuments) return undefined
  return {
    code: 'file-too-large',
    where: file,
    found: `more than ${mostDocuments} documents`,
    expected: `at most ${mostDocuments}; ${hint}`,
  }
}

function looksLikeJson(text: string): boolean {
  return /^\s*[[{]/.test(text)
}

/**
 * JSON is read as such because it is many times faster; what is not quite JSON may still be YAML. Several answers of
 * `kubectl get -o json` that were put into one file are as many documents.
 */
function parseJson(text: string): Parsed['documents'] | undefined {
  const whole = jsonValue(text)
  if (whole !== undefined) return [{ value: whole, number: 1 }]
  const documents: { readonly value: unknown; readonly number: number }[] = []
  for (const piece of text.split(/^(?=\{)/m)) {
    if (piece.trim() === '') continue
    const value = jsonValue(piece)
    if (value === undefined) return undefined
    documents.push({ value, number: documents.length + 1 })
  }
  return documents
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

interface Parsed {
  readonly documents: readonly { readonly value: unknown; readonly number: number }[]
  readonly problems: readonly Problem[]
}

/**
 * Answers of `kubectl get -o yaml` that were put into one file without `---` between them, taken apart: no document can have a second
 * `apiVersion` at its left edge. `insertedAt`: where in the result there is a line more than in `text`.
 */
function withSeparators(text: string): { readonly text: string; readonly insertedAt: readonly number[] } {
  const separator = '---\n'
  const pieces: string[] = []
  const insertedAt: number[] = []
  let taken = 0
  let isBegun = false
  for (const { 0: found, index } of text.matchAll(/^(?:---|\.\.\.|apiVersion:)/gm)) {
    if (found === 'apiVersion:' && isBegun) {
      pieces.push(text.slice(taken, index))
      insertedAt.push(index + insertedAt.length * separator.length)
      taken = index
    }
    isBegun = found === 'apiVersion:'
  }
  return insertedAt.length === 0 ? { text, insertedAt } : { text: [...pieces, text.slice(taken)].join(separator), insertedAt }
}

function parseYaml(file: string, text: string): Parsed {
  const lineCounter = new LineCounter()
  const problems: Problem[] = []
  const apart = withSeparators(text)
  const readable = withoutLongLines(file, apart.text, problems)
  const tooMuch = tooMuchYaml(file, readable)
  if (tooMuch !== undefined) return { documents: [], problems: [...problems, tooMuch] }
  const documents: { readonly value: unknown; readonly number: number }[] = []
  // An empty stream comes as a list of its own kind without documents.
  for (const [index, document] of Array.from(
    parseAllDocuments(readable, { lineCounter, merge: true, prettyErrors: false }),
  ).entries()) {
    const number = index + 1
    const where = `${file}: document ${number}`
    // What else is wrong in a broken document mostly follows from the first.
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      const more = apart.insertedAt.filter(inserted => inserted < error.pos[0]).length
      const at = `${where}: line ${line - more} column ${col}`
      problems.push({
        code: 'yaml-syntax',
        where: at,
        found: excerpt(readable, error.pos[0]),
        expected: error.message.includes('call stack') ? 'YAML that is nested less deeply' : `YAML: ${error.message}`,
      })
      continue
    }
    try {
      documents.push({ value: document.toJS({ maxAliasCount: mostAliases }), number })
    } catch (error) {
      // Aliases that name nothing, or multiply without end; merges of what is no map.
      if (!(error instanceof Error)) throw error
      problems.push({
        code: 'yaml-alias',
        where,
        found: error.message,
        expected: `YAML with aliases that resolve, at most ${mostAliases} of them, and merges (<<) of maps`,
      })
    }
  }
  return { documents, problems }
}

/** Documents with a line that is too long are named and made empty: they would take the parser many seconds. Lines keep their numbers. */
function withoutLongLines(file: string, text: string, problems: Problem[]): string {
  if (text.length <= longestLine) return text
  return text
    .split(/^(?=---(?:\s|$))/m)
    .map((document, index) => {
      const lines = document.split('\n')
      const long = lines.find(line => line.length > longestLine)
      if (long === undefined) return document
      const found = `${long.slice(0, 40)}… of ${long.length} characters`
      problems.push({
        code: 'line-too-long',
        where: `${file}: document ${index + 1}`,
        found,
        expected: `lines of at most ${longestLine} characters`,
      })
      return `${document.startsWith('---') ? '---' : 'null'}${'\n'.repeat(lines.length - 1)}`
    })
    .join('')
}

function excerpt(text: string, at: number): string {
  return text.slice(at, at + 40).split('\n', 1)[0] ?? ''
}

function collect(value: unknown, { where, depth }: { readonly where: string; readonly depth: number }, into: Collected): void {
  if (value === null || value === undefined) return
  if (Array.isArray(value) && depth <= deepestList) {
    for (const [index, item] of value.entries()) collect(item, { where: `${where}[${index}]`, depth: depth + 1 }, into)
    return
  }
  if (typeof value !== 'object') {
    into.problems.push({ code: 'document-shape', where, found: String(value), expected: 'a Kubernetes object' })
    return
  }
  const list = listItems(value)
  const exported = list === undefined && depth === 0 ? simulatorExport(value, where) : undefined
  if (exported !== undefined) {
    for (const item of exported.items) add(item.value, item.where, into)
    into.problems.push(...exported.problems)
    if (exported.configuration !== undefined) into.configurations.push(exported.configuration)
    return
  }
  if (list === undefined && !Array.isArray(value)) {
    // What it lacks or has wrongly is found where the cluster is put together.
    add(value, where, into)
    return
  }
  if (list === undefined || depth >= deepestList) {
    into.problems.push({
      code: 'list-too-deep',
      where,
      found: `${depth} lists within each other`,
      expected: `at most ${deepestList}`,
    })
    return
  }
  for (const [index, item] of list.items.entries()) {
    const named = typeof item === 'object' && item !== null && !Array.isArray(item) ? { ...list.defaults, ...item } : item
    collect(named, { where: `${where}: items[${index}]`, depth: depth + 1 }, into)
  }
}

/** The items of a `List` or `PodList`, and what kind they are if they do not say: those of a `PodList` are Pods. */
function listItems(
  value: object,
): { readonly items: readonly unknown[]; readonly defaults: Readonly<Record<string, string>> } | undefined {
  if (!('kind' in value) || typeof value.kind !== 'string' || !value.kind.endsWith('List')) return undefined
  if (!('items' in value) || !(Array.isArray(value.items) || value.items === null)) return undefined
  const items: readonly unknown[] = value.items ?? []
  const kind = value.kind.slice(0, -'List'.length)
  const apiVersion = 'apiVersion' in value && typeof value.apiVersion === 'string' ? value.apiVersion : undefined
  return { items, defaults: kind === '' || apiVersion === undefined ? {} : { apiVersion, kind } }
}

/** What is nested without end. */
class TooDeep extends Error {
  override readonly name = 'TooDeep'
}

/** Adds it without fields that are null; one of too many levels is named and left out. */
function add(value: object, where: string, into: Collected): void {
  try {
    into.objects.push({ object: withoutNulls(value, deepestObject) as KubeObject, where })
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error
    into.problems.push({
      code: 'object-too-deep',
      where,
      found: `more than ${deepestObject} levels, or an alias within what it stands for`,
      expected: 'an object as an API server takes it',
    })
  }
}

/** A field that is null is absent, as on an API server. Items of lists stay as they are. What has none is not copied. */
function withoutNulls(value: object, levels: number): object {
  if (levels === 0) throw new TooDeep()
  if (Array.isArray(value)) {
    const given: readonly unknown[] = value
    let items: unknown[] | undefined
    for (const [index, item] of given.entries()) {
      const kept = isTree(item) ? withoutNulls(item, levels - 1) : item
      if (kept === item) continue
      items ??= [...given]
      items[index] = kept
    }
    return items ?? value
  }
  // Nearly none has such a field: nothing is made before one is met.
  let kept: Map<string, unknown> | undefined
  for (const key of Object.keys(value)) {
    const field: unknown = Reflect.get(value, key)
    const clean = isTree(field) ? withoutNulls(field, levels - 1) : field
    if (clean === field && field !== null) continue
    kept ??= new Map(Object.entries(value))
    if (clean === null) kept.delete(key)
    else kept.set(key, clean)
  }
  return kept === undefined ? value : Object.fromEntries(kept)
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
