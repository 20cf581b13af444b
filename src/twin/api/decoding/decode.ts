// Request bodies: JSON, YAML or protobuf into objects, with a word on fields that the kind does not have.

import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import { isFields } from '../../json-value.ts'
import { goKind } from '../go-words.ts'
import type { DecodedBody } from './decoded-body.ts'
import { type ReadJson, readJson } from './json-text.ts'
import { decodeProtobuf, frameFault } from './protobuf.ts'
import { readYaml } from './yaml-text.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** What a body is to be. */
interface BodyKind {
  readonly kind: string
  readonly group: string
  readonly version: string
}

const accepted = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'

/** A body as a value; `isTyped` for kinds that upstream reads into structs. @throws StatusError 400 for what does not parse, 415 for other media types. */
export function decodeBody(contentType: string | undefined, body: Uint8Array, as: BodyKind, isTyped = true): DecodedBody {
  const { kind } = as
  switch (mediaTypeOf(contentType)) {
    case '':
    case 'application/json': {
      const reading = readJson(textOf(body), { mergesRepeated: isTyped })
      if (!reading.ok) throw unrecognized(kind, `couldn't get version/kind; json parse error: ${reading.why}`, body)
      checkTypeFields(reading.read.value, kind, body)
      return withDuplicates(reading.read)
    }
    case 'application/yaml': {
      // Clients send JSON as YAML more often than not.
      const reading = readYaml(textOf(body))
      if (!reading.ok) throw unrecognized(kind, reading.why, body)
      checkTypeFields(reading.read.value, kind, body)
      return reading.read
    }
    case 'application/vnd.kubernetes.protobuf': {
      const refusal = frameFault(body)
      if (refusal !== undefined) throw unrecognized(kind, refusal, body)
      return { value: decodeProtobuf(body, as), duplicates: [], hasOddNumbers: false, textProblems: [] }
    }
    default:
      throw unsupportedMediaType(accepted)
  }
}

/** The value of a patch's body, which is JSON or, to apply, YAML. @throws StatusError 400 in the words that upstream has for the type. */
export function decodePatch(mediaType: string, body: Uint8Array): DecodedBody {
  if (mediaType === 'application/apply-patch+yaml') {
    const reading = readYaml(textOf(body))
    if (!reading.ok) throw badRequest(`error decoding YAML: error converting YAML to JSON: ${reading.why}`)
    return reading.read
  }
  const reading = readJson(textOf(body))
  const prefix = mediaType === 'application/strategic-merge-patch+json' ? '' : 'error decoding patch: '
  if (!reading.ok) throw badRequest(`${prefix}${reading.why}`)
  const read = withDuplicates(reading.read)
  if (mediaType !== 'application/json-patch+json') return read
  return { ...read, textProblems: [...read.textProblems, ...unknownMembers(read.value)].map(text => `json patch ${text}`) }
}

const operationMembers = new Set(['op', 'path', 'from', 'value'])

function unknownMembers(operations: unknown): readonly string[] {
  if (!Array.isArray(operations)) return []
  return operations.flatMap((operation, index) =>
    isFields(operation)
      ? Object.keys(operation)
          .filter(name => !operationMembers.has(name))
          .map(name => `unknown field ${JSON.stringify(`[${index}].${name}`)}`)
      : [],
  )
}

/** The media type without parameters; one with broken parameters is none that is known. */
export function mediaTypeOf(contentType: string | undefined): string {
  const [type = '', ...parameters] = (contentType ?? '').split(';')
  if (parameters.some(parameter => parameter.trim() !== '' && !parameter.includes('='))) return 'broken'
  return type.trim().toLowerCase()
}

/** Bytes that are no UTF-8 become replacement characters; a byte order mark is no white space. */
function textOf(body: Uint8Array): string {
  return decoder.decode(body)
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function withDuplicates(read: ReadJson): DecodedBody {
  return { ...read, textProblems: read.duplicates.map(path => `duplicate field ${JSON.stringify(path)}`) }
}

function unsupportedMediaType(types: string): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${types}`
  return new StatusError(statusBody(415, message, 'UnsupportedMediaType'))
}

/** Upstream reads apiVersion and kind before anything else. */
function checkTypeFields(value: unknown, kind: string, body: Uint8Array): void {
  if (value === null) return
  if (!isFields(value)) {
    const goType = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
    throw unrecognized(
      kind,
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${goKind(value)} into Go value of type ${goType}`,
      body,
    )
  }
  for (const name of ['apiVersion', 'kind']) {
    const found = value[name]
    if (found !== undefined && found !== null && typeof found !== 'string') {
      const why = `json: cannot unmarshal ${goKind(found)} into Go struct field .${name} of type string`
      throw unrecognized(kind, `couldn't get version/kind; json parse error: ${why}`, body)
    }
  }
  const apiVersion = value['apiVersion']
  if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2)
    throw unrecognized(kind, `unexpected GroupVersion string: ${apiVersion}`, body)
}

/** A body that nothing can be made of; for a kind that is named, with its beginning. */
function unrecognized(kind: string, why: string, body: Uint8Array): StatusError {
  if (kind === 'DeleteOptions') return badRequest(why)
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${beginning(body)})`)
}

const shownBytes = 30

function beginning(body: Uint8Array): string {
  if (body.byteLength === 0) return '<empty>'
  const start = Buffer.from(body.subarray(0, shownBytes))
  const text = body[0] === 0x7b ? start.toString() : start.toString('hex')
  return body.byteLength > shownBytes ? `${text} ...` : text
}
