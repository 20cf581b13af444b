// What a submission changes, as git knows it: its commits, and what is not committed.
import { spawnSync } from 'node:child_process'

/** Commits that are submitted together lie closer together than this; what is older was judged before. */
const submissionHours = 4

/** Files that differ from `BALLAST_BASE`, by default from the last commit four hours before the newest; undefined where git does not tell. */
export function changedFiles(root: string): ReadonlySet<string> | undefined {
  const git = (...args: readonly string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 256 * 2 ** 20 })
    return status === 0 ? stdout.trim() : undefined
  }
  const newest = Number(git('log', '-1', '--format=%ct'))
  if (!Number.isSafeInteger(newest)) return undefined
  const before = newest - submissionHours * 3600
  const base = process.env['BALLAST_BASE'] ?? git('rev-list', '-1', `--before=${before}`, 'HEAD')
  if (base === undefined || base === '') return undefined
  const differing = git('diff', '--name-only', '--no-renames', base)
  return differing === undefined ? undefined : new Set(differing.split('\n').filter(name => name !== ''))
}

/** Which turn a commit has, from 1 to `of`: the next commit the next. */
export function turnOf(root: string, of: number): number {
  const { status, stdout } = spawnSync('git', ['rev-list', '--count', 'HEAD'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? (Number(stdout) % of) + 1 : 1
}
