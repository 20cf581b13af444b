// Identifiers of snapshots, and where their archives lie.

import { folderProblem, pathProblem, serverProblem, stripped } from './share-path.ts'
import type { VolumeId } from './volume-id.ts'

export interface SnapshotId {
  readonly server: string
  readonly share: string
  /** The snapshot's name, which is its folder below the share. */
  readonly name: string
  /** The name of what is in the archive: the volume's uuid, else its folder. */
  readonly source: string
}

const fieldCount = 5

export function writeSnapshotId({ server, share, name, source }: SnapshotId): string {
  return [stripped(server), stripped(share), name, name, source].join('#')
}

/** What an identifier says, or in words why it says nothing. */
export function readSnapshotId(id: string): SnapshotId | { readonly problem: string } {
  const fields = id.split('#')
  const [server = '', share = '', name = '', , source = ''] = fields
  if (fields.length !== fieldCount) return { problem: `expected ${fieldCount} fields separated by "#", found ${fields.length}` }
  const problems = [
    ['share', share, pathProblem(share)],
    ['name', name, folderProblem(name)],
    ['source', source, pathProblem(source)],
    ['server', server, serverProblem(server)],
  ] as const
  for (const [field, found, problem] of problems)
    if (problem !== undefined) return { problem: `invalid ${field} ${JSON.stringify(found)}: ${problem}` }
  return { server, share, name, source }
}

/** What the archive of a volume is called; empty where the identifier of the volume names no folder. */
export const sourceOf = ({ subDir, uuid }: VolumeId): string => uuid || subDir
