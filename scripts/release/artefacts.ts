// The folder of artefacts: what is in it, by name, size and hash, for people (`SHA256SUMS`) and for whoever carries it further (`release.json`).
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What an artefact is, for those who publish: each kind goes another way. */
export type ArtefactKind =
  | 'npm-package'
  | 'executable'
  | 'image-layout'
  | 'image-archive'
  | 'chart'
  | 'manifests'
  | 'definitions'
  | 'kustomize'
  | 'completion'
  | 'bill-of-materials'

export interface Artefact {
  /** Path below the folder. */
  readonly name: string
  readonly kind: ArtefactKind
  /** `linux/arm64`, where it is for one. */
  readonly platform?: string
  /** What a bill of materials is about. */
  readonly about?: string
}

export interface ReleaseFacts {
  readonly version: string
  readonly revision: string
  /** Seconds since 1970. */
  readonly seconds: number
}

/** Writes an artefact. @returns it as it was given */
export function writeArtefact(folder: string, artefact: Artefact, content: Uint8Array | string): Artefact {
  const path = join(folder, artefact.name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return artefact
}

/** Writes the two lists of what is in the folder. An image's layout is a folder with hashes of its own: it is named, and not counted. */
export function writeLists(folder: string, { version, revision, seconds }: ReleaseFacts, artefacts: readonly Artefact[]): void {
  const sorted = artefacts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const counted = sorted.map(artefact => {
    if (artefact.kind === 'image-layout') return artefact
    const content = readFileSync(join(folder, artefact.name))
    return { ...artefact, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
  })
  const created = new Date(seconds * 1000).toISOString().replace('.000', '')
  writeFileSync(
    join(folder, 'release.json'),
    `${JSON.stringify({ version, revision, created, artefacts: counted }, undefined, 2)}\n`,
  )
  const sums = counted.flatMap(one => ('sha256' in one ? [`${one.sha256}  ${one.name}\n`] : []))
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''))
}
