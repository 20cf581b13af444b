// Mounts of pods that lead nowhere any more. The tables of the kernel say what is mounted; whether it answers is looked at from outside of this process.

import type { NodeFiles } from '../driver/node-files.ts'
import type { MountTable } from './mount-table.ts'

/** Mounts that are looked at in one round. */
const mostLookedAt = 1_000

interface StaleMount {
  readonly target: string
  readonly source: string
}

/** Mounts of NFS below a folder whose file handles nobody knows any more. A server that does not answer is no reason. One after the other, so that few hang. */
export async function staleMounts(
  table: MountTable,
  files: Pick<NodeFiles, 'look'>,
  folder: string,
  signal: AbortSignal,
): Promise<readonly StaleMount[]> {
  const mounted = table.mounts().filter(({ target, fsType }) => /^nfs4?$/.test(fsType) && target.startsWith(`${folder}/`))
  const stale: StaleMount[] = []
  for (const { target, source } of mounted.slice(0, mostLookedAt)) {
    signal.throwIfAborted()
    if ((await files.look(target)) === 'stale') stale.push({ target, source })
  }
  return stale
}
