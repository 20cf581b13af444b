// Works on files of a server whose disk is full, or read only: the code is that of the system, and no part of an archive stays.
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isRoot, Scratch } from '../src/capabilities/nfs/files/testdata/trees.ts'

/** Mounts that nobody else sees need root, and a kernel that lets it. */
const canMount = isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

describe.skipIf(!canMount)('works on a file system', () => {
  test('that is full or read only end with its code', () => {
    using scratch = new Scratch()
    const program = join(import.meta.dirname, 'nfs-files-full-disk-process.ts')
    const words = ['--mount', process.execPath, '--disable-warning=ExperimentalWarning', program, scratch.path]
    const outcomes: unknown = JSON.parse(
      execFileSync('unshare', words, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } }),
    )
    expect(outcomes).toEqual({
      'pack gzip': 'ENOSPC',
      'left of gzip': '',
      'pack none': 'ENOSPC',
      'left of none': '',
      'pack by tar': 'ENOSPC',
      'left of tar': '',
      unpack: 'ENOSPC',
      copy: 'ENOSPC',
      'remove what is full': 'done',
      'remove a mount': 'EXDEV',
      'left in the mount': 'precious',
      'make on what is read only': 'EROFS',
      'remove from what is read only': 'EROFS',
      'copy to what is read only': 'EROFS',
    })
  })
})
