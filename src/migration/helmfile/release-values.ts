// The values of a helmfile's release, as far as they can be read without helmfile: files, values in the helmfile, `set`. What cannot be is named.
import { dirname, join, normalize } from 'node:path/posix'
import { isNode, LineCounter, parseDocument } from 'yaml'
import { merged } from '#deployment/installation.ts'
import { mostAliases } from '#doctor/repository/documents.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import type { YamlFile } from '../oci/yaml-file.ts'
import { lineOf, type ReleaseText } from './helmfile-text.ts'

/** The text of a file beside the helmfile, or why there is none. */
export type ReadBeside = (path: string) => { readonly text: string } | { readonly because: string }

export interface Unread {
  /** `file:line` */
  readonly where: string
  readonly what: string
  readonly because: string
}

interface ReleaseValues {
  readonly values: ValuesTree
  /** Where a dotted path of the values is written: `file:line`. */
  readonly whereOf: (path: string) => string
  readonly unread: readonly Unread[]
  /** HelmReleases of Flux whose values were read: Flux installs the chart, too. */
  readonly fluxReleases: readonly string[]
}

interface Piece {
  readonly values: ValuesTree
  readonly whereOf: (path: readonly string[]) => string | undefined
}

/** How most homelabs lead a helmfile to the values that Flux has: one line, with the names of the release filled in. */
const bridge =
  /^\s*\{\{-?\s*\(\s*fromYaml\s+\(\s*readFile\s+(?:"([^"]+)"|\(\s*printf\s+"([^"]+)"((?:\s+\.Release\.(?:Name|Namespace))+)\s*\))\s*\)\s*\)\.spec\.values\s*\|\s*toYaml\s*-?\}\}\s*$/

/** Reads them; `file` is the helmfile. */
export function releaseValues(file: YamlFile, release: ReleaseText, read: ReadBeside): ReleaseValues {
  const pieces: Piece[] = []
  const unread: Unread[] = []
  const fluxReleases: string[] = []
  const nodeAt = (path: readonly (string | number)[]) => release.node.getIn(path, true)
  const whereIs = (path: readonly (string | number)[]) => {
    const node = nodeAt(path)
    return `${file.path}:${isNode(node) && node.range ? lineOf(file, node.range[0]) : release.line}`
  }
  for (const [index, entry] of listAt(release.value, 'values').entries()) {
    const where = whereIs(['values', index])
    if (isTree(entry)) {
      // Helmfile renders what stands in it, and whether it does depends on its version.
      if (JSON.stringify(entry).includes('{{'))
        unread.push({ where, what: 'values in the helmfile', because: 'a template stands in them' })
      else pieces.push({ values: entry, whereOf: path => whereIs(['values', index, ...path]) })
      continue
    }
    const found = typeof entry === 'string' ? pieceOf(file, release, entry, read) : undefined
    if (found === undefined || 'because' in found)
      unread.push({ where, what: String(entry), because: found?.because ?? 'it is neither a file nor values' })
    else {
      pieces.push(found)
      if (found.fluxRelease !== undefined) fluxReleases.push(found.fluxRelease)
    }
  }
  for (const [index, entry] of listAt(release.value, 'set').entries()) {
    const where = whereIs(['set', index])
    const [name, value] = [textAt(entry, 'name'), at(entry, 'value')]
    const isTemplate = JSON.stringify(entry).includes('{{')
    if (name === undefined || value === undefined || isTemplate || /[[{,]/.test(name))
      unread.push({
        where,
        what: `set ${name ?? index + 1}`,
        because: isTemplate ? 'a template stands in it' : 'it is no plain value',
      })
    else {
      const path = name.split(/(?<!\\)\./).map(part => part.replaceAll('\\.', '.'))
      pieces.push({ values: withValue({}, path, value), whereOf: of => (of.join('.') === path.join('.') ? where : undefined) })
    }
  }
  for (const [index, entry] of listAt(release.value, 'secrets').entries())
    unread.push({ where: whereIs(['secrets', index]), what: String(entry), because: 'it is encrypted, and never read' })
  const whereOf = (dotted: string): string => {
    const path = dotted.split('.')
    const piece = pieces.findLast(one => valueAt(one.values, path) !== undefined)
    return piece?.whereOf(path) ?? `${file.path}:${release.line}`
  }
  return { values: pieces.reduce<ValuesTree>((under, one) => merged(under, one.values), {}), whereOf, unread, fluxReleases }
}

type FoundPiece = (Piece & { readonly fluxRelease?: string }) | { readonly because: string }

function pieceOf(file: YamlFile, release: ReleaseText, entry: string, read: ReadBeside): FoundPiece {
  if (entry.includes('{{')) return { because: 'its name is a template' }
  if (/^[a-z][a-z0-9+]*:/i.test(entry)) return { because: 'it lies elsewhere: only files of this machine are read' }
  if (/[*?[]/.test(entry)) return { because: 'it is a pattern: name each file' }
  const path = beside(file.path, entry)
  const found = read(path)
  if ('because' in found) return found
  if (!found.text.includes('{{') || !/\.gotmpl$/.test(path)) return filePiece(path, found.text, [])
  const leads = bridge.exec(found.text)
  if (leads === null) return { because: 'a template stands in it: what it says is known to helmfile alone' }
  const [, plain, pattern = '', names = ''] = leads
  const given = names
    .trim()
    .split(/\s+/)
    .map(name => (name === '.Release.Name' ? release.name : release.namespace))
  if (plain === undefined && given.includes(undefined)) return { because: 'it names the namespace, which the release does not' }
  const target = plain ?? pattern.replaceAll('%s', () => given.shift() ?? '')
  const flux = beside(path, target)
  const text = read(flux)
  if ('because' in text) return { because: `it leads to ${flux}: ${text.because}` }
  const piece = filePiece(flux, text.text, ['spec', 'values'])
  return 'because' in piece ? { because: `it leads to ${flux}: ${piece.because}` } : { ...piece, fluxRelease: flux }
}

/** The values at `below` of the first document that has them. */
function filePiece(path: string, text: string, below: readonly string[]): FoundPiece {
  const lines = new LineCounter()
  // Documents of other kinds may follow in a file of Flux.
  const [first = ''] = below.length === 0 ? [text] : text.split(/^---.*$/m).filter(part => /^kind:\s*HelmRelease\b/m.test(part))
  const skipped = text.indexOf(first)
  const document = parseDocument(first, { lineCounter: lines, merge: true, prettyErrors: false, logLevel: 'error' })
  const [error] = document.errors
  if (error !== undefined) return { because: `line ${lines.linePos(error.pos[0]).line} is no YAML: ${error.message}` }
  let value: unknown
  try {
    value = valueAt({ of: document.toJS({ maxAliasCount: mostAliases }) }, ['of', ...below])
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    return { because: thrown.message }
  }
  if (value === null || value === undefined) return { values: {}, whereOf: () => undefined }
  if (!isTree(value)) return { because: `found ${Array.isArray(value) ? 'a list' : typeof value}, expected a map of values` }
  if ('sops' in value) return { because: 'it is encrypted, and never read' }
  const before = text.slice(0, skipped).split('\n').length - 1
  const whereOf = (of: readonly string[]) => {
    const node = document.getIn([...below, ...of], true)
    return isNode(node) && node.range ? `${path}:${before + lines.linePos(node.range[0]).line}` : path
  }
  return { values: value, whereOf }
}

const beside = (file: string, path: string): string => (path.startsWith('/') ? path : normalize(join(dirname(file), path)))
