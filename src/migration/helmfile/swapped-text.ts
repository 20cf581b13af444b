// The text of a helmfile with ours in the place of others: only their lines change, and what waits for them.
import { isAlias, isNode, isScalar, isSeq, type Node, type Scalar } from 'yaml'
import { at, listAt } from '#kube/objects/object-fields.ts'
import { lastEnd, pairOf, type Splice, type YamlFile } from '../oci/yaml-file.ts'
import { type HelmfileText, isMeant, lineOf, type ReleaseText, shownRelease } from './helmfile-text.ts'

interface Swap {
  /** Ours stands in its lines. */
  readonly lead: ReleaseText
  /** Their lines go. */
  readonly joined: readonly ReleaseText[]
  readonly ownName: string
  readonly options: { readonly chart: string; readonly version: string; readonly valuesFile: string }
}

/** These keys of a release have a place in ours. */
const known = new Set(['name', 'namespace', 'chart', 'version', 'values', 'needs', 'set', 'secrets', 'condition', 'installed'])

/** @throws where the text does not say what was meant */
export function swappedText(
  { file, releases }: HelmfileText,
  swap: Swap,
): { readonly after: string; readonly notes: readonly string[] } {
  const { lead, joined } = swap
  const gone = [lead, ...joined]
  const splices: Splice[] = []
  const notes: string[] = []
  const wanted = new Map<ReleaseText, Readonly<Record<string, unknown>> | undefined>()
  const own = shownRelease({ name: swap.ownName, namespace: lead.namespace })
  const ledTo = (need: string): string => {
    if (!gone.some(one => isMeant(need, one))) return need
    const parts = need.split('/')
    const context = parts.length > 2 ? `${parts[0]}/` : ''
    return parts.length === 1 && isMeant(need, lead) ? swap.ownName : `${context}${own}`
  }
  const needsOf = (needs: readonly string[]) => [...new Set(needs.map(ledTo))]
  for (const release of releases) {
    if (gone.includes(release) || !release.needs.some(need => ledTo(need) !== need)) continue
    const needs = needsOf(release.needs)
    splices.push(...needSplices(file, release, needs, ledTo))
    wanted.set(release, { ...release.value, needs })
  }
  const led = leadSplices(
    file,
    swap,
    needsOf(gone.flatMap(({ needs }) => needs)).filter(need => need !== own && need !== swap.ownName),
  )
  splices.push(...led.splices)
  notes.push(...led.notes)
  wanted.set(lead, led.value)
  for (const release of joined) {
    splices.push(removal(file, release))
    wanted.set(release, undefined)
    for (const key of Object.keys(release.value).filter(one => !known.has(one)))
      notes.push(`${file.path}:${keyLine(file, release, key)}: ${key} of release ${shownRelease(release)} goes with it`)
  }
  const documents = [...new Set([...wanted.keys()].map(({ document }) => document))]
  const changes = documents.map(document => {
    const value = file.valueOf(document)
    const list = listAt(value, 'releases').flatMap((one, index) => {
      const entry = [...wanted].find(([release]) => release.document === document && release.index === index)
      return entry === undefined ? [one] : entry[1] === undefined ? [] : [entry[1]]
    })
    return { at: document, now: { ...Object(value), releases: list } }
  })
  return { after: file.changed(splices, changes), notes }
}

function keyLine(file: YamlFile, { node, line }: ReleaseText, key: string): number {
  const pair = pairOf(node, key)
  return isScalar(pair?.key) && pair.key.range ? lineOf(file, pair.key.range[0]) : line
}

/** As it was written: with its quotes. */
function scalarSplice(file: YamlFile, node: Scalar, text: string): Splice {
  const [start = 0, end = 0] = node.range ?? []
  const [quote = ''] = /^["']/.exec(file.text.slice(start, end)) ?? []
  return { start, end, text: `${quote}${text}${quote}` }
}

/** Each need in its place; the whole list where two become one. */
function needSplices(
  file: YamlFile,
  release: ReleaseText,
  needs: readonly string[],
  ledTo: (need: string) => string,
): readonly Splice[] {
  const list = release.node.get('needs', true)
  if (!isSeq(list) || isAlias(list)) throw new Error(`${file.path}:${release.line}: needs is not written as a list of its own`)
  if (needs.length !== release.needs.length) return [listSplice(file, list, needs)]
  return list.items.flatMap((node, index) => {
    const need = release.needs[index] ?? ''
    if (ledTo(need) === need) return []
    if (!isScalar(node)) throw new Error(`${file.path}:${release.line}: need ${need} is not written as a text of its own`)
    return [scalarSplice(file, node, ledTo(need))]
  })
}

/** A list of texts anew, in the style that it has. */
function listSplice(file: YamlFile, list: Node & { readonly flow?: boolean }, texts: readonly string[]): Splice {
  const start = list.range?.[0] ?? 0
  const end = lastEnd(list) ?? start
  if (list.flow === true || texts.length === 0) return { start, end, text: `[${texts.map(one => `"${one}"`).join(', ')}]` }
  const indent = ' '.repeat(file.columnOf(start))
  return { start, end, text: texts.map((one, index) => `${index === 0 ? '' : indent}- ${one}`).join(file.eol) }
}

function leadSplices(
  file: YamlFile,
  { lead, ownName, options }: Swap,
  needs: readonly string[],
): { readonly splices: readonly Splice[]; readonly value: Readonly<Record<string, unknown>>; readonly notes: readonly string[] } {
  const { node } = lead
  const splices: Splice[] = []
  const notes: string[] = []
  const added: string[] = []
  const texts = { name: ownName, chart: options.chart, version: options.version }
  for (const [key, text] of Object.entries(texts)) {
    const value = pairOf(node, key)?.value
    if (isScalar(value) && value.range) splices.push(scalarSplice(file, value, text))
    else added.push(`${key}: ${text}`)
  }
  const lists = { values: [options.valuesFile], needs }
  for (const [key, items] of Object.entries(lists)) {
    if (key === 'needs' && isSameList(items, lead.needs)) continue
    const value = pairOf(node, key)?.value
    if (isSeq(value)) {
      splices.push(listSplice(file, value, items))
      const said = file.text.slice(value.range?.[0] ?? 0, lastEnd(value) ?? 0)
      if (/(^|\s)#/m.test(said)) notes.push(`${file.path}:${keyLine(file, lead, key)}: comments in its ${key} go`)
    } else if (items.length > 0) added.push(`${key}: [${items.map(one => `"${one}"`).join(', ')}]`)
  }
  const { set: _, secrets: __, ...stays } = lead.value
  for (const key of ['set', 'secrets']) {
    const pair = pairOf(node, key)
    if (pair === undefined || !isNode(pair.key) || !pair.key.range) continue
    const start = file.lineStart(pair.key.range[0])
    splices.push({ start, end: file.nextLine((lastEnd(pair) ?? start) - 1), text: '' })
  }
  if (added.length > 0) {
    const chart = pairOf(node, 'chart')
    const place = file.lineEnd(lastEnd(chart) ?? 0)
    const indent = ' '.repeat(file.columnOf(node.range?.[0] ?? 0))
    splices.push({ start: place, end: place, text: added.map(one => `${file.eol}${indent}${one}`).join('') })
  }
  for (const key of Object.keys(lead.value).filter(one => !known.has(one)))
    notes.push(`${file.path}:${keyLine(file, lead, key)}: ${key} stays, now of release ${ownName}: look whether it fits`)
  const above = pairOf(node, 'version')?.value
  const line = isScalar(above) && above.range ? file.lineStart(above.range[0]) : undefined
  if (line !== undefined && /^\s*#\s*renovate\b/.test(file.text.slice(file.lineStart(line - 1), line)))
    notes.push(`${file.path}:${lineOf(file, line) - 1}: this comment has Renovate look for upstream's versions: change it`)
  const hasNeeds = needs.length > 0 || at(lead.value, 'needs') !== undefined
  const value = { ...stays, ...texts, values: [options.valuesFile], ...(hasNeeds ? { needs } : {}) }
  return { splices, value, notes }
}

const isSameList = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((text, index) => text === other[index])

/** Its lines, and an empty one where two would follow each other. Comments above stay: whose they are nobody can tell. */
function removal(file: YamlFile, { node }: ReleaseText): Splice {
  const start = file.lineStart(node.range?.[0] ?? 0)
  const end = file.nextLine((lastEnd(node) ?? start) - 1)
  const next = file.text.slice(end, file.nextLine(end))
  const before = file.text.slice(file.lineStart(start - 1), start)
  const isBlank = (text: string) => text.trim() === ''
  return { start, end: isBlank(next) && next !== '' && isBlank(before) ? file.nextLine(end) : end, text: '' }
}
