// What a file says of an upstream's values: the values themselves, a Flux HelmRelease, an Argo CD Application, or the Deployment of somebody
// who installed the plain manifests.
import { Document, isMap, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml'
import { merged } from '#deployment/installation.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import type { PlainKind, Replaced } from './upstream.ts'
import { isTree, type ValuesTree, valueAt, withValue } from './values-tree.ts'

type InputKind = 'HelmRelease' | 'Application' | PlainKind

/** Comments of the input by the dotted path of their key. */
type ValueComments = ReadonlyMap<string, { readonly before?: string; readonly after?: string }>

export interface ValuesInput {
  readonly from: 'values' | 'objects' | InputKind
  /** The chart that the file names. */
  readonly chart?: string
  readonly values: ValuesTree
  /** Version of the chart, where the file names it. */
  readonly version: string | undefined
  /** Where the release lies, where the file says it. */
  readonly namespace: string | undefined
  readonly comments: ValueComments
  /** What this input has besides and is not read: values from elsewhere. */
  readonly unread: readonly string[]
  /** Plain manifests: the workload, and what else is in the file. */
  readonly workload?: ValuesTree
  readonly beside?: readonly unknown[]
}

/** Beyond this a file holds no values that Helm would take. */
const largestValuesFile = 10 * 1024 * 1024
const mostAliases = 100

/** What an upstream with several charts, or with objects of its own, says besides. */
type FurtherInput = Pick<Replaced, 'furtherCharts' | 'isObject'>

/** Reads `text`; `chart` is the upstream's chart. @throws InputError with every problem, by file, line and column */
export function readValuesInput(
  file: string,
  text: string,
  chart: string,
  plainKinds: readonly PlainKind[],
  { furtherCharts = [], isObject: isTaken = () => false }: FurtherInput = {},
): ValuesInput {
  if (text.length > largestValuesFile)
    throw refused(file, `${text.length} characters`, `at most ${largestValuesFile}`, 'file-too-large')
  const documents = parsedDocuments(file, text)
  const values = documents.map(({ value }) => value)
  if (values.some(value => isTree(value) && 'sops' in value))
    throw refused(
      file,
      'a document encrypted by SOPS',
      'values in the open: decrypt them first, they are never printed',
      'encrypted',
    )
  // A chart's values may have a key `kind` of their own.
  const isObject = (value: ValuesTree) => typeof value['kind'] === 'string' && typeof value['apiVersion'] === 'string'
  const objects = documents.filter(({ value }) => isTree(value) && isObject(value))
  for (const kind of ['HelmRelease', 'Application', ...plainKinds] as const) {
    const found = objects.flatMap(({ value, document }) => {
      if (!isTree(value) || value['kind'] !== kind) return []
      const charts = [chart, ...furtherCharts].filter(of => isOf(kind, value, of))
      const named = charts.length === 1 ? charts[0] : charts.find(of => refersTo(value, of, values))
      return charts.length === 0 ? [] : [{ value, document, named }]
    })
    if (found.length > 1)
      throw refused(
        file,
        `${found.length} objects of kind ${kind} for ${chart}`,
        'one; put the others into files of their own',
        'several-releases',
      )
    const [one] = found
    if (one !== undefined) {
      const read = readers[kind](one.value, one.document, { file, others: values, chart: one.named ?? chart })
      return furtherCharts.length === 0 || one.named === undefined ? read : { ...read, chart: one.named }
    }
  }
  const own = objects.map(({ value }) => value).find((value): value is ValuesTree => isTree(value) && isTaken(value))
  if (own !== undefined) return { ...nothing, from: 'objects', namespace: namespaceIn(own), workload: own, beside: values }
  if (objects.length > 0) {
    const kinds = objects.map(({ value }) => String(valueAt(value, ['kind'])))
    throw refused(
      file,
      kinds.join(', '),
      `values, or a ${['HelmRelease', 'Application', ...plainKinds].join(', ').replace(/, ([^,]*)$/, ' or $1')} of ${chart}`,
      'no-values',
    )
  }
  const [only, ...more] = documents.filter(({ value }) => value !== null && value !== undefined)
  if (only === undefined) return { ...nothing, from: 'values' }
  if (more.length > 0) throw refused(file, `${more.length + 1} documents`, 'one document of values', 'several-documents')
  if (!isTree(only.value)) throw refused(file, Array.isArray(only.value) ? 'a list' : 'no map', 'a map of values', 'values-shape')
  return { ...nothing, from: 'values', values: only.value, comments: commentsOf(only.document, []) }
}

const nothing = { values: {}, version: undefined, namespace: undefined, comments: new Map(), unread: [] } as const

interface Around {
  readonly file: string
  readonly others: readonly unknown[]
  readonly chart: string
}

const readers: Readonly<Record<InputKind, (object: ValuesTree, document: Document, around: Around) => ValuesInput>> = {
  HelmRelease(object, document, { others }) {
    const from = valueAt(object, ['spec', 'valuesFrom'])
    return {
      from: 'HelmRelease',
      values: treeAt(object, ['spec', 'values']),
      version: text(valueAt(object, ['spec', 'chart', 'spec', 'version'])) ?? referencedVersion(object, others),
      namespace: text(valueAt(object, ['spec', 'targetNamespace'])) ?? text(valueAt(object, ['metadata', 'namespace'])),
      comments: commentsOf(document, ['spec', 'values']),
      unread: (Array.isArray(from) ? from : []).map(
        item => `spec.valuesFrom ${String(valueAt(item, ['kind']))} ${String(valueAt(item, ['name']))}`,
      ),
    }
  },
  Application(object, _document, { file }) {
    const source = sourceOf(object) ?? {}
    const helm = treeAt(source, ['helm'])
    const written = text(helm['values']) ?? ''
    const [inner] = written === '' ? [] : parsedDocuments(`${file}: spec.source.helm.values`, written)
    let values = merged(isTree(inner?.value) ? inner.value : {}, treeAt(helm, ['valuesObject']))
    for (const parameter of Array.isArray(helm['parameters']) ? helm['parameters'] : []) {
      const name = text(valueAt(parameter, ['name']))
      if (name === undefined) continue
      const isText = valueAt(parameter, ['forceString']) === true
      values = withValue(values, parameterPath(name), parameterValue(valueAt(parameter, ['value']), isText))
    }
    const files = helm['valueFiles']
    return {
      from: 'Application',
      values,
      version: text(source['targetRevision']),
      namespace: text(valueAt(object, ['spec', 'destination', 'namespace'])),
      comments: inner === undefined ? new Map() : commentsOf(inner.document, []),
      unread: (Array.isArray(files) ? files : []).map(name => `spec.source.helm.valueFiles ${String(name)}`),
    }
  },
  Deployment: (object, _document, around) => workloadInput('Deployment', object, around),
  CronJob: (object, _document, around) => workloadInput('CronJob', object, around),
}

function workloadInput(kind: PlainKind, object: ValuesTree, { others }: Around): ValuesInput {
  return {
    ...nothing,
    from: kind,
    namespace: text(valueAt(object, ['metadata', 'namespace'])),
    workload: object,
    beside: others,
  }
}

/** Is it of this upstream? By the chart's name, or of a workload by its image. */
function isOf(kind: InputKind, object: ValuesTree, chart: string): boolean {
  switch (kind) {
    case 'HelmRelease': {
      const named = text(valueAt(object, ['spec', 'chart', 'spec', 'chart']))
      const referenced = text(valueAt(object, ['spec', 'chartRef', 'name']))
      return named === chart || (named === undefined && referenced !== undefined)
    }
    case 'Application':
      return sourceOf(object, chart) !== undefined
    case 'CronJob':
    case 'Deployment':
      return upstreamContainer(object, chart) !== undefined
  }
}

/** The source with the chart; the first that has one where none is asked for by name. */
function sourceOf(object: ValuesTree, chart?: string): ValuesTree | undefined {
  const several = valueAt(object, ['spec', 'sources'])
  const sources: readonly unknown[] = Array.isArray(several) ? several : [valueAt(object, ['spec', 'source'])]
  return sources.find(
    (source): source is ValuesTree =>
      isTree(source) && (chart === undefined ? source['chart'] !== undefined : source['chart'] === chart),
  )
}

/** The container whose image is the upstream's: `ghcr.io/stakater/reloader:v1.4.21`, `rancher/mirrored-metrics-server:v0.8.0`. */
export function upstreamContainer(workload: unknown, name: string): ValuesTree | undefined {
  const template = valueAt(workload, ['spec', 'jobTemplate', 'spec', 'template']) ?? valueAt(workload, ['spec', 'template'])
  const containers = valueAt(template, ['spec', 'containers'])
  return (Array.isArray(containers) ? containers : []).find(
    (container): container is ValuesTree =>
      isTree(container) && new RegExp(`(^|/)(mirrored-)?${name}([:@].*)?$`).test(text(container['image']) ?? ''),
  )
}

const namespaceIn = (object: ValuesTree): string | undefined => text(valueAt(object, ['metadata', 'namespace']))

/** The OCIRepository beside it that its `chartRef` names. */
function referencedRepository(release: ValuesTree, others: readonly unknown[]): unknown {
  const name = valueAt(release, ['spec', 'chartRef', 'name'])
  return others.find(other => valueAt(other, ['kind']) === 'OCIRepository' && valueAt(other, ['metadata', 'name']) === name)
}

function referencedVersion(release: ValuesTree, others: readonly unknown[]): string | undefined {
  return text(valueAt(referencedRepository(release, others), ['spec', 'ref', 'tag']))
}

/** Does it refer to this one of several charts? By the chart's address, else by the name of the reference. */
function refersTo(release: ValuesTree, chart: string, others: readonly unknown[]): boolean {
  const url = text(valueAt(referencedRepository(release, others), ['spec', 'url']))
  return (url?.split('/').at(-1) ?? text(valueAt(release, ['spec', 'chartRef', 'name']))) === chart
}

/** Helm's `--set` paths: dots part, `\.` is a dot of a key. */
function parameterPath(name: string): readonly string[] {
  return name.split(/(?<!\\)\./).map(part => part.replaceAll('\\.', '.'))
}

function parameterValue(value: unknown, isText: boolean): unknown {
  if (isText || typeof value !== 'string') return value
  if (value === 'true' || value === 'false') return value === 'true'
  if (value === 'null') return null
  return /^-?\d+$/.test(value) ? Number(value) : value
}

interface ParsedDocument {
  readonly value: unknown
  readonly document: Document
}

function parsedDocuments(file: string, written: string): readonly ParsedDocument[] {
  const lineCounter = new LineCounter()
  const problems: Problem[] = []
  const documents: ParsedDocument[] = []
  // Templates inside values stay texts; outside of quotes they are no YAML and are found here.
  const read = Array.from(parseAllDocuments(written, { lineCounter, merge: true, prettyErrors: false, version: '1.1' }))
  for (const [index, document] of read.entries()) {
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lineCounter.linePos(error.pos[0])
      const found = written.slice(error.pos[0], error.pos[0] + 40).split('\n', 1)[0] ?? ''
      problems.push({ code: 'yaml-syntax', where: `${file}:${line}:${col}`, found, expected: `YAML: ${error.message}` })
      continue
    }
    try {
      documents.push({ value: document.toJS({ maxAliasCount: mostAliases }), document })
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown
      const expected = `aliases that resolve, at most ${mostAliases} of them, and merges (<<) of maps`
      problems.push({ code: 'yaml-alias', where: `${file}: document ${index + 1}`, found: thrown.message, expected })
    }
  }
  if (problems.length > 0) throw new InputError(problems)
  return documents
}

/** Comments at the keys of block maps below `at`. */
function commentsOf(document: Document, at: readonly string[]): ValueComments {
  const comments = new Map<string, { before?: string; after?: string }>()
  const root = at.length === 0 ? document.contents : document.getIn(at, true)
  const walk = (node: unknown, path: readonly string[]) => {
    if (!isMap(node)) return
    for (const [index, pair] of node.items.entries()) {
      if (!isScalar(pair.key)) continue
      const below = [...path, String(pair.key.value)]
      // What stands before the first key of a map belongs to the map.
      const before = pair.key.commentBefore ?? (index === 0 && path.length > 0 ? node.commentBefore : undefined)
      const after = isScalar(pair.value) ? pair.value.comment : undefined
      if (before || after) comments.set(below.join('.'), { ...(before ? { before } : {}), ...(after ? { after } : {}) })
      walk(pair.value, below)
    }
  }
  walk(root, [])
  return comments
}

/** The values as YAML, with the comments of scalars that were carried. */
export function valuesText(
  values: ValuesTree,
  carried: readonly { readonly from: string; readonly to: string }[],
  comments: ValueComments,
): string {
  const document = new Document(values, { aliasDuplicateObjects: false })
  const byTarget = new Map(carried.map(({ from, to }) => [to, comments.get(from)]))
  visit(document, {
    Pair(_, pair, ancestors) {
      if (!isScalar(pair.key) || !isScalar(pair.value)) return
      const above = ancestors.flatMap(node => ('key' in node && isScalar(node.key) ? [String(node.key.value)] : []))
      const comment = byTarget.get([...above, String(pair.key.value)].join('.'))
      if (comment?.before !== undefined) pair.key.commentBefore = comment.before
      if (comment?.after !== undefined) pair.value.comment = comment.after
    },
  })
  return document.toString({ lineWidth: 0 })
}

function treeAt(object: unknown, path: readonly string[]): ValuesTree {
  const found = valueAt(object, path)
  return isTree(found) ? found : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function refused(where: string, found: string, expected: string, code: string): InputError {
  return new InputError([{ code, where, found, expected }])
}
