// How an archive says that it is ours and whole. Nothing lies beside it, since upstream's driver refuses the directory of a snapshot with another
// file in it, and a user may go back to upstream. So both notes are comments of pax, which every reader passes over: one at the first entry, and one at the
// last, which is the root directory once more (the same entry again changes nothing). The checksum cannot stand at the beginning, because it is not known there yet,
// and a comment of gzip's header would be lost in a plain archive.
//
// The first note alone proves that an archive is complete: ours are seen under their names after they are written, and not before. The last is over all bytes before it.

export const markComment = 'ballast: complete where it has its name'

/** The note at the end. */
export function sealComment(sha256: string, entries: number): string {
  return `ballast: sha256 ${sha256}, ${entries} entries`
}

/** What the note at the end says; undefined where it is none. */
export function readSeal(comment: string | undefined): { readonly sha256: string; readonly entries: number } | undefined {
  const [, sha256, entries] = /^ballast: sha256 ([0-9a-f]{64}), (\d{1,15}) entries$/.exec(comment ?? '') ?? []
  return sha256 === undefined ? undefined : { sha256, entries: Number(entries) }
}
