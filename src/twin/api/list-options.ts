// The query parameters of lists and watches, checked as upstream checks them.
import { type FieldError, fieldErrorsText, forbidden, goQuote, notSupported } from '#kube/objects/field-error.ts'
import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import { isTrue } from '#kube/server/request-info.ts'
import { bareError } from './bare-error.ts'
import { wholeNumber } from './write-options.ts'

export interface ListOptions {
  readonly labelSelector: string
  readonly fieldSelector: string
  readonly resourceVersion: string
  readonly resourceVersionMatch: string
  readonly limit: number
  readonly continueToken: string
  readonly timeoutSeconds: number | undefined
  readonly allowsBookmarks: boolean
  readonly sendInitialEvents: boolean | undefined
}

/** @throws StatusError 400 for what is no number, 422 for combinations that make no sense. */
export function listOptions(query: URLSearchParams, verb: 'list' | 'watch'): ListOptions {
  const initialEvents = query.get('sendInitialEvents')
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    limit: wholeNumber(query, 'limit') ?? 0,
    continueToken: query.get('continue') ?? '',
    timeoutSeconds: wholeNumber(query, 'timeoutSeconds'),
    allowsBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initialEvents === null ? undefined : isTrue(initialEvents),
  }
  const problems = verb === 'watch' ? watchProblems(options) : listProblems(options)
  if (problems.length > 0) throw invalidOptions(problems)
  return options
}

function listProblems(options: ListOptions): readonly FieldError[] {
  const { resourceVersion, resourceVersionMatch: match, continueToken } = options
  const problems: FieldError[] = []
  if (options.sendInitialEvents !== undefined)
    problems.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  if (match !== '') {
    if (resourceVersion === '')
      problems.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (continueToken !== '')
      problems.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan')
      problems.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && resourceVersion === '0')
      problems.push(forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  return problems
}

function watchProblems(options: ListOptions): readonly FieldError[] {
  const { resourceVersionMatch: match, sendInitialEvents } = options
  const problems: FieldError[] = []
  if (options.continueToken !== '')
    problems.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
  if (match !== '') {
    if (sendInitialEvents === undefined)
      problems.push(
        forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
      )
    else if (match !== 'NotOlderThan')
      problems.push(forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    if (match !== 'NotOlderThan') problems.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
  } else if (sendInitialEvents !== undefined) {
    problems.push(forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  }
  return problems
}

function invalidOptions(problems: readonly FieldError[]): StatusError {
  const causes = problems.map(problem => ({ reason: problem.type, message: problem.body, field: problem.field }))
  const message = `ListOptions.meta.k8s.io "" is invalid: ${fieldErrorsText(problems)}`
  return new StatusError(statusBody(422, message, 'Invalid', { group: 'meta.k8s.io', kind: 'ListOptions', causes }))
}

/** A resourceVersion as a number. @throws StatusError 400 for lists; for gets and watches 500, as upstream. */
export function revisionOf(text: string, verb: 'list' | 'get' | 'watch' = 'list'): number {
  const isNumber = /^\d+$/.test(text)
  if (isNumber && BigInt.asUintN(64, BigInt(text)) === BigInt(text)) return Number(text)
  const why = isNumber ? 'value out of range' : 'invalid syntax'
  const problem = `resourceVersion: Invalid value: ${goQuote(text)}: strconv.ParseUint: parsing ${goQuote(text)}: ${why}`
  throw verb === 'list' ? badRequest(`invalid resource version: ${problem}`) : bareError(problem)
}
