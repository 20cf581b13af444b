// Tokens of ServiceAccounts: JWTs signed by the twin, bound to the account and, if asked, to a pod, secret or node.

import {
  decodeJwt,
  errors,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import { notFound } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import { type ApiServer, timestamp, type User } from '../api-server.ts'
import { invalidOf } from '../validation/validation.ts'

const issuer = 'https://kubernetes.default.svc.cluster.local'
const leastSeconds = 600
const defaultSeconds = 3600
/** Tokens whose signature need not be looked at again. */
const mostVerified = 1_000

export interface TokenAsk {
  readonly namespace: string
  readonly serviceAccount: string
  readonly seconds?: number
  readonly audiences?: readonly string[]
  /** What the token dies with. */
  readonly bound?: { readonly kind: 'Pod' | 'Secret' | 'Node'; readonly name: string; readonly uid: string }
}

interface IssuedToken {
  readonly token: string
  /** RFC 3339. */
  readonly expires: string
  readonly audiences: readonly string[]
}

/** Whether a token speaks for a user. */
type TokenVerdict =
  | { readonly ok: true; readonly user: User; readonly audiences: readonly string[] }
  | { readonly ok: false; readonly problem: string }

/** A key that tokens can be signed by, as PEM. */
export async function makeTokenKey(): Promise<string> {
  return await exportPKCS8((await generateKeyPair('ES256', { extractable: true })).privateKey)
}

export class Tokens {
  readonly #server: ApiServer
  readonly #keys: Awaited<ReturnType<typeof generateKeyPair>>
  /** By token and audience. A signature takes real time, which would leave the order of requests to chance. */
  readonly #verified = new Map<string, JWTPayload>()

  private constructor(server: ApiServer, keys: Awaited<ReturnType<typeof generateKeyPair>>) {
    this.#server = server
    this.#keys = keys
  }

  /** Tokens signed by `key`, a private key of P-256 as PEM; without one by a key of their own. */
  static async make(server: ApiServer, key?: string): Promise<Tokens> {
    if (key === undefined) return new Tokens(server, await generateKeyPair('ES256'))
    const privateKey = await importPKCS8(key, 'ES256', { extractable: true })
    const { d: _secret, ...open } = await exportJWK(privateKey)
    const publicKey = await importJWK(open, 'ES256')
    if (publicKey instanceof Uint8Array) throw new TypeError('the key of tokens has no public half')
    return new Tokens(server, { privateKey, publicKey })
  }

  /** @throws StatusError 404 without the account, 422 for less than ten minutes. */
  async issue(ask: TokenAsk): Promise<IssuedToken> {
    const account = this.#server.store.get('serviceaccounts', ask.namespace, ask.serviceAccount)
    if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, ask.serviceAccount)
    const seconds = ask.seconds ?? defaultSeconds
    if (seconds < leastSeconds) {
      throw invalidOf(
        { kind: 'TokenRequest', group: 'authentication.k8s.io' },
        '',
        'spec.expirationSeconds',
        `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`,
      )
    }
    const audiences = ask.audiences === undefined || ask.audiences.length === 0 ? [issuer] : ask.audiences
    const nowSeconds = Math.floor(this.#server.clock.now() / 1000)
    const bound = ask.bound === undefined ? {} : { [ask.bound.kind.toLowerCase()]: { name: ask.bound.name, uid: ask.bound.uid } }
    const claims = {
      'kubernetes.io': {
        namespace: ask.namespace,
        serviceaccount: { name: ask.serviceAccount, uid: account.metadata.uid },
        ...bound,
        ...this.#nodeOf(ask),
      },
    }
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(issuer)
      .setAudience([...audiences])
      .setSubject(`system:serviceaccount:${ask.namespace}:${ask.serviceAccount}`)
      .setIssuedAt(nowSeconds)
      .setNotBefore(nowSeconds)
      .setExpirationTime(nowSeconds + seconds)
      .setJti(this.#server.uids.fresh('token', ask.namespace, ask.serviceAccount))
      .sign(this.#keys.privateKey)
    return { token, expires: timestamp((nowSeconds + seconds) * 1000), audiences }
  }

  /** A token that is bound to a pod on a node says which. */
  #nodeOf({ bound, namespace }: TokenAsk): { readonly node?: { readonly name: string; readonly uid: string } } {
    if (bound?.kind !== 'Pod') return {}
    const pod = this.#server.store.get('pods', namespace, bound.name)
    const name = pod === undefined ? undefined : textAt(pod, 'spec', 'nodeName')
    const node = name === undefined ? undefined : this.#server.store.get('nodes', undefined, name)
    return node === undefined ? {} : { node: { name: node.metadata.name, uid: node.metadata.uid ?? '' } }
  }

  /** The user of a token for `audience`, by the cluster's time. */
  async verify(token: string, audiences: readonly string[] = [issuer]): Promise<TokenVerdict> {
    let payload: Draft
    try {
      payload = { ...(await this.#payloadOf(token, audiences)) }
    } catch (error) {
      if (error instanceof errors.JOSEError)
        return { ok: false, problem: isOfIssuer(token) ? error.message : 'invalid bearer token' }
      throw error
    }
    const namespace = textAt(payload, 'kubernetes.io', 'namespace') ?? ''
    const name = textAt(payload, 'kubernetes.io', 'serviceaccount', 'name') ?? ''
    const uid = textAt(payload, 'kubernetes.io', 'serviceaccount', 'uid') ?? ''
    const account = this.#server.store.get('serviceaccounts', namespace, name)
    if (account === undefined || account.metadata.uid !== uid) return { ok: false, problem: 'service account has been deleted' }
    const dead = this.#deadBinding(payload, namespace)
    if (dead !== undefined) return { ok: false, problem: dead }
    const pod = fieldsAt(payload, 'kubernetes.io', 'pod')
    const node = fieldsAt(payload, 'kubernetes.io', 'node')
    const user: User = {
      name: `system:serviceaccount:${namespace}:${name}`,
      uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${textAt(payload, 'jti') ?? ''}`],
        ...(pod === undefined
          ? {}
          : {
              'authentication.kubernetes.io/pod-name': [textAt(pod, 'name') ?? ''],
              'authentication.kubernetes.io/pod-uid': [textAt(pod, 'uid') ?? ''],
            }),
        ...(node === undefined
          ? {}
          : {
              'authentication.kubernetes.io/node-name': [textAt(node, 'name') ?? ''],
              'authentication.kubernetes.io/node-uid': [textAt(node, 'uid') ?? ''],
            }),
      },
    }
    const granted = payload['aud']
    return {
      ok: true,
      user,
      audiences: (Array.isArray(granted) ? granted.map(String) : [String(granted)]).filter(audience =>
        audiences.includes(audience),
      ),
    }
  }

  /** What a token says, once its signature was good and as long as its time lasts. @throws errors.JOSEError */
  async #payloadOf(token: string, audiences: readonly string[]): Promise<JWTPayload> {
    const key = JSON.stringify([token, ...audiences])
    const nowMs = this.#server.clock.now()
    const known = this.#verified.get(key)
    const nowSeconds = Math.floor(nowMs / 1000)
    if (known !== undefined && (known.nbf ?? 0) <= nowSeconds && (known.exp ?? 0) > nowSeconds) return known
    const { payload } = await jwtVerify(token, this.#keys.publicKey, {
      issuer,
      audience: [...audiences],
      currentDate: new Date(nowMs),
    })
    if (this.#verified.size >= mostVerified) this.#verified.clear()
    this.#verified.set(key, payload)
    return payload
  }

  #deadBinding(payload: Draft, namespace: string): string | undefined {
    for (const [claim, key] of [
      ['pod', 'pods'],
      ['secret', 'secrets'],
      ['node', 'nodes'],
    ] as const) {
      const bound = fieldsAt(payload, 'kubernetes.io', claim)
      if (bound === undefined) continue
      const object = this.#server.store.get(key, claim === 'node' ? undefined : namespace, textAt(bound, 'name') ?? '')
      if (object === undefined || object.metadata.uid !== textAt(bound, 'uid'))
        return `the token is bound to a ${claim} that is gone`
    }
    return undefined
  }
}

/** Whether a token says that it is of this server. One that does not is nobody's affair, whatever else is wrong with it. */
function isOfIssuer(token: string): boolean {
  try {
    return decodeJwt(token).iss === issuer
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}

/** The ask in a TokenRequest's body. What it wants to be bound to must have been looked at. */
export function tokenAsk(namespace: string, serviceAccount: string, body: Draft): TokenAsk {
  const reference = fieldsAt(body, 'spec', 'boundObjectRef')
  const kind = textAt(reference, 'kind')
  const seconds = numberAt(body, 'spec', 'expirationSeconds')
  return {
    namespace,
    serviceAccount,
    ...(seconds === undefined ? {} : { seconds }),
    audiences: listAt(body, 'spec', 'audiences').map(String),
    ...(kind === 'Pod' || kind === 'Secret' || kind === 'Node'
      ? { bound: { kind, name: textAt(reference, 'name') ?? '', uid: textAt(reference, 'uid') ?? '' } }
      : {}),
  }
}
