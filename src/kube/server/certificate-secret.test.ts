// The Secret of an upstream's rotation: read as Go's programs leave it, written so that they can read it.
import { createPrivateKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../objects/objects.ts'
import { afterStep, bundleOf, type CertificateState } from './certificate-rotation.ts'
import { rotatorLayout, secretOf, stateOf } from './certificate-secret.ts'
import { certificateLife, isIssuedBy } from './certificates.ts'

const at = { namespace: 'keda', name: 'kedaorg-certs' }
const layout = rotatorLayout({ app: 'keda-operator' })
const nowMs = Date.UTC(2026, 0, 1)
const names = {
  ...{ authorityName: 'KEDA', isAuthorityRsa: true },
  leaf: { commonName: 'keda-operator', dnsNames: ['keda-operator'], usages: ['server', 'client'] },
} as const
const around = { names, nowMs, random: () => 0.5 }

const made = await afterStep({ kind: 'create' }, undefined, around)
const encode = (text: string) => Buffer.from(text).toString('base64')
const secret = (data: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { ...at, resourceVersion: '7' },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, encode(text)])),
})
const plain = {
  'ca.crt': made.authority.certificate,
  'ca.key': made.authority.key,
  'tls.crt': made.leaf.certificate,
  'tls.key': made.leaf.key,
}

function read(object: KubeObject): CertificateState {
  const state = stateOf(object, layout)
  if (typeof state === 'string') throw new Error(state)
  return state
}

test('as upstream leaves it: its four keys are all that is needed, and the leaf is renewed under its authority of RSA', async () => {
  const state = read(secret(plain))
  expect(state.leaf).toEqual(made.leaf)
  const { notBeforeMs, notAfterMs } = certificateLife(made.leaf.certificate)
  expect(state.leafRenewalMs).toBe(Math.floor(notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3))
  const renewed = await afterStep({ kind: 'renew-leaf' }, state, { ...around, nowMs: state.leafRenewalMs })
  expect(isIssuedBy(renewed.leaf.certificate, made.authority.certificate)).toBe(true)
  expect(createPrivateKey(renewed.authority.key).asymmetricKeyType).toBe('rsa')
  const written = secretOf(at, renewed, secret(plain), layout)
  expect(written).toMatchObject({ type: 'Opaque', metadata: { resourceVersion: '7', labels: { app: 'keda-operator' } } })
  expect(Object.keys(Object(written['data'])).toSorted()).toEqual(['ca.crt', 'ca.key', 'times.json', 'tls.crt', 'tls.key'])
  expect(read(written)).toEqual({ ...renewed, authority: state.authority })
})

test('a new authority and the old one are in its bundle; the one that signs is known by its key', async () => {
  const introduced = await afterStep({ kind: 'introduce-authority' }, made, around)
  const both = secretOf(at, introduced, undefined, layout)
  expect(bundleOf(read(both))).toBe(bundleOf(introduced))
  const adopted = await afterStep({ kind: 'adopt-authority' }, read(both), around)
  const after = read(secretOf(at, adopted, both, layout))
  expect(after.old?.certificate.trim()).toBe(made.authority.certificate.trim())
  expect(isIssuedBy(after.leaf.certificate, after.authority.certificate)).toBe(true)
})

describe('what cannot be used is told, and made anew', () => {
  const other = async () => (await afterStep({ kind: 'create' }, undefined, around)).authority
  test.each<[string, () => Promise<Readonly<Record<string, string>>>, RegExp]>([
    ['empty, as upstream makes it first', async () => ({}), /./],
    ['another key', async () => ({ ...plain, 'ca.key': (await other()).key }), /ca.key is the key of no authority/],
    [
      'another authority',
      async () => {
        const { certificate, key } = await other()
        return { ...plain, 'ca.crt': certificate, 'ca.key': key }
      },
      /tls.crt was not issued by/,
    ],
    ['no certificate', async () => ({ ...plain, 'tls.crt': 'none' }), /./],
  ])('%s', async (_name, data, why) => {
    expect(stateOf(secret(await data()), layout)).toMatch(why)
  })
})
