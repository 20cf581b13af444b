// The object in a request's body, held to its kind.
import { badRequest, type StatusError } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, isFields, textAt } from '../../json-value.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { builtInKind, structSchema } from '../../schema/schema-table.ts'
import { noteWarnings } from '../answers/warnings.ts'
import { embeddedFault } from '../custom/embedded-objects.ts'
import type { ResourceRequest, TwinRequest } from '../request.ts'
import { type ResourceType, splitApiVersion } from '../resource-type.ts'
import { fieldValidation } from '../write-options.ts'
import { decodeBody } from './decode.ts'
import type { DecodedBody } from './decoded-body.ts'
import { mostProblems, type Settled, settleFields } from './settled-fields.ts'

interface DecodedObject {
  readonly draft: Draft
  /** Texts of Warning headers. */
  readonly warnings: readonly string[]
}

/** The object in a request's body. @throws StatusError 400 for another kind, wrong types or (Strict) unknown fields. */
export function objectOf(type: ResourceType, request: TwinRequest): DecodedObject {
  const body = decodeBody(request.headers['content-type'], request.body, type, type.custom === undefined)
  const value = isFields(body.value) ? body.value : {}
  checkKind(value, type, type.group)
  const checkedBody = checkedFields(type, value, body)
  if (checkedBody.fault !== undefined) throw cannotBeHandled(type, checkedBody.fault)
  const warnings = heldTo(request, checkedBody.problems, problems => cannotBeHandled(type, problems))
  return { draft: value, warnings }
}

/** An object of a kind that is not stored: an eviction, a binding, a scale, a review. @throws StatusError 400 */
export function sentObject(
  request: TwinRequest,
  kind: { readonly kind: string; readonly group: string; readonly version: string; readonly definition?: string },
): Draft {
  const { value: decoded } = decodeBody(request.headers['content-type'], request.body, kind)
  const value = isFields(decoded) ? decoded : {}
  checkKind(value, kind, kind.group)
  if (kind.definition === undefined) return value
  const { fault } = settleFields(structSchema(kind.definition), value)
  if (fault !== undefined) throw cannotBeHandled(kind, fault)
  return value
}

/** What a patch made of an object, held to its kind. `refused` words what is wrong with it. */
export function patchedDraft(
  type: ResourceType,
  value: Draft,
  request: TwinRequest,
  {
    body,
    refused,
    restores,
  }: {
    readonly body: DecodedBody
    readonly refused: (why: string, restoring?: string) => StatusError
    /** Whether the patch was one of maps, which the object is made of again. */
    readonly restores: boolean
  },
): DecodedObject {
  const whole = { ...body, duplicates: [], textProblems: [] }
  const { fault, restoreFault, problems } = checkedFields(type, value, whole, restores)
  if (fault !== undefined) throw refused(fault, restoreFault)
  return { draft: value, warnings: heldTo(request, [...body.textProblems, ...problems].slice(0, mostProblems), refused) }
}

/** Unknown and repeated fields are a refusal, warnings or nothing, as the request wants it. */
function heldTo(request: TwinRequest, problems: readonly string[], refused: (why: string) => StatusError): readonly string[] {
  const validation = fieldValidation(request.query)
  if (problems.length === 0 || validation === 'Ignore') return []
  if (validation === 'Strict') throw refused(`strict decoding error: ${strictWords(problems)}`)
  noteWarnings(request, problems)
  return problems
}

/** Problems of a YAML text are listed by line. */
export function strictWords(problems: readonly string[]): string {
  const lines = problems.filter(problem => problem.startsWith('line '))
  const others = problems.filter(problem => !problem.startsWith('line '))
  return [...(lines.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${lines.join('\n  ')}`]), ...others].join(', ')
}

function checkedFields(
  type: ResourceType,
  value: Draft,
  body: Pick<DecodedBody, 'duplicates' | 'textProblems' | 'hasOddNumbers'>,
  restores = false,
): Settled {
  const schema = kindSchema(type)
  if (type.custom !== undefined) {
    const embedded = embeddedFault(type.custom.schema, value)
    const settled = settleFields(schema, value, { isCustom: true })
    return { ...settled, fault: embedded ?? settled.fault, problems: [...body.textProblems, ...settled.problems] }
  }
  const isText = body.duplicates.length === 0
  const settled = settleFields(schema, value, { repeated: body.duplicates, restores })
  if (type.key === 'secrets') mergeStringData(value)
  return isText ? { ...settled, problems: [...body.textProblems, ...settled.problems] } : settled
}

/** @throws StatusError 400 for an object of another kind. */
function checkKind(value: Draft, type: { readonly kind: string; readonly version: string }, group: string): void {
  const own = group === '' ? type.version : `${group}/${type.version}`
  const kind = textAt(value, 'kind') || type.kind
  const apiVersion = textAt(value, 'apiVersion') || own
  if (kind === type.kind && apiVersion === own) return
  const given = splitApiVersion(apiVersion)
  const start = `${kind} in version ${JSON.stringify(given.version)} cannot be handled as a ${type.kind}`
  if (!isRegistered(given.group, given.version, kind))
    throw badRequest(
      `${start}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
    )
  const internal = group === '' ? 'core' : (group.split('.')[0] ?? group)
  throw badRequest(`${start}: converting (${given.version}.${kind}) to (${internal}.${type.kind}): unknown conversion`)
}

/** Whether upstream knows the kind: its own, lists of it, and the kinds that every group has. */
function isRegistered(group: string, version: string, kind: string): boolean {
  const plain = kind.endsWith('List') ? kind.slice(0, -'List'.length) : kind
  return (
    builtInKind(group, version, kind) || builtInKind(group, version, plain) || (group === '' && ['List', 'Status'].includes(kind))
  )
}

function cannotBeHandled(type: { readonly kind: string; readonly version: string }, why: string): StatusError {
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
  if (name === '')
    throw badRequest(`the name of the object (${info.name} based on URL) was undeterminable: name must be provided`)
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`)
  metadata['name'] = info.name
}
