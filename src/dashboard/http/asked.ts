// A request as its handlers see it: path, query and headers read once and within limits.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Characters of the text after `?`, as it is sent. */
export const longestQuery = 2_048
/** Characters of the whole address. */
export const longestTarget = 8_192

interface Target {
  /** As it was sent, with a leading slash, without the base path. */
  readonly path: string
  /** Decoded; none of `/`. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

export interface Asked extends Target {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Address of the peer. */
  readonly peer: string
  readonly message: IncomingMessage
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

export type ReadTarget =
  | { readonly kind: 'target'; readonly target: Target }
  /** The base path without its last slash. */
  | { readonly kind: 'slash-missing'; readonly query: string }
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'bad'; readonly found: string }
  | { readonly kind: 'too-long'; readonly what: 'address' | 'query' }

/** What `url` of a request line asks for, below `basePath` (which begins and ends with a slash). */
export function readTarget(url: string, basePath: string): ReadTarget {
  if (url.length > longestTarget) return { kind: 'too-long', what: 'address' }
  if (!url.startsWith('/')) return { kind: 'bad', found: 'an address that does not begin with a slash' }
  const question = url.indexOf('?')
  const whole = question < 0 ? url : url.slice(0, question)
  const query = question < 0 ? '' : url.slice(question + 1)
  if (query.length > longestQuery) return { kind: 'too-long', what: 'query' }
  if (`${whole}/` === basePath) return { kind: 'slash-missing', query }
  if (!whole.startsWith(basePath)) return { kind: 'elsewhere' }
  const path = whole.slice(basePath.length - 1)
  const segments = path === '/' ? [] : path.slice(1).split('/').map(decoded)
  if (!segments.every(segment => segment !== undefined)) return { kind: 'bad', found: 'a path that is not percent-encoded UTF-8' }
  if (!isEncoded(query)) return { kind: 'bad', found: 'a query that is not percent-encoded UTF-8' }
  return { kind: 'target', target: { path, segments, query: new URLSearchParams(query) } }
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

function isEncoded(query: string): boolean {
  return decoded(query) !== undefined
}
