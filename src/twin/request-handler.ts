// Every request of every transport ends here: who asks, may they, what is it about, what is the answer.
import { forbidden, internalError, StatusError, statusBody } from '#kube/status.ts'
import { plainText, refusal, textAnswer } from './api/answer.ts'
import type { ApiServer, User } from './api/api-server.ts'
import { authenticate, impersonated, type TokenCheck } from './api/authentication.ts'
import type { Authorizer } from './api/authorization.ts'
import { answerDiscovery } from './api/discovery.ts'
import { answerOpenApi } from './api/openapi.ts'
import {
  type Handler,
  type PathRequest,
  type ResourceRequest,
  requestInfo,
  type TwinRequest,
  type TwinResponse,
} from './api/request.ts'
import type { ResourceHandlers } from './api/resource-handlers.ts'
import { versionDocument } from './api/server-version.ts'
import { withDeprecation, withNotedWarnings } from './api/warnings.ts'
import type { RequestLog } from './request-log.ts'

interface HandlerParts {
  readonly server: ApiServer
  readonly resources: ResourceHandlers
  readonly authorizer: Authorizer
  readonly checkToken: TokenCheck
  readonly log: RequestLog
  readonly allowsAnonymous: boolean
  readonly onUnexpected: (error: unknown, request: TwinRequest) => void
  /** Sees every request with its answer. */
  readonly onExchange?: (request: TwinRequest, answer: TwinResponse) => void
}

/** Paths that need no credentials. */
const openPaths = /^\/(healthz|livez|readyz|version)(\/|$)/

/** The one request handler of a twin. It never rejects: what goes wrong is an answer. */
export function requestHandler(parts: HandlerParts): Handler {
  return async request => {
    using _held = parts.server.clock.hold()
    let user: User | undefined
    const answer = await answerTo(parts, request, found => {
      user = found
    })
    parts.log.add({
      verb: request.method,
      path: request.path,
      query: request.query.toString(),
      user: user?.name ?? '',
      agent: request.headers['user-agent'] ?? '',
      code: answer.status,
      at: parts.server.clock.now(),
    })
    parts.onExchange?.(request, answer)
    return answer
  }
}

async function answerTo(parts: HandlerParts, request: TwinRequest, onUser: (user: User) => void): Promise<TwinResponse> {
  try {
    if (openPaths.test(request.path)) return answerOpenPath(parts, request)
    const caller = await authenticate(request, parts.checkToken, { allowsAnonymous: parts.allowsAnonymous })
    const user = impersonated(request, caller, (who, resource, name) =>
      parts.authorizer.allows(who, {
        kind: 'resource',
        verb: 'impersonate',
        group: '',
        version: 'v1',
        resource,
        namespace: undefined,
        name,
        subresource: undefined,
      }),
    )
    onUser(user)
    const info = requestInfo(request)
    authorize(parts.authorizer, user, info)
    return info.kind === 'path' ? answerPath(parts, request) : await answerResource(parts, info, request, user)
  } catch (error) {
    if (error instanceof StatusError) return withNotedWarnings(request, refusal(request, error))
    if (request.signal.aborted) return plainText(499, 'client closed the request')
    parts.onUnexpected(error, request)
    return refusal(request, internalError(error instanceof Error ? error.message : String(error)))
  }
}

async function answerResource(
  parts: HandlerParts,
  info: ResourceRequest,
  request: TwinRequest,
  user: User,
): Promise<TwinResponse> {
  const type = parts.server.resources.find(info.group, info.version, info.resource)
  if (type === undefined) return unknownResource(parts, info, request)
  return withDeprecation(type, parts.server.minor, await parts.resources.answer({ type, info, request, user }))
}

/** A group and version that are served know which resources they have; other paths are no API at all. */
function unknownResource(parts: HandlerParts, info: ResourceRequest, request: TwinRequest): TwinResponse {
  if (parts.server.resources.inGroupVersion(info.group, info.version).length === 0) return plainText(404, '404 page not found\n')
  return refusal(request, new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound', {})))
}

function answerOpenPath(parts: HandlerParts, request: TwinRequest): TwinResponse {
  if (request.path === '/version' || request.path === '/version/') {
    return textAnswer(request, 200, JSON.stringify(versionDocument(parts.server.minor), null, 2), { encoding: 'json' })
  }
  const [, endpoint = ''] = request.path.split('/')
  if (!request.query.has('verbose')) return plainText(200, 'ok')
  const checks = ['ping', 'log', 'etcd', 'informer-sync', 'poststarthook/start-apiextensions-controllers'].map(
    name => `[+]${name} ok\n`,
  )
  return plainText(200, `${checks.join('')}${endpoint} check passed\n`)
}

function answerPath(parts: HandlerParts, request: TwinRequest): TwinResponse {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusal(
      request,
      new StatusError(statusBody(405, 'the server does not allow this method on the requested resource', 'MethodNotAllowed')),
    )
  }
  return (
    answerDiscovery(parts.server, request.path, request) ??
    answerOpenApi(parts.server, request) ??
    plainText(404, '404 page not found\n')
  )
}

function authorize(authorizer: Authorizer, user: User, info: ResourceRequest | PathRequest): void {
  if (authorizer.allows(user, info)) return
  if (info.kind === 'path')
    throw forbidden(
      { group: '', resource: '' },
      '',
      `User ${JSON.stringify(user.name)} cannot ${info.verb} path ${JSON.stringify(info.path)}`,
    )
  const resource = info.subresource === undefined ? info.resource : `${info.resource}/${info.subresource}`
  const place = info.namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(info.namespace)}`
  const why = `User ${JSON.stringify(user.name)} cannot ${info.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(info.group)} ${place}`
  throw forbidden({ group: info.group, resource: info.resource }, info.name ?? '', why)
}
