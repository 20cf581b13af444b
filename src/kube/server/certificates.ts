// Certificates we issue ourselves: an authority and leaves under it, ECDSA P-256, as PEM texts. When to renew is decided here
// too; where they are kept and who gets the bundle is not.

import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import type { Extension } from '@peculiar/x509'
import type { Random } from '../random.ts'

export interface KeyPair {
  /** PEM. */
  readonly certificate: string
  /** PEM, PKCS 8. */
  readonly key: string
}

/** How servers are reached. */
export interface CertificateNames {
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
}

export interface LeafRequest extends CertificateNames {
  readonly commonName: string
  /** The groups of a client, as Kubernetes reads them. */
  readonly organizations?: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
  readonly nowMs: number
  /** 90 days unless said otherwise. */
  readonly lifeMs?: number
}

const dayMs = 86_400_000
const authorityLifeMs = 5 * 365 * dayMs
const leafLifeMs = 90 * dayMs
/** Clocks of other machines may be behind ours. */
const allowedSkewMs = 5 * 60_000
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
/** Authorities that programs of Go read have it: they know keys in this form alone. */
const rsaAlgorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}

/**
 * Loaded only where something is issued: it is big, and needs the metadata polyfill before it. Each call says which WebCrypto it means:
 * the package has one for the whole process, and libp2p sets that to another, which does not know these keys.
 */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  return await import('@peculiar/x509')
}

/** A new authority that signs itself, good for five years unless `lifeMs` says otherwise. With `isRsa` its key is RSA's, as PKCS 1. */
export async function issueAuthority(request: {
  readonly commonName: string
  readonly nowMs: number
  readonly lifeMs?: number
  readonly isRsa?: boolean
}): Promise<KeyPair> {
  const x509 = await loadX509()
  const signingAlgorithm = request.isRsa === true ? rsaAlgorithm : algorithm
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: subjectOf(request.commonName, []),
      ...validity(request.nowMs, request.lifeMs ?? authorityLifeMs),
      keys,
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  const key = await keyText(keys.privateKey)
  return {
    certificate: certificate.toString('pem'),
    key: request.isRsa === true ? String(createPrivateKey(key).export({ type: 'pkcs1', format: 'pem' })) : key,
  }
}

/** A new leaf under `authority`, whose key may be RSA's too. It never outlives it. @throws Error for an authority of another kind */
export async function issueLeaf(authority: KeyPair, request: LeafRequest): Promise<KeyPair> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certificate)
  const authorityKey = createPrivateKey(authority.key)
  const signingAlgorithm = authorityKey.asymmetricKeyType === 'rsa' ? rsaAlgorithm : algorithm
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    authorityKey.export({ type: 'pkcs8', format: 'der' }),
    signingAlgorithm,
    false,
    ['sign'],
  )
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { notBefore, notAfter } = validity(request.nowMs, request.lifeMs ?? leafLifeMs)
  const names = [
    ...(request.dnsNames ?? []).map(value => ({ type: 'dns', value }) as const),
    ...(request.ipAddresses ?? []).map(value => ({ type: 'ip', value }) as const),
  ]
  const usages = request.usages.map(usage =>
    usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
  )
  const extensions: Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
    await x509.AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export(webcrypto), false, webcrypto),
  ]
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names))
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: subjectOf(request.commonName, request.organizations ?? []),
      issuer: issuer.subjectName,
      notBefore,
      notAfter: issuer.notAfter < notAfter ? issuer.notAfter : notAfter,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm,
      extensions,
    },
    webcrypto,
  )
  return { certificate: certificate.toString('pem'), key: await keyText(keys.privateKey) }
}

/** The names by which a Service is reached from within a cluster. */
export function serviceDnsNames(service: string, namespace: string): readonly string[] {
  return [service, `${service}.${namespace}`, `${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`]
}

interface CertificateLife {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** From when to when a certificate (the first of a PEM bundle) is good. @throws Error where it is none. */
export function certificateLife(certificate: string): CertificateLife {
  const { validFrom, validTo } = new X509Certificate(certificate)
  return { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) }
}

/** When to renew a leaf: at two thirds of its life, five percent of it earlier or later so that replicas do not all do it at once. */
export function leafRenewalMs(certificate: string, random: Random): number {
  return pointOfLife(certificate, 2 / 3 + (random() * 2 - 1) * 0.05)
}

/** When to begin with a new authority: at four fifths of its life. */
export function authorityRenewalMs(certificate: string): number {
  return pointOfLife(certificate, 4 / 5)
}

function pointOfLife(certificate: string, share: number): number {
  const { notBeforeMs, notAfterMs } = certificateLife(certificate)
  return Math.floor(notBeforeMs + (notAfterMs - notBeforeMs) * share)
}

/** Whether `authority` signed `leaf` (both PEM; the first certificate of each). */
export function isIssuedBy(leaf: string, authority: string): boolean {
  const signer = new X509Certificate(authority)
  const certificate = new X509Certificate(leaf)
  return certificate.checkIssued(signer) && certificate.verify(signer.publicKey)
}

/** Whether a server that shows `certificate` (PEM) may be reached by each of `names`. */
export function isNaming(certificate: string, names: CertificateNames): boolean {
  const leaf = new X509Certificate(certificate)
  const { dnsNames = [], ipAddresses = [] } = names
  return (
    dnsNames.every(name => leaf.checkHost(name) !== undefined) &&
    ipAddresses.every(address => leaf.checkIP(address) !== undefined)
  )
}

/** What `certificate` (PEM) names; names with characters that no host has are left out. */
export function namesOf(certificate: string): CertificateNames {
  const entries = (new X509Certificate(certificate).subjectAltName ?? '').split(', ')
  const valuesOf = (pattern: RegExp) => entries.map(entry => pattern.exec(entry)?.[1]).filter(value => value !== undefined)
  return { dnsNames: valuesOf(/^DNS:([\w.*-]+)$/), ipAddresses: valuesOf(/^IP Address:([\da-fA-F.:]+)$/) }
}

function validity(nowMs: number, lifeMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - allowedSkewMs), notAfter: new Date(nowMs + lifeMs) }
}

/** 127 random bits, positive and never zero. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A distinguished name as data, so that no character of a name has a meaning. */
function subjectOf(commonName: string, organizations: readonly string[]): { [type: string]: string[] }[] {
  return [...organizations.map(organization => ({ O: [organization] })), { CN: [commonName] }]
}

async function keyText(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}
