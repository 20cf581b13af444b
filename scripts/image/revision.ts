// Which commit is built, and when it was made.
import { spawnSync } from 'node:child_process'

export interface Commit {
  readonly revision: string
  /** Since 1970. */
  readonly seconds: number
}

/** @throws Error where neither git nor `epoch` (SOURCE_DATE_EPOCH) tells a time */
export function commitOf(root: string, epoch: string | undefined): Commit {
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%H %ct'], { cwd: root, encoding: 'utf8' })
  const [head = 'unknown', committed] = status === 0 ? stdout.trim().split(' ') : []
  // What is built of files that no commit has says so.
  const changed = spawnSync('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: root, encoding: 'utf8' })
  const revision = changed.status === 0 && changed.stdout !== '' ? `${head}-dirty` : head
  const seconds = Number(epoch === undefined || epoch === '' ? committed : epoch)
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new Error(
      `no time to build for: this is no git checkout, and SOURCE_DATE_EPOCH is ${epoch ?? 'not set'}, expected seconds since 1970`,
    )
  return { revision, seconds }
}
