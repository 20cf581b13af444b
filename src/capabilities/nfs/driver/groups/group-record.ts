// Groups of snapshots as they are written down on the share of their archives. A group is there when its record is: archives lie hidden before it, and are given their names
// after it.

import { createHash } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import type { Place, ShareFiles } from '../share-files.ts'
import { cleanPath, newPathProblem, pathProblem, serverProblem, stripped } from '../share-path.ts'
import { readSnapshotId } from '../snapshot-id.ts'

export const groupsFolder = '.ballast-groups'
/** Names are as long as CSI lets a text be at least. */
const longestName = 128
const mark = 'group'

type At = Pick<Place, 'server' | 'root'>

export interface GroupId {
  readonly server: string
  /** Without slashes at both ends. */
  readonly share: string
  readonly name: string
}

export const writeGroupId = ({ server, share, name }: GroupId): string =>
  [stripped(server), stripped(share), name, mark].join('#')

/** What an identifier says; undefined for what is none of ours. */
export function readGroupId(id: string): GroupId | undefined {
  const [server = '', share = '', name = '', kind, ...more] = id.split('#')
  if (kind !== mark || more.length > 0 || server === '' || groupNameProblem(name) !== undefined) return undefined
  return (pathProblem(share) ?? serverProblem(server)) === undefined ? { server, share, name } : undefined
}

/** What is wrong with the name of a group; undefined where nothing is. */
export function groupNameProblem(name: string): string | undefined {
  if (name === '' || name.length > longestName) return `expected 1 to ${longestName} characters, found ${name.length}`
  if (/[/\\]/.test(name) || name.startsWith('.')) return 'expected a name without slashes that does not begin with a dot'
  return newPathProblem(name)
}

/** The snapshot of a volume in a group: the same whoever asks, and in whatever order volumes are named. */
export const memberName = (group: string, volumeId: string): string =>
  `${group}-${createHash('sha256').update(volumeId).digest('hex').slice(0, 12)}`

interface GroupMember {
  readonly volumeId: string
  readonly snapshotId: string
}

export interface GroupRecord {
  readonly members: readonly GroupMember[]
  /** Milliseconds since 1970 by the server's clock, between the two looks at the volumes. */
  readonly takenMs: number
}

/** Files and folders of a group, below its share. */
export const groupPaths = (name: string) => ({
  /** It is there. */
  record: `${groupsFolder}/${name}.group`,
  /** It is being removed. */
  leaving: `${groupsFolder}/${name}.leaving`,
  /** Archives before they have their names. */
  packing: `${groupsFolder}/${name}${packingEnding}`,
})
export const packingEnding = '.packing'

/** @throws FileWorkFailed; CallRefused where the file says something else */
export async function readGroup(files: ShareFiles, at: At, path: string): Promise<GroupRecord | undefined> {
  const text = await files.record({ ...at, path })
  if (text === undefined) return undefined
  const found = recordOf(text)
  if (found !== undefined) return found
  throw new CallRefused(
    status.INTERNAL,
    `${path} on server ${at.server} is no record of a group of snapshots: repair it, or remove it`,
  )
}

function recordOf(text: string): GroupRecord | undefined {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    // It is told as what it is: no record.
    return undefined
  }
  if (typeof found !== 'object' || found === null || !('members' in found) || !('takenMs' in found)) return undefined
  const { members, takenMs } = found
  if (typeof takenMs !== 'number' || !Array.isArray(members) || members.length === 0 || !members.every(isMember)) return undefined
  return { members, takenMs }
}

function isMember(found: unknown): found is GroupMember {
  if (typeof found !== 'object' || found === null || !('volumeId' in found) || !('snapshotId' in found)) return false
  return typeof found.volumeId === 'string' && typeof found.snapshotId === 'string'
}

/** Which group a snapshot belongs to, by the folder that it is; undefined where it is none's. @throws FileWorkFailed; CallRefused */
export async function groupOf(
  files: ShareFiles,
  share: At & { readonly share: string },
  folder: string,
): Promise<string | undefined> {
  const name = /^(.+)-[0-9a-f]{12}$/.exec(folder)?.[1]
  if (name === undefined || groupNameProblem(name) !== undefined) return undefined
  const group = await readGroup(files, share, groupPaths(name).record)
  const isMember = group?.members.some(({ snapshotId }) => folderOf(snapshotId) === folder) === true
  return isMember ? writeGroupId({ ...share, name }) : undefined
}

/** The folder of a snapshot below its share. */
export function folderOf(snapshotId: string): string {
  const read = readSnapshotId(snapshotId)
  return 'problem' in read ? '' : cleanPath(read.name)
}
