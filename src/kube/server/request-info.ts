// What a request means to an API server: verb, resource, namespace, name; or a path that is no resource.
import { parseFieldSelector } from '../objects/field-selector.ts'
import { badRequest, forbidden, type StatusError } from '../objects/status.ts'

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

interface AskedPath {
  readonly method: string
  /** Still percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
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
export function requestInfo(request: AskedPath): ResourceRequest | PathRequest {
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
  // What stands behind `proxy` is the path of another server.
  if (segments[0] === 'proxy') return 'proxy'
  return segments.length === 0 ? undefined : segments.join('/')
}

function verbOf(verb: ApiVerb, name: string | undefined, query: URLSearchParams): ApiVerb {
  if (verb === 'delete') return name === undefined ? 'deletecollection' : 'delete'
  if (verb !== 'get') return verb
  if (isTrue(query.get('watch'))) return 'watch'
  return name === undefined ? 'list' : 'get'
}

/** What is to be allowed: lists and watches of one name are allowed as that name is, as upstream does. */
export function accessOf(info: ResourceRequest | PathRequest, query: URLSearchParams): ResourceRequest | PathRequest {
  if (info.kind === 'path' || info.name !== undefined || !['list', 'watch', 'deletecollection'].includes(info.verb)) return info
  const selector = parseFieldSelector(query.get('fieldSelector') ?? '')
  const exact = selector.ok
    ? selector.value.terms.find(({ field, operator }) => field === 'metadata.name' && operator === '=')
    : undefined
  return exact === undefined || exact.value === '' || exact.value.includes('/') ? info : { ...info, name: exact.value }
}

/** How API servers read a switch of a query. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

/** 403 in upstream's words. */
export function refusedTo(user: string, asked: ResourceRequest | PathRequest, reason = ''): StatusError {
  const because = reason === '' ? '' : `: ${reason}`
  const who = `User ${JSON.stringify(user)}`
  if (asked.kind === 'path') {
    const why = `${who} cannot ${asked.verb} path ${JSON.stringify(asked.path)}${because}`
    return forbidden({ group: '', resource: '' }, '', why)
  }
  const resource = asked.subresource === undefined ? asked.resource : `${asked.resource}/${asked.subresource}`
  const place = asked.namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(asked.namespace)}`
  const what = `resource ${JSON.stringify(resource)} in API group ${JSON.stringify(asked.group)} ${place}`
  return forbidden(
    { group: asked.group, resource: asked.resource },
    asked.name ?? '',
    `${who} cannot ${asked.verb} ${what}${because}`,
  )
}
