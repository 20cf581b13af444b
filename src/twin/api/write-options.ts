// The query parameters of writes, checked as upstream checks its CreateOptions, UpdateOptions, PatchOptions and DeleteOptions.
import { type FieldError, fieldErrorsText, goQuote, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import type { FieldValidation } from './decoding/decode.ts'
import type { TwinRequest } from './request.ts'

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

const kindOfMethod: Readonly<Record<string, OptionsKind>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
  DELETE: 'DeleteOptions',
}

/** Whether all of `dryRun` says `All`. */
export function isDryRun(query: URLSearchParams): boolean {
  return query.get('dryRun') === 'All'
}

/** The manager a request names, or the first word of its User-Agent. */
export function fieldManager(request: TwinRequest): string {
  const named = request.query.get('fieldManager') ?? ''
  return named !== '' ? named : ((request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown')
}

/** How strictly the body is to be read. */
export function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation')
  return value === 'Strict' || value === 'Ignore' ? value : 'Warn'
}

/** @throws StatusError 422 that names every parameter that is wrong. */
export function checkWriteOptions(request: TwinRequest, isApply = false): void {
  const { query } = request
  if (query.size === 0 && !isApply) return
  const kind = kindOfMethod[request.method]
  if (kind === undefined) return
  const problems: FieldError[] = []
  if (kind === 'PatchOptions') problems.push(...forceProblems(query, isApply))
  if (kind !== 'DeleteOptions') problems.push(...managerProblems(query.get('fieldManager') ?? ''))
  problems.push(...dryRunProblems(query.getAll('dryRun')))
  if (kind !== 'DeleteOptions') problems.push(...validationProblems(query.get('fieldValidation') ?? ''))
  if (problems.length > 0) throw invalidOptions(kind, problems)
}

/** Options of a deletion, as its body or its query has them. */
interface DeleteOptionsGiven {
  readonly dryRun: readonly string[]
  readonly propagationPolicy: string | undefined
  readonly orphanDependents: boolean | undefined
}

/** @throws StatusError 422 */
export function checkDeleteOptions({ dryRun, propagationPolicy, orphanDependents }: DeleteOptionsGiven): void {
  const problems: FieldError[] = []
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    problems.push(invalid('propagationPolicy', propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'))
  else if (propagationPolicy !== undefined && !policies.includes(propagationPolicy))
    problems.push(notSupported('propagationPolicy', propagationPolicy, [...policies, 'nil']))
  problems.push(...dryRunProblems(dryRun))
  if (problems.length > 0) throw invalidOptions('DeleteOptions', problems)
}

const policies = ['Foreground', 'Background', 'Orphan']

/** A query parameter as Go reads an int64. @throws StatusError 400 in Go's words. */
export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const refused = (why: string) => badRequest(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`)
  if (!/^[+-]?\d+$/.test(text)) throw refused('invalid syntax')
  const exact = BigInt(text.replace('+', ''))
  if (BigInt.asIntN(64, exact) !== exact) throw refused('value out of range')
  return Number(exact)
}

function forceProblems(query: URLSearchParams, isApply: boolean): readonly FieldError[] {
  if (!isApply)
    return query.has('force')
      ? [{ type: 'FieldValueForbidden', field: 'force', body: 'Forbidden: may not be specified for non-apply patch' }]
      : []
  return (query.get('fieldManager') ?? '') === '' ? [required('fieldManager', 'is required for apply patch')] : []
}

const longestManager = 128

function managerProblems(manager: string): readonly FieldError[] {
  if (Buffer.byteLength(manager) > longestManager)
    return [{ type: 'FieldValueTooLong', field: 'fieldManager', body: `Too long: may not be more than ${longestManager} bytes` }]
  let at = 0
  for (const character of manager) {
    if (/[\p{C}\p{Zl}\p{Zp}]/u.test(character) || (/\p{Zs}/u.test(character) && character !== ' ')) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      return [invalid('fieldManager', manager, `invalid character U+${code} (at position ${at})`)]
    }
    at += Buffer.byteLength(character)
  }
  return []
}

function dryRunProblems(given: readonly string[]): readonly FieldError[] {
  if (given.every(value => value === 'All')) return []
  return [
    {
      type: 'FieldValueNotSupported',
      field: 'dryRun',
      body: `Unsupported value: ${JSON.stringify(given)}: supported values: "All"`,
    },
  ]
}

function validationProblems(value: string): readonly FieldError[] {
  const allowed = ['', 'Ignore', 'Strict', 'Warn']
  return allowed.includes(value) ? [] : [notSupported('fieldValidation', value, allowed)]
}

function invalidOptions(kind: OptionsKind, problems: readonly FieldError[]): StatusError {
  const causes = problems.map(problem => ({ reason: problem.type, message: problem.body, field: problem.field }))
  const message = `${kind}.meta.k8s.io "" is invalid: ${fieldErrorsText(problems)}`
  return new StatusError(statusBody(422, message, 'Invalid', { group: 'meta.k8s.io', kind, causes }))
}

import type { User } from './api-server.ts'
import type { ResourceType } from './resource-type.ts'

export interface WriteOptions {
  readonly user: User
  readonly manager: string
  readonly subresource?: string
  /** The type in whose version a client's request was sent. Such objects are stored as Go writes them. */
  readonly requested?: ResourceType
  readonly isDryRun?: boolean
  /** A patch of the stored object: what it did to the identity is refused like any other field. */
  readonly isPatch?: boolean
  /** Ownership was already written by server-side apply. */
  readonly keepManagedFields?: boolean
}
