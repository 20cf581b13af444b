// What others changed of our hosts files: what differs now from the record, and what was kept aside. Paths alone: a file may hold passwords.
import { join } from 'node:path'
import { type Log, messageOf } from '#kube/log.ts'
import type { FileOperations } from './file-operations.ts'
import { digestOfNode, readRecord } from './hosts-record.ts'
import { keptName, nodeAt } from './kept-aside.ts'
import { backupName } from './own-directory.ts'

interface HostsEdits {
  /** Files of ours that say something else now: the next start of the agent keeps them aside. */
  readonly edited: readonly string[]
  /** `2026-11-22T08-33-24Z/docker.io/hosts.toml`, below `_backup/_kept`. */
  readonly kept: readonly string[]
}

/** More are not named one by one. */
const mostNamed = 32

/** `undefined` where the directory or its record cannot be read: then nothing is known of it. */
export async function lookAtEdits(files: FileOperations, root: string, log: Log): Promise<HostsEdits | undefined> {
  try {
    const record = await readRecord(files, root)
    if (record === undefined) return undefined
    const edited: string[] = []
    for (const [path, { digests, isMade }] of record.entries) {
      const node = isMade ? await nodeAt(files, join(root, path)) : undefined
      if (node !== undefined && !digests.includes(digestOfNode(node)) && edited.length < mostNamed) edited.push(path)
    }
    return { edited, kept: await keptBelow(files, join(root, backupName, keptName)) }
  } catch (error) {
    log.debug({ directory: root, why: messageOf(error) }, 'what others changed of the hosts files is not looked at')
    return undefined
  }
}

async function keptBelow(files: FileOperations, store: string): Promise<readonly string[]> {
  const kept: string[] = []
  const walk = async (below: string) => {
    for (const name of await files.list(join(store, below))) {
      if (kept.length >= mostNamed) return
      const path = below === '' ? name : `${below}/${name}`
      if ((await files.look(join(store, path)))?.kind === 'directory') await walk(path)
      else kept.push(path)
    }
  }
  await walk('')
  return kept
}

/** What people of the node are told of it; nothing where there is nothing. */
export function editsMessage({ edited, kept }: HostsEdits): string | undefined {
  const now =
    edited.length === 0
      ? []
      : [`others changed ${edited.join(', ')}: the next start of the agent keeps that aside and writes ours`]
  const aside =
    kept.length === 0
      ? []
      : [`what others had written is kept in ${backupName}/${keptName} (${kept.join(', ')}): take it over, or delete it`]
  return edited.length + kept.length === 0 ? undefined : [...now, ...aside].join('; ')
}
