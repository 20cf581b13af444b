// A request as the handler sees it, whichever way it came, and what it means to the API server: verb, resource, name.
import { badRequest } from '#kube/status.ts'

/** How the caller proved who it is. */
export type Credentials =
  | { readonly kind: 'certificate'; readonly name: string; readonly groups: readonly string[] }
  | { readonly kind: 'none' }

export interface TwinRequest {
  readonly method: string
  /** Still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly credentials: Credentials
  /** Aborted when the client went away. */
  readonly signal: AbortSignal
}

export type TwinResponse =
  | {
      readonly kind: 'whole'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string | Uint8Array
    }
  | {
      readonly kind: 'stream'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly chunks: AsyncIterable<string>
    }

export type Handler = (request: TwinRequest) => Promise<TwinResponse>

/** The verbs of RBAC and discovery. */
type ApiVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** What a path below `/api` or `/apis` names. */
export interface ResourceRequest {
  readonly kind: 'resource'
  readonly verb: ApiVerb
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

export interface PathRequest {
  readonly kind: 'path'
  /** The HTTP method in lower case, as RBAC's nonResourceURLs have it. */
  readonly verb: string
  readonly path: string
}

const verbsOfMethods: Readonly<Record<string, ApiVerb>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  GET: 'get',
  HEAD: 'get',
}

/** Reads a request's path, as upstream's RequestInfo does. @throws StatusError 400 when the path is not well encoded. */
export function requestInfo(request: Pick<TwinRequest, 'method' | 'path' | 'query'>): ResourceRequest | PathRequest {
  const segments = request.path
    .split('/')
    .filter(segment => segment !== '')
    .map(decoded)
  const nonResource: PathRequest = { kind: 'path', verb: request.method.toLowerCase(), path: request.path }
  const [root, ...rest] = segments
  if (root !== 'api' && root !== 'apis') return nonResource
  const group = root === 'api' ? '' : rest.shift()
  const version = rest.shift()
  const first = rest.shift()
  if (group === undefined || version === undefined || first === undefined) return nonResource
  const place = placeOf(first, rest)
  const base = verbsOfMethods[request.method]
  if (base === undefined) return nonResource
  return { kind: 'resource', group, version, ...place, verb: verbOf(base, place.name, request.query) }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    if (cause instanceof URIError) throw badRequest(`the path segment ${JSON.stringify(segment)} is not percent-encoded UTF-8`)
    throw cause
  }
}

function placeOf(first: string, rest: readonly string[]) {
  const isInNamespace = first === 'namespaces' && rest.length > 1 && rest[1] !== 'status' && rest[1] !== 'finalize'
  if (isInNamespace) {
    const [namespace, resource = '', name, ...subresource] = rest
    return { namespace, resource, name, subresource: joined(subresource) }
  }
  const [name, ...subresource] = rest
  return { namespace: undefined, resource: first, name, subresource: joined(subresource) }
}

function joined(segments: readonly string[]): string | undefined {
  return segments.length === 0 ? undefined : segments.join('/')
}

function verbOf(verb: ApiVerb, name: string | undefined, query: URLSearchParams): ApiVerb {
  if (verb === 'delete') return name === undefined ? 'deletecollection' : 'delete'
  if (verb !== 'get') return verb
  if (isTrue(query.get('watch'))) return 'watch'
  return name === undefined ? 'list' : 'get'
}

export function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1' || value === ''
}
