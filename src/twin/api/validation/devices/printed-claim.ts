// Claims of devices as Go prints its own structs, which is how a server shows what may not be changed.
import { type Draft, isFields } from '../../../json-value.ts'

/** A struct's fields in their order: the name in Go, the name in JSON, and what it holds. */
// One more.
type Field = readonly [go: string, json: string, holds: Shape]
/** `null` is printed of what is behind a pointer and not there; a struct prints all its fields. */
type Shape =
  | 'text'
  | 'number'
  | 'pointer'
  | { readonly list: Struct }
  | { readonly pointer: Struct }
  | { readonly struct: Struct }
interface Struct {
  readonly fields: readonly Field[]
}

const struct = (...fields: readonly Field[]): Struct => ({ fields })

const toleration = struct(
  ['Key', 'key', 'text'],
  ['Operator', 'operator', 'text'],
  ['Value', 'value', 'text'],
  ['Effect', 'effect', 'text'],
  ['TolerationSeconds', 'tolerationSeconds', 'pointer'],
)
const selector = struct(['CEL', 'cel', { pointer: struct(['Expression', 'expression', 'text']) }])
const capacity = struct(['Requests', 'requests', 'pointer'])
const exactly = struct(
  ['DeviceClassName', 'deviceClassName', 'text'],
  ['Selectors', 'selectors', { list: selector }],
  ['AllocationMode', 'allocationMode', 'text'],
  ['Count', 'count', 'number'],
  ['AdminAccess', 'adminAccess', 'pointer'],
  ['Tolerations', 'tolerations', { list: toleration }],
  ['Capacity', 'capacity', { pointer: capacity }],
)
const alternative = struct(
  ['Name', 'name', 'text'],
  ['DeviceClassName', 'deviceClassName', 'text'],
  ['Selectors', 'selectors', { list: selector }],
  ['AllocationMode', 'allocationMode', 'text'],
  ['Count', 'count', 'number'],
  ['Tolerations', 'tolerations', { list: toleration }],
  ['Capacity', 'capacity', { pointer: capacity }],
)
const request = struct(
  ['Name', 'name', 'text'],
  ['Exactly', 'exactly', { pointer: exactly }],
  ['FirstAvailable', 'firstAvailable', { list: alternative }],
)
const constraint = struct(
  ['Requests', 'requests', 'pointer'],
  ['MatchAttribute', 'matchAttribute', 'pointer'],
  ['DistinctAttribute', 'distinctAttribute', 'pointer'],
)
const config = struct(
  ['Requests', 'requests', 'pointer'],
  ['Opaque', 'opaque', { pointer: struct(['Driver', 'driver', 'text'], ['Parameters', 'parameters', 'pointer']) }],
)
const devices = struct(
  ['Requests', 'requests', { list: request }],
  ['Constraints', 'constraints', { list: constraint }],
  ['Config', 'config', { list: config }],
)
const claim = struct(['Devices', 'devices', { struct: devices }])

/** The spec of a claim. */
export function printedClaim(spec: unknown): unknown {
  return printed(claim, spec)
}

/** The spec of a template of claims: the metadata's own fields come first. */
export function printedTemplate(spec: unknown): unknown {
  const fields = isFields(spec) ? spec : {}
  const metadata = isFields(fields['metadata']) ? fields['metadata'] : {}
  return { ...metadata, Spec: printedClaim(fields['spec']) }
}

function printed({ fields }: Struct, value: unknown): Draft {
  const given = isFields(value) ? value : {}
  return Object.fromEntries(fields.map(([go, json, holds]) => [go, printedField(holds, given[json] ?? null)]))
}

function printedField(holds: Shape, value: unknown): unknown {
  if (holds === 'text') return value ?? ''
  if (holds === 'number') return value ?? 0
  if (holds === 'pointer') return value
  if ('list' in holds) return Array.isArray(value) ? value.map(item => printed(holds.list, item)) : null
  if ('pointer' in holds) return value === null ? null : printed(holds.pointer, value)
  return printed(holds.struct, value)
}
