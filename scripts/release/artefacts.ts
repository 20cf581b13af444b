// The folder of artefacts: what is in it, by name, size and hash, for people (`SHA256SUMS`) and for whoever carries it further (`release.json`).
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What an artefact is, for those who publish: each kind goes another way. */
export type ArtefactKind =
  | 'npm-package'
  | 'executable'
  | 'krew-archive'
  | 'krew-manifest'
  | 'image-layout'
  | 'image-archive'
  | 'chart'
  | 'manifests'
  | 'definitions'
  | 'kustomize'
  | 'completion'
  | 'site'
  | 'bill-of-materials'
  | 'provenance'

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

export interface CountedArtefact extends Artefact {
  readonly bytes?: number
  /** In hex. */
  readonly sha256?: string
}

/** Each artefact with its size and hash. An image's layout is a folder with hashes of its own: it is named, and not counted. */
export function counted(folder: string, artefacts: readonly Artefact[]): readonly CountedArtefact[] {
  return artefacts.map(artefact => {
    if (artefact.kind === 'image-layout') return artefact
    const content = readFileSync(join(folder, artefact.name))
    return { ...artefact, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
  })
}

/** The time of the commit (RFC 3339). */
export function createdAt({ seconds }: ReleaseFacts): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '')
}

/** Writes the two lists of what is in the folder. */
export function writeLists(folder: string, facts: ReleaseFacts, artefacts: readonly CountedArtefact[]): void {
  const { version, revision } = facts
  const sorted = artefacts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const created = createdAt(facts)
  writeFileSync(
    join(folder, 'release.json'),
    `${JSON.stringify({ version, revision, created, artefacts: sorted }, undefined, 2)}\n`,
  )
  const sums = sorted.flatMap(({ sha256, name }) => (sha256 === undefined ? [] : [`${sha256}  ${name}\n`]))
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''))
}
