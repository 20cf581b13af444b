import { X509Certificate } from 'node:crypto'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { seededRandom } from '../random.ts'
import {
  authorityRenewalMs,
  certificateLife,
  isIssuedBy,
  issueAuthority,
  issueLeaf,
  type KeyPair,
  leafRenewalMs,
  serviceDnsNames,
} from './certificates.ts'

const dayMs = 86_400_000
// TLS compares with the host's clock, so these certificates are made for now.
const nowMs = Math.floor(systemClock.now() / 1_000) * 1_000

let authority: KeyPair
let leaf: KeyPair

beforeAll(async () => {
  authority = await issueAuthority({ commonName: 'ballast authority', nowMs })
  leaf = await issueLeaf(authority, {
    commonName: 'ballast-webhook',
    dnsNames: [...serviceDnsNames('ballast', 'ballast-system'), 'localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['server'],
    nowMs,
  })
})

describe('an authority', () => {
  test('signs itself and may sign others', () => {
    const certificate = new X509Certificate(authority.certificate)
    expect([certificate.ca, isIssuedBy(authority.certificate, authority.certificate)]).toEqual([true, true])
    expect(certificateLife(authority.certificate)).toEqual({ notBeforeMs: nowMs - 300_000, notAfterMs: nowMs + 5 * 365 * dayMs })
  })
  test('is renewed at four fifths of its life', () => {
    const { notBeforeMs, notAfterMs } = certificateLife(authority.certificate)
    expect(authorityRenewalMs(authority.certificate)).toBeCloseTo(notBeforeMs + (notAfterMs - notBeforeMs) * 0.8, -3)
  })
})

describe('a leaf', () => {
  test('is of its authority and of no other', async () => {
    const other = await issueAuthority({ commonName: 'ballast authority', nowMs })
    expect([isIssuedBy(leaf.certificate, authority.certificate), isIssuedBy(leaf.certificate, other.certificate)]).toEqual([
      true,
      false,
    ])
  })
  test('has the names of its service', () => {
    const certificate = new X509Certificate(leaf.certificate)
    const names = ['ballast', 'ballast.ballast-system.svc', 'ballast.ballast-system.svc.cluster.local', 'ballast.other.svc']
    expect(names.map(name => certificate.checkHost(name) !== undefined)).toEqual([true, true, true, false])
    expect([certificate.checkIP('127.0.0.1'), certificate.ca]).toEqual(['127.0.0.1', false])
  })
  test('never outlives its authority', async () => {
    const short = await issueAuthority({ commonName: 'short', nowMs, lifeMs: dayMs })
    const { certificate } = await issueLeaf(short, { commonName: 'x', usages: ['server'], nowMs })
    expect(certificateLife(certificate).notAfterMs).toBe(nowMs + dayMs)
  })
  test('is renewed at two thirds of its life, give or take five percent', () => {
    const { notBeforeMs, notAfterMs } = certificateLife(leaf.certificate)
    const random = seededRandom(7)
    const shares = Array.from(
      { length: 200 },
      () => (leafRenewalMs(leaf.certificate, random) - notBeforeMs) / (notAfterMs - notBeforeMs),
    )
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.616)
    expect(Math.max(...shares)).toBeLessThanOrEqual(0.717)
    expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.08)
  })
  test('of a client carries its groups, whatever characters they have', async () => {
    const client = await issueLeaf(authority, {
      commonName: 'a, CN=b',
      organizations: ['system:nodes', 'x+O=y'],
      usages: ['client'],
      nowMs,
    })
    const { subject } = new X509Certificate(client.certificate).toLegacyObject()
    expect(subject).toMatchObject({ CN: 'a, CN=b', O: ['system:nodes', 'x+O=y'] })
  })
})

/** The peer's subject as both sides of a TLS connection see each other. */
async function handshake(client: KeyPair, serverAuthority: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const server = createServer(
    { ...pem(leaf), ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    socket => {
      socket.end(String(socket.getPeerCertificate().subject.CN))
    },
  )
  server.on('tlsClientError', reject)
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: serverAuthority, ...pem(client) })
  socket.on('error', reject)
  let text = ''
  socket.on('data', chunk => {
    text += String(chunk)
  })
  socket.on('end', () => resolve(text))
  try {
    return await promise
  } finally {
    socket.destroy()
    server.close()
  }
}

const pem = (pair: KeyPair) => ({ cert: pair.certificate, key: pair.key })

test('OpenSSL takes them for mutual TLS, and refuses those of another authority', async () => {
  const client = await issueLeaf(authority, { commonName: 'agent', usages: ['client'], nowMs })
  expect(await handshake(client, authority.certificate)).toBe('agent')
  const other = await issueAuthority({ commonName: 'other', nowMs })
  await expect(handshake(client, other.certificate)).rejects.toThrow()
  const stranger = await issueLeaf(other, { commonName: 'stranger', usages: ['client'], nowMs })
  await expect(handshake(stranger, authority.certificate)).rejects.toThrow()
})
