// What the controller does with files of shares. None of it runs in this process: a look at a path of a share may never come back.

import { OutsideError } from '#kube/outside-error.ts'

/** A folder or a file below the place at which a share is mounted. */
export interface Place {
  /** Where the share is mounted. */
  readonly root: string
  /** Relative to it; without empty, `.` and `..` segments. */
  readonly path: string
}

interface Limits {
  readonly signal?: AbortSignal | undefined
}

export interface ArchiveOrder {
  /** The folder that is packed. */
  readonly from: Place
  /** The folder that the archive comes to lie in, alone. */
  readonly into: Place
  /** The archive's name without its ending. */
  readonly name: string
  readonly compression: 'none' | 'gzip' | 'zstd'
  readonly useTarProgram: boolean
}

export interface Archive {
  readonly bytes: number
  readonly modifiedMs: number
}

export interface ShareFiles {
  /** Makes a folder and those above it. @returns what went wrong with its permissions, if something did */
  makeFolder(at: Place, permissions: number, limits?: Limits): Promise<{ readonly warning?: string | undefined }>
  isFolder(at: Place, limits?: Limits): Promise<boolean>
  /** Removes a folder with all that is in it, and those above it that are empty then. What is missing is removed. */
  remove(at: Place, limits?: Limits): Promise<void>
  /** Gives a folder the name `archived-<path>`. What is missing is archived. */
  archive(at: Place, existing: 'refuse' | 'remove' | 'number', limits?: Limits): Promise<void>
  /** Packs a folder. An archive that is there whole is not made again. @throws ArchiveClash */
  pack(order: ArchiveOrder, limits?: Limits): Promise<Archive>
  /** Unpacks the archive of a name in a folder, whatever its ending. @throws FileWorkFailed ENOENT where there is none */
  unpack(from: Place, name: string, into: Place, limits?: Limits): Promise<void>
  /** What `cp -a from/. into` does. */
  copy(from: Place, into: Place, limits?: Limits): Promise<void>
  /** Bytes that a user may still write at a place. */
  availableBytes(root: string, limits?: Limits): Promise<bigint>
}

/** A folder for one archive has another thing in it. */
export class ArchiveClash extends OutsideError {
  override readonly name = 'ArchiveClash'
  readonly found: string

  constructor(found: string) {
    super(`found ${JSON.stringify(found)}`)
    this.found = found
  }
}

/** Work on files that came to nothing. */
export class FileWorkFailed extends OutsideError {
  override readonly name = 'FileWorkFailed'
  /** As the system has it (`EACCES`); `ELATE` where it was not done in time, and `EBUSYHUNG` where too much hangs already. */
  readonly code: string

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
