// What a request to the registry port asks for: method, target and headers in, a value out that has been checked. Nothing else of a
// request is ever looked at.
import { type Digest, isRegistry, isRepository, isTag, parseDigest } from '../reference.ts'
import { type AskedRange, parseRange } from './byte-range.ts'

/** Content as `/v2/` names it; exactly one of `digest` and `tag`. */
export interface AskedContent {
  readonly kind: 'content'
  readonly method: 'GET' | 'HEAD'
  readonly route: 'manifests' | 'blobs'
  /** `ns`: the registry of the image's name; empty where a digest was asked without. */
  readonly registry: string
  readonly repository: string
  readonly digest?: Digest
  readonly tag?: string
  /** Range of a GET of a blob. */
  readonly range?: AskedRange
}

export type ErrorCode = 'NAME_INVALID' | 'DIGEST_INVALID' | 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN' | 'UNAUTHORIZED' | 'UNSUPPORTED'

export type Asked =
  | AskedContent
  | { readonly kind: 'ping' }
  | { readonly kind: 'livez' | 'readyz' }
  /** Below `/v2/`, but nothing that can be had: 404. */
  | { readonly kind: 'invalid'; readonly code: 'NAME_INVALID' | 'DIGEST_INVALID'; readonly message: string }
  /** A method that changes something, below `/v2/`: 405. */
  | { readonly kind: 'method' }
  /** Neither the registry nor a probe: 404. */
  | { readonly kind: 'elsewhere' }
  /** 431 or 400, and the connection is closed. */
  | { readonly kind: 'refused'; readonly status: 400 | 431; readonly message: string }

interface RawRequest {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Characters of path and query. */
export const longestTarget = 8_192

/** Never throws, whatever it is given. */
export function readRequest({ method, target, headers }: RawRequest): Asked {
  if (target.length > longestTarget)
    return { kind: 'refused', status: 431, message: `target of ${target.length} characters, at most ${longestTarget} are read` }
  if (hasBody(method, headers)) return { kind: 'refused', status: 400, message: `${method} with a body` }
  const mark = target.indexOf('?')
  const path = decoded(mark < 0 ? target : target.slice(0, mark))
  const isRead = method === 'GET' || method === 'HEAD'
  if (path === undefined)
    return target.startsWith('/v2/') ? invalid('NAME_INVALID', 'the path is not percent-encoded UTF-8') : { kind: 'elsewhere' }
  if (isRead && (path === '/livez' || path === '/readyz')) return { kind: path === '/livez' ? 'livez' : 'readyz' }
  const steps = path.split('/').filter(step => step !== '' && step !== '.')
  if (steps[0] !== 'v2' || !path.startsWith('/')) return { kind: 'elsewhere' }
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'method' }
  if (steps.length === 1) return { kind: 'ping' }
  return readContent({ method, path, query: mark < 0 ? '' : target.slice(mark + 1), headers })
}

/** Only reading methods: others are refused for what they are. */
function hasBody(method: string, headers: RawRequest['headers']): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined // URIError: its only one
  }
}

interface Named {
  readonly method: 'GET' | 'HEAD'
  readonly path: string
  readonly query: string
  readonly headers: RawRequest['headers']
}

function readContent({ method, path, query, headers }: Named): Asked {
  const place = /^\/v2\/(.*)\/(manifests|blobs)\/(.*)$/s.exec(path)
  const [, repository = '', word, reference = ''] = place ?? []
  if (word !== 'manifests' && word !== 'blobs') return invalid('NAME_INVALID', 'neither a manifest nor a blob is named')
  if (!isRepository(repository)) return invalid('NAME_INVALID', `${shown(repository)} is no name of a repository`)
  const registry = new URLSearchParams(query).get('ns') ?? ''
  if (registry !== '' && !isRegistry(registry)) return invalid('NAME_INVALID', `ns=${shown(registry)} is no registry`)
  const shared = { kind: 'content', method, route: word, registry, repository } as const
  // A tag has no colon, a digest has one.
  if (word === 'manifests' && !reference.includes(':')) {
    if (!isTag(reference)) return invalid('NAME_INVALID', `${shown(reference)} is no tag`)
    if (registry === '') return invalid('NAME_INVALID', 'a tag needs the registry of its image as ns')
    return { ...shared, tag: reference }
  }
  const digest = parseDigest(reference)
  if (digest === undefined) return invalid('DIGEST_INVALID', `${shown(reference)} is no digest`)
  const range = word === 'blobs' && method === 'GET' ? rangeOf(headers) : undefined
  return { ...shared, digest, ...(range === undefined ? {} : { range }) }
}

/** With `If-Range` only what was seen before may be continued; there are no validators here that it could have seen. */
function rangeOf(headers: RawRequest['headers']): AskedRange | undefined {
  if (headers['if-range'] !== undefined) return undefined
  const { range } = headers
  return typeof range === 'string' ? parseRange(range) : undefined
}

function invalid(code: 'NAME_INVALID' | 'DIGEST_INVALID', message: string): Asked {
  return { kind: 'invalid', code, message }
}

const longestShown = 64

/** In quotes, cut, without what a terminal would obey. */
function shown(text: string): string {
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}...` : text)
}
