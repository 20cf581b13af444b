// Whom a bearer token speaks for, as the API server says, and when it ends by its own word.
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const tokenReviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' } as const
const reviewTimeoutMs = 10_000

type ReviewedToken =
  | { readonly isGood: true; readonly name: string; readonly groups: readonly string[] }
  | { readonly isGood: false; readonly because: string }

/** Asks for `audiences`; none: the API server's own. @throws where the server cannot be asked */
export async function reviewToken(
  api: Api,
  token: string,
  { audiences, signal }: { readonly audiences: readonly string[]; readonly signal: AbortSignal },
): Promise<ReviewedToken> {
  const spec = { token, ...(audiences.length === 0 ? {} : { audiences }) }
  const object = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: { name: '' }, spec }
  const answer = await api.resource<KubeObject>(tokenReviews).create(object, { signal, timeoutMs: reviewTimeoutMs })
  const status = fieldsOf(answer['status'])
  const user = fieldsOf(status['user'])
  const name = user['username']
  if (status['authenticated'] !== true || typeof name !== 'string' || name === '')
    return { isGood: false, because: typeof status['error'] === 'string' ? status['error'] : 'the token is not good' }
  // A server that does not know audiences names none.
  const given = textsOf(status['audiences'])
  if (audiences.length > 0 && !given.some(audience => audiences.includes(audience)))
    return { isGood: false, because: 'the token is for another audience' }
  return { isGood: true, name, groups: textsOf(user['groups']) }
}

/** When a JSON web token ends by its own word, in milliseconds since 1970; undefined where it does not say. */
export function expiryOf(token: string): number | undefined {
  const [, payload = ''] = token.split('.')
  let claims: unknown
  try {
    claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const seconds: unknown = fieldsOf(claims)['exp']
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1_000 : undefined
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}
