import { noise, pureJsCrypto } from '@libp2p/noise'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { noiseCryptography as ours, tlsWhenAsked } from './encryption.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const plain = (given: { subarray(): Uint8Array }) => Buffer.from(given.subarray())

test('what noise computes is what its own library computes', () => {
  fc.assert(
    fc.property(bytes(32), bytes(32), bytes(12), fc.uint8Array(), fc.uint8Array(), (key, other, nonce, beside, text) => {
      expect(plain(ours.hashSHA256(text))).toEqual(plain(pureJsCrypto.hashSHA256(text)))
      for (const input of [other, new Uint8Array()])
        expect(ours.getHKDF(key, input).map(plain)).toEqual(pureJsCrypto.getHKDF(key, input).map(plain))
      const pair = ours.generateX25519KeyPairFromSeed(key)
      expect(plain(pair.publicKey)).toEqual(plain(pureJsCrypto.generateX25519KeyPairFromSeed(key).publicKey))
      const peer = pureJsCrypto.generateX25519KeyPairFromSeed(other)
      expect(plain(ours.generateX25519SharedKey(key, peer.publicKey))).toEqual(
        plain(pureJsCrypto.generateX25519SharedKey(other, pair.publicKey)),
      )
      const sealed = ours.chaCha20Poly1305Encrypt(text, nonce, beside, key)
      expect(plain(sealed)).toEqual(plain(pureJsCrypto.chaCha20Poly1305Encrypt(text, nonce, beside, key)))
      expect(plain(ours.chaCha20Poly1305Decrypt(sealed, nonce, beside, key))).toEqual(plain(text))
    }),
    { numRuns: 25 },
  )
})

test('keys that are made work with those of the library', () => {
  const [own, peer] = [ours.generateX25519KeyPair(), pureJsCrypto.generateX25519KeyPair()]
  expect([own.publicKey.length, own.privateKey.length]).toEqual([32, 32])
  const [here, there] = [
    ours.generateX25519SharedKey(own.privateKey, peer.publicKey),
    pureJsCrypto.generateX25519SharedKey(peer.privateKey, own.publicKey),
  ]
  expect(plain(here)).toEqual(plain(there))
})

const key = new Uint8Array(32).fill(1)
const nonce = new Uint8Array(12)
const beside = Buffer.from('beside')
const sealed = plain(ours.chaCha20Poly1305Encrypt(Buffer.from('text'), nonce, beside, key))
const flipped = Buffer.from(sealed)
flipped[0] = (sealed[0] ?? 0) ^ 1

// biome-ignore format: a table
test.each([
  ['a flipped bit', flipped, beside, key],
  ['a tag that is cut', sealed.subarray(0, -1), beside, key],
  ['less than a tag', sealed.subarray(0, 15), beside, key],
  ['nothing', Buffer.alloc(0), beside, key],
  ['something else beside it', sealed, Buffer.from('other'), key],
  ['another key', sealed, beside, new Uint8Array(32).fill(2)],
] as const)('a message with %s is refused', (_what, message, given, by) => {
  expect(() => ours.chaCha20Poly1305Decrypt(message, nonce, given, by)).toThrow()
})

test('it is offered under the names that the libraries have', async () => {
  const components = { logger: { forComponent: () => () => undefined } }
  // Only its name is looked at.
  const protocolOf = (make: (...components: never[]) => unknown) => Reflect.apply(make, undefined, [components]).protocol
  expect(protocolOf(tlsWhenAsked())).toBe(protocolOf((await import('@libp2p/tls')).tls()))
  expect(protocolOf(noise({ crypto: ours }))).toBe('/noise')
})
