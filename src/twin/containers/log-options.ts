// What is asked of a log: PodLogOptions as kube-apiserver reads and checks them.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'
import { badRequest } from '#kube/objects/status.ts'
import { refused } from '../api/validation/validation.ts'
import { wholeNumber } from '../api/write-options.ts'
import type { LogLine } from './log-lines.ts'

export interface LogOptions {
  /** Empty where none is named. */
  readonly container: string
  readonly follows: boolean
  readonly isPrevious: boolean
  readonly hasTimestamps: boolean
  /** In Unix milliseconds. */
  readonly sinceMs: number | undefined
  readonly tailLines: number | undefined
  readonly limitBytes: number | undefined
}

/** @throws StatusError 400 for what is no number or time, 422 for numbers that mean nothing */
export function logOptions(query: URLSearchParams, pod: string, nowMs: number): LogOptions {
  const tailLines = wholeNumber(query, 'tailLines')
  const limitBytes = wholeNumber(query, 'limitBytes')
  const sinceSeconds = wholeNumber(query, 'sinceSeconds')
  const sinceTime = timeOf(query.get('sinceTime'))
  const problems: FieldError[] = []
  if (tailLines !== undefined && tailLines < 0)
    problems.push(invalid('tailLines', tailLines, 'must be greater than or equal to 0'))
  if (limitBytes !== undefined && limitBytes < 1) problems.push(invalid('limitBytes', limitBytes, 'must be greater than 0'))
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    const body = 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified'
    problems.push({ type: 'FieldValueForbidden', field: '[]', body })
  } else if (sinceSeconds !== undefined && sinceSeconds < 1)
    problems.push(invalid('sinceSeconds', sinceSeconds, 'must be greater than 0'))
  if (problems.length > 0) throw refused({ kind: 'PodLogOptions', group: '' }, pod, problems)
  return {
    container: query.get('container') ?? '',
    follows: isTrue(query, 'follow'),
    isPrevious: isTrue(query, 'previous'),
    hasTimestamps: isTrue(query, 'timestamps'),
    sinceMs: sinceSeconds === undefined ? sinceTime : nowMs - sinceSeconds * 1000,
    tailLines,
    limitBytes,
  }
}

/** What is shown of a log that is there: its tail is taken first, then what is older than asked for is left out. */
export function shownLines(lines: readonly LogLine[], { tailLines, sinceMs }: LogOptions): readonly LogLine[] {
  const tail = tailLines === undefined ? lines : tailLines === 0 ? [] : lines.slice(-tailLines)
  return sinceMs === undefined ? tail : tail.filter(({ atMs }) => atMs >= sinceMs)
}

export function lineText({ atMs, text }: LogLine, { hasTimestamps }: LogOptions): string {
  return hasTimestamps ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ${text}\n` : `${text}\n`
}

/** Go's reading of a query's boolean: all but these is true. */
function isTrue(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text !== null && text !== '0' && text.toLowerCase() !== 'false'
}

function timeOf(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms))
    throw badRequest(
      `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as "2006"`,
    )
  return ms
}
