// Lines of a kustomization that take files in: some more, each before another, and some less.
import { dirname, join, normalize } from 'node:path/posix'
import { isScalar, isSeq } from 'yaml'
import { listAt } from '#kube/objects/object-fields.ts'
import { type DocumentChange, pairOf, type Splice, type YamlFile } from './yaml-file.ts'

/** What changes under `resources`; entries are files from the root. */
export interface ResourceLines {
  /** Entry, and the name in the same folder that comes before it. */
  readonly added: Map<string, string>
  readonly removed: Set<string>
}

/** Where `entry` stands under `resources`; `undefined`: it has no line of its own that could be changed alone. */
function entryIn(file: YamlFile, entry: string) {
  for (const at of file.documents.keys()) {
    const pair = pairOf(file.documents[at]?.contents, 'resources')
    const list = pair?.value
    if (!isSeq(list) || !isScalar(pair?.key) || !pair.key.range) continue
    const index = list.items.findIndex(
      item => isScalar(item) && typeof item.value === 'string' && normalize(join(dirname(file.path), item.value)) === entry,
    )
    const item = list.items[index]
    if (!isScalar(item) || !item.range || item.anchor !== undefined || list.flow === true) continue
    const [start] = item.range
    const line = file.lineStart(start)
    const lead = file.text.slice(line, start)
    if (/^\s*-\s+$/.test(lead)) return { at, list, index, line, lead, written: String(item.value), key: pair.key.range }
  }
  return undefined
}

/** Can the line of `entry` be changed alone? */
export const hasLine = (file: YamlFile, entry: string): boolean => entryIn(file, entry) !== undefined

/** The changes of one kustomization; every entry has a line (`hasLine`). A list that loses its last line stays as an empty one. */
export function changedLines(
  file: YamlFile,
  { added, removed }: ResourceLines,
): { readonly splices: readonly Splice[]; readonly changes: readonly DocumentChange[] } {
  const splices: Splice[] = []
  const lists = new Map<number, (readonly unknown[])[]>()
  const places = new Map<number, NonNullable<ReturnType<typeof entryIn>>>()
  const take = (entry: string, change: (found: NonNullable<ReturnType<typeof entryIn>>) => readonly unknown[]) => {
    const found = entryIn(file, entry)
    if (found === undefined) throw new Error(`${file.path}: ${entry} has no line of its own`)
    places.set(found.at, found)
    const items = lists.get(found.at) ?? listAt(file.valueOf(found.at), 'resources').map(one => [one])
    items[found.index] = change(found)
    lists.set(found.at, items)
  }
  for (const [entry, name] of added)
    take(entry, ({ line, lead, written }) => {
      const text = `${written.startsWith('./') ? './' : ''}${name}`
      splices.push({ start: line, end: line, text: `${lead}${text}${file.eol}` })
      return [text, written]
    })
  for (const entry of removed)
    take(entry, ({ line }) => {
      splices.push({ start: line, end: file.nextLine(line), text: '' })
      return []
    })
  const changes = [...lists].map(([at, items]): DocumentChange => {
    const value = file.valueOf(at)
    const resources = items.flat()
    const key = places.get(at)?.key
    if (resources.length === 0 && key !== undefined) {
      const colon = file.text.indexOf(':', key[1]) + 1
      splices.push({ start: colon, end: colon, text: ' []' })
    }
    return { at, now: { ...(typeof value === 'object' ? value : {}), resources } }
  })
  return { splices, changes }
}
