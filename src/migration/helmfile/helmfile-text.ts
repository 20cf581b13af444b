// A helmfile as text with places: its releases, and what of them can be changed alone.
import { isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type YAMLMap } from 'yaml'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { YamlFile } from '../oci/yaml-file.ts'

export interface ReleaseText {
  /** Which document of the file, and which release of it, from 0. */
  readonly document: number
  readonly index: number
  readonly node: YAMLMap
  readonly value: Readonly<Record<string, unknown>>
  readonly name: string
  readonly namespace: string | undefined
  readonly chart: string
  readonly line: number
  readonly needs: readonly string[]
}

export interface HelmfileText {
  readonly file: YamlFile
  readonly releases: readonly ReleaseText[]
  /** Other helmfiles that it takes in, which are not looked into; `file:line` first. */
  readonly others: readonly string[]
}

type ReadHelmfile = HelmfileText | { readonly line: number; readonly column: number; readonly because: string }

/** Reads `text`; a helmfile is YAML with templates, and where these stand outside of quotes it is none before helmfile has rendered it. */
export function readHelmfile(path: string, text: string): ReadHelmfile {
  const lines = new LineCounter()
  const documents = Array.from(parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' }))
  const error = documents.flatMap(document => document.errors)[0]
  const template = templateOutside(text)
  if (template !== undefined || error !== undefined) {
    const { line, col } = lines.linePos(template ?? error?.pos[0] ?? 0)
    const because =
      template === undefined
        ? `it is no YAML: ${error?.message ?? ''}`
        : 'a template outside of quotes: what it says is known to helmfile alone'
    return { line, column: col, because }
  }
  const file = new YamlFile(path, text)
  const releases = file.documents.flatMap((document, at) => {
    const value = file.valueOf(at)
    const list = document.get('releases', true)
    if (!isSeq(list)) return []
    return list.items.flatMap((node, index): ReleaseText[] => {
      const release = listAt(value, 'releases')[index]
      const [name, chart] = [textAt(release, 'name'), textAt(release, 'chart')]
      if (!isMap(node) || name === undefined || chart === undefined) return []
      return [
        {
          ...{ document: at, index, node, name, chart },
          value: { ...Object(release) },
          namespace: textAt(release, 'namespace'),
          line: lineOf(file, node.range?.[0] ?? 0),
          needs: listAt(release, 'needs').map(String),
        },
      ]
    })
  })
  const others = file.documents.flatMap((document, at) =>
    ['bases', 'helmfiles'].flatMap(key => {
      const list = document.get(key, true)
      if (!isSeq(list)) return []
      return list.items.map((node, index) => {
        const told = listAt(file.valueOf(at), key)[index]
        const shown = typeof told === 'string' ? told : (textAt(told, 'path') ?? JSON.stringify(told))
        return `${path}:${lineOf(file, isNode(node) ? (node.range?.[0] ?? 0) : 0)}: ${shown}`
      })
    }),
  )
  return { file, releases, others }
}

/** Where a template begins that YAML takes for a map in braces, or that has a line of its own. */
function templateOutside(text: string): number | undefined {
  for (let at = text.indexOf('{{'); at >= 0; at = text.indexOf('{{', at + 2)) {
    const before = text.slice(text.lastIndexOf('\n', at) + 1, at)
    if (before.trimStart().startsWith('#') || /\s#/.test(before.replace(/"(?:\\.|[^"\\])*"|'[^']*'/g, ''))) continue
    if (/(^|[:[,-])\s*$/.test(before)) return at
  }
  return undefined
}

export function lineOf({ text }: Pick<YamlFile, 'text'>, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** Why its lines cannot be changed alone; undefined: they can. */
export function textProblem(file: YamlFile, { node, document, index }: ReleaseText): string | undefined {
  const list = file.documents[document]?.get('releases', true)
  if (!isSeq(list) || list.flow === true || node.flow === true) return 'its release is not written in lines of its own'
  const start = node.range?.[0] ?? 0
  if (!/^\s*-\s+$/.test(file.text.slice(file.lineStart(start), start)))
    return `release ${index + 1} does not begin in the line of its dash`
  let isShared = node.anchor !== undefined
  visit(node, {
    Node: (_, one) => {
      isShared ||= isNode(one) && 'anchor' in one && one.anchor !== undefined
    },
  })
  if (isShared) return 'an anchor stands in it, which others may name'
  for (const key of ['name', 'chart', 'version'] as const) {
    const value = node.get(key, true)
    if (key !== 'version' && !isScalar(value)) return `${key} is not written as a text of its own`
    if (value !== undefined && !isScalar(value)) return `${key} is not written as a text of its own`
  }
  return undefined
}

/** As helmfile names a release in `needs`. */
export const shownRelease = ({ namespace, name }: Pick<ReleaseText, 'namespace' | 'name'>): string =>
  namespace === undefined ? name : `${namespace}/${name}`

/** Does a need mean this release? Without a namespace it means one without, or the only one of its name. */
export function isMeant(need: string, { name, namespace }: Pick<ReleaseText, 'namespace' | 'name'>): boolean {
  const [wanted, place] = need.split('/').reverse()
  return wanted === name && (place === undefined || namespace === undefined || place === namespace)
}
