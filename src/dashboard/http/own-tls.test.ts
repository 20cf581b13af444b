// The certificate of the dashboard is exchanged while it runs.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, onTestFinished, test, vi } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { homelab, pictureOf } from '../views/testdata/homelab.ts'
import { startTestDashboard } from './dashboard-for-tests.ts'

const nowMs = Date.parse('2026-01-01T00:00:00Z')

/** The common name of what a server shows. */
async function shownBy(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
    resolve(String(socket.getPeerCertificate().subject.CN))
    socket.end()
  })
  socket.on('error', reject)
  return promise
}

test('files that are written anew are shown to the next connection; what cannot be read leaves the last', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-tls-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [certFile, keyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')]
  const authority = await issueAuthority({ commonName: 'own', nowMs })
  let writtenAt = 1_000
  const write = async (commonName: string) => {
    const pair = await issueLeaf(authority, {
      ...{ commonName, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs, lifeMs: 86_400_000 },
    })
    writeFileSync(certFile, pair.certificate)
    writeFileSync(keyFile, pair.key)
    mark()
  }
  const mark = () => {
    writtenAt += 10
    for (const file of [certFile, keyFile]) utimesSync(file, writtenAt, writtenAt)
  }
  await write('first')
  const clock = new VirtualClock(nowMs)
  const section = { auth: { mode: 'token' }, tls: { certFile, keyFile } }
  await using of = await startTestDashboard({ picture: pictureOf(homelab()), section, clock })
  expect(await shownBy(of.port)).toBe('first')
  await write('second')
  const soon = { timeout: 120_000, interval: 20 }
  await vi.waitFor(async () => {
    await clock.advance(60_000)
    expect(await shownBy(of.port)).toBe('second')
  }, soon)
  writeFileSync(certFile, 'nonsense')
  mark()
  for (let minute = 0; minute < 3; minute++) await clock.advance(60_000)
  expect(await shownBy(of.port)).toBe('second')
  await write('third')
  await vi.waitFor(async () => {
    await clock.advance(60_000)
    expect(await shownBy(of.port)).toBe('third')
  }, soon)
})
