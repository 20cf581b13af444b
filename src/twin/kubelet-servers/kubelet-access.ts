// Who may ask a kubelet for what: it authenticates by client certificate or by the API server's word on a token, and authorizes by RBAC on
// subresources of its node, as upstream's does in webhook mode.
import type { TokenCheck } from '../api/access/authentication.ts'
import type { Authorizer } from '../api/access/authorization.ts'
import type { User } from '../api/api-server.ts'
import type { Credentials } from '../api/request.ts'

interface KubeletRequest {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly credentials: Credentials
}

interface AccessParts {
  readonly node: string
  /** The Kubernetes version that is played: 36 for 1.36. */
  readonly minor: number
  readonly authorizer: Authorizer
  readonly checkToken: TokenCheck
}

interface Refused {
  readonly status: 401 | 403
  readonly body: string
}

/** Why the request is not answered; undefined where it may be. */
export async function refusedByKubelet(request: KubeletRequest, parts: AccessParts): Promise<Refused | undefined> {
  const user = await userOf(request, parts.checkToken)
  if (user === undefined) return { status: 401, body: 'Unauthorized' }
  const verb = verbs[request.method] ?? ''
  const subresources = subresourcesOf(request.path, parts.minor)
  const attributes = { kind: 'resource', verb, group: '', version: 'v1', resource: 'nodes', namespace: undefined } as const
  if (subresources.some(subresource => parts.authorizer.allows(user, { ...attributes, name: parts.node, subresource })))
    return undefined
  const asked = `user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`
  return { status: 403, body: `Forbidden (${asked})\n` }
}

/** A certificate comes first; nobody is anonymous. */
async function userOf({ credentials, authorization = '' }: KubeletRequest, checkToken: TokenCheck): Promise<User | undefined> {
  const authenticated = (user: User) => ({ ...user, groups: [...new Set([...user.groups, 'system:authenticated'])] })
  if (credentials.kind === 'certificate') return authenticated({ name: credentials.name, groups: credentials.groups })
  const [scheme = '', token] = authorization.trim().split(/\s+/, 2)
  const user = scheme.toLowerCase() === 'bearer' && token !== undefined ? await checkToken(token) : undefined
  return user === undefined ? undefined : authenticated(user)
}

const verbs: Readonly<Record<string, string>> = { POST: 'create', GET: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** Since this minor `pods`, `healthz` and `configz` can be granted without all of `proxy`. */
const fineGrainedMinor = 33
const fineGrained = [
  ['/pods', 'pods'],
  ['/healthz', 'healthz'],
  ['/configz', 'configz'],
  ['/runningpods', 'pods'],
] as const
const ownRights = [
  ['/stats', 'stats'],
  ['/metrics', 'metrics'],
  ['/logs', 'log'],
  ['/checkpoint', 'checkpoint'],
  ['/statusz', 'statusz'],
  ['/flagz', 'configz'],
] as const

/** Subresources of the node, each of which allows it. */
function subresourcesOf(path: string, minor: number): readonly string[] {
  const right = (table: readonly (readonly [string, string])[]) =>
    table.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`))?.[1]
  const fine = minor >= fineGrainedMinor ? right(fineGrained) : undefined
  return [...(fine === undefined ? [] : [fine]), right(ownRights) ?? 'proxy']
}
