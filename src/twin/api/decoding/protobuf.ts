// Kubernetes' protobuf bodies into JSON values, driven by field numbers and by the schemas of the built-in kinds.

import protobuf from 'protobufjs/minimal.js'
import { decodeFrame } from '#kube/client/protobuf.ts'
import { badRequest } from '#kube/objects/status.ts'
import table from '../../generated/protobuf-numbers.json' with { type: 'json' }
import { type Draft, isEmpty, isFields, setField } from '../../json-value.ts'
import { anySchema, type FieldSchema, type Scalar, type Schema, type StructSchema } from '../../schema/schema.ts'
import { builtInSchema, definitionCodes, structName, structSchema } from '../../schema/schema-table.ts'
import { splitApiVersion } from '../resource-type.ts'
import { WireFault, wireFault, wireTypeOf } from './protobuf-wire.ts'

const magic = [0x6b, 0x38, 0x73, 0x00] as const

/** Whether a body starts as protobuf bodies do. */
function isProtobuf(body: Uint8Array): boolean {
  return magic.every((byte, index) => body[index] === byte)
}

/** Why a body is no frame, in the words of upstream; undefined where it is one. */
export function frameFault(body: Uint8Array): string | undefined {
  if (body.byteLength === 0) return 'empty data'
  if (!isProtobuf(body)) return 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]'
  if (body.byteLength === magic.length) return 'empty body'
  return wireFault(body.subarray(magic.length), 'Unknown')
}

/** The object of a framed body that is to be of a kind. @throws StatusError 400 for bytes that are no such message. */
export function decodeProtobuf(
  body: Uint8Array,
  as: { readonly kind: string; readonly group: string; readonly version: string },
): Draft {
  const frame = decodeFrame(body)
  if (!frame.ok) throw badRequest(`unable to decode: expected ${frame.problem.expected}`)
  const { raw } = frame.value
  const kind = frame.value.kind || as.kind
  const apiVersion = frame.value.apiVersion || (as.group === '' ? as.version : `${as.group}/${as.version}`)
  const { group, version } = splitApiVersion(apiVersion)
  const schema = bodySchema(group, version, kind)
  // An unknown kind has nothing to read; it will be refused for its name.
  if (schema === undefined) return { apiVersion, kind }
  const refused = (why: string) =>
    badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${as.kind}: ${why}`)
  const fault = wireFault(raw, kind)
  if (fault !== undefined) throw refused(fault)
  try {
    return { apiVersion, kind, ...readMessage(raw, { message: kind, section: sectionOf(group, version), schema }) }
  } catch (cause) {
    if (cause instanceof WireFault) throw refused(cause.message)
    if (cause instanceof RangeError) throw refused('unexpected EOF')
    throw refused(cause instanceof Error ? cause.message : String(cause))
  }
}

/** Schemas of bodies that are sent to subresources, or with a request. */
const bodyDefinitions: Readonly<Record<string, string>> = {
  DeleteOptions: 'V1DeleteOptions',
  Eviction: 'V1Eviction',
  Binding: 'V1Binding',
  Scale: 'V1Scale',
  TokenRequest: 'AuthenticationV1TokenRequest',
  Status: 'V1Status',
}

function bodySchema(group: string, version: string, kind: string): StructSchema | undefined {
  const definition = bodyDefinitions[kind]
  return definition === undefined || definitionCodes(definition) === undefined
    ? builtInSchema(group, version, kind)
    : structSchema(definition)
}

/** `apps/v1`, `core/v1`, `rbac/v1`: how the table of numbers names groups. */
export function sectionOf(group: string, version: string): string {
  return `${group === '' ? 'core' : (group.split('.')[0] ?? group)}/${version}`
}

function eachField(bytes: Uint8Array, visit: (number: number, reader: protobuf.Reader, wireType: number) => void): void {
  const reader = protobuf.Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    visit(tag >>> 3, reader, tag & 7)
  }
}

interface MessageType {
  readonly message: string
  readonly section: string
  readonly schema: StructSchema
}

/** Structs whose fields lie in their parent's JSON object: the name that the table has for them, and the message. */
export const inlined: Readonly<Record<string, string>> = {
  volumeSource: 'VolumeSource',
  persistentVolumeSource: 'PersistentVolumeSource',
  handler: 'ProbeHandler',
  ephemeralContainerCommon: 'EphemeralContainerCommon',
  localObjectReference: 'LocalObjectReference',
  ingressRuleValue: 'IngressRuleValue',
  ruleWithOperations: 'RuleWithOperations',
  rule: 'Rule',
  deviceConfiguration: 'DeviceConfiguration',
}

/** A field of a message, as the table of numbers has it. */
interface NumberedField {
  readonly name: string
  /** A pointer: what is zero or empty is a value where it is sent. What is no pointer is always sent. */
  readonly keepsZero: boolean
}

const messages: Readonly<Record<string, Readonly<Record<string, string>>>> = table.messages
const parsedNumbers = new Map<string, ReadonlyMap<number, NumberedField>>()

/** The fields of a message by their numbers; `metadata`, `spec` and `status` for what the table leaves out. */
export function numbersOf(section: string, message: string): ReadonlyMap<number, NumberedField> {
  const key = `${section}:${message}`
  let numbers = parsedNumbers.get(key)
  if (numbers === undefined) {
    numbers = parseNumbers(textOf(section, message) ?? 'metadata spec status')
    parsedNumbers.set(key, numbers)
  }
  return numbers
}

/** Whether the kinds of a group and version have messages. */
export function hasNumbers(section: string): boolean {
  return Object.hasOwn(messages, section)
}

function textOf(section: string, message: string): string | undefined {
  const place = [section, 'core/v1', 'meta/v1'].find(name => Object.hasOwn(messages[name] ?? {}, message))
  return place === undefined ? undefined : messages[place]?.[message]
}

const inlineStructs = new Map<string, ReadonlyMap<string, string>>()

/** The struct within `message` that has a field of it in Go; undefined for one of its own. */
export function inlineStruct(message: string, field: string): string | undefined {
  let structs = inlineStructs.get(message)
  if (structs === undefined) {
    structs = new Map(
      Object.keys(messages).flatMap(section => {
        const inner = [...numbersOf(section, message).values()].flatMap(({ name }) => inlined[name] ?? [])
        return inner.flatMap(struct => [...numbersOf(section, struct).values()].map(({ name }) => [name, struct] as const))
      }),
    )
    inlineStructs.set(message, structs)
  }
  return structs.get(field)
}

/** What `scripts/generate-protobuf-numbers.ts` writes. */
function parseNumbers(text: string): ReadonlyMap<number, NumberedField> {
  const numbers = new Map<number, NumberedField>()
  let next = 1
  for (const word of text.split(' ')) {
    if (word.startsWith('@')) next = Number(word.slice(1))
    else numbers.set(next++, { name: word.replace('?', ''), keepsZero: word.endsWith('?') })
  }
  return numbers
}

/** A field of a later release. */
const nobody: NumberedField = { name: '', keepsZero: false }

function readMessage(bytes: Uint8Array, type: MessageType): Draft {
  const fields: Draft = {}
  const numbers = numbersOf(type.section, type.message)
  eachField(bytes, (number, reader, wire) => {
    const { name, keepsZero } = numbers.get(number) ?? nobody
    const field = type.schema.fields.get(name)
    const inline = inlined[name]
    if (field !== undefined) {
      checkWireType({ name, field }, wire)
      readField(
        fields,
        { name, field },
        { reader, wire, section: type.section, keepsZero: keepsZero || (field.isRequired && field.schema.kind === 'scalar') },
      )
    } else if (inline !== undefined) Object.assign(fields, readMessage(reader.bytes(), { ...type, message: inline }))
    else reader.skipType(wire)
  })
  return fields
}

/** @throws WireFault where the bytes are not of the kind the field is. */
function checkWireType({ name, field }: { readonly name: string; readonly field: FieldSchema }, wire: number): void {
  const { schema } = field
  const expected = wireTypeOf(schema.kind === 'list' ? schema.item : schema)
  if (wire === expected || (schema.kind === 'list' && wire === 2)) return
  const goName = name === 'metadata' ? 'ObjectMeta' : `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
  throw new WireFault(`proto: wrong wireType = ${wire} for field ${goName}`)
}

interface FieldInput {
  readonly reader: protobuf.Reader
  readonly wire: number
  readonly section: string
  readonly keepsZero: boolean
}

function readField(
  fields: Draft,
  { name, field }: { readonly name: string; readonly field: FieldSchema },
  input: FieldInput,
): void {
  const { schema } = field
  if (schema.kind === 'list') {
    const present = fields[name]
    const items: unknown[] = Array.isArray(present) ? present : []
    if (items !== present) setField(fields, name, items)
    readItems(items, schema.item, input)
    return
  }
  if (schema.kind === 'map') {
    const present = fields[name]
    const map: Draft = isFields(present) ? present : {}
    if (map !== present) setField(fields, name, map)
    readEntry(map, schema.value, input)
    return
  }
  const value = readValue(schema, input)
  const isDropped = isEmpty(value) && !input.keepsZero
  if (value !== undefined && !isDropped) setField(fields, name, value)
}

function readItems(items: unknown[], item: Schema, input: FieldInput): void {
  const isPacked =
    input.wire === 2 &&
    item.kind === 'scalar' &&
    (item.scalar === 'int32' || item.scalar === 'int64' || item.scalar === 'boolean')
  if (!isPacked) {
    items.push(readValue(item, input))
    return
  }
  const end = input.reader.uint32() + input.reader.pos
  while (input.reader.pos < end) items.push(readValue(item, { ...input, wire: 0 }))
}

function readEntry(map: Draft, schema: Schema, input: FieldInput): void {
  let key = ''
  let value: unknown = schema.kind === 'scalar' && (schema.scalar === 'string' || schema.scalar === 'bytes') ? '' : undefined
  eachField(input.reader.bytes(), (number, reader, wire) => {
    if (number === 1) key = reader.string()
    else if (number === 2) value = readValue(schema, { ...input, reader, wire })
    else reader.skipType(wire)
  })
  if (value !== undefined) setField(map, key, value)
}

function readValue(schema: Schema, input: FieldInput): unknown {
  switch (schema.kind) {
    case 'scalar':
      return readScalar(schema.scalar, input)
    case 'struct':
      return readMessage(input.reader.bytes(), { message: structName(schema.name), section: input.section, schema })
    case 'any':
      return readRaw(input)
    case 'list':
      return wrapped(schema, input)
    case 'map':
      return wrapped(anySchema, input)
  }
}

/** Lists inside maps and lists are messages of their own: `{1 items}`. */
function wrapped(schema: Schema, input: FieldInput): unknown {
  const items: unknown[] = []
  eachField(input.reader.bytes(), (number, reader, wire) => {
    if (number === 1 && schema.kind === 'list') readItems(items, schema.item, { ...input, reader, wire })
    else reader.skipType(wire)
  })
  return items
}

/** Embedded JSON: `{1 raw bytes}`. */
function readRaw(input: FieldInput): unknown {
  if (input.wire !== 2) {
    input.reader.skipType(input.wire)
    return undefined
  }
  let raw: Uint8Array = new Uint8Array()
  eachField(input.reader.bytes(), (number, reader, wire) => {
    if (number === 1 && wire === 2) raw = reader.bytes()
    else reader.skipType(wire)
  })
  if (raw.byteLength === 0) return undefined
  const value: unknown = JSON.parse(new TextDecoder().decode(raw))
  return value
}

function readScalar(scalar: Scalar, { reader }: FieldInput): unknown {
  switch (scalar) {
    case 'string':
      return reader.string()
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64')
    case 'boolean':
      return reader.bool()
    case 'int32':
      return reader.int32()
    case 'int64':
      return longValue(reader.int64())
    case 'double':
      return reader.double()
    case 'time':
    case 'micro-time':
      return readTime(reader.bytes(), scalar)
    case 'quantity': {
      let text = ''
      eachField(reader.bytes(), (number, inner, wire) => {
        if (number === 1) text = inner.string()
        else inner.skipType(wire)
      })
      return text
    }
    case 'int-or-string':
      return readIntOrString(reader.bytes())
  }
}

/** An int64 of the wire; beyond what a double holds it is a bigint. */
function longValue(long: unknown): number | bigint {
  const exact = BigInt(String(long))
  const value = Number(exact)
  return Number.isSafeInteger(value) ? value : exact
}

function readTime(bytes: Uint8Array, scalar: 'time' | 'micro-time'): string | undefined {
  let seconds = 0
  let nanos = 0
  eachField(bytes, (number, reader, wire) => {
    if (number === 1) seconds = Number(longValue(reader.int64()))
    else if (number === 2) nanos = reader.int32()
    else reader.skipType(wire)
  })
  if (bytes.byteLength === 0) return undefined
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  return scalar === 'time' ? `${whole}Z` : `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`
}

function readIntOrString(bytes: Uint8Array): number | string {
  let kind = 0
  let number = 0
  let text = ''
  eachField(bytes, (field, reader, wire) => {
    if (field === 1) kind = reader.int32()
    else if (field === 2) number = reader.int32()
    else if (field === 3) text = reader.string()
    else reader.skipType(wire)
  })
  return kind === 1 ? text : kind === 0 ? number : 0
}
