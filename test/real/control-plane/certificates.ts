// The certificates and keys of one throw-away control plane, as PEM texts.
import 'reflect-metadata'
import { generateKeyPairSync, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface CertificateAndKey {
  readonly certificate: string
  readonly key: string
}

/** How the API server shows itself to aggregated API servers; `authority` is what they check it by. */
export interface FrontProxy extends CertificateAndKey {
  readonly authority: string
}

export interface Certificates {
  readonly authority: string
  /** The private key of the authority: kube-controller-manager signs with it. */
  readonly authorityKey: string
  readonly server: CertificateAndKey
  /** Client certificate of group `system:masters`: may do everything. */
  readonly admin: CertificateAndKey
  /** Another client certificate: `CN=jane, O=dev`. */
  issueClient(subject: string): Promise<CertificateAndKey>
  /** For programs on loopback that serve each other and show themselves by the same certificate. */
  issuePeer(subject: string): Promise<CertificateAndKey>
  readonly frontProxy: FrontProxy
  /** Key pair that service account tokens are signed with. */
  readonly tokens: { readonly publicKey: string; readonly privateKey: string }
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 24 * 60 * 60 * 1000

/** Certificates for an API server on 127.0.0.1 and further addresses, valid for one day from now. */
export async function makeCertificates(addresses: readonly string[] = []): Promise<Certificates> {
  const authority = await makeTestAuthority('ballast-test-authority')
  const tokens = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  const onLoopback = (subject: string, usages: ConstructorParameters<typeof x509.ExtendedKeyUsageExtension>[0]) =>
    authority.issue(subject, [
      new x509.SubjectAlternativeNameExtension([
        ...['127.0.0.1', ...addresses].map(value => ({ type: 'ip' as const, value })),
        { type: 'dns', value: 'localhost' },
      ]),
      new x509.ExtendedKeyUsageExtension(usages),
    ])
  return {
    authority: authority.certificate,
    authorityKey: authority.key,
    server: await onLoopback('CN=kube-apiserver', [serverAuth]),
    issuePeer: subject => onLoopback(subject, [serverAuth, clientAuth]),
    admin: await authority.issueClient('CN=admin, O=system:masters'),
    issueClient: subject => authority.issueClient(subject),
    frontProxy: await makeFrontProxy(),
    tokens,
  }
}

/** A new authority of the front proxy, and the API server's client certificate under it. */
export async function makeFrontProxy(): Promise<FrontProxy> {
  const authority = await makeTestAuthority('ballast-test-front-proxy')
  return { ...(await authority.issueClient('CN=front-proxy-client')), authority: authority.certificate }
}

interface TestAuthority extends CertificateAndKey {
  issue(subject: string, extensions: readonly x509.Extension[]): Promise<CertificateAndKey>
  issueClient(subject: string): Promise<CertificateAndKey>
}

async function makeTestAuthority(name: string): Promise<TestAuthority> {
  x509.cryptoProvider.set(webcrypto)
  const validity = { notBefore: new Date(Date.now() - dayMs / 24), notAfter: new Date(Date.now() + dayMs) }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    ...validity,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  let serial = 1
  const issue = async (subject: string, extensions: readonly x509.Extension[]): Promise<CertificateAndKey> => {
    const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    serial++
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial.toString(16).padStart(2, '0'),
      subject,
      issuer: root.subject,
      ...validity,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [...extensions],
    })
    return { certificate: certificate.toString('pem'), key: await pemOf(own.privateKey) }
  }
  const clientUsage = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])
  const issueClient = (subject: string) => issue(subject, [clientUsage])
  return { certificate: root.toString('pem'), key: await pemOf(keys.privateKey), issue, issueClient }
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const text = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${text.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}
