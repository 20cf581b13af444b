// The key that signs: one of `cosign generate-key-pair`, or a PKCS #8 key of the same kind.
import { createPrivateKey, createPublicKey, type KeyObject, scryptSync, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { z } from 'zod'

export interface SigningKey {
  /** ECDSA over SHA-256, in DER, as base64. */
  sign(message: Uint8Array): string
  isOwn(message: Uint8Array, signature: string): boolean
  /** Which key it is, as cosign's bundles hint at one: the public key's SHA-256 in base64. */
  readonly publicKey: Buffer
}

const sealed = z.object({
  kdf: z.object({
    name: z.literal('scrypt'),
    params: z.object({
      N: z
        .number()
        .int()
        .min(2)
        .max(2 ** 20),
      r: z.number().int().min(1).max(32),
      p: z.number().int().min(1).max(16),
    }),
    salt: z.string(),
  }),
  cipher: z.object({ name: z.literal('nacl/secretbox'), nonce: z.string() }),
  ciphertext: z.string(),
})

/** Reads the key. `password` opens it where it is sealed. @throws Error saying what is wrong with the file or the password */
export function readSigningKey(path: string, password: string | undefined): SigningKey {
  const text = readFileSync(path, 'utf8')
  const box = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([^-]+)-----END/.exec(text)?.[1]
  const privateKey = box === undefined ? ownForm(path, text, password) : cosignForm(path, box, password)
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKey
  if (asymmetricKeyType !== 'ec' || asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error(`${path}: a key of kind ${asymmetricKeyType}; expected one on P-256, as cosign generate-key-pair makes`)
  const publicKey = createPublicKey(privateKey)
  return {
    sign: message => sign('sha256', message, privateKey).toString('base64'),
    isOwn: (message, signature) => verify('sha256', message, publicKey, Buffer.from(signature, 'base64')),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  }
}

function cosignForm(path: string, box: string, password: string | undefined): KeyObject {
  if (password === undefined) throw new Error(`${path} is sealed: set COSIGN_PASSWORD`)
  const { kdf, cipher, ciphertext } = sealed.parse(JSON.parse(Buffer.from(box, 'base64').toString('utf8')))
  const { N, r, p } = kdf.params
  const secret = scryptSync(password, Buffer.from(kdf.salt, 'base64'), 32, { N, r, p, maxmem: 256 * N * r })
  let opened: Uint8Array
  try {
    opened = xsalsa20poly1305(secret, Buffer.from(cipher.nonce, 'base64')).decrypt(Buffer.from(ciphertext, 'base64'))
  } catch {
    throw new Error(`${path}: COSIGN_PASSWORD does not open it`) // the box tells no more than that
  }
  return createPrivateKey({ key: Buffer.from(opened), format: 'der', type: 'pkcs8' })
}

function ownForm(path: string, text: string, password: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: text, format: 'pem', ...(password === undefined ? {} : { passphrase: password }) })
  } catch (error) {
    throw new Error(`${path}: no private key that can be read (${String(error)}); COSIGN_PASSWORD opens a sealed one`)
  }
}
