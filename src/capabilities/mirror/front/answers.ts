// Answers of the registry port as data. Below `/v2/` only these leave: 200, 206, 401, 404, 405, 416 (and to our own peers 503): any
// other has containerd wait, repeat, or fail the pull.
import type { ByteRange } from '../contract.ts'
import type { Digest } from '../reference.ts'
import type { AskedContent, ErrorCode } from './request.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  /** Left out for HEAD by whoever sends it. */
  readonly body: string
}

/** `detail` is left out where there is none. */
export function errorAnswer(
  status: number,
  {
    code,
    message,
    detail,
  }: { readonly code: ErrorCode; readonly message: string; readonly detail?: { readonly attempts: number } },
  headers: Answer['headers'] = {},
): Answer {
  const body = JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] })
  return { status, headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }, body }
}

export const emptyAnswer: Answer = { status: 200, headers: { 'content-length': 0 }, body: '' }

/** In plain text: for what is no registry, and for probes. */
export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) }, body }
}

export function jsonAnswer(document: object): Answer {
  const body = JSON.stringify(document)
  return { status: 200, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }, body }
}

export const unauthorized = errorAnswer(
  401,
  { code: 'UNAUTHORIZED', message: 'user and password are asked for' },
  { 'www-authenticate': 'Basic realm="ballast"' },
)

export const methodNotAllowed = errorAnswer(
  405,
  { code: 'UNSUPPORTED', message: 'only GET and HEAD are answered' },
  { allow: 'GET, HEAD' },
)

/** What is not there, in the words of its route. */
export function unknownAnswer(
  { route }: Pick<AskedContent, 'route'>,
  message: string,
  detail?: { readonly attempts: number },
): Answer {
  const code = route === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN'
  return errorAnswer(404, { code, message, ...(detail === undefined ? {} : { detail }) })
}

export function beyondAnswer(size: number): Answer {
  return { status: 416, headers: { 'content-range': `bytes */${size}`, 'content-length': 0 }, body: '' }
}

interface Content {
  readonly digest: Digest
  /** Size of the whole, in bytes. */
  readonly size: number
  readonly mediaType: string
}

/** Head of the answer that carries `content`, or the part of it that is `range`. `isLocal`: from this node's own store. */
export function contentHead(
  { route, registry }: Pick<AskedContent, 'route' | 'registry'>,
  { digest, size, mediaType, range, isLocal }: Content & { readonly range: ByteRange | undefined; readonly isLocal: boolean },
): ContentHead {
  const length = range === undefined ? size : range.end - range.start + 1
  const headers = {
    // A part is only known to be bytes.
    'content-type': range === undefined ? mediaType : 'application/octet-stream',
    'content-length': length,
    'docker-content-digest': digest,
    ...(isLocal && registry !== '' ? { 'oci-namespace': registry } : {}),
    ...(route === 'blobs' ? { 'accept-ranges': 'bytes' } : {}),
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
  }
  return { status: range === undefined ? 200 : 206, headers, length }
}

export interface ContentHead {
  readonly status: 200 | 206
  readonly headers: Answer['headers']
  /** Bytes of the body that follows for GET. */
  readonly length: number
}
