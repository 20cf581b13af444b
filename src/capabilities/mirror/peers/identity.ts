// The node's libp2p identity: an Ed25519 key as upstream keeps it, `private.key`, PKCS#8 in PEM, for the owner only.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Log, messageOf } from '#kube/log.ts'

const fileName = 'private.key'
const largestFile = 16 * 1_024

/** A private key as libp2p takes it: the seed and the public key, 64 bytes. */
export type RawKey = Uint8Array

/** The key of `directory`, made where there is none; a new one for each start where `directory` is empty. A damaged file is put aside as `private.key.bad`. */
export async function loadIdentity(directory: string, log: Log): Promise<RawKey> {
  if (directory === '') return rawKeyOf(newKey())
  await mkdir(directory, { recursive: true, mode: 0o755 })
  const path = join(directory, fileName)
  const text = await read(path)
  if (text !== undefined) {
    const key = parseKey(text)
    if (key.ok) return rawKeyOf(key.value)
    const aside = `${path}.bad`
    await rename(path, aside)
    log.warn(
      { path, aside, problem: key.reason },
      'the key of this node is damaged: it was put aside, and the node gets a new identity',
    )
  }
  const key = newKey()
  await write(path, key.export({ type: 'pkcs8', format: 'pem' }).toString())
  log.info({ path }, 'made a key for this node')
  return rawKeyOf(key)
}

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey

/** A key of the file's text, or why it is none. */
export function parseKey(
  text: string,
): { readonly ok: true; readonly value: KeyObject } | { readonly ok: false; readonly reason: string } {
  if (!/^-----BEGIN PRIVATE KEY-----$/m.test(text)) return { ok: false, reason: 'no PRIVATE KEY in PEM' }
  try {
    const key = createPrivateKey({ key: text, format: 'pem' })
    if (key.asymmetricKeyType === 'ed25519') return { ok: true, value: key }
    return { ok: false, reason: `a key of ${key.asymmetricKeyType}, not Ed25519` }
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
}

/** Seed and public key, as libp2p has them. */
export function rawKeyOf(key: KeyObject): RawKey {
  const { d } = key.export({ format: 'jwk' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  if (d === undefined || x === undefined) throw new Error('the key has no seed')
  return Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')])
}

async function read(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path)
    return bytes.subarray(0, largestFile).toString('utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function write(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}
