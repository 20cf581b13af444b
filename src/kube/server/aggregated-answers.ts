// GET and list of a resource that we serve behind an API server: selectors, and the answer as object, table or metadata.
import { parseFieldSelector, selectableFieldOf } from '../objects/field-selector.ts'
import type { KubeObject } from '../objects/objects.ts'
import { parseLabelSelector } from '../objects/selector.ts'
import { badRequest, methodNotSupported, notFound, StatusError, statusBody } from '../objects/status.ts'
import { type AggregatedApi, type AggregatedResource, resourceVerbs, type TableColumn } from './aggregated-api.ts'
import { listKindOf } from './aggregated-documents.ts'
import type { Caller } from './caller.ts'
import { type AcceptedShape, isJsonType, mediaRanges, shapeOf } from './media-types.ts'
import type { ResourceRequest } from './request-info.ts'

interface AskedResource {
  readonly info: ResourceRequest
  readonly caller: Caller
  readonly query: URLSearchParams
  readonly accept: string
  readonly signal: AbortSignal
}

/** The JSON value that answers. @throws StatusError what the answer is instead */
export async function resourceAnswer(apis: readonly AggregatedApi[], asked: AskedResource): Promise<object> {
  const { info } = asked
  const api = apis.find(({ group, version }) => group === info.group && version === info.version)
  const resource = api?.resources.find(({ name }) => name === info.resource) ?? api?.anyOther
  if (api === undefined || resource === undefined) throw unknownResource()
  const subject = { group: api.group, resource: info.resource }
  if (!resourceVerbs(resource).includes(info.verb)) throw methodNotSupported(subject, info.verb)
  if (resource.namespaced ? info.name !== undefined && info.namespace === undefined : info.namespace !== undefined)
    throw unknownResource()
  const shape = acceptedShape(asked.accept)
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
  if (info.name !== undefined) {
    const found = await resource.get?.({ ...call, name: info.name })
    if (found === undefined) throw notFound(subject, info.name)
    return shaped([found], shape, { api, resource, query: asked.query, isList: false })
  }
  const matches = fieldMatcher(asked.query.get('fieldSelector') ?? '', resource)
  const all = (await resource.list?.(call)) ?? []
  const items = all.filter(
    object =>
      // What nobody can list by name has no labels of its own: the selector is the resource's to read.
      (resource === api.anyOther || labelSelector.value.matches(object.metadata.labels ?? {})) &&
      (info.namespace === undefined || object.metadata.namespace === undefined || object.metadata.namespace === info.namespace) &&
      matches(object),
  )
  return shaped(items, shape, { api, resource, query: asked.query, isList: true })
}

function unknownResource(): StatusError {
  return new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound', {}))
}

/** @throws StatusError 406 where no shape of ours is accepted */
function acceptedShape(accept: string): AcceptedShape {
  if (accept.trim() === '') return { shape: 'object', version: 'v1' }
  for (const range of mediaRanges(accept)) {
    const shape = isJsonType(range.type) ? shapeOf(range) : undefined
    if (shape !== undefined) return shape
  }
  throw new StatusError(statusBody(406, 'only the following media types are accepted: application/json', 'NotAcceptable'))
}

const selectableFields = ['metadata.name', 'metadata.namespace']

function fieldMatcher(text: string, resource: AggregatedResource): (object: KubeObject) => boolean {
  const selector = parseFieldSelector(text)
  if (!selector.ok) throw badRequest(selector.problem.message ?? selector.problem.expected)
  const unknown = selector.value.terms.find(({ field }) => !selectableFields.includes(field))
  if (unknown !== undefined)
    throw badRequest(`field label not supported for ${resource.kind}: ${unknown.field}; there are ${selectableFields.join(', ')}`)
  return object => selector.value.matches(field => selectableFieldOf(object, field))
}

interface AnswerOf {
  readonly api: AggregatedApi
  readonly resource: AggregatedResource
  readonly query: URLSearchParams
  readonly isList: boolean
}

function shaped(items: readonly KubeObject[], { shape, version }: AcceptedShape, of: AnswerOf): object {
  const { api, resource, isList } = of
  const apiVersion = shape === 'metadata' ? `meta.k8s.io/${version}` : `${api.group}/${api.version}`
  if (shape === 'table') return tableOf(items, version, of)
  const kind = shape === 'metadata' ? 'PartialObjectMetadata' : resource.kind
  const one = (object: KubeObject) =>
    shape === 'metadata' ? metadataOf(object, version) : { ...object, kind: resource.kind, apiVersion }
  if (!isList) return items.map(one)[0] ?? {}
  const listKind = shape === 'metadata' ? `${kind}List` : listKindOf(api, resource)
  return { kind: listKind, apiVersion, metadata: {}, items: items.map(one) }
}

function metadataOf(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}

const defaultColumns: readonly TableColumn[] = [
  { name: 'Name', format: 'name', cell: object => object.metadata.name },
  { name: 'Created At', type: 'date', cell: object => object.metadata.creationTimestamp ?? '<unknown>' },
]

function tableOf(items: readonly KubeObject[], version: string, { resource, query }: AnswerOf): object {
  const columns = resource.columns ?? defaultColumns
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
