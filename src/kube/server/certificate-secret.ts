// The Secret in which our certificates and the state of their renewal are kept: `kubernetes.io/tls` with `ca.crt`, as others read it,
// and beside that what only we read. An upstream's Secret has a layout of its own.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { dataInPlaceOf, inPlaceOf } from '../client/update.ts'
import type { KubeObject } from '../objects/objects.ts'
import { bundleOf, type CertificateState } from './certificate-rotation.ts'
import { certificateLife, isIssuedBy, type KeyPair, leafRenewalMs } from './certificates.ts'

export interface SecretName {
  readonly namespace: string
  readonly name: string
}

/** How a Secret holds certificates. */
export interface SecretLayout {
  /** Given to a Secret that is made; where one is there it cannot be changed. */
  readonly type: string
  readonly labels: Readonly<Record<string, string>>
  /** The key of the authority that signs. Where that is `ca.key` the authority itself is the one of `ca.crt` that has this key. */
  readonly authorityKey: 'authority.key' | 'ca.key'
}

const ownLayout: SecretLayout = {
  type: 'kubernetes.io/tls',
  labels: { 'ballast.dev/managed': 'true' },
  authorityKey: 'authority.key',
}

/** As cert-controller's rotator has it in programs of Go, and reads it: `ca.crt`, `ca.key`, `tls.crt`, `tls.key`. */
export function rotatorLayout(labels: Readonly<Record<string, string>>): SecretLayout {
  return { type: 'Opaque', labels, authorityKey: 'ca.key' }
}

const generationAnnotation = 'ballast.dev/cert-generation'

/** The keys of it that are ours, whether they are there now or not. */
const ownKeys = (layout: SecretLayout) => [
  'tls.crt',
  'tls.key',
  'ca.crt',
  ...(layout.authorityKey === 'authority.key' ? ['authority.crt'] : []),
  layout.authorityKey,
  'next.crt',
  'next.key',
  'old.crt',
  'times.json',
]

/** The Secret that holds `state`, in the place of `before`, whose version makes the update conditional: keys and marks of others stay. */
export function secretOf(
  at: SecretName,
  state: CertificateState,
  before: KubeObject | undefined,
  layout: SecretLayout = ownLayout,
): KubeObject {
  const data = {
    'tls.crt': state.leaf.certificate,
    'tls.key': state.leaf.key,
    'ca.crt': bundleOf(state),
    ...(layout.authorityKey === 'authority.key' ? { 'authority.crt': state.authority.certificate } : {}),
    [layout.authorityKey]: state.authority.key,
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
    type: before === undefined ? layout.type : (before['type'] ?? layout.type),
    metadata: {
      name: at.name,
      namespace: at.namespace,
      labels: { ...layout.labels },
      annotations: { [generationAnnotation]: String(generationOf(before) + 1) },
    },
    data: dataInPlaceOf(before, encoded, ownKeys(layout)),
  })
}

/** How often the Secret was written; 0 where it does not say. */
function generationOf(secret: KubeObject | undefined): number {
  const text = secret?.metadata.annotations?.[generationAnnotation] ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) : 0
}

/** The state in a Secret, or in words what is wrong with it: somebody edited it, or an upstream has made it and filled nothing in. */
export function stateOf(secret: KubeObject, layout: SecretLayout = ownLayout): CertificateState | string {
  const data: unknown = secret['data']
  const textAt = (key: string): string => {
    const value: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : ''
  }
  const pairAt = (name: string): KeyPair => ({ certificate: textAt(`${name}.crt`), key: textAt(`${name}.key`) })
  try {
    const authority =
      layout.authorityKey === 'authority.key'
        ? checkedPair('authority', pairAt('authority'))
        : authorityOfKey(textAt('ca.crt'), textAt('ca.key'))
    const leaf = checkedPair('tls', pairAt('tls'))
    if (!isIssuedBy(leaf.certificate, authority.certificate)) return 'tls.crt was not issued by its authority'
    const times = timesIn(textAt('times.json'), leaf, layout)
    if (times === undefined) return 'times.json: expected leafRenewalMs'
    const old = textAt('old.crt')
    const state: CertificateState = {
      authority,
      leaf,
      leafRenewalMs: times.leafRenewalMs,
      ...(textAt('next.crt') === '' ? {} : { next: checkedPair('next', pairAt('next')) }),
      ...(old === '' || times.oldUntilMs === undefined ? {} : { old: { certificate: old, untilMs: times.oldUntilMs } }),
    }
    const isWhole = layout.authorityKey === 'ca.key' ? isBundle(textAt('ca.crt'), state) : textAt('ca.crt') === bundleOf(state)
    return isWhole ? state : 'ca.crt is not the bundle of the authorities'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

interface Times {
  readonly leafRenewalMs: number
  readonly oldUntilMs: number | undefined
}

/** An upstream says no times, nor knows of those that belonged to a leaf of ours before its own. */
function timesIn(text: string, leaf: KeyPair, { authorityKey }: SecretLayout): Times | undefined {
  const isOther = authorityKey === 'ca.key'
  const byLife = leafRenewalMs(leaf.certificate, () => 0.5)
  if (isOther && text === '') return { leafRenewalMs: byLife, oldUntilMs: undefined }
  const times: unknown = JSON.parse(text)
  const timeAt = (key: string): unknown => (typeof times === 'object' && times !== null ? Reflect.get(times, key) : undefined)
  const said = timeAt('leafRenewalMs')
  const oldUntilMs = timeAt('oldUntilMs')
  if (typeof said !== 'number') return undefined
  const { notBeforeMs, notAfterMs } = certificateLife(leaf.certificate)
  const isOfThisLeaf = said > notBeforeMs && said < notAfterMs
  return {
    leafRenewalMs: isOther && !isOfThisLeaf ? byLife : said,
    oldUntilMs: typeof oldUntilMs === 'number' ? oldUntilMs : undefined,
  }
}

const pemCertificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

function certificatesOf(pem: string): readonly string[] {
  return (pem.match(pemCertificates) ?? []).map(text => `${text}\n`)
}

/** @throws Error where none of them has the key */
function authorityOfKey(bundle: string, key: string): KeyPair {
  const privateKey = createPrivateKey(key)
  const certificate = certificatesOf(bundle).find(text => new X509Certificate(text).checkPrivateKey(privateKey))
  if (certificate === undefined) throw new Error('ca.key is the key of no authority of ca.crt')
  return { certificate, key }
}

/** Whether it has all that are trusted, in whatever order. */
function isBundle(bundle: string, state: CertificateState): boolean {
  const prints = (pem: string) => new Set(certificatesOf(pem).map(text => new X509Certificate(text).fingerprint256))
  return prints(bundleOf(state)).isSubsetOf(prints(bundle))
}

/** @throws Error where certificate and key do not belong together */
function checkedPair(name: string, pair: KeyPair): KeyPair {
  if (!new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key)))
    throw new Error(`${name}.key is not the key of ${name}.crt`)
  return pair
}
