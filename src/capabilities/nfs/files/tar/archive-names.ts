// Names in the directory of a snapshot. Upstream's driver knows the first two, and takes any other name for another snapshot's.
import { randomBytes } from 'node:crypto'
import { type ByteText, bytesOf } from '../byte-text.ts'
import type { Compression } from '../file-work.ts'

const endings: Readonly<Record<Compression, string>> = { gzip: '.tar.gz', none: '.tar', zstd: '.tar.zst' }

/** The name of an archive of `source`. */
export function archiveName(source: string, compression: Compression): string {
  return `${source}${endings[compression]}`
}

/** All names that an archive of `source` may have, in the order in which they are looked for. */
export function archiveNames(source: string): readonly string[] {
  return [archiveName(source, 'gzip'), archiveName(source, 'none'), archiveName(source, 'zstd')]
}

/** Whether a name is that of an archive, of whatever source. */
export function isArchiveName(name: ByteText): boolean {
  return /.\.tar(\.gz|\.zst)?$/.test(name)
}

/** What an archive of this name was made of. */
export function sourceOfArchive(name: string): string {
  return name.replace(/\.tar(\.gz|\.zst)?$/, '')
}

/** A name for an archive that is being written. */
export function partialName(): ByteText {
  return bytesOf(`.ballast-${randomBytes(16).toString('hex')}.partial`)
}

export function isPartialName(name: ByteText): boolean {
  return /^\.ballast-[0-9a-f]{32}\.partial$/.test(name)
}
