// GET and list of a resource that we serve behind an API server: selectors, and the answer as object, table or metadata, in the form that
// was asked for.
import { parseFieldSelector, selectableFieldOf } from '../objects/field-selector.ts'
import type { KubeObject } from '../objects/objects.ts'
import { parseLabelSelector } from '../objects/selector.ts'
import { badRequest, methodNotSupported, notFound, StatusError, statusBody } from '../objects/status.ts'
import {
  type AggregatedApi,
  type AggregatedResource,
  type LateObject,
  resourceVerbs,
  type TableColumn,
} from './aggregated-api.ts'
import { listKindOf } from './aggregated-documents.ts'
import { type AnswerFormat, contentTypes, listBody, objectBody, protobufBody, protobufList, tableBody } from './answer-bodies.ts'
import type { Caller } from './caller.ts'
import { type AcceptedShape, formatOf, mediaRanges, shapeOf } from './media-types.ts'
import { encodePartialMetadata } from './meta-messages.ts'
import type { ResourceRequest } from './request-info.ts'

interface AskedResource {
  readonly info: ResourceRequest
  readonly caller: Caller
  readonly query: URLSearchParams
  readonly accept: string
  readonly signal: AbortSignal
  /** Waited for now and then while a long list is written. */
  readonly breathe: () => Promise<void>
}

/** What an answer's body is. */
export interface AnswerBody {
  readonly contentType: string
  /** All of it; or what is made piece by piece, each when its reader asks for it. */
  readonly pieces: readonly Buffer[] | AsyncIterable<Buffer>
}

/** What a list consists of, in the order of the list. Undefined: the loop may have a turn. */
type Listed = Iterable<KubeObject | LateObject | undefined>

/** The resource that is asked for. @throws StatusError 404 where nobody serves it */
export function resourceOf(
  apis: readonly AggregatedApi[],
  info: ResourceRequest,
): { readonly api: AggregatedApi; readonly resource: AggregatedResource } {
  const api = apis.find(({ group, version }) => group === info.group && version === info.version)
  const resource = api?.resources.find(({ name }) => name === info.resource) ?? api?.anyOther
  if (api === undefined || resource === undefined) throw unknownResource()
  return { api, resource }
}

/** The body that answers. @throws StatusError what the answer is instead */
export async function resourceAnswer(apis: readonly AggregatedApi[], asked: AskedResource): Promise<AnswerBody> {
  const { info } = asked
  const { api, resource } = resourceOf(apis, info)
  const subject = { group: api.group, resource: info.resource }
  if (!readingVerbs.has(info.verb))
    throw new StatusError(
      statusBody(405, 'the server does not allow this method on the requested resource', 'MethodNotAllowed', {}),
    )
  if (!resourceVerbs(resource).includes(info.verb)) throw methodNotSupported(subject, info.verb)
  if (resource.namespaced ? info.name !== undefined && info.namespace === undefined : info.namespace !== undefined)
    throw unknownResource()
  // Only who serves names of all kinds reads what stands below one: else one right would open what another is for.
  if (info.subresource !== undefined && resource !== api.anyOther) throw unknownResource()
  const accepted = acceptedAnswer(asked.accept, resource)
  const labelSelector = parseLabelSelector(asked.query.get('labelSelector') ?? '')
  if (!labelSelector.ok) throw badRequest(labelSelector.problem.message ?? labelSelector.problem.expected)
  const call = {
    caller: asked.caller,
    namespace: info.namespace,
    resource: info.resource,
    subresource: info.subresource,
    labelSelector: labelSelector.value,
    query: asked.query,
    signal: asked.signal,
  }
  const of = { api, resource, query: asked.query, accepted, breathe: asked.breathe }
  if (info.name !== undefined) {
    const found = await resource.get?.({ ...call, name: info.name })
    if (found === undefined) throw notFound(subject, info.name)
    return oneBody(found, of)
  }
  const matches = fieldMatcher(asked.query.get('fieldSelector') ?? '', resource)
  const all = (await resource.list?.(call)) ?? []
  const { requirements } = labelSelector.value
  const isAsked = (object: Pick<KubeObject, 'metadata'>) =>
    // What nobody can list by name has no labels of its own: the selector is the resource's to read.
    (resource === api.anyOther || requirements.length === 0 || labelSelector.value.matches(object.metadata.labels ?? {})) &&
    (info.namespace === undefined || object.metadata.namespace === undefined || object.metadata.namespace === info.namespace) &&
    matches(object)
  return manyBody(chosen(all, isAsked), of)
}

function* chosen(
  objects: Listed,
  isAsked: (object: Pick<KubeObject, 'metadata'>) => boolean,
): Generator<KubeObject | LateObject | undefined> {
  // Where one is not asked for, time has passed all the same.
  for (const object of objects) yield object !== undefined && isAsked(object) ? object : undefined
}

function isLate(object: KubeObject | LateObject): object is LateObject {
  return 'make' in object && typeof object.make === 'function'
}

function* whole(objects: Listed): Generator<KubeObject | undefined> {
  for (const object of objects) yield object !== undefined && isLate(object) ? object.make() : object
}

const readingVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

function unknownResource(): StatusError {
  return new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound', {}))
}

interface AcceptedAnswer extends AcceptedShape {
  readonly format: AnswerFormat
}

/** @throws StatusError 406 where nothing that we have is accepted */
function acceptedAnswer(accept: string, resource: AggregatedResource): AcceptedAnswer {
  if (accept.trim() === '') return { shape: 'object', version: 'v1', format: 'json' }
  for (const range of mediaRanges(accept)) {
    const format = formatOf(range.type)
    const shape = format === undefined ? undefined : shapeOf(range)
    if (format === undefined || shape === undefined) continue
    // A table has no form in protobuf, and neither have kinds without a table of fields.
    if (format === 'protobuf' && (shape.shape === 'table' || (shape.shape === 'object' && resource.protobuf === undefined)))
      continue
    return { ...shape, format }
  }
  const known = Object.values(contentTypes).filter(type => type !== contentTypes.protobuf || resource.protobuf !== undefined)
  throw new StatusError(statusBody(406, `only the following media types are accepted: ${known.join(', ')}`, 'NotAcceptable'))
}

const selectableFields = ['metadata.name', 'metadata.namespace']

function fieldMatcher(
  text: string,
  { kind, namespaced, unknownField }: AggregatedResource,
): (object: Pick<KubeObject, 'metadata'>) => boolean {
  const selector = parseFieldSelector(text)
  if (!selector.ok) throw badRequest(selector.problem.message ?? selector.problem.expected)
  const known = namespaced ? selectableFields : selectableFields.slice(0, 1)
  const unknown = selector.value.terms.find(({ field }) => !selectableFields.includes(field))
  if (unknown !== undefined)
    throw badRequest(
      unknownField?.(unknown.field) ?? `field label not supported for ${kind}: ${unknown.field}; there are ${known.join(', ')}`,
    )
  if (selector.value.terms.length === 0) return () => true
  return ({ metadata }) => selector.value.matches(field => selectableFieldOf({ kind, apiVersion: '', metadata }, field))
}

interface AnswerOf {
  readonly api: AggregatedApi
  readonly resource: AggregatedResource
  readonly query: URLSearchParams
  readonly accepted: AcceptedAnswer
  readonly breathe: () => Promise<void>
}

interface Shaped {
  readonly apiVersion: string
  readonly kind: string
  one(object: KubeObject): KubeObject
  readonly encode: ((object: KubeObject) => Uint8Array) | undefined
}

/** Objects whole, or their metadata. */
function shapedOf({ api, resource, accepted }: AnswerOf): Shaped {
  if (accepted.shape === 'metadata') {
    const apiVersion = `meta.k8s.io/${accepted.version}`
    const kind = 'PartialObjectMetadata'
    return { apiVersion, kind, one: ({ metadata }) => ({ kind, apiVersion, metadata }), encode: encodePartialMetadata }
  }
  const apiVersion = `${api.group}/${api.version}`
  const { kind, protobuf } = resource
  return { apiVersion, kind, one: object => ({ ...object, kind, apiVersion }), encode: protobuf }
}

function oneBody(object: KubeObject, of: AnswerOf): AnswerBody {
  const { format, shape } = of.accepted
  const contentType = contentTypes[format]
  if (shape === 'table') {
    const { columnDefinitions, rowOf } = tableOf(object, of)
    return { contentType, pieces: [objectBody({ ...tableHead(of), columnDefinitions, rows: [rowOf(object)] }, format)] }
  }
  const shaped = shapedOf(of)
  const one = shaped.one(object)
  if (format !== 'protobuf') return { contentType, pieces: [objectBody(one, format)] }
  return { contentType, pieces: [protobufBody(shaped, shaped.encode?.(one) ?? new Uint8Array())] }
}

async function manyBody(objects: Listed, of: AnswerOf): Promise<AnswerBody> {
  const { accepted, api, resource, breathe } = of
  const { format, shape } = accepted
  const contentType = contentTypes[format]
  if (shape === 'table') return { contentType, pieces: await tablePieces(whole(objects), of) }
  const shaped = shapedOf(of)
  const kind = shape === 'metadata' ? `${shaped.kind}List` : listKindOf(api, resource)
  const { apiVersion } = shaped
  if (format === 'protobuf') {
    const encode = encoderOf(shaped, shape)
    return { contentType, pieces: await protobufList({ apiVersion, kind, items: objects }, { encode, breathe }) }
  }
  // The list says of what kind its items are; metadata alone say it themselves.
  const items = mapped(whole(objects), shape === 'metadata' ? shaped.one : withoutKind)
  return { contentType, pieces: listBody({ apiVersion, kind, items }, { format, breathe }) }
}

function encoderOf({ kind, encode }: Shaped, shape: AcceptedShape['shape']): (object: KubeObject | LateObject) => Uint8Array {
  if (encode === undefined) throw new Error(`${kind} has no form in protobuf`)
  return object => {
    if (!isLate(object)) return encode(object)
    return shape === 'object' ? object.protobuf() : encode(object.make())
  }
}

/** What has no name has no metadata on this wire either, as values of metrics. */
function withoutKind({ kind: _kind, apiVersion: _version, metadata, ...object }: KubeObject): object {
  return metadata.name === '' ? object : { metadata, ...object }
}

function* mapped<From extends object, To>(
  values: Iterable<From | undefined>,
  change: (value: From) => To,
): Generator<To | undefined> {
  for (const value of values) yield value === undefined ? undefined : change(value)
}

function metadataOf(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}

const defaultColumns: readonly TableColumn[] = [
  { name: 'Name', format: 'name', cell: object => object.metadata.name },
  { name: 'Created At', type: 'date', cell: object => object.metadata.creationTimestamp ?? '<unknown>' },
]

function tableHead({ accepted: { version } }: AnswerOf): {
  readonly kind: string
  readonly apiVersion: string
  readonly metadata: object
} {
  return { kind: 'Table', apiVersion: `meta.k8s.io/${version}`, metadata: {} }
}

/** The columns of a table whose first row is of `first`, and how a row is made. @throws StatusError 400 */
function tableOf(first: KubeObject | undefined, { resource, query, accepted: { version } }: AnswerOf) {
  const { columns: given = defaultColumns } = resource
  const columns = typeof given === 'function' ? given(first === undefined ? [] : [first]) : given
  const included = query.get('includeObject') ?? 'Metadata'
  if (!['None', 'Metadata', 'Object'].includes(included))
    throw badRequest(`unrecognized includeObject value: ${JSON.stringify(included)}`)
  return {
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
      name,
      type: type ?? 'string',
      format: format ?? '',
      description: description ?? '',
      priority: priority ?? 0,
    })),
    rowOf: (object: KubeObject) => ({
      cells: columns.map(column => column.cell(object)),
      object: included === 'None' ? null : included === 'Object' ? object : metadataOf(object, version),
    }),
  }
}

async function tablePieces(objects: Iterable<KubeObject | undefined>, of: AnswerOf): Promise<AsyncIterable<Buffer>> {
  const { accepted, breathe } = of
  const rest = objects[Symbol.iterator]()
  let next = rest.next()
  // Columns follow from the first row.
  for (; next.done !== true && next.value === undefined; next = rest.next()) await breathe()
  const first = next.done === true ? undefined : next.value
  const { columnDefinitions, rowOf } = tableOf(first, of)
  const rows = function* () {
    if (first !== undefined) yield rowOf(first)
    for (let row = rest.next(); row.done !== true; row = rest.next()) yield row.value === undefined ? undefined : rowOf(row.value)
  }
  return tableBody({ head: { ...tableHead(of), columnDefinitions }, rows: rows() }, { format: accepted.format, breathe })
}
