// Where an archive is unpacked: directories along the way to the entry at hand, held open, each reached from the one above it without following a link.
// A directory gets its owner, bits and times when it is left, since everything that is made in it changes them.
import { type ByteText, shown } from '../byte-text.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import type { OpenDirectory, Times } from '../open-directory.ts'
import { orMissing } from '../open-directory.ts'
import { hostile } from './entry-path.ts'
import type { TarEntry } from './tar-header.ts'

const specialBits = 0o7000
/** For what no entry speaks of. */
const openBits = 0o755
/** For us alone, until it has the bits of its entry. */
const closedBits = 0o700

interface Level {
  readonly name: ByteText
  readonly directory: OpenDirectory
  /** What it gets when it is left: of its entry, or its own again. */
  entry: TarEntry | undefined
  before: Times | undefined
}

export class UnpackTarget implements Disposable {
  readonly #root: Level
  readonly #levels: Level[] = []
  readonly #isRoot: boolean
  ownersNotSet = 0

  /** `isRoot`: whether owners can be set. */
  constructor(root: OpenDirectory, isRoot: boolean) {
    this.#root = { name: '' as ByteText, directory: root, entry: undefined, before: undefined }
    this.#isRoot = isRoot
  }

  /**
   * The directory at `parts`; what is missing on the way is made with 0755.
   * @param name of the entry, for the refusal
   * @throws FileWorkFailed HOSTILE_ARCHIVE where a link, or anything else that is no directory, is on the way
   */
  at(parts: readonly ByteText[], name: ByteText): OpenDirectory {
    return this.#level(parts, openBits, parent => {
      throw hostile(name, `lies below ${JSON.stringify(shown(parent))}, which is no directory`)
    }).directory
  }

  /** The directory of an entry, which replaces what else is at its place; it gets the entry's owner, bits and times when it is left. */
  directory(parts: readonly ByteText[], entry: TarEntry): void {
    const parent = this.at(parts.slice(0, -1), entry.name)
    const name = parts.at(-1)
    if (name !== undefined && parent.find(name)?.isDirectory() === false) parent.unlink(name)
    this.#level(parts, closedBits, () => {
      throw hostile(entry.name, 'has something else at its place that comes back')
    }).entry = entry
  }

  /** `bits`: of the last directory, where it is made; those before it are as any new one. */
  #level(parts: readonly ByteText[], bits: number, refuse: (name: ByteText) => never): Level {
    let shared = 0
    while (shared < parts.length && this.#levels[shared]?.name === parts[shared]) shared++
    while (this.#levels.length > shared) this.#leave()
    for (const [index, name] of parts.entries()) {
      if (index < shared) continue
      const above = this.#levels.at(-1) ?? this.#root
      try {
        this.#levels.push(this.#enter(above.directory, name, index === parts.length - 1 ? bits : openBits))
      } catch (error) {
        if (hasCode(error, 'ENOTDIR', 'ELOOP')) refuse(name)
        throw error
      }
    }
    return this.#levels.at(-1) ?? this.#root
  }

  #enter(above: OpenDirectory, name: ByteText, bits: number): Level {
    const there = orMissing(() => above.open(name))
    if (there === undefined) above.makeDirectory(name, bits)
    const directory = there ?? above.open(name)
    const stat = directory.stat()
    const before = there === undefined ? undefined : { atime: Number(stat.atimeNs) / 1e9, mtime: Number(stat.mtimeNs) / 1e9 }
    return { name, directory, entry: undefined, before }
  }

  #leave(): void {
    const level = this.#levels.pop()
    if (level === undefined) return
    using directory = level.directory
    if (level.entry !== undefined) this.#applyToDirectory(directory, level.entry)
    else if (level.before !== undefined) directory.setOwnTimes(level.before)
  }

  #applyToDirectory(directory: OpenDirectory, entry: TarEntry): void {
    const isOwned = this.owned(() => directory.setOwnOwner(entry.uid, entry.gid))
    directory.setOwnMode(this.bits(entry, isOwned))
    directory.setOwnTimes(timesOf(entry))
  }

  /** Sets an owner. @returns whether it is set: a server that maps root to somebody else refuses, and that is counted */
  owned(set: () => void): boolean {
    if (this.#isRoot) {
      try {
        set()
        return true
      } catch (error) {
        if (!hasCode(error, 'EPERM', 'EACCES', 'EINVAL')) throw error
      }
    }
    this.ownersNotSet++
    return false
  }

  /** Bits of an entry. A program that would run as another than its archive says must not run as that. */
  bits(entry: TarEntry, isOwned: boolean): number {
    return isOwned || entry.kind === 'directory' ? entry.mode : entry.mode & ~specialBits
  }

  /** Makes something at a name, in place of what is there. */
  inPlace<T>(parent: OpenDirectory, name: ByteText, make: () => T): T {
    try {
      return make()
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error
    }
    this.clear(parent, name)
    return make()
  }

  /** Makes room for something that is no directory: what is there is removed, but for a directory with something in it. */
  clear(parent: OpenDirectory, name: ByteText): void {
    const found = parent.find(name)
    if (found === undefined) return
    if (found.isDirectory()) parent.removeDirectory(name)
    else parent.unlink(name)
  }

  /** Leaves every directory, the target itself last. @throws FileWorkFailed where owner, bits or times of one cannot be set */
  finish(): void {
    while (this.#levels.length > 0) this.#leave()
    if (this.#root.entry !== undefined) this.#applyToDirectory(this.#root.directory, this.#root.entry)
  }

  [Symbol.dispose](): void {
    for (const { directory } of this.#levels.splice(0)) directory[Symbol.dispose]()
  }
}

/** When the entry was changed, in seconds: exact to a microsecond. */
export function timesOf({ mtimeNs }: TarEntry): Times {
  const seconds = Number(mtimeNs) / 1e9
  if (!Number.isFinite(seconds)) throw new FileWorkFailed('BROKEN_ARCHIVE', 'the archive has a time that is no number')
  return { atime: seconds, mtime: seconds }
}
