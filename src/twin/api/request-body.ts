// The object a request carries: decoded, of the right kind, without fields its kind does not have.
import { badRequest, StatusError, statusBody } from '#kube/status.ts'
import { type Draft, fieldsAt, isFields, textAt } from '../json-value.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import type { StructSchema } from '../schema/schema.ts'
import { decodeBody, type FieldValidation, pruneUnknown, typeMismatch } from './decode.ts'
import type { ResourceRequest, TwinRequest } from './request.ts'
import { apiVersionOf, type ResourceType, splitApiVersion } from './resource-type.ts'
import { noQuantity, settleValues } from './stored-values.ts'
import { noteWarnings } from './warnings.ts'

interface DecodedObject {
  readonly draft: Draft
  /** Texts of Warning headers. */
  readonly warnings: readonly string[]
}

/** `dryRun=All`, or none. @throws StatusError 422 for other values. */
export function isDryRun(query: URLSearchParams): boolean {
  const value = query.get('dryRun')
  if (value === null || value === '') return false
  if (value === 'All') return true
  const body = `Unsupported value: ${JSON.stringify([value])}: supported values: "All"`
  const causes = [{ reason: 'FieldValueNotSupported', message: body, field: 'dryRun' }]
  throw new StatusError(
    statusBody(422, `CreateOptions.meta.k8s.io "" is invalid: dryRun: ${body}`, 'Invalid', {
      group: 'meta.k8s.io',
      kind: 'CreateOptions',
      causes,
    }),
  )
}

/** The manager a request names, or the first word of its User-Agent. */
export function fieldManager(request: TwinRequest): string {
  const named = request.query.get('fieldManager') ?? ''
  if (named.length > 128) throw badRequest('metadata.fieldManager: Too long: may not be more than 128 bytes')
  return named !== '' ? named : ((request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown')
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation')
  return value === 'Strict' || value === 'Ignore' ? value : 'Warn'
}

/** The object in a request's body. @throws StatusError 400 for another kind, wrong types or (Strict) unknown fields. */
export function objectOf(type: ResourceType, request: TwinRequest): DecodedObject {
  const { value, duplicates } = decodeBody(request.headers['content-type'], request.body)
  if (!isFields(value)) throw badRequest(`the object provided is unrecognized (must be of type ${type.kind})`)
  const kind = textAt(value, 'kind') ?? type.kind
  const apiVersion = textAt(value, 'apiVersion') ?? apiVersionOf(type)
  if (kind !== type.kind || apiVersion !== apiVersionOf(type)) {
    const given = splitApiVersion(apiVersion)
    const group = type.group === '' ? 'core' : (type.group.split('.')[0] ?? type.group)
    const conversion = `converting (${given.version}.${kind}) to (${group}.${type.kind}): unknown conversion`
    throw badRequest(`${kind} in version ${JSON.stringify(apiVersion)} cannot be handled as a ${type.kind}: ${conversion}`)
  }
  return checked(type, value, request, duplicates)
}

/** A patched or applied object held to its kind, as one that was sent whole. */
export function checked(
  type: ResourceType,
  value: Draft,
  request: TwinRequest,
  duplicates: readonly string[] = [],
): DecodedObject {
  const schema = kindSchema(type)
  const warnings = strictProblems(type, schema, value, { request, duplicates })
  noteWarnings(request, warnings)
  checkTypes(type, schema, value)
  if (!settleValues(ownSchema(type, schema), value)) throw cannotBeHandled(type, noQuantity)
  if (type.key === 'secrets') mergeStringData(value)
  const metadata = fieldsAt(value, 'metadata')
  if (metadata?.['creationTimestamp'] === null) delete metadata['creationTimestamp']
  return { draft: value, warnings }
}

function strictProblems(
  type: ResourceType,
  schema: StructSchema,
  value: Draft,
  { request, duplicates }: { readonly request: TwinRequest; readonly duplicates: readonly string[] },
): readonly string[] {
  const validation = fieldValidation(request.query)
  const unknown = pruneUnknown(schema, value)
  const problems = [
    ...unknown.map(path => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map(path => `duplicate field ${JSON.stringify(path)}`),
  ]
  if (problems.length === 0 || validation === 'Ignore') return []
  if (validation === 'Warn') return problems
  throw cannotBeHandled(type, `strict decoding error: ${problems.join(', ')}`)
}

function checkTypes(type: ResourceType, schema: StructSchema, value: Draft): void {
  const mismatch = typeMismatch(ownSchema(type, schema), value, '')
  if (mismatch === undefined) return
  const { path, found, expected, struct = type.kind } = mismatch
  throw cannotBeHandled(type, `json: cannot unmarshal ${found} into Go struct field ${struct}.${path} of type ${expected}`)
}

/** What decoding looks at: custom objects are held to their own schema later, with messages of their own. */
function ownSchema(type: ResourceType, schema: StructSchema): StructSchema {
  if (type.custom === undefined) return schema
  return { ...schema, fields: new Map([...schema.fields].filter(([name]) => name === 'metadata')) }
}

function cannotBeHandled(type: ResourceType, why: string): StatusError {
  return badRequest(`${type.kind} in version ${JSON.stringify(type.version)} cannot be handled as a ${type.kind}: ${why}`)
}

function mergeStringData(secret: Draft): void {
  const texts = fieldsAt(secret, 'stringData')
  if (texts === undefined) return
  const data: Draft = { ...fieldsAt(secret, 'data') }
  for (const [key, value] of Object.entries(texts)) data[key] = Buffer.from(String(value)).toString('base64')
  secret['data'] = data
  delete secret['stringData']
}

/** The body and the path must name the same object. @throws StatusError 400 */
export function agreeOnName(draft: Draft, info: ResourceRequest): void {
  const metadata = fieldsAt(draft, 'metadata') ?? {}
  draft['metadata'] = metadata
  const name = textAt(metadata, 'name') ?? ''
  if (info.name === undefined) return
  if (name !== '' && name !== info.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`)
  metadata['name'] = info.name
}
