// What people give the command: where to, who they are, which key.
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { credentialsFor } from './credentials.ts'
import { readSigningKey } from './signing-key.ts'
import { targetOf } from './target.ts'

const folder = mkdtempSync(join(tmpdir(), 'ballast-push-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test.each([
  ['oci://ghcr.io/ballast-dev', 'https://ghcr.io', 'ballast-dev/ballast', 'ballast-dev/charts/ballast'],
  ['oci://localhost:5000', 'https://localhost:5000', 'ballast', 'charts/ballast'],
  ['oci://docker.io/somebody/', 'https://registry-1.docker.io', 'somebody/ballast', 'somebody/charts/ballast'],
  ['oci://[::1]:5000/a/b', 'https://[::1]:5000', 'a/b/ballast', 'a/b/charts/ballast'],
])('%s is read', (text, origin, image, chart) => {
  expect(targetOf(text, false)).toMatchObject({ origin, image, chart })
})

test.each([
  ['ghcr.io/ballast-dev', /expected oci:\/\/HOST/],
  ['https://ghcr.io/a', /expected oci:\/\/HOST/],
  ['oci://user:secret@ghcr.io/a', /is no host/],
  ['oci://ghcr.io/Ballast', /"Ballast" is no part of a repository's name/],
  ['oci://ghcr.io/a//b', /"" is no part/],
  ['oci://ghcr.io/a:1.0', /"a:1.0" is no part/],
])('%s is refused', (text, words) => {
  expect(() => targetOf(text, false)).toThrow(words)
})

const auth = Buffer.from('me:pass:word').toString('base64')

test.each([
  ['by host', { auths: { 'ghcr.io': { auth } } }, 'ghcr.io', { user: 'me', password: 'pass:word' }],
  ['by an old URL', { auths: { 'https://ghcr.io/v1/': { auth } } }, 'ghcr.io', { user: 'me', password: 'pass:word' }],
  ['of the hub', { auths: { 'https://index.docker.io/v1/': { auth } } }, 'docker.io', { user: 'me', password: 'pass:word' }],
  ['in clear', { auths: { 'a:5000': { username: 'u', password: 'p' } } }, 'a:5000', { user: 'u', password: 'p' }],
  ['a token', { auths: { a: { auth, identitytoken: 't' } } }, 'a', { identityToken: 't' }],
  ['of another port', { auths: { 'a:5000': { auth } } }, 'a', undefined],
  ['a helper', { credHelpers: { a: 'small' } }, 'a', { user: 'helped', password: 'for a' }],
  ['a store', { auths: { a: {} }, credsStore: 'small' }, 'a', { user: 'helped', password: 'for a' }],
  ['nothing in a store', { credsStore: 'small' }, 'unknown', undefined],
  ['nothing', {}, 'a', undefined],
])('credentials: %s', (_, configuration, registry, expected) => {
  file('config.json', JSON.stringify(configuration))
  const helper = file(
    'docker-credential-small',
    `#!/bin/sh\nread name\n[ "$name" = unknown ] && echo 'credentials not found in native keychain' && exit 1\necho "{\\"ServerURL\\":\\"$name\\",\\"Username\\":\\"helped\\",\\"Secret\\":\\"for $name\\"}"\n`,
  )
  chmodSync(helper, 0o755)
  const before = process.env['PATH']
  process.env['PATH'] = [folder, before ?? ''].join(delimiter)
  try {
    expect(credentialsFor(registry, { DOCKER_CONFIG: folder })).toEqual(expected)
  } finally {
    process.env['PATH'] = before
  }
})

test('a configuration that cannot be read is named', () => {
  file('config.json', '{"auths": []}')
  expect(() => credentialsFor('a', { DOCKER_CONFIG: folder })).toThrow(`${folder}/config.json is not docker's configuration`)
  file('config.json', JSON.stringify({ auths: { a: { auth: 'bm90aGluZw==' } } }))
  expect(() => credentialsFor('a', { DOCKER_CONFIG: folder })).toThrow('is no base64 of user:password')
  file('config.json', JSON.stringify({ credHelpers: { a: 'absent-here' } }))
  expect(() => credentialsFor('a', { DOCKER_CONFIG: folder })).toThrow(/docker-credential-absent-here.*ENOENT/)
})

const recorded = join(import.meta.dirname, 'testdata')

test.each(['2.5.0', '3.1.1'])('a key that cosign %s made signs', version => {
  const path = join(recorded, `cosign-${version}.key`)
  const key = readSigningKey(path, 'ballast-test')
  const message = Buffer.from('a message')
  const own = createPublicKey(readFileSync(join(recorded, `cosign-${version}.pub`)))
  expect(verify('sha256', message, own, Buffer.from(key.sign(message), 'base64'))).toBe(true)
  expect(key.isOwn(Buffer.from('another'), key.sign(message))).toBe(false)
  expect(() => readSigningKey(path, undefined)).toThrow('is sealed: set COSIGN_PASSWORD')
})

test('a wrong password and other keys are told', () => {
  expect(() => readSigningKey(join(recorded, 'cosign-3.1.1.key'), 'wrong')).toThrow('COSIGN_PASSWORD does not open it')
  const plain = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  expect(readSigningKey(file('plain.key', String(plain)), undefined).sign(Buffer.from('a'))).not.toBe('')
  const other = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  expect(() => readSigningKey(file('other.key', String(other)), undefined)).toThrow(
    'a key of kind ed25519; expected one on P-256',
  )
  expect(() => readSigningKey(file('none.key', 'nothing'), undefined)).toThrow('no private key that can be read')
})
