// Validation errors on a field, worded and listed as Kubernetes does, and the Status they make.

const fieldErrorTypes = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueTypeInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooShort: 'Too short',
  FieldValueTooMany: 'Too many',
  InternalError: 'Internal error',
} as const

type FieldErrorType = keyof typeof fieldErrorTypes

export interface FieldError {
  readonly type: FieldErrorType
  /** `spec.containers[0].resources.requests[cpu]`. */
  readonly field: string
  /** `Invalid value: "x": must be y`: all but the field. */
  readonly body: string
}

/** A step of a path: a field's name, an index of a list, or `{ key }` of a map. */
type PathStep = string | number | { readonly key: string }

/** `fieldPath('spec', 'a', 0, { key: 'x/y' })` is `spec.a[0][x/y]`. */
export function fieldPath(...steps: readonly PathStep[]): string {
  return steps
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`
      if (typeof step === 'object') return `[${step.key}]`
      return index === 0 ? step : `.${step}`
    })
    .join('')
}

const typesWithoutValue: ReadonlySet<FieldErrorType> = new Set([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'FieldValueTooShort',
  'InternalError',
])

function fieldError(type: FieldErrorType, field: string, value: unknown, detail: string): FieldError {
  const head = typesWithoutValue.has(type) ? fieldErrorTypes[type] : `${fieldErrorTypes[type]}: ${valueText(value)}`
  return { type, field, body: detail === '' ? head : `${head}: ${detail}` }
}

export const invalid = (field: string, value: unknown, detail: string): FieldError =>
  fieldError('FieldValueInvalid', field, value, detail)
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError =>
  fieldError('FieldValueTypeInvalid', field, value, detail)
export const required = (field: string, detail = ''): FieldError => fieldError('FieldValueRequired', field, undefined, detail)
export const duplicate = (field: string, value: unknown): FieldError => fieldError('FieldValueDuplicate', field, value, '')
export const forbidden = (field: string, detail: string): FieldError =>
  fieldError('FieldValueForbidden', field, undefined, detail)
export const notFound = (field: string, value: unknown): FieldError => fieldError('FieldValueNotFound', field, value, '')
export const internalError = (field: string, detail: string): FieldError => fieldError('InternalError', field, undefined, detail)

/** `supported` in the order given; none: no detail. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const detail = supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`
  return fieldError('FieldValueNotSupported', field, value, detail)
}

export function tooLong(field: string, mostBytes: number): FieldError {
  return fieldError(
    'FieldValueTooLong',
    field,
    undefined,
    `may not be more than ${mostBytes} ${mostBytes === 1 ? 'byte' : 'bytes'}`,
  )
}

export function tooMany(field: string, found: number, most: number): FieldError {
  return fieldError('FieldValueTooMany', field, found, `must have at most ${most} ${most === 1 ? 'item' : 'items'}`)
}

/** `spec.a: Invalid value: "x": must be y`. */
export function fieldErrorText(error: FieldError): string {
  return `${error.field}: ${error.body}`
}

/** One error bare, several as `[a, b]`; the same text once. */
export function fieldErrorsText(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(fieldErrorText))]
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
}

interface StatusCause {
  readonly reason: string
  readonly message: string
  readonly field: string
}

/** What a 422 answer says of an object: its message, and a cause for each error. */
export function invalidObject(
  subject: { readonly group: string; readonly kind: string; readonly name: string },
  errors: readonly FieldError[],
): { readonly message: string; readonly causes: readonly StatusCause[] } {
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`
  return {
    message: `${kind} ${goQuote(subject.name)} is invalid: ${fieldErrorsText(errors)}`,
    causes: errors.map(({ type, field, body }) => ({ reason: type, message: body, field })),
  }
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return goQuote(value)
  if (value === undefined) return 'null'
  if (typeof value === 'bigint') return String(value)
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? 'null'
  return text.replaceAll(/[<>&\u2028\u2029]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/** `text` in double quotes as Go's `%q` prints it. */
export function goQuote(text: string): string {
  const quoted = Array.from(text, character => {
    const short = shortEscapes[character]
    if (short !== undefined) return short
    if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) return character
    const code = character.codePointAt(0) ?? 0
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
  })
  return `"${quoted.join('')}"`
}
