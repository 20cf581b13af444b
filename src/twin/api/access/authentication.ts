// Who makes a request: a client certificate of the twin's authority, or a bearer token; then impersonation.
import { badRequest, forbidden, unauthorized } from '#kube/objects/status.ts'
import type { User } from '../api-server.ts'
import type { TwinRequest } from '../request.ts'

/** Finds the user of a bearer token; undefined for a token that is not ours or no longer good. */
export type TokenCheck = (token: string) => Promise<User | undefined>

const authenticated = 'system:authenticated'

/** The user of a request. @throws StatusError 401 without valid credentials. */
export async function authenticate(
  request: TwinRequest,
  checkToken: TokenCheck,
  options: { readonly allowsAnonymous: boolean },
): Promise<User> {
  const header = request.headers['authorization'] ?? ''
  const [scheme, token] = header.split(/\s+/, 2)
  if (scheme?.toLowerCase() === 'bearer' && token !== undefined) {
    const user = await checkToken(token)
    if (user === undefined) throw unauthorized()
    return { ...user, groups: [...new Set([...user.groups, authenticated])] }
  }
  if (request.credentials.kind === 'certificate') {
    const { name, groups, digest } = request.credentials
    const extra =
      digest === undefined ? {} : { extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${digest}`] } }
    return { name, groups: [...groups, authenticated], ...extra }
  }
  if (options.allowsAnonymous) return { name: 'system:anonymous', groups: ['system:unauthenticated'] }
  throw unauthorized()
}

/** Whether `user` may do `verb` on an impersonated user, group, uid or extra. */
type MayImpersonate = (
  user: User,
  resource: 'users' | 'groups' | 'uids' | 'serviceaccounts' | 'userextras',
  name: string,
) => boolean

/** The user in whose name the request is made. @throws StatusError 403 where the caller may not. */
export function impersonated(request: TwinRequest, user: User, may: MayImpersonate): User {
  const name = request.headers['impersonate-user']
  if (name === undefined) {
    const group = request.headers['impersonate-group']
    if (group === undefined) return user
    const asked = `&user.DefaultInfo{Name:"", UID:"", Groups:[]string{${group
      .split(', ')
      .map(text => JSON.stringify(text))
      .join(', ')}}, Extra:map[string][]string(nil)}`
    throw badRequest(`requested ${asked} without impersonating a user name`)
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  const groups = (request.headers['impersonate-group'] ?? '')
    .split(',')
    .map(group => group.trim())
    .filter(group => group !== '')
  const uid = request.headers['impersonate-uid']
  const extra = impersonatedExtra(request.headers)
  const wanted = [
    account === null
      ? { resource: 'users' as const, value: name }
      : { resource: 'serviceaccounts' as const, value: account[2] ?? '' },
    ...groups.map(value => ({ resource: 'groups' as const, value })),
    ...(uid === undefined ? [] : [{ resource: 'uids' as const, value: uid }]),
    ...Object.values(extra).flatMap(values => values.map(value => ({ resource: 'userextras' as const, value }))),
  ]
  for (const { resource, value } of wanted) {
    if (may(user, resource, value)) continue
    const why = `User ${JSON.stringify(user.name)} cannot impersonate resource ${JSON.stringify(resource)} in API group "" at the cluster scope`
    throw forbidden({ group: '', resource }, value, why)
  }
  const accountGroups = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`]
  return {
    name,
    groups: [...new Set([...groups, ...(groups.length === 0 ? accountGroups : []), authenticated])],
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

const extraPrefix = 'impersonate-extra-'

/** Keys come percent-encoded, several values of one by comma. */
function impersonatedExtra(headers: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  const entries = Object.entries(headers).filter(([header]) => header.startsWith(extraPrefix))
  return Object.fromEntries(
    entries.map(([header, value]) => [decodedPart(header.slice(extraPrefix.length)), value.split(',').map(part => part.trim())]),
  )
}

function decodedPart(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}
