// What is done to the directory of hosts files, one operation at a time: whoever tests a crash stops between any two of them.
import { chmod, chown, lstat, mkdir, open, readdir, readFile, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises'
import { messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'

/** A file, directory or link that could not be read or written. The command ends with 1. */
export class FileFault extends OutsideError {
  override readonly name = 'FileFault'
  readonly path: string
  constructor(what: string, path: string, cause: unknown) {
    super(`${what} ${path}`, { cause })
    this.path = path
  }
}

type Entry =
  | { readonly kind: 'file'; readonly mode: number; readonly owner: number; readonly group: number; readonly size: number }
  | { readonly kind: 'directory'; readonly mode: number; readonly owner: number; readonly group: number }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'other' }

/** Reads never change anything; every write is whole or not at all, but for `write`, which is only used for files nobody reads yet. */
export interface FileOperations {
  /** `undefined`: nothing is there. Links are not followed. */
  look(path: string): Promise<Entry | undefined>
  /** Names, sorted; none where there is no such directory. */
  list(path: string): Promise<readonly string[]>
  read(path: string): Promise<Buffer>
  makeDirectory(path: string): Promise<void>
  /** Writes and flushes to the disk. */
  write(path: string, content: Uint8Array, mode: number): Promise<void>
  link(path: string, target: string): Promise<void>
  setMode(path: string, mode: number): Promise<void>
  setOwner(path: string, owner: number, group: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
  removeDirectory(path: string): Promise<void>
  /** What is renamed or removed in it is so after a power cut, too. */
  flush(directory: string): Promise<void>
}

/** The node's own files. @throws FileFault */
export const realFiles: FileOperations = {
  look: path => told('look at', path, () => entryAt(path)),
  list: path =>
    told('read directory', path, async () => {
      try {
        return (await readdir(path)).toSorted()
      } catch (error) {
        if (isAbsent(error)) return []
        throw error
      }
    }),
  read: path => told('read', path, () => readFile(path)),
  makeDirectory: path =>
    told('make directory', path, async () => {
      await mkdir(path, { recursive: true, mode: 0o755 })
    }),
  write: (path, content, mode) =>
    told('write', path, async () => {
      await using file = await open(path, 'w', mode)
      await file.writeFile(content)
      // The mask of the process has no say.
      await file.chmod(mode)
      await file.sync()
    }),
  link: (path, target) => told('make link', path, () => symlink(target, path)),
  setMode: (path, mode) => told('set the mode of', path, () => chmod(path, mode)),
  setOwner: (path, owner, group) => told('set the owner of', path, () => chown(path, owner, group)),
  rename: (from, to) => told('rename to', to, () => rename(from, to)),
  removeFile: path => told('remove', path, () => unlink(path)),
  removeDirectory: path => told('remove directory', path, () => rmdir(path)),
  flush: directory =>
    told('flush', directory, async () => {
      await using handle = await open(directory, 'r')
      await handle.sync()
    }),
}

async function entryAt(path: string): Promise<Entry | undefined> {
  try {
    const found = await lstat(path)
    const { uid: owner, gid: group, size } = found
    const mode = found.mode & 0o7777
    if (found.isFile()) return { kind: 'file', mode, owner, group, size }
    if (found.isDirectory()) return { kind: 'directory', mode, owner, group }
    return found.isSymbolicLink() ? { kind: 'link', target: await readlink(path) } : { kind: 'other' }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

async function told<T>(what: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw new FileFault(`${what}:`, path, new Error(reasonOf(error)))
  }
}

const words: Readonly<Record<string, string>> = {
  EACCES: 'access is denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the quota is used up',
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is no directory',
  EBUSY: 'it is in use, as a mount is',
  ENOTEMPTY: 'it is not empty: somebody else writes here',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return words[code] ?? messageOf(error)
}
