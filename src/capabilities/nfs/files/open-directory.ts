// A directory that is held open, and what is done to the names in it. Each call goes through the open directory (`/proc/self/fd/7/name`), as
// openat(2) and its kin would, which Node.js does not have: whatever others rename or replace meanwhile, the name is looked up in that directory,
// and no link at that name is followed. So a link that a tenant puts into a share leads nobody out of it, also where it is put there in the last moment.
// The race that is left: a directory that was opened below a root can be moved out of it by who may write to both places; what is done goes on in it.
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { type ByteText, bytesOf, joined, shown } from './byte-text.ts'
import { attempt, FileWorkFailed, hasCode } from './file-work-failed.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
/** Directories within directories that are worked on: each is held open meanwhile. */
export const deepestTree = 500
/** Names that are read of a directory at once. */
const namesAtOnce = 512

/** Seconds since 1970 as Node sets times: exact to a microsecond. */
export interface Times {
  readonly atime: number
  readonly mtime: number
}

export class OpenDirectory implements Disposable {
  readonly fd: number
  /** For messages: where it was when it was opened. */
  readonly path: ByteText

  private constructor(fd: number, path: ByteText) {
    this.fd = fd
    this.path = path
  }

  /** Opens a root, which may be reached by links: it is our own path. @throws FileWorkFailed */
  static root(path: string): OpenDirectory {
    if (!path.startsWith('/') || path.includes('\0'))
      throw new FileWorkFailed('UNSAFE_PATH', `root ${JSON.stringify(path)}: expected an absolute path`, { path })
    const where = bytesOf(path)
    return new OpenDirectory(
      attempt('open directory', where, () => openSync(path, O_RDONLY | O_DIRECTORY)),
      where,
    )
  }

  /** A directory in this one. @throws FileWorkFailed ENOTDIR, ELOOP where the name is a link */
  open(name: ByteText): OpenDirectory {
    const path = this.pathOf(name)
    return new OpenDirectory(
      attempt('open directory', path, () => openSync(this.at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)),
      path,
    )
  }

  /** A directory in this one, also by a link, which may lead anywhere: ask `realPath` of it. */
  openFollowing(name: ByteText): OpenDirectory {
    const path = this.pathOf(name)
    return new OpenDirectory(
      attempt('open directory', path, () => openSync(this.at(name), O_RDONLY | O_DIRECTORY)),
      path,
    )
  }

  /** The same directory once more, for who disposes of what it got. */
  again(): OpenDirectory {
    return new OpenDirectory(
      attempt('open directory', this.path, () => openSync(this.at(), O_RDONLY | O_DIRECTORY)),
      this.path,
    )
  }

  /** By what path the system finds a name in this directory, or the directory itself. */
  at(name?: ByteText): Buffer {
    return Buffer.from(name === undefined ? `/proc/self/fd/${this.fd}/.` : `/proc/self/fd/${this.fd}/${name}`, 'latin1')
  }

  pathOf(name: ByteText): ByteText {
    return joined(this.path, '/', name)
  }

  /** Where the kernel says that it is now, without links. */
  realPath(): ByteText {
    return attempt('look up', this.path, () => readlinkSync(`/proc/self/fd/${this.fd}`, 'latin1')) as ByteText
  }

  /** Names in it, as the system gives them, at most `most` of them. */
  *names(most?: number): Generator<ByteText> {
    for (const { name } of this.entries(most)) yield name
  }

  /** The same with whether each is a file, as its directory has it: it may be something else by the next moment. */
  *entries(most = Number.POSITIVE_INFINITY): Generator<{ readonly name: ByteText; readonly isFile: boolean }> {
    // The type of `encoding` leaves out latin1; it is one of Node's encodings of bytes as any other.
    const encoding = 'latin1' as BufferEncoding
    const listing = attempt('read directory', this.path, () =>
      opendirSync(this.at().toString('latin1'), { encoding, bufferSize: namesAtOnce }),
    )
    try {
      for (let count = 0; count < most; count++) {
        const entry = attempt('read directory', this.path, () => listing.readSync())
        if (entry === null) return
        yield { name: entry.name as ByteText, isFile: entry.isFile() }
      }
    } finally {
      listing.closeSync()
    }
  }

  stat(): BigIntStats {
    return attempt('look at', this.path, () => fstatSync(this.fd, { bigint: true }))
  }

  /** What a name is, without following it. @throws FileWorkFailed ENOENT where it is nothing */
  lstat(name: ByteText): BigIntStats {
    return attempt('look at', this.pathOf(name), () => lstatSync(this.at(name), { bigint: true }))
  }

  /** As `lstat`; undefined where it is nothing. */
  find(name: ByteText): BigIntStats | undefined {
    return attempt('look at', this.pathOf(name), () => lstatSync(this.at(name), { bigint: true, throwIfNoEntry: false }))
  }

  /** Opens a file without following a link; a descriptor that the caller closes. */
  openFile(name: ByteText, flags: number, mode = 0o600): number {
    return attempt('open', this.pathOf(name), () => openSync(this.at(name), flags | O_NOFOLLOW, mode))
  }

  /** @returns whether it was made: false where the name is taken */
  makeDirectory(name: ByteText, mode: number): boolean {
    try {
      attempt('make directory', this.pathOf(name), () => mkdirSync(this.at(name), { mode }))
      return true
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      throw error
    }
  }

  unlink(name: ByteText): void {
    attempt('remove', this.pathOf(name), () => unlinkSync(this.at(name)))
  }

  removeDirectory(name: ByteText): void {
    attempt('remove directory', this.pathOf(name), () => rmdirSync(this.at(name)))
  }

  rename(name: ByteText, to: OpenDirectory, newName: ByteText): void {
    attempt(`rename to ${shown(to.pathOf(newName))}:`, this.pathOf(name), () => renameSync(this.at(name), to.at(newName)))
  }

  readLink(name: ByteText): ByteText {
    return attempt('read link', this.pathOf(name), () => readlinkSync(this.at(name), 'latin1')) as ByteText
  }

  makeLink(name: ByteText, target: ByteText): void {
    attempt('make link', this.pathOf(name), () => symlinkSync(Buffer.from(target, 'latin1'), this.at(name)))
  }

  /** Another name for the file `name` of `from`, which is not followed where it is a link. */
  makeHardLink(name: ByteText, from: OpenDirectory, target: ByteText): void {
    attempt('make hard link', this.pathOf(name), () => linkSync(from.at(target), this.at(name)))
  }

  setOwner(name: ByteText, uid: number, gid: number): void {
    attempt('set owner of', this.pathOf(name), () => lchownSync(this.at(name), uid, gid))
  }

  setTimes(name: ByteText, { atime, mtime }: Times): void {
    attempt('set times of', this.pathOf(name), () => lutimesSync(this.at(name), atime, mtime))
  }

  /** Follows a link at that name: only for names that were made a moment ago in a directory that is nobody else's yet. */
  setModeFollowing(name: ByteText, mode: number): void {
    attempt('set mode of', this.pathOf(name), () => chmodSync(this.at(name), mode))
  }

  setOwnMode(mode: number): void {
    attempt('set mode of', this.path, () => fchmodSync(this.fd, mode))
  }

  setOwnOwner(uid: number, gid: number): void {
    attempt('set owner of', this.path, () => fchownSync(this.fd, uid, gid))
  }

  setOwnTimes({ atime, mtime }: Times): void {
    attempt('set times of', this.path, () => futimesSync(this.fd, atime, mtime))
  }

  /** Has the server keep which names there are. */
  sync(): void {
    attempt('keep directory', this.path, () => fsyncSync(this.fd))
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }
}

/** What `act` gives, undefined where it found nothing at its path. */
export function orMissing<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Opens the directory at `parts` below `root`. A link on the way may lead to another place below the root, and nowhere else.
 * @throws FileWorkFailed UNSAFE_PATH where a link leads out of the root; ENOENT, ENOTDIR, EACCES of the system
 */
export function openBelow(root: OpenDirectory, parts: readonly ByteText[]): OpenDirectory {
  let here = root.again()
  for (const part of parts) {
    using left = here
    here = enter(root, left, part)
  }
  return here
}

/** One step of the way: see `openBelow`. */
export function enter(root: OpenDirectory, from: OpenDirectory, name: ByteText): OpenDirectory {
  try {
    return from.open(name)
  } catch (error) {
    if (!hasCode(error, 'ENOTDIR', 'ELOOP') || from.find(name)?.isSymbolicLink() !== true) throw error
  }
  using held = new DisposableStack()
  const reached = held.use(from.openFollowing(name))
  if (isWithin(reached, root)) {
    held.move()
    return reached
  }
  const where = shown(from.pathOf(name))
  throw new FileWorkFailed('UNSAFE_PATH', `${where} is a link that leads out of ${shown(root.path)}: it is not followed`, {
    path: where,
  })
}

/** Whether the one is the other or lies below it, links left aside. */
export function isWithin(one: OpenDirectory, other: OpenDirectory): boolean {
  const [inner, outer] = [one.realPath(), other.realPath()]
  return inner === outer || outer === '/' || inner.startsWith(`${outer}/`)
}
