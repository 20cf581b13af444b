import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type PeerCertificate } from 'node:tls'
import { Counter, Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { type ServingSettings, startSecureServer } from './secure-server.ts'

const plain: ServingSettings = {
  address: '127.0.0.1',
  port: 0,
  certificateDirectory: '',
  certificateFile: '',
  keyFile: '',
  minVersion: '',
  cipherSuites: [],
  http2: false,
  metrics: true,
}

async function serve(given: Partial<ServingSettings> = {}, around: { clock?: VirtualClock; log?: Log } = {}) {
  const registry = new Registry()
  new Counter({ name: 'things_total', help: 'things', registers: [registry] }).inc()
  const { clock = systemClock, log = silentLog } = around
  const server = await startSecureServer({ serving: { ...plain, ...given }, metrics: registry, clock, log })
  let isOver = false
  const end = async () => {
    if (!isOver) await server[Symbol.asyncDispose]()
    isOver = true
  }
  onTestFinished(end)
  return { port: server.port, end }
}

function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; type: string; body: string }>()
  const sent = request({ port, path, host: '127.0.0.1', rejectUnauthorized: false, agent: false, ...options }, answer => {
    let body = ''
    answer.setEncoding('utf8').on('data', (text: string) => (body += text))
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', body }))
  })
  sent.on('error', reject)
  sent.end()
  return promise
}

/** What a TLS client sees. */
function shake(
  port: number,
  options: { minVersion?: 'TLSv1.3'; maxVersion?: 'TLSv1.2' | 'TLSv1.3'; ALPNProtocols?: string[] } = {},
) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    version: string | null
    alpn: unknown
    certificate: PeerCertificate
    cipher: string
  }>()
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
    resolve({
      version: socket.getProtocol(),
      alpn: socket.alpnProtocol,
      certificate: socket.getPeerCertificate(),
      cipher: socket.getCipher().name,
    })
    socket.destroy()
  })
  socket.once('error', reject)
  return promise
}

async function filesIn(names: { certificate: string; key: string }, commonName: string) {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'test', nowMs })
  const leaf = await issueLeaf(authority, { commonName, dnsNames: ['localhost'], usages: ['server'], nowMs })
  writeFileSync(names.certificate, leaf.certificate)
  writeFileSync(names.key, leaf.key)
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'ballast-serving-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('answers what upstream answers, and nothing else', async () => {
  const { port } = await serve()
  expect(await ask(port, '/healthz')).toEqual({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok' })
  expect((await ask(port, '/healthz?verbose')).body).toBe('[+]Descheduler ok\nhealthz check passed\n')
  expect((await ask(port, '/healthz/Descheduler')).body).toBe('ok')
  expect(await ask(port, '/metrics')).toMatchObject({ status: 200, type: expect.stringContaining('version=0.0.4') })
  expect((await ask(port, '/metrics')).body).toContain('things_total 1')
  for (const path of ['/', '/livez', '/readyz', '/metrics/x', '/healthz/other', '/__proto__', '//x'])
    expect([path, (await ask(port, path)).status]).toEqual([path, 404])
  expect((await ask(port, '/metrics', { method: 'POST' })).status).toBe(405)
  expect(await ask(port, '/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

test('without metrics only health is served', async () => {
  const { port } = await serve({ metrics: false })
  expect((await ask(port, '/metrics')).status).toBe(404)
  expect((await ask(port, '/healthz')).status).toBe(200)
})

test('heads have a limit, and a broken request hurts nobody', async () => {
  const { port } = await serve()
  expect((await ask(port, '/healthz', { headers: { 'x-long': 'a'.repeat(20_000) } })).status).toBe(431)
  expect((await ask(port, '/healthz')).status).toBe(200)
})

test('without files it signs itself, for three years, and speaks HTTP/1.1 alone', async () => {
  const { port } = await serve()
  const { certificate, alpn, version } = await shake(port, { ALPNProtocols: ['h2', 'http/1.1'] })
  expect(certificate.subject.CN).toMatch(/^descheduler@\d+$/)
  expect(certificate.subjectaltname).toContain('DNS:localhost')
  expect(Date.parse(certificate.valid_to)).toBeGreaterThan(systemClock.now() + 3 * 364 * 86_400_000)
  expect([alpn, version]).toEqual(['http/1.1', 'TLSv1.3'])
})

test('with --enable-http2 both versions are spoken', async () => {
  const { port, end } = await serve({ http2: true })
  expect((await ask(port, '/healthz')).body).toBe('ok')
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  onTestFinished(() => session.destroy())
  const stream = session.request({ ':path': '/metrics' })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let body = ''
  stream.setEncoding('utf8').on('data', (text: string) => (body += text))
  stream.on('end', () => resolve(body)).on('error', reject)
  expect(await promise).toContain('things_total 1')
  // An open session keeps nobody from the end.
  await end()
})

test.each([
  ['VersionTLS13', ['TLS_AES_128_GCM_SHA256'], 'TLSv1.3'],
  ['VersionTLS12', ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'TLS_RSA_WITH_RC4_128_SHA'], 'TLSv1.2'],
] as const)('%s with %s is what clients get', async (minVersion, cipherSuites, version) => {
  const { port } = await serve({ minVersion, cipherSuites: [...cipherSuites] })
  if (minVersion === 'VersionTLS13') {
    await expect(shake(port, { maxVersion: 'TLSv1.2' })).rejects.toThrow()
    expect((await shake(port)).version).toBe(version)
  } else {
    const { cipher } = await shake(port, { maxVersion: 'TLSv1.2' })
    expect(cipher).toBe('ECDHE-ECDSA-AES256-GCM-SHA384')
    // Those of TLS 1.3 are never off.
    expect((await shake(port)).version).toBe('TLSv1.3')
  }
})

test.each([
  [{ minVersion: 'TLS1.2' }, 'unknown tls version "TLS1.2"'],
  [{ cipherSuites: ['AES'] }, "Cipher suite AES not supported or doesn't exist"],
  [{ cipherSuites: ['TLS_RSA_WITH_RC4_128_SHA'] }, undefined],
  [{ certificateFile: '/there.crt' }, undefined],
  [{ certificateFile: '/not/there.crt', keyFile: '/not/there.key' }, undefined],
])('%o is refused', async (given, message) => {
  const error: unknown = await serve(given).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(InputError)
  if (message !== undefined && error instanceof InputError) expect(error.problems[0]?.message).toBe(message)
})

test('named files are served, those of --cert-dir where none are named', async () => {
  const [named, inside] = [directory(), directory()]
  const files = { certificate: join(named, 'a.crt'), key: join(named, 'a.key') }
  await filesIn(files, 'named')
  await filesIn({ certificate: join(inside, 'apiserver.crt'), key: join(inside, 'apiserver.key') }, 'inside')
  const both = await serve({ certificateFile: files.certificate, keyFile: files.key, certificateDirectory: inside })
  expect((await shake(both.port)).certificate.subject.CN).toBe('named')
  const fromDirectory = await serve({ certificateDirectory: inside })
  expect((await shake(fromDirectory.port)).certificate.subject.CN).toBe('inside')
})

test('a renewed file is served, a broken one is not', async () => {
  const place = directory()
  const files = { certificate: join(place, 'a.crt'), key: join(place, 'a.key') }
  await filesIn(files, 'first')
  const clock = new VirtualClock(systemClock.now())
  const warnings: string[] = []
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) }
  const { port } = await serve({ certificateFile: files.certificate, keyFile: files.key }, { clock, log })
  const commonName = async () => (await shake(port)).certificate.subject.CN
  writeFileSync(files.key, 'no key')
  await vi.waitUntil(
    async () => {
      await clock.advance(60_000)
      return warnings.length > 0
    },
    { timeout: 50_000, interval: 2 },
  )
  expect(await commonName()).toBe('first')
  await filesIn(files, 'second')
  await vi.waitUntil(
    async () => {
      await clock.advance(60_000)
      return (await commonName()) === 'second'
    },
    { timeout: 50_000, interval: 2 },
  )
})
