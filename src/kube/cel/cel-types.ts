// Types of CEL, and which of them may stand for which: the rules of the language's type checker.

export interface CelType {
  readonly kind:
    | 'bool'
    | 'bytes'
    | 'double'
    | 'duration'
    | 'dyn'
    | 'error'
    | 'int'
    | 'list'
    | 'map'
    | 'null'
    | 'opaque'
    | 'param'
    | 'string'
    | 'struct'
    | 'timestamp'
    | 'type'
    | 'uint'
  /** The name of its own that a struct, an opaque type or a parameter has; others are called by their kind. */
  readonly name: string
  readonly params: readonly CelType[]
  /** The fields of a struct; undefined: it has none that can be asked for. */
  readonly fields?: ReadonlyMap<string, CelType>
}

function simple(kind: CelType['kind']): CelType {
  return { kind, name: kind, params: [] }
}

export const dynType = simple('dyn')
export const errorType = simple('error')
export const boolType = simple('bool')
export const intType = simple('int')
export const doubleType = simple('double')
export const stringType = simple('string')
export const bytesType = simple('bytes')
export const durationType = simple('duration')
export const timestampType = simple('timestamp')

export const listType = (item: CelType): CelType => ({ kind: 'list', name: 'list', params: [item] })
export const mapType = (key: CelType, value: CelType): CelType => ({ kind: 'map', name: 'map', params: [key, value] })
export const optionalType = (content: CelType): CelType => ({ kind: 'opaque', name: 'optional_type', params: [content] })
export const paramType = (name: string): CelType => ({ kind: 'param', name, params: [] })
export const structType = (name: string, fields?: ReadonlyMap<string, CelType>): CelType => ({
  kind: 'struct',
  name,
  params: [],
  ...(fields === undefined ? {} : { fields }),
})

const simpleKinds = ['bool', 'bytes', 'double', 'duration', 'dyn', 'int', 'null', 'string', 'timestamp', 'uint'] as const
const simpleTypes: ReadonlyMap<string, CelType> = new Map(simpleKinds.map(kind => [kind, simple(kind)]))

/** A type without parameters by its name: `int`, `string`, `dyn` … */
export function simpleType(name: string): CelType | undefined {
  return simpleTypes.get(name)
}

/** How a type is written: `map(string, list(int))`. */
export function typeText({ kind, name, params }: CelType): string {
  if (kind === 'error') return '!error!'
  return params.length === 0 ? name : `${name}(${params.map(typeText).join(', ')})`
}

export function isDynamic({ kind }: CelType): boolean {
  return kind === 'dyn'
}

export function isExactly(left: CelType, right: CelType): boolean {
  return (
    left.kind === right.kind &&
    left.name === right.name &&
    left.params.length === right.params.length &&
    left.params.every((param, at) => {
      const other = right.params[at]
      return other !== undefined && isExactly(param, other)
    })
  )
}

/** The content of an optional, and whether there was one. */
export function unwrapped(type: CelType): readonly [type: CelType, isOptional: boolean] {
  const [content] = type.params
  return type.kind === 'opaque' && type.name === 'optional_type' && content !== undefined ? [content, true] : [type, false]
}

/** What parameters stand for so far, by their names. */
export type Substitutions = ReadonlyMap<string, CelType>
type Draft = Map<string, CelType>

/** The substitutions under which a `value` of one type may be used as a `place` of another; undefined where there are none. */
export function assigned(
  known: Substitutions,
  values: readonly CelType[],
  places: readonly CelType[],
): Substitutions | undefined {
  const draft = new Map(known)
  return areAssignable(draft, values, places) ? draft : undefined
}

function areAssignable(draft: Draft, values: readonly CelType[], places: readonly CelType[]): boolean {
  if (values.length !== places.length) return false
  return values.every((value, at) => {
    const place = places[at]
    return place !== undefined && isAssignable(draft, value, place)
  })
}

function isAssignable(draft: Draft, value: CelType, place: CelType): boolean {
  if (place.kind === 'param') {
    const known = draft.get(place.name)
    if (stands(draft, value, place)) return true
    if (known !== undefined) return false
  }
  if (value.kind === 'param') return stands(draft, place, value)
  if ([value, place].some(({ kind }) => kind === 'dyn' || kind === 'error')) return true
  if (value.kind === 'null') return isNullable(place)
  if (place.kind === 'null') return isNullable(value)
  if (value.kind === 'type') return place.kind === 'type'
  if (value.kind === 'opaque' || value.kind === 'list' || value.kind === 'map')
    return value.kind === place.kind && value.name === place.name && areAssignable(draft, value.params, place.params)
  return isExactly(value, place)
}

function isNullable({ kind }: CelType): boolean {
  return kind === 'null' || kind === 'opaque' || kind === 'struct' || kind === 'duration' || kind === 'timestamp'
}

/** Whether `param` may stand for `type`; if so it does from now on. */
function stands(draft: Draft, type: CelType, param: CelType): boolean {
  if (isExactly(type, param)) return true
  const known = draft.get(param.name)
  if (known === undefined) {
    if (holds(draft, param, type)) return false
    draft.set(param.name, type)
    return true
  }
  if (isExactly(type, known)) return true
  if (!isAssignable(draft, type, known)) return false
  const wider = moreGeneral(type, known)
  if (!holds(draft, param, wider)) draft.set(param.name, wider)
  return true
}

/** Whether a type has `param` within it: a type can not stand for a part of itself. */
function holds(draft: Draft, param: CelType, type: CelType): boolean {
  if (isExactly(param, type)) return true
  if (type.kind !== 'param') return type.params.some(inner => holds(draft, param, inner))
  const known = draft.get(type.name)
  return known !== undefined && holds(draft, param, known)
}

/** The more general of two types of which one may stand for the other. */
export function moreGeneral(left: CelType, right: CelType): CelType {
  return isAsGeneral(left, right) ? left : right
}

function isAsGeneral(left: CelType, right: CelType): boolean {
  if (left.kind === 'dyn' || left.kind === 'param') return true
  if (right.kind === 'dyn' || right.kind === 'param' || left.kind !== right.kind) return false
  if (left.kind === 'type') return true
  if (left.kind !== 'opaque' && left.kind !== 'list' && left.kind !== 'map') return isExactly(left, right)
  return (
    left.name === right.name &&
    left.params.length === right.params.length &&
    left.params.every((param, at) => {
      const other = right.params[at]
      return other !== undefined && isAsGeneral(param, other)
    })
  )
}

/** A type with all that is known of its parameters; with `isFinal` the others are dynamic. */
export function substituted(known: Substitutions, type: CelType, isFinal = false): CelType {
  if (type.kind === 'param') {
    const found = known.get(type.name)
    if (found !== undefined) return substituted(known, found, isFinal)
    return isFinal ? dynType : type
  }
  if (type.params.length === 0) return type
  return { ...type, params: type.params.map(param => substituted(known, param, isFinal)) }
}
