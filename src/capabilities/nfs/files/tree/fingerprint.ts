// What a tree is at a moment, in a few bytes. A server changes the time of an inode's change (ctime) whenever its content, its names or its attributes change, and nobody can
// set that time: two looks with the same digest had nothing changed between them. Two changes within one tick of the server's clock have the same time, so who
// compares looks has to know how long before the first one the last change was.
import { createHash } from 'node:crypto'
import { type BigIntStats, closeSync, constants, fstatSync } from 'node:fs'
import { type ByteText, bytesOf, shown } from '../byte-text.ts'
import type { FileWorkOf, FingerprintResult } from '../file-work.ts'
import { attempt, FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { deepestTree, OpenDirectory, openBelow, orMissing } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { partsOf } from '../relative-path.ts'
import { entryType } from './entry-type.ts'

const { O_CREAT, O_EXCL, O_WRONLY } = constants
/** A file that is there for a moment, beside the tree: its time is the server's. */
const clockName = bytesOf('.ballast-clock')
/** Others may ask for the time at the same moment. */
const mostTries = 100

/** @throws FileWorkFailed ENOENT; LIMIT; what the system says */
export async function fingerprint({ root, path }: FileWorkOf<'fingerprint'>, progress: Progress): Promise<FingerprintResult> {
  using base = OpenDirectory.root(root)
  using directory = openBelow(base, partsOf(path))
  const serverMs = timeOfServer(base)
  const look = new Look(progress)
  look.add(bytesOf('.'), directory.stat())
  await look.below(directory, bytesOf(''), 1)
  return { ...look.result(), serverMs }
}

class Look {
  readonly #progress: Progress
  readonly #hash = createHash('sha256')
  #changedMs = 0

  constructor(progress: Progress) {
    this.#progress = progress
  }

  add(path: ByteText, stat: BigIntStats): void {
    const { mode, uid, gid, ino, nlink, size, mtimeNs, ctimeNs } = stat
    this.#hash.update(`${path}\0${[entryType(stat), mode, uid, gid, ino, nlink, size, mtimeNs, ctimeNs].join(' ')}\0`, 'latin1')
    this.#changedMs = Math.max(this.#changedMs, Number(stat.ctimeMs))
  }

  async below(directory: OpenDirectory, path: string, depth: number): Promise<void> {
    if (depth > deepestTree)
      throw new FileWorkFailed('LIMIT', `look at ${shown(directory.path)}: it lies deeper than ${deepestTree} directories`)
    // A directory tells its names in any order.
    for (const name of [...directory.names()].sort()) {
      const inner = `${path}/${name}` as ByteText
      const stat = directory.find(name)
      // What goes away meanwhile is a change, which the directory's own times may not show any more.
      if (stat === undefined) this.#hash.update(`${inner}\0gone\0`, 'latin1')
      else this.add(inner, stat)
      if (this.#progress.entry()) await this.#progress.turn()
      if (stat?.isDirectory() !== true) continue
      using next = directory.open(name)
      await this.below(next, inner, depth + 1)
    }
  }

  result() {
    return { digest: this.#hash.digest('hex'), changedMs: this.#changedMs }
  }
}

/** What time it is where the files are, by a file that is made for it. */
function timeOfServer(base: OpenDirectory): number {
  for (let tries = 1; ; tries++) {
    // A process that was killed may have left it.
    orMissing(() => base.unlink(clockName))
    try {
      const fd = base.openFile(clockName, O_WRONLY | O_CREAT | O_EXCL)
      try {
        return Number(attempt('look at', base.pathOf(clockName), () => fstatSync(fd, { bigint: true })).ctimeMs)
      } finally {
        closeSync(fd)
        orMissing(() => base.unlink(clockName))
      }
    } catch (error) {
      if (!hasCode(error, 'EEXIST') || tries === mostTries) throw error
    }
  }
}
