// A layer of an image: the same entries give the same bytes, wherever and whenever it is packed.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'

/** What lies at a path of the image; everything belongs to root. */
export type LayerEntry =
  | { readonly type: 'file'; readonly content: Uint8Array; readonly isProgram?: boolean }
  | { readonly type: 'link'; readonly target: string }
  /** `isShared`: anybody may write in it, and remove only what is theirs. */
  | { readonly type: 'directory'; readonly isShared?: boolean }

/** Entries by their path without a leading slash, as `usr/lib/libc.so.6`; directories above them need not be named. */
export type LayerEntries = ReadonlyMap<string, LayerEntry>

export interface Layer {
  readonly gzip: Buffer
  /** Digest of the gzip file, by which registries know it. */
  readonly digest: string
  /** Digest of the tar file inside. Two builds are compared by it, because it does not depend on the compressor's version. */
  readonly diffId: string
}

/** SHA-256 as registries write it. */
export function digestOf(content: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

/** Packs entries in the order of their paths, each as old as `seconds` after 1970 says. */
export async function packLayer(entries: LayerEntries, seconds: number): Promise<Layer> {
  const tar = await packTar(withDirectories(entries), seconds)
  const gzip = gzipSync(tar, { level: 9 })
  gzip[9] = 255 // the system it was packed on: unknown
  return { gzip, digest: digestOf(gzip), diffId: digestOf(tar) }
}

/** The tar file of entries; see {@link packLayer}. */
export function packTar(entries: LayerEntries, seconds: number): Promise<Buffer> {
  const tar = pack()
  const mtime = new Date(seconds * 1000)
  const common = { mtime, uid: 0, gid: 0, uname: '', gname: '' }
  for (const [name, entry] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (entry.type === 'file')
      tar.entry({ ...common, name, type: 'file', mode: entry.isProgram === true ? 0o755 : 0o644 }, Buffer.from(entry.content))
    else if (entry.type === 'link') tar.entry({ ...common, name, type: 'symlink', linkname: entry.target, mode: 0o777 })
    else tar.entry({ ...common, name: `${name}/`, type: 'directory', mode: entry.isShared === true ? 0o1777 : 0o755 })
  }
  tar.finalize()
  return buffer(tar)
}

function withDirectories(entries: LayerEntries): LayerEntries {
  const all = new Map(entries)
  for (const name of entries.keys())
    for (let above = posix.dirname(name); above !== '.'; above = posix.dirname(above))
      if (!all.has(above)) all.set(above, { type: 'directory' })
  return all
}
