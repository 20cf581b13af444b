// The Secret in which our certificates and the state of their renewal are kept: `kubernetes.io/tls` with `ca.crt`, as others read it,
// and beside that what only we read.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { dataInPlaceOf, inPlaceOf } from '../client/update.ts'
import type { KubeObject } from '../objects/objects.ts'
import { bundleOf, type CertificateState } from './certificate-rotation.ts'
import { isIssuedBy, type KeyPair } from './certificates.ts'

export interface SecretName {
  readonly namespace: string
  readonly name: string
}

const generationAnnotation = 'ballast.dev/cert-generation'

/** The keys of it that are ours, whether they are there now or not. */
const ownKeys = [
  'tls.crt',
  'tls.key',
  'ca.crt',
  'authority.crt',
  'authority.key',
  'next.crt',
  'next.key',
  'old.crt',
  'times.json',
]

/** The Secret that holds `state`, in the place of `before`, whose version makes the update conditional: keys and marks of others stay. */
export function secretOf(at: SecretName, state: CertificateState, before: KubeObject | undefined): KubeObject {
  const data = {
    'tls.crt': state.leaf.certificate,
    'tls.key': state.leaf.key,
    'ca.crt': bundleOf(state),
    'authority.crt': state.authority.certificate,
    'authority.key': state.authority.key,
    ...(state.next === undefined ? {} : { 'next.crt': state.next.certificate, 'next.key': state.next.key }),
    ...(state.old === undefined ? {} : { 'old.crt': state.old.certificate }),
    'times.json': JSON.stringify({
      leafRenewalMs: state.leafRenewalMs,
      ...(state.old === undefined ? {} : { oldUntilMs: state.old.untilMs }),
    }),
  }
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
  return inPlaceOf(before, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: {
      name: at.name,
      namespace: at.namespace,
      labels: { 'ballast.dev/managed': 'true' },
      annotations: { [generationAnnotation]: String(generationOf(before) + 1) },
    },
    data: dataInPlaceOf(before, encoded, ownKeys),
  })
}

/** How often the Secret was written; 0 where it does not say. */
function generationOf(secret: KubeObject | undefined): number {
  const text = secret?.metadata.annotations?.[generationAnnotation] ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) : 0
}

/** The state in a Secret, or in words what is wrong with it: somebody edited it. */
export function stateOf(secret: KubeObject): CertificateState | string {
  const data: unknown = secret['data']
  const textAt = (key: string): string => {
    const value: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : ''
  }
  const pairAt = (name: string): KeyPair => ({ certificate: textAt(`${name}.crt`), key: textAt(`${name}.key`) })
  try {
    const authority = checkedPair('authority', pairAt('authority'))
    const leaf = checkedPair('tls', pairAt('tls'))
    if (!isIssuedBy(leaf.certificate, authority.certificate)) return 'tls.crt was not issued by authority.crt'
    const times: unknown = JSON.parse(textAt('times.json'))
    const timeAt = (key: string): unknown => (typeof times === 'object' && times !== null ? Reflect.get(times, key) : undefined)
    const leafRenewalMs = timeAt('leafRenewalMs')
    const oldUntilMs = timeAt('oldUntilMs')
    if (typeof leafRenewalMs !== 'number') return 'times.json: expected leafRenewalMs'
    const old = textAt('old.crt')
    const state: CertificateState = {
      authority,
      leaf,
      leafRenewalMs,
      ...(textAt('next.crt') === '' ? {} : { next: checkedPair('next', pairAt('next')) }),
      ...(old === '' || typeof oldUntilMs !== 'number' ? {} : { old: { certificate: old, untilMs: oldUntilMs } }),
    }
    return textAt('ca.crt') === bundleOf(state) ? state : 'ca.crt is not the bundle of the authorities'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** @throws Error where certificate and key do not belong together */
function checkedPair(name: string, pair: KeyPair): KeyPair {
  if (!new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key)))
    throw new Error(`${name}.key is not the key of ${name}.crt`)
  return pair
}
