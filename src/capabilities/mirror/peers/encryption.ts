// How connections to peers are encrypted: noise by Node's own cryptography, and TLS by a library that is loaded when a peer first asks for it.
// What the libraries would bring besides (WebAssembly, X.509 in JavaScript) took a fifth of an idle mirror's memory.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import type { ICryptoInterface } from '@libp2p/noise'
import type { tls } from '@libp2p/tls'

type Encrypter = ReturnType<typeof tls>

const cipher = 'chacha20-poly1305'
const tagLength = 16
const keyLength = 32
/** What stands before the 32 bytes of an X25519 key in DER: PKCS#8 of a private one, SPKI of a public one (RFC 8410). */
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex')
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex')

/** Objects of the keys of connections that are there: made anew for each message, one costs three times what sealing the message does. */
const secretKeys = new WeakMap<Uint8Array, KeyObject>()

function secretKeyOf(key: Uint8Array): KeyObject {
  const known = secretKeys.get(key)
  if (known !== undefined) return known
  const made = createSecretKey(key)
  secretKeys.set(key, made)
  return made
}

const privateOf = (seed: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), type: 'pkcs8', format: 'der' })

/** Cryptography of noise (X25519, ChaCha20-Poly1305, SHA-256, HKDF). All throw an Error where keys or tags are wrong. */
export const noiseCryptography: ICryptoInterface = {
  hashSHA256: data => createHash('sha256').update(data.subarray()).digest(),
  getHKDF(salt, input) {
    const made = Buffer.from(hkdfSync('sha256', input, salt, '', 3 * keyLength))
    return [made.subarray(0, keyLength), made.subarray(keyLength, 2 * keyLength), made.subarray(2 * keyLength)]
  },
  generateX25519KeyPair() {
    const { publicKey, privateKey } = generateKeyPairSync('x25519', {
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    })
    return { publicKey: publicKey.subarray(publicPrefix.length), privateKey: privateKey.subarray(privatePrefix.length) }
  },
  generateX25519KeyPairFromSeed(seed) {
    const spki = createPublicKey(privateOf(seed)).export({ type: 'spki', format: 'der' })
    return { publicKey: spki.subarray(publicPrefix.length), privateKey: seed }
  },
  generateX25519SharedKey(privateKey, publicKey) {
    const key = Buffer.concat([publicPrefix, publicKey.subarray()])
    return diffieHellman({
      privateKey: privateOf(privateKey.subarray()),
      publicKey: createPublicKey({ key, type: 'spki', format: 'der' }),
    })
  },
  chaCha20Poly1305Encrypt(plain, nonce, beside, key) {
    const text = plain.subarray()
    const sealing = createCipheriv(cipher, secretKeyOf(key), nonce, { authTagLength: tagLength })
    sealing.setAAD(beside, { plaintextLength: text.length })
    return Buffer.concat([sealing.update(text), sealing.final(), sealing.getAuthTag()])
  },
  chaCha20Poly1305Decrypt(sealed, nonce, beside, key) {
    const text = sealed.subarray()
    const end = text.length - tagLength
    if (end < 0) throw new Error('an encrypted message without a tag')
    const opening = createDecipheriv(cipher, secretKeyOf(key), nonce, { authTagLength: tagLength })
    opening.setAAD(beside, { plaintextLength: end })
    opening.setAuthTag(text.subarray(end))
    const opened = opening.update(text.subarray(0, end))
    // It throws where the tag is wrong: nothing is given away before.
    opening.final()
    return opened
  },
}

/** TLS as libp2p has it. Agents of ours use noise with each other; Go's dial with TLS first, and with one of them it is loaded. */
export function tlsWhenAsked(): Encrypter {
  return components => {
    let loading: Promise<ReturnType<Encrypter>> | undefined
    const loaded = () => {
      loading ??= import('@libp2p/tls').then(library => library.tls()(components))
      return loading
    }
    return {
      protocol: '/tls/1.0.0',
      secureOutbound: async (connection, options) => (await loaded()).secureOutbound(connection, options),
      secureInbound: async (connection, options) => (await loaded()).secureInbound(connection, options),
    }
  }
}
