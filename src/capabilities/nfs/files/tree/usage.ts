// What a volume takes up, counted at a pace that leaves the server to others.
import type { BigIntStats } from 'node:fs'
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { deepestTree, OpenDirectory, openBelow } from '../open-directory.ts'
import type { Progress } from '../progress.ts'
import { partsOrRoot } from '../relative-path.ts'

/** So many files with several names are known again; beyond that the result is a part. */
const mostLinked = 200_000
const bytesOfBlock = 512n
/** Waits are no shorter. */
const leastWaitMs = 20

/** @throws FileWorkFailed where the directory cannot be read; what lies below and cannot is counted */
export async function usage({ root, path, limits }: FileWorkOf<'usage'>, progress: Progress): Promise<FileWorkResult<'usage'>> {
  if (!(limits.entries >= 1 && limits.entriesPerSecond > 0))
    throw new FileWorkFailed('EINVAL', `usage of ${path}: expected limits above 0, found ${JSON.stringify(limits)}`)
  using base = OpenDirectory.root(root)
  using directory = openBelow(base, partsOrRoot(path))
  const count = new UsageCount(limits, progress)
  count.add(directory.stat())
  await count.below(directory, 1)
  return count.result()
}

class UsageCount {
  readonly #limits: FileWorkOf<'usage'>['limits']
  readonly #progress: Progress
  readonly #startMs: number
  readonly #linked = new Set<string>()
  #apparent = 0n
  #blocks = 0n
  #entries = 0
  #seen = 0
  #unreadable = 0
  #isWhole = true

  constructor(limits: FileWorkOf<'usage'>['limits'], progress: Progress) {
    this.#limits = limits
    this.#progress = progress
    this.#startMs = progress.clock.elapsed()
  }

  add(stat: BigIntStats): void {
    this.#seen++
    if (stat.nlink > 1n && !stat.isDirectory()) {
      const file = `${stat.dev}:${stat.ino}`
      if (this.#linked.has(file)) return
      if (this.#linked.size < mostLinked) this.#linked.add(file)
      else this.#isWhole = false
    }
    this.#entries++
    this.#apparent += stat.size
    this.#blocks += stat.blocks
  }

  async below(directory: OpenDirectory, depth: number): Promise<void> {
    const inner = []
    for (const name of directory.names()) {
      if (this.#seen >= this.#limits.entries) {
        this.#isWhole = false
        return
      }
      const stat = directory.find(name)
      if (stat === undefined) continue
      this.add(stat)
      if (stat.isDirectory()) inner.push(name)
      await this.#pace()
    }
    for (const name of inner) {
      const opened = this.#opened(directory, name, depth)
      if (opened === undefined) continue
      using next = opened
      await this.below(next, depth + 1)
    }
  }

  #opened(directory: OpenDirectory, name: Parameters<OpenDirectory['open']>[0], depth: number): OpenDirectory | undefined {
    try {
      if (depth < deepestTree) return directory.open(name)
    } catch (error) {
      // It went away, became something else, or is somebody's own: the rest counts.
      if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM')) throw error
    }
    this.#unreadable++
    return undefined
  }

  async #pace(): Promise<void> {
    if (this.#progress.entry()) await this.#progress.turn()
    const { clock } = this.#progress
    const dueMs = this.#startMs + (this.#seen / this.#limits.entriesPerSecond) * 1_000
    const waitMs = dueMs - clock.elapsed()
    if (waitMs < leastWaitMs) return
    await clock.after(waitMs)
    this.#progress.told()
  }

  result(): FileWorkResult<'usage'> {
    return {
      apparentBytes: String(this.#apparent),
      allocatedBytes: String(this.#blocks * bytesOfBlock),
      entries: this.#entries,
      isWhole: this.#isWhole && this.#unreadable === 0,
      unreadable: this.#unreadable,
    }
  }
}
