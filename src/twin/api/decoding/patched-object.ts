// What a patch makes of an object, and upstream's many ways to say that it makes nothing.
import { applyJsonPatch, operationsLimit, readJsonPatch } from '#kube/objects/json-patch.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, isFields, jsonText } from '../../json-value.ts'
import { strategicMerge } from '../../patch/strategic-merge.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { goKind, goPrinted } from '../go-words.ts'
import type { ResourceType } from '../resource-type.ts'
import { mediaTypeOf } from './decode.ts'

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

type PatchType = (typeof patchTypes)[number]

/** The kind of patch that a request sends. @throws StatusError 415 */
export function patchType(contentType: string | undefined): PatchType {
  // Unlike bodies of objects, patches want their type in lower case.
  const given = mediaTypeOf(contentType)
  const found = contentType?.startsWith(given) === true ? patchTypes.find(type => type === given) : undefined
  if (found === undefined) throw new StatusError(statusBody(415, '415: Unsupported Media Type', 'UnsupportedMediaType', {}))
  return found
}

/** The object a patch makes of another. @throws StatusError */
export function patchedObject(type: ResourceType, object: Draft, patchedBy: PatchType, patch: unknown): Draft {
  switch (patchedBy) {
    case 'application/json-patch+json':
      return jsonPatched(object, patch)
    case 'application/merge-patch+json':
      if (patch === null) throw badRequest('Invalid JSON Patch')
      if (!isFields(patch)) throw badRequest(`error decoding patch: ${noMap(patch)}`)
      return draftOf(fieldsAt({ value: applyMergePatch(object, patch) }, 'value') ?? {})
    case 'application/strategic-merge-patch+json':
      if (patch === null) return object
      if (!isFields(patch)) throw badRequest(noMap(patch))
      return draftOf(strategicMerge(kindSchema(type), object, patch))
    case 'application/apply-patch+yaml':
      throw new StatusError(statusBody(415, '415: Unsupported Media Type', 'UnsupportedMediaType', {}))
  }
}

/** An object that a patch made and that its kind does not take. */
export function invalidPatch(patchedBy: PatchType, patch: unknown, patched: Draft, why: string): StatusError {
  const shown = patchedBy === 'application/strategic-merge-patch+json' ? goPrinted(patch) : jsonText(patched)
  const body = `Invalid value: ${jsonText(shown)}: ${why}`
  const causes = [{ reason: 'FieldValueInvalid', message: body, field: 'patch' }]
  return new StatusError(statusBody(422, ` "" is invalid: patch: ${body}`, 'Invalid', { causes }))
}

/** Custom kinds have no strategic merge. */
export function unknownFormat(): StatusError {
  const accepted = 'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml'
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`
  return new StatusError(statusBody(415, message, 'UnsupportedMediaType'))
}

function noMap(patch: unknown): string {
  return `json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`
}

function jsonPatched(object: Draft, patch: unknown): Draft {
  checkOperations(patch)
  const given: readonly unknown[] = Array.isArray(patch) ? patch : []
  if (given.length > operationsLimit) {
    const message = `Request entity too large: The allowed maximum operations in a JSON patch is ${operationsLimit}, got ${given.length}`
    throw new StatusError(statusBody(413, message, 'RequestEntityTooLarge'))
  }
  const operations = readJsonPatch(given.map(asUpstreamReads))
  const result = operations.ok ? applyJsonPatch(object, operations.value) : undefined
  if (result?.ok !== true || !isFields(result.value))
    throw new StatusError(statusBody(422, 'the server rejected our request due to an error in our request', 'Invalid', {}))
  return draftOf(result.value)
}

/** Upstream's library is lenient: what stands before the first slash counts for nothing, nor does half an escape; no value is null. */
function asUpstreamReads(operation: unknown): unknown {
  if (!isFields(operation)) return operation
  const pointer = (text: unknown) => {
    if (typeof text !== 'string' || text === '') return undefined
    return `/${text.split('/').slice(1).join('/')}`.replaceAll(/~(?![01])/g, '~0')
  }
  const { op, path, from, value = null } = { value: undefined, op: undefined, path: undefined, from: undefined, ...operation }
  return { op, path: pointer(path), from: pointer(from), value }
}

/** @throws StatusError 400 for what is no list of operations, in the words of Go's reader. */
function checkOperations(patch: unknown): void {
  const refused = (found: unknown, where: string) =>
    badRequest(`error decoding patch: json: cannot unmarshal ${goKind(found)} into Go ${where}`)
  if (patch === null) return
  if (!Array.isArray(patch)) throw refused(patch, 'value of type []handlers.jsonPatchOp')
  for (const operation of patch) {
    if (operation === null) continue
    if (!isFields(operation)) throw refused(operation, 'value of type handlers.jsonPatchOp')
    for (const name of ['op', 'path', 'from']) {
      const value = operation[name]
      if (value !== undefined && value !== null && typeof value !== 'string')
        throw refused(value, `struct field jsonPatchOp.${name} of type string`)
    }
  }
}
