// What an API server's ConfigMap says of whom its extensions may believe: the authority of its front proxy with the names of its
// headers, and the authority of client certificates. https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
import type { X509Certificate } from 'node:crypto'
import type { Informers } from '../informers/informer.ts'
import type { Informer } from '../informers/informer-view.ts'
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { certificatesIn } from './certificate-trust.ts'

/** How the front proxy is known, and where it says whom it speaks for. All names in lower case. */
export interface FrontProxyTrust {
  readonly authorities: readonly X509Certificate[]
  /** Common names that may speak for others; empty: every certificate of the authorities. */
  readonly allowedNames: readonly string[]
  readonly userHeaders: readonly string[]
  readonly uidHeaders: readonly string[]
  readonly groupHeaders: readonly string[]
  readonly extraPrefixes: readonly string[]
}

export interface ClientTrust {
  /** Undefined: no header is believed. */
  readonly frontProxy: FrontProxyTrust | undefined
  readonly clientAuthorities: readonly X509Certificate[]
  /** All of them as PEM, for the TLS server to ask by. */
  readonly bundle: string
}

export const authenticationConfigMap = { namespace: 'kube-system', name: 'extension-apiserver-authentication' } as const

/** The trust that the ConfigMap's data say. @throws Error naming the key that cannot be read */
function clientTrustOf(data: Readonly<Record<string, string>>): ClientTrust {
  const frontProxyPem = data['requestheader-client-ca-file'] ?? ''
  const clientPem = data['client-ca-file'] ?? ''
  const authorities = certificatesAt('requestheader-client-ca-file', frontProxyPem)
  const userHeaders = namesAt(data, 'requestheader-username-headers')
  const frontProxy = {
    authorities,
    allowedNames: textsAt(data, 'requestheader-allowed-names'),
    userHeaders,
    uidHeaders: namesAt(data, 'requestheader-uid-headers'),
    groupHeaders: namesAt(data, 'requestheader-group-headers'),
    extraPrefixes: namesAt(data, 'requestheader-extra-headers-prefix'),
  }
  return {
    // Without an authority nobody could be told apart: the way is off, whatever else is said.
    frontProxy: authorities.length === 0 || userHeaders.length === 0 ? undefined : frontProxy,
    clientAuthorities: certificatesAt('client-ca-file', clientPem),
    bundle: [frontProxyPem, clientPem]
      .filter(pem => pem.trim() !== '')
      .map(pem => `${pem.trim()}\n`)
      .join(''),
  }
}

function certificatesAt(key: string, pem: string): readonly X509Certificate[] {
  try {
    return certificatesIn(pem)
  } catch (error) {
    throw new Error(`${key}: expected certificates in PEM form (${messageOf(error)})`, { cause: error })
  }
}

function textsAt(data: Readonly<Record<string, string>>, key: string): readonly string[] {
  const text = data[key] ?? ''
  if (text.trim() === '') return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`${key}: expected a JSON array of texts (${messageOf(error)})`, { cause: error })
  }
  if (!Array.isArray(value) || value.some(item => typeof item !== 'string'))
    throw new Error(`${key}: expected a JSON array of texts, found ${JSON.stringify(value)}`)
  return value.map(String)
}

function namesAt(data: Readonly<Record<string, string>>, key: string): readonly string[] {
  return textsAt(data, key).map(name => name.trim().toLowerCase())
}

/** What stands in the place of keys of the ConfigMap, by the same keys; PEM texts where those hold them. */
export type GivenTrust = Readonly<Record<string, string>>

export interface TrustOptions {
  readonly given?: GivenTrust
  /** `tolerated`: while the ConfigMap cannot be read, what is given is all there is. `off`: it is not read. */
  readonly lookup?: 'required' | 'tolerated' | 'off'
}

interface WatchedTrust extends Disposable {
  /** Undefined until the ConfigMap was read. */
  readonly current: ClientTrust | undefined
  /** Why it cannot be told whom to believe; undefined when all is well. */
  readonly problem: string | undefined
  setGiven(given: GivenTrust): void
}

/** An authority that is given takes its names of headers with it: those of the ConfigMap belong to another. */
function withGiven(found: Readonly<Record<string, string>>, given: GivenTrust): Readonly<Record<string, string>> {
  const isFrontProxyGiven = (given['requestheader-client-ca-file'] ?? '') !== ''
  const isClientGiven = (given['client-ca-file'] ?? '') !== ''
  const isTaken = (key: string) => (key.startsWith('requestheader-') ? isFrontProxyGiven : isClientGiven)
  const ofGiven = Object.entries(given).filter(([key]) => isTaken(key))
  return Object.fromEntries([...Object.entries(found).filter(([key]) => !isTaken(key)), ...ofGiven])
}

/** Follows the ConfigMap. What cannot be read leaves the last good trust in force. `onChange` is told of each new one. */
export function watchClientTrust(
  informers: Informers,
  onChange: (trust: ClientTrust) => void,
  log: Log,
  { given: first = {}, lookup = 'required' }: TrustOptions = {},
): WatchedTrust {
  const { namespace, name } = authenticationConfigMap
  let given = first
  let found: Readonly<Record<string, string>> | undefined = lookup === 'required' ? undefined : {}
  let current: ClientTrust | undefined
  let problem: string | undefined
  const read = (where: string) => {
    if (found === undefined) return
    try {
      current = clientTrustOf(withGiven(found, given))
      problem = undefined
      onChange(current)
    } catch (error) {
      problem = `${where}: ${messageOf(error)}`
      log.error({ object: where, err: messageOf(error) }, 'client authorities cannot be read')
    }
  }
  const informer: Informer<KubeObject> | undefined =
    lookup === 'off'
      ? undefined
      : informers.of(builtIn.configmaps, { namespace, fieldSelector: `metadata.name=${name}`, optional: lookup === 'tolerated' })
  const end = informer?.onChange(({ type, object }) => {
    if (type === 'DELETED') {
      log.warn({ object: `${namespace}/${name}` }, 'the ConfigMap of client authorities is gone: the last one stays in force')
      return
    }
    found = textsOf(object['data'])
    read(`ConfigMap ${namespace}/${name}`)
  })
  if (current === undefined) read('what was given')
  return {
    get current() {
      return current
    },
    get problem() {
      // With an older trust we can go on: that is told in the log.
      return current !== undefined
        ? undefined
        : (problem ?? informer?.problem ?? `ConfigMap ${namespace}/${name} was not read yet`)
    },
    setGiven(next) {
      given = next
      read('what was given')
    },
    [Symbol.dispose]: () => end?.(),
  }
}

function textsOf(data: unknown): Readonly<Record<string, string>> {
  if (typeof data !== 'object' || data === null) return {}
  return Object.fromEntries(Object.entries(data).filter(([, value]) => typeof value === 'string'))
}
