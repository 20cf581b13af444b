// The head of an HTTP/1.1 answer, read strictly: what is not quite as it should be is a fault of the peer.
import type { Headers } from './answer-head.ts'

export interface ResponseHead {
  readonly status: number
  readonly headers: Headers
  /** Bytes of the body that follows; `undefined`: it says nothing of it, or in a way that we do not take. */
  readonly length: number | undefined
  /** Whether the connection can be used for a further request. */
  readonly isKept: boolean
}

/** Headers of one answer. */
const mostHeaders = 128
const statusLine = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const headerLine =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/
const decimal = /^\d{1,16}$/

/** @param text as it came, Latin 1, without the empty line at its end. Yields a sentence where it is no head of an answer. */
export function parseResponseHead(text: string, isHead: boolean): ResponseHead | string {
  const [first = '', ...lines] = text.split('\r\n')
  const [, minor, code] = statusLine.exec(first) ?? []
  if (code === undefined) return `no answer of HTTP/1.1: ${JSON.stringify(first.slice(0, 64))}`
  if (lines.length > mostHeaders) return `more than ${mostHeaders} headers`
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined) return `no header: ${JSON.stringify(line.slice(0, 64))}`
    const key = name.toLowerCase()
    const before = headers.get(key)
    if (before !== undefined && key === 'content-length' && before !== value) return 'two lengths'
    // If another header comes twice, the first one counts.
    if (before === undefined) headers.set(key, value)
  }
  const status = Number(code)
  const connection = headers.get('connection')?.toLowerCase() ?? ''
  return {
    status,
    headers: Object.fromEntries(headers),
    length: isHead || status === 204 || status === 304 ? 0 : lengthOf(headers),
    isKept: minor === '1' ? !connection.includes('close') : connection.includes('keep-alive'),
  }
}

function lengthOf(headers: ReadonlyMap<string, string>): number | undefined {
  const length = headers.get('content-length')
  if (length === undefined || !decimal.test(length) || headers.has('transfer-encoding')) return undefined
  const value = Number(length)
  return Number.isSafeInteger(value) ? value : undefined
}
