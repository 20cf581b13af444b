// GET and list of a resource that we serve behind an API server: selectors, and the answer as object, table or metadata, in the form that
// was asked for.
import { parseFieldSelector, selectableFieldOf } from '../objects/field-selector.ts'
import type { KubeObject } from '../objects/objects.ts'
import { parseLabelSelector } from '../objects/selector.ts'
import { badRequest, methodNotSupported, notFound, StatusError, statusBody } from '../objects/status.ts'
import { type AggregatedApi, type AggregatedResource, resourceVerbs, type TableColumn } from './aggregated-api.ts'
import { listKindOf } from './aggregated-documents.ts'
import { type AnswerFormat, contentTypes, listBody, objectBody, protobufBody } from './answer-bodies.ts'
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
interface AnswerBody {
  readonly contentType: string
  readonly pieces: readonly Buffer[]
}

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
  const isAsked = (object: KubeObject) =>
    // What nobody can list by name has no labels of its own: the selector is the resource's to read.
    (resource === api.anyOther || labelSelector.value.matches(object.metadata.labels ?? {})) &&
    (info.namespace === undefined || object.metadata.namespace === undefined || object.metadata.namespace === info.namespace) &&
    matches(object)
  return manyBody(chosen(all, isAsked), of)
}

function* chosen(objects: Iterable<KubeObject>, isAsked: (object: KubeObject) => boolean): Generator<KubeObject> {
  for (const object of objects) if (isAsked(object)) yield object
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

function fieldMatcher(text: string, { kind, namespaced, unknownField }: AggregatedResource): (object: KubeObject) => boolean {
  const selector = parseFieldSelector(text)
  if (!selector.ok) throw badRequest(selector.problem.message ?? selector.problem.expected)
  const known = namespaced ? selectableFields : selectableFields.slice(0, 1)
  const unknown = selector.value.terms.find(({ field }) => !selectableFields.includes(field))
  if (unknown !== undefined)
    throw badRequest(
      unknownField?.(unknown.field) ?? `field label not supported for ${kind}: ${unknown.field}; there are ${known.join(', ')}`,
    )
  return object => selector.value.matches(field => selectableFieldOf(object, field))
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
  if (shape === 'table') return { contentType, pieces: [objectBody(tableOf([object], of), format)] }
  const shaped = shapedOf(of)
  const one = shaped.one(object)
  if (format !== 'protobuf') return { contentType, pieces: [objectBody(one, format)] }
  return { contentType, pieces: [protobufBody(shaped, shaped.encode?.(one) ?? new Uint8Array())] }
}

async function manyBody(objects: Iterable<KubeObject>, of: AnswerOf): Promise<AnswerBody> {
  const { accepted, api, resource, breathe } = of
  const contentType = contentTypes[accepted.format]
  if (accepted.shape === 'table') return { contentType, pieces: [objectBody(tableOf([...objects], of), accepted.format)] }
  const shaped = shapedOf(of)
  const kind = accepted.shape === 'metadata' ? `${shaped.kind}List` : listKindOf(api, resource)
  const { apiVersion } = shaped
  const { format } = accepted
  if (format === 'protobuf') {
    const pieces = await listBody({ apiVersion, kind, items: objects }, { format, encode: shaped.encode, breathe })
    return { contentType, pieces }
  }
  // The list says of what kind its items are; metadata alone say it themselves.
  const items = mapped(objects, accepted.shape === 'metadata' ? shaped.one : withoutKind)
  return { contentType, pieces: await listBody({ apiVersion, kind, items }, { format, breathe }) }
}

function withoutKind({ kind: _kind, apiVersion: _version, ...object }: KubeObject): object {
  return object
}

function* mapped<From, To>(values: Iterable<From>, change: (value: From) => To): Generator<To> {
  for (const value of values) yield change(value)
}

function metadataOf(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}

const defaultColumns: readonly TableColumn[] = [
  { name: 'Name', format: 'name', cell: object => object.metadata.name },
  { name: 'Created At', type: 'date', cell: object => object.metadata.creationTimestamp ?? '<unknown>' },
]

function tableOf(items: readonly KubeObject[], { resource, query, accepted: { version } }: AnswerOf): object {
  const columns = typeof resource.columns === 'function' ? resource.columns(items) : (resource.columns ?? defaultColumns)
  const included = query.get('includeObject') ?? 'Metadata'
  if (!['None', 'Metadata', 'Object'].includes(included))
    throw badRequest(`unrecognized includeObject value: ${JSON.stringify(included)}`)
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: {},
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
      name,
      type: type ?? 'string',
      format: format ?? '',
      description: description ?? '',
      priority: priority ?? 0,
    })),
    rows: items.map(object => ({
      cells: columns.map(column => column.cell(object)),
      object: included === 'None' ? null : included === 'Object' ? object : metadataOf(object, version),
    })),
  }
}
