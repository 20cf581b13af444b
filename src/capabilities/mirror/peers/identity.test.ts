import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Log, silentLog } from '#kube/log.ts'
import { loadIdentity, parseKey } from './identity.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ballast-identity-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('the identity', () => {
  it('is made once, for the owner only, in the form that upstream keeps', async () => {
    const first = await loadIdentity(join(directory, 'data'), silentLog)
    const path = join(directory, 'data', 'private.key')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=]+\n-----END PRIVATE KEY-----\n$/)
    expect(Buffer.compare(await loadIdentity(join(directory, 'data'), silentLog), first)).toBe(0)
    expect(first).toHaveLength(64)
  })

  it('is a new one at each start without a directory', async () => {
    expect(Buffer.compare(await loadIdentity('', silentLog), await loadIdentity('', silentLog))).not.toBe(0)
  })

  it.each([
    ['empty', ''],
    ['cut', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ'],
    ['of another kind', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['noise', '\u0000\u0001'],
  ])('that is damaged (%s) is put aside, with one warning, and a new one is made', async (_name, text) => {
    const path = join(directory, 'private.key')
    writeFileSync(path, text)
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (_facts, message) => warnings.push(message) }
    const made = await loadIdentity(directory, log)
    expect(warnings).toHaveLength(1)
    expect(readFileSync(`${path}.bad`, 'utf8')).toBe(text.toString())
    expect(Buffer.compare(await loadIdentity(directory, log), made)).toBe(0)
  })

  it('can be read by openssl, as others would', async () => {
    await loadIdentity(directory, silentLog)
    const said = execFileSync('openssl', ['pkey', '-in', join(directory, 'private.key'), '-noout', '-text'], { encoding: 'utf8' })
    expect(said).toMatch(/ED25519/i)
  })

  it('that cannot be read for another reason is told, not replaced', async () => {
    const path = join(directory, 'private.key')
    execFileSync('mkdir', [path])
    chmodSync(path, 0o700)
    await expect(loadIdentity(directory, silentLog)).rejects.toThrow(/EISDIR/)
  })
})

it('is an Ed25519 key or none', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  expect(parseKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()).ok).toBe(true)
})
