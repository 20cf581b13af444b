// What a ConfigMap, Secret or SecretProviderClass holds, as hashes: upstream's own SHA-1 (config-reload 3.2), one that tells all contents
// apart, and one per key. The values themselves are never kept.
import { createHash } from 'node:crypto'

/** One key of `data`, `binaryData` or of a Secret; or one object of a SecretProviderClassPodStatus, its version as value. */
export interface ContentEntry {
  readonly key: string
  /** The bytes: of `data` the UTF-8 text, of a Secret and of `binaryData` the decoded bytes. */
  readonly value: Uint8Array
  /** From `binaryData`: upstream hashes its base64 text. */
  readonly encoded: boolean
}

export interface SourceContent {
  /** Upstream's hash, 40 lower-case hex digits: what is written into templates. */
  readonly sha1: string
  /** Two contents that differ differ here, 64 lower-case hex digits. */
  readonly exact: string
  /** A hash of each key's value, 40 lower-case hex digits. */
  readonly keys: ReadonlyMap<string, string>
}

/** What upstream writes for an object that was deleted, in the strategy `annotations`. */
export const deletedHash = 'aae45badef99284e4dae01d6046154ea9d99532f'

/** The hashes of what `entries` hold, in whatever order they come. */
export function hashContent(entries: Iterable<ContentEntry>): SourceContent {
  const joined: Buffer[] = []
  const keys: [string, string][] = []
  for (const { key, value, encoded } of entries) {
    joined.push(joinedEntry(key, value, encoded))
    keys.push([
      key,
      createHash('sha1')
        .update(encoded ? 'b' : 't')
        .update(value)
        .digest('hex'),
    ])
  }
  keys.sort(([a, hashOfA], [b, hashOfB]) => (a < b ? -1 : a > b ? 1 : hashOfA < hashOfB ? -1 : 1))
  const sha1 = upstreamHash(joined)
  for (const copy of joined) copy.fill(0)
  return { sha1, exact: hashOfKeys(keys), keys: new Map(keys) }
}

/** `key=value` in memory of its own, which the caller wipes. */
function joinedEntry(key: string, value: Uint8Array, encoded: boolean): Buffer {
  const size = Buffer.byteLength(key) + 1
  const valueSize = encoded ? Math.ceil(value.byteLength / 3) * 4 : value.byteLength
  // Small buffers would lie where the garbage collector moves, and so copies, them.
  const entry = Buffer.from(new ArrayBuffer(size + valueSize))
  entry.write(`${key}=`)
  if (encoded) writeBase64(value, entry, size)
  else entry.set(value, size)
  return entry
}

const alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const padding = 0x3d

/** Byte by byte: a text of it would stay until the garbage is collected. */
function writeBase64(value: Uint8Array, to: Uint8Array, from: number): void {
  let at = from
  for (let place = 0; place < value.length; place += 3) {
    const left = value.length - place
    const bits = ((value[place] ?? 0) << 16) | ((value[place + 1] ?? 0) << 8) | (value[place + 2] ?? 0)
    to[at++] = alphabet[bits >> 18] ?? 0
    to[at++] = alphabet[(bits >> 12) & 63] ?? 0
    to[at++] = left > 1 ? (alphabet[(bits >> 6) & 63] ?? 0) : padding
    to[at++] = left > 2 ? (alphabet[bits & 63] ?? 0) : padding
  }
}

/** Sorted as whole entries, byte by byte, and joined by `;`. */
function upstreamHash(entries: Buffer[]): string {
  const hash = createHash('sha1')
  entries.sort(Buffer.compare)
  for (const [index, entry] of entries.entries()) {
    if (index > 0) hash.update(';')
    hash.update(entry)
  }
  return hash.digest('hex')
}

/** Keys and hashes with their lengths, so that no two contents read alike. */
function hashOfKeys(keys: readonly (readonly [string, string])[]): string {
  const hash = createHash('sha256')
  for (const [key, hashOfValue] of keys) hash.update(`${Buffer.byteLength(key)}:${key}${hashOfValue}`)
  return hash.digest('hex')
}

/** The unambiguous hash of those keys of `content` that are in `used`; a key that is not there counts as absent. */
export function exactHashOf(content: SourceContent, used: ReadonlySet<string>): string {
  return hashOfKeys(Array.from(content.keys).filter(([key]) => used.has(key)))
}

/**
 * What is written for a content that differs from the one before although upstream's hash is the same: `-1`, `-2` … after the hash,
 * whichever is not what stands there now.
 */
export function tellApart(sha1: string, written: string | undefined): string {
  if (written === undefined || !written.startsWith(sha1)) return sha1
  const count = /^-([0-9]{1,9})$/.exec(written.slice(sha1.length))?.[1]
  return `${sha1}-${Number(count ?? 0) + 1}`
}
