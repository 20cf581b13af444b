// Who asks a server that stands behind an API server: the front proxy's word, a client certificate, a bearer token, or nobody.
// In this order; the first that holds is taken, and whoever tried in vain is refused.
import type { X509Certificate } from 'node:crypto'
import { unauthorized } from '../objects/status.ts'
import { absent, anonymous, asAuthenticated, type Caller, type Proof } from './caller.ts'
import { isVouchedFor } from './certificate-trust.ts'
import type { ClientTrust, FrontProxyTrust } from './client-trust.ts'

/** What a connection and a request say of the caller. */
export interface Credentials {
  /** The certificates the peer showed, its own first, of which TLS found that it holds the key. */
  readonly chain: readonly X509Certificate[]
  /** Every value of each header, names in lower case. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>
}

interface Authenticators {
  /** Undefined while it is not known yet. */
  readonly trust: ClientTrust | undefined
  readonly nowMs: number
  callerOf(token: string): Promise<Proof>
}

/** The caller. @throws StatusError 401 where a credential was shown and none was good */
export async function authenticated(credentials: Credentials, by: Authenticators): Promise<Caller> {
  const failures: string[] = []
  for (const prove of [frontProxyProof, certificateProof, tokenProof]) {
    const proof = await prove(credentials, by)
    if (proof.kind === 'caller') return asAuthenticated(proof.caller)
    if (proof.kind === 'failed') failures.push(proof.why)
  }
  if (failures.length > 0) throw unauthorized()
  return anonymous
}

/** The user that the front proxy speaks for. Its headers mean nothing without its certificate. */
function frontProxyProof({ chain, headers }: Credentials, { trust, nowMs }: Authenticators): Proof {
  const [own] = chain
  const frontProxy = trust?.frontProxy
  if (own === undefined || frontProxy === undefined) return absent
  if (!isVouchedFor(chain, frontProxy.authorities, nowMs))
    return { kind: 'failed', why: 'the certificate is not of the front proxy' }
  const name = subjectOf(own).commonName
  if (frontProxy.allowedNames.length > 0 && !frontProxy.allowedNames.includes(name))
    return { kind: 'failed', why: `the common name ${JSON.stringify(name)} may not speak for others` }
  const user = spokenFor(headers, frontProxy)
  return user === undefined ? absent : { kind: 'caller', caller: user }
}

function spokenFor(headers: Credentials['headers'], names: FrontProxyTrust): Caller | undefined {
  const all = (wanted: readonly string[]) => wanted.flatMap(name => headers[name] ?? []).filter(value => value !== '')
  const [name] = all(names.userHeaders)
  if (name === undefined) return undefined
  const [uid] = all(names.uidHeaders)
  return {
    name,
    ...(uid === undefined ? {} : { uid }),
    groups: all(names.groupHeaders),
    extra: extraOf(headers, names.extraPrefixes),
  }
}

function extraOf(headers: Credentials['headers'], prefixes: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const extra = new Map<string, readonly string[]>()
  for (const [header, values] of Object.entries(headers)) {
    const prefix = prefixes.find(candidate => candidate !== '' && header.startsWith(candidate))
    if (prefix === undefined || values === undefined) continue
    const key = decodedKey(header.slice(prefix.length))
    extra.set(key, [...(extra.get(key) ?? []), ...values])
  }
  return Object.fromEntries(extra)
}

/** Keys come percent-encoded; one that is not is taken as it stands. */
function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch (error) {
    if (error instanceof URIError) return key
    throw error
  }
}

/** The user of a certificate of the cluster's own authority: CN is the name, each O a group. */
function certificateProof({ chain }: Credentials, { trust, nowMs }: Authenticators): Proof {
  const [own] = chain
  if (own === undefined) return absent
  if (!isVouchedFor(chain, trust?.clientAuthorities ?? [], nowMs))
    return { kind: 'failed', why: 'nobody we believe vouches for the certificate' }
  const { commonName, organizations } = subjectOf(own)
  if (commonName === '') return { kind: 'failed', why: 'the certificate names nobody' }
  return { kind: 'caller', caller: { name: commonName, groups: organizations, extra: {} } }
}

/** Whom the bearer token of a request speaks for. */
export async function tokenProof(
  { headers }: Pick<Credentials, 'headers'>,
  { callerOf }: Pick<Authenticators, 'callerOf'>,
): Promise<Proof> {
  const [scheme = '', token = ''] = (headers['authorization']?.[0] ?? '').trim().split(/\s+/, 2)
  return scheme.toLowerCase() === 'bearer' ? callerOf(token) : absent
}

function subjectOf(certificate: X509Certificate): { readonly commonName: string; readonly organizations: readonly string[] } {
  const { subject } = certificate.toLegacyObject()
  const organizations: unknown = subject.O
  return {
    commonName: typeof subject.CN === 'string' ? subject.CN : '',
    organizations: Array.isArray(organizations)
      ? organizations.map(String)
      : organizations === undefined
        ? []
        : [String(organizations)],
  }
}
