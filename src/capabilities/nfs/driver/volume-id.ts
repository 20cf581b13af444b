// Identifiers of volumes: users' clusters have kept them for years, so they are read and written byte for byte as upstream does.

import { folderProblem, pathProblem, serverProblem, stripped } from './share-path.ts'

const separator = '#'

/** What `onDelete` may say, in any case; empty: what the driver has as its default. */
const policies = ['', 'delete', 'retain', 'archive'] as const
type OnDelete = 'delete' | 'retain' | 'archive'

export interface VolumeId {
  readonly server: string
  /** Without slashes at both ends; empty for the share `/`. */
  readonly share: string
  readonly subDir: string
  /** The volume's name, where its folder is not called so. */
  readonly uuid: string
  /** As it was written, whatever its case; empty: the default of the driver. */
  readonly onDelete: string
}

/** What a policy does; undefined for a word that is none. `fallback` where it says nothing. */
export function policyOf(onDelete: string, fallback: OnDelete): OnDelete | undefined {
  const word = policies.find(policy => policy === onDelete.toLowerCase())
  return word === '' ? fallback : word
}

export function isPolicy(onDelete: string): boolean {
  return policies.some(policy => policy === onDelete.toLowerCase())
}

export function writeVolumeId({ server, share, subDir, uuid, onDelete }: VolumeId): string {
  const kept = ['retain', 'archive'].includes(onDelete.toLowerCase()) ? onDelete : ''
  return [stripped(server), stripped(share), stripped(subDir), uuid, kept].join(separator)
}

/** How identifiers looked before 2020: the folder last, everything between is the share. */
const oldForm = /^([^/]+)\/(.*)\/([^/]+)$/s

/** What an identifier says, or in words why it says nothing. Further fields are passed over: later versions may add some. */
export function readVolumeId(id: string): VolumeId | { readonly problem: string } {
  const fields = id.split(separator)
  const read = fields.length >= 3 ? ofFields(fields) : ofOldForm(id)
  if (read === undefined) return { problem: `could not split ${id} into server, share and subDir by "#" or "/"` }
  const problems = [
    ['subDir', read.subDir, folderProblem(read.subDir)],
    ['share', read.share, pathProblem(read.share)],
    ['uuid', read.uuid, folderProblem(read.uuid)],
    ['server', read.server, serverProblem(read.server)],
  ] as const
  for (const [name, found, problem] of problems)
    if (problem !== undefined) return { problem: `invalid ${name} ${JSON.stringify(found)}: ${problem}` }
  return read
}

function ofFields([server = '', share = '', subDir = '', uuid = '', onDelete = '']: readonly string[]): VolumeId {
  return { server, share, subDir, uuid, onDelete }
}

function ofOldForm(id: string): VolumeId | undefined {
  const [, server, share, subDir] = oldForm.exec(id) ?? []
  if (server === undefined || share === undefined || subDir === undefined) return undefined
  return { server, share, subDir, uuid: '', onDelete: '' }
}
