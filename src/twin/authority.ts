// The twin's certificate authority: its own root, the server's certificate and client certificates of users.
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type { ServerCertificates } from './http-server.ts'

export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  readonly certificate: string
  readonly server: ServerCertificates
  /** What makes the same authority again. */
  readonly root: KeyPair
  /** A client certificate: CN is the user, each O a group. */
  issueClient(user: string, groups: readonly string[]): Promise<KeyPair>
  /** A serving certificate for hosts: names and addresses; what can be neither is left out. */
  issueServer(user: string, groups: readonly string[], hosts: readonly string[]): Promise<KeyPair>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 86_400_000

/**
 * A fresh authority, or the one whose `root` is given. `nowMs` is real time: certificates are checked by clients that live in it.
 * @throws Error where `root` is none
 */
export async function makeAuthority(
  nowMs: number,
  hosts: readonly string[],
  { name = 'ballast-twin', root: kept }: { readonly name?: string; readonly root?: KeyPair } = {},
): Promise<Authority> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const selfSigned = async () => {
    const keys = await generateKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: '01',
        name: [{ CN: [name] }],
        ...validity(nowMs),
        signingAlgorithm: algorithm,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(true, 1, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    )
    return { certificate, privateKey: keys.privateKey }
  }
  const { certificate: root, privateKey } =
    kept === undefined
      ? await selfSigned()
      : { certificate: new x509.X509Certificate(kept.certificate), privateKey: await privateKeyOf(kept.key) }
  // The serial numbers of an authority are never used again.
  let serial = kept === undefined ? 1 : nowMs
  const issue = async (
    subject: readonly Record<string, string[]>[],
    usage: string,
    names: readonly string[],
  ): Promise<KeyPair> => {
    const keys = await generateKeys()
    serial++
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: wholeBytes(serial.toString(16)),
        subject: [...subject],
        issuer: root.subject,
        ...validity(nowMs),
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey: privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
          new x509.ExtendedKeyUsageExtension([usage]),
          ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names.map(alternativeName))]),
        ],
      },
      webcrypto,
    )
    return { certificate: certificate.toString('pem'), key: await privateKeyPem(keys.privateKey) }
  }
  const certificate = root.toString('pem')
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '127.0.0.1', '::1', ...hosts]
  const subjectOf = (user: string, groups: readonly string[]) => [...groups.map(group => ({ O: [group] })), { CN: [user] }]
  const issueServer = (user: string, groups: readonly string[], hosts: readonly string[]) =>
    issue(subjectOf(user, groups), x509.ExtendedKeyUsage.serverAuth, [...new Set(hosts)].filter(isHost))
  const server = await issueServer('kube-apiserver', [], names)
  return {
    certificate,
    server: { authority: certificate, ...server },
    root: { certificate, key: await privateKeyPem(privateKey) },
    issueClient: (user, groups) => issue(subjectOf(user, groups), x509.ExtendedKeyUsage.clientAuth, []),
    issueServer,
  }
}

function validity(nowMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - dayMs), notAfter: new Date(nowMs + 365 * dayMs) }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey('pkcs8', key))
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}

function privateKeyOf(pem: string): Promise<webcrypto.CryptoKey> {
  const bytes = Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', bytes, algorithm, true, ['sign'])
}

/** Two digits a byte. */
function wholeBytes(hex: string): string {
  return hex.length % 2 === 0 ? hex : `0${hex}`
}

function alternativeName(name: string): { readonly type: 'ip' | 'dns'; readonly value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name }
}

/** Whether it can stand in a certificate; addresses with a zone mean something on one host only. */
function isHost(name: string): boolean {
  return name.includes('%') ? false : isIP(name) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(name)
}
