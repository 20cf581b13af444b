// `Status` objects: what an API server answers when it refuses. The client reads them into StatusError; the twin and the
// aggregated API build them with the functions at the end, in the words of apimachinery's `api/errors`.

import { OutsideError } from '../outside-error.ts'
import { goQuote } from './field-error.ts'

interface StatusCause {
  readonly reason?: string
  readonly message?: string
  /** `spec.containers[0].image`, where the cause has a field. */
  readonly field?: string
}

interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The resource's plural on most errors, the kind on `Invalid`. */
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Failure' | 'Success'
  readonly message?: string
  readonly reason?: string
  readonly details?: StatusDetails
  readonly code?: number
}

/** The reason an API server gives for a bare HTTP code; codes that have none of their own are `Unknown`. */
const reasonOfCode: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** How much of an answer that is no Status is quoted. */
const quotedBytes = 2048

/** A failure Status; `reason` defaults to the generic one of the code. */
export function statusBody(
  code: number,
  message: string,
  reason = reasonOfCode[code] ?? 'Unknown',
  details?: StatusDetails,
): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  }
}

/** What an API server refused, with its Status. The message is the server's. */
export class StatusError extends OutsideError {
  override readonly name = 'StatusError'
  readonly status: Status

  constructor(status: Status) {
    super(status.message ?? status.reason ?? `HTTP ${status.code ?? 'error'}`)
    this.status = status
  }

  get code(): number {
    return this.status.code ?? 0
  }

  get reason(): string {
    return this.status.reason ?? 'Unknown'
  }

  get details(): StatusDetails | undefined {
    return this.status.details
  }

  get causes(): readonly StatusCause[] {
    return this.status.details?.causes ?? []
  }

  get retryAfterSeconds(): number | undefined {
    return this.status.details?.retryAfterSeconds
  }

  /** Who owns the fields a server-side apply wanted; empty where this is no apply conflict. */
  conflicts(): readonly { readonly manager: string; readonly field: string }[] {
    return this.causes
      .filter(cause => cause.reason === 'FieldManagerConflict')
      .map(cause => ({ manager: /"([^"]*)"/.exec(cause.message ?? '')?.[1] ?? '', field: cause.field ?? '' }))
  }
}

/** The StatusError of an answer of 400 and up: its Status, or one made of the code and the first 2,048 bytes of the body. */
export function statusErrorOf(code: number, headers: Readonly<Record<string, string>>, body: Uint8Array): StatusError {
  const status = parsedStatus(body) ?? statusBody(code, genericMessage(code, body))
  const details = withRetryAfter(status, code, headers)
  return new StatusError({ ...status, code: status.code ?? code, ...(details === undefined ? {} : { details }) })
}

function parsedStatus(body: Uint8Array): Status | undefined {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(body))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return isStatus(value) ? value : undefined
}

/** Whether a JSON value is a Status object. */
export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status' && 'status' in value
}

function genericMessage(code: number, body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, quotedBytes)).trim()
  return text === '' ? `the server answered ${code} without a body` : text
}

function withRetryAfter(status: Status, code: number, headers: Readonly<Record<string, string>>): StatusDetails | undefined {
  if (status.details?.retryAfterSeconds !== undefined) return status.details
  const header = headers['retry-after']
  const seconds = header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) : code === 429 ? 1 : undefined
  return seconds === undefined ? status.details : { ...status.details, retryAfterSeconds: seconds }
}

function hasReason(error: unknown, code: number, reason: string): boolean {
  if (!(error instanceof StatusError)) return false
  const known = error.status.reason !== undefined && error.status.reason !== '' && error.status.reason !== 'Unknown'
  return known ? error.reason === reason : error.code === code
}

export function isNotFound(error: unknown): error is StatusError {
  return hasReason(error, 404, 'NotFound')
}

export function isAlreadyExists(error: unknown): error is StatusError {
  return error instanceof StatusError && error.reason === 'AlreadyExists'
}

/** A precondition (resourceVersion, UID) or an apply's ownership did not hold. */
export function isConflict(error: unknown): error is StatusError {
  return hasReason(error, 409, 'Conflict')
}

export function isInvalid(error: unknown): error is StatusError {
  return hasReason(error, 422, 'Invalid')
}

export function isForbidden(error: unknown): error is StatusError {
  return hasReason(error, 403, 'Forbidden')
}

export function isUnauthorized(error: unknown): error is StatusError {
  return hasReason(error, 401, 'Unauthorized')
}

/** The resourceVersion or continue token is too old: list again. */
export function isExpired(error: unknown): error is StatusError {
  return error instanceof StatusError && (error.reason === 'Expired' || error.reason === 'Gone' || error.code === 410)
}

/** The resourceVersion asked for is ahead of what this server has seen. */
export function isTooLargeResourceVersion(error: unknown): error is StatusError {
  if (!(error instanceof StatusError)) return false
  if (error.causes.some(cause => cause.reason === 'ResourceVersionTooLarge')) return true
  const said = [error.message, ...error.causes.map(cause => cause.message ?? '')]
  return error.reason === 'Timeout' && said.some(text => text.includes('Too large resource version'))
}

export function isTooManyRequests(error: unknown): error is StatusError {
  return error instanceof StatusError && (error.reason === 'TooManyRequests' || error.code === 429)
}

export function isInternalError(error: unknown): error is StatusError {
  return hasReason(error, 500, 'InternalError')
}

/** A webhook has side effects that it cannot do without: a dry run says nothing of what the server would answer. */
export function isDryRunUnsupported(error: unknown): error is StatusError {
  return error instanceof StatusError && error.code === 400 && error.message.includes('does not support dry run')
}

/** A server-side apply met fields that others own; `error.conflicts()` names them. */
export function isApplyConflict(error: unknown): error is StatusError {
  return isConflict(error) && error.conflicts().length > 0
}

/** What a Status speaks of: a resource (plural) or, for `invalid`, a kind, with its group. */
export interface Subject {
  readonly group: string
  readonly resource: string
}

/** `pods`, `deployments.apps`. */
function qualified(subject: Subject): string {
  return subject.group === '' ? subject.resource : `${subject.resource}.${subject.group}`
}

function detailsOf(subject: Subject, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(subject.group === '' ? {} : { group: subject.group }),
    ...(subject.resource === '' ? {} : { kind: subject.resource }),
  }
}

export function notFound(subject: Subject, name: string): StatusError {
  return new StatusError(statusBody(404, `${qualified(subject)} "${name}" not found`, 'NotFound', detailsOf(subject, name)))
}

export function alreadyExists(subject: Subject, name: string): StatusError {
  return new StatusError(
    statusBody(409, `${qualified(subject)} "${name}" already exists`, 'AlreadyExists', detailsOf(subject, name)),
  )
}

export function conflict(subject: Subject, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${why}`
  return new StatusError(statusBody(409, message, 'Conflict', detailsOf(subject, name)))
}

export function forbidden(subject: Subject, name: string, why: string): StatusError {
  const what = name === '' ? `${qualified(subject)} is` : `${qualified(subject)} "${name}" is`
  const message = subject.resource === '' ? `forbidden: ${why}` : `${what} forbidden: ${why}`
  return new StatusError(statusBody(403, message, 'Forbidden', detailsOf(subject, name)))
}

/** `errors` is the joined text of the causes (`a` alone, `[a, b]` for several); `kind` stands where others have the resource. */
export function invalid(kind: string, group: string, name: string, errors: string, causes: readonly StatusCause[]): StatusError {
  const subject = { group, resource: kind }
  const message = `${qualified(subject)} ${goQuote(name)} is invalid: ${errors}`
  return new StatusError(statusBody(422, message, 'Invalid', { ...detailsOf(subject, name), causes }))
}

export function badRequest(message: string): StatusError {
  return new StatusError(statusBody(400, message, 'BadRequest'))
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError(statusBody(401, message, 'Unauthorized'))
}

/** The resourceVersion asked for is no longer kept. */
export function expired(message: string): StatusError {
  return new StatusError(statusBody(410, message, 'Expired'))
}

export function tooManyRequests(message: string, retryAfterSeconds: number, causes: readonly StatusCause[] = []): StatusError {
  return new StatusError(
    statusBody(429, message, 'TooManyRequests', {
      ...(causes.length === 0 ? {} : { causes }),
      // As on the wire: no seconds are left out.
      ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
    }),
  )
}

export function internalError(message: string): StatusError {
  const details = { causes: [{ message }] }
  return new StatusError(statusBody(500, `Internal error occurred: ${message}`, 'InternalError', details))
}

export function methodNotSupported(subject: Subject, verb: string): StatusError {
  const message = `${verb} is not supported on resources of kind "${qualified(subject)}"`
  return new StatusError(statusBody(405, message, 'MethodNotAllowed', detailsOf(subject, '')))
}
