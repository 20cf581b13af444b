// Secrets of HashiCorp Vault, and of OpenBao, which answers alike: a login by token or by a ServiceAccount's token, then one reading a path.
import { at, textAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import type { TriggerAuthenticationSpec } from '../kinds/trigger-authentication.ts'
import { jsonOf, type Outgoing, type SourceHttp, urlOf } from '../scalers/outgoing.ts'
import { TriggerProblem } from '../triggers/parameters.ts'

type VaultSpec = NonNullable<TriggerAuthenticationSpec['hashiCorpVault']>
type VaultSecret = NonNullable<VaultSpec['secrets']>[number]

interface VaultPlace {
  readonly outgoing: Outgoing
  /** @throws TriggerProblem */
  readonly serviceAccountToken: (name: string, signal: AbortSignal) => Promise<string>
  readonly signal: AbortSignal
}

/** @throws TriggerProblem for what is not configured; AnswerError for what Vault refuses, without what it was asked with */
export async function vaultSecrets(spec: VaultSpec, place: VaultPlace): Promise<ReadonlyMap<string, string>> {
  const { outgoing, signal } = place
  await using http = outgoing.http({})
  const ask = asking(http, spec, signal)
  const token = await login(spec, ask, place)
  const answers = new Map<string, Promise<unknown>>()
  const found = new Map<string, string>()
  for (const secret of spec.secrets ?? []) {
    const key = JSON.stringify([secret.path, secret.type === 'pki' ? secret.pkiData : undefined])
    const body = secret.type === 'pki' ? pkiRequest(secret) : undefined
    const answer = answers.get(key) ?? ask(secret.path, token, body)
    answers.set(key, answer)
    found.set(secret.parameter, valueIn(await answer, secret))
  }
  return found
}

type Ask = (path: string, token: string | undefined, body: unknown) => Promise<unknown>

function asking(http: SourceHttp, { address, namespace }: VaultSpec, signal: AbortSignal): Ask {
  const base = urlOf(address)
  return async (path, token, body) => {
    const url = new URL(base)
    url.pathname = `${base.pathname.replace(/\/$/, '')}/v1/${path.split('/').map(encodeURIComponent).join('/')}`
    const headers = {
      'x-vault-request': 'true',
      ...(namespace === undefined || namespace === '' ? {} : { 'x-vault-namespace': namespace }),
      ...(token === undefined ? {} : { 'x-vault-token': token }),
    }
    const sent = body === undefined ? {} : { method: 'POST' as const, body: JSON.stringify(body) }
    const answer = await http.ask(url, { ...sent, headers, signal })
    if (answer.status !== 200) throw new AnswerError(`Vault answered ${path} with status ${answer.status}`)
    return jsonOf(answer, 'Vault')
  }
}

async function login(spec: VaultSpec, ask: Ask, { serviceAccountToken, signal }: VaultPlace): Promise<string> {
  const { authentication, credential, mount = '', role = '' } = spec
  if (authentication === 'token') {
    const { token = '' } = credential ?? {}
    if (token === '') throw new TriggerProblem('hashiCorpVault: could not get Vault token')
    return token
  }
  if (mount === '') throw new TriggerProblem('hashiCorpVault: auth mount not in config')
  if (role === '') throw new TriggerProblem('hashiCorpVault: k8s role not in config')
  const { serviceAccountName = '' } = credential ?? {}
  // A path would have us send any file of ours, our own token among them, to an address that somebody else chose.
  if (serviceAccountName === '')
    throw new TriggerProblem(
      'hashiCorpVault: serviceAccountName not supplied; a path of a token of ours (serviceAccount) is not read',
    )
  const answer = await ask(`auth/${mount}/login`, undefined, { jwt: await serviceAccountToken(serviceAccountName, signal), role })
  const token = textAt(answer, 'auth', 'client_token')
  if (token === undefined || token === '') throw new AnswerError('vault Kubernetes login returned no client token')
  return token
}

const pkiNames = {
  commonName: 'common_name',
  altNames: 'alt_names',
  ipSans: 'ip_sans',
  uriSans: 'uri_sans',
  otherSans: 'other_sans',
  ttl: 'ttl',
  format: 'format',
} as const

function pkiRequest({ pkiData }: VaultSecret): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(pkiNames).flatMap(([key, name]) => {
      const value = textAt(pkiData, key) ?? ''
      return value === '' ? [] : [[name, value]]
    }),
  )
}

function valueIn(answer: unknown, { type = '', key, path }: VaultSecret): string {
  const data = at(answer, 'data')
  const nested = at(data, 'data')
  const isSecond = type === 'secretV2' || (type === '' && nested !== undefined)
  const holder = isSecond ? nested : data
  const value = typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key) ? at(holder, key) : undefined
  if (typeof value === 'string') return value
  if (type === 'pki' && key === 'ca_chain' && Array.isArray(value)) return value.map(String).join('\n')
  throw new AnswerError(`Vault: key '${key}' of ${path} ${value === undefined ? 'not found' : 'is no text'}`)
}
