// What the controller does with files of shares. None of it runs in this process: a look at a path of a share may never come back.

import type { Compression, FileWorkKind, FileWorkOf, FileWorkProgress, FileWorkResult, UnpackLimits } from '../files/file-work.ts'
import { hasCode } from '../files/file-work-failed.ts'
import type { FileWorkers } from '../files/file-workers.ts'

/** A folder below the place at which a share is mounted. */
export interface Place {
  /** Where the share is mounted. */
  readonly root: string
  /** Relative to it; without empty, `.` and `..` segments. */
  readonly path: string
}

/** What takes a moment on a server that answers. */
const shortMs = 60_000
/** What goes through whole trees may take half a day, as long as it comes on: terabytes lie on such servers. */
const longMs = 12 * 3_600_000
/** A tree through which nothing came on for so long hangs. */
const stallMs = 5 * 60_000

/** Archives of our own volumes are as large as those are; what says otherwise is broken or hostile. */
const archiveLimits: UnpackLimits = { bytes: 2 ** 46, entries: 50_000_000 }

export interface ArchiveOrder {
  /** The folder that is packed. */
  readonly from: Place
  /** The folder in which the archive comes to lie, alone. */
  readonly into: Place
  /** The archive's name without its ending. */
  readonly name: string
  readonly compression: Compression
  readonly useTarProgram: boolean
}

/** Told how far the work on a tree has come. */
export type OnProgress = (progress: FileWorkProgress) => void

export class ShareFiles {
  readonly #workers: Pick<FileWorkers, 'run'>

  constructor(workers: Pick<FileWorkers, 'run'>) {
    this.#workers = workers
  }

  /** Makes a folder and those above it. @returns why its permissions could not be set, where they could not. @throws FileWorkFailed */
  async makeFolder(at: Place, permissions: number): Promise<string | undefined> {
    const mode = permissions > 0 ? { mode: permissions & 0o7777 } : {}
    const { warning } = await this.#short({ kind: 'makeDirectory', ...at, ...mode })
    return warning
  }

  /** @throws FileWorkFailed */
  async isFolder({ root, path }: Place): Promise<boolean> {
    try {
      const { type } = await this.#short({ kind: 'stat', path: `${root}/${path}` })
      return type === 'directory'
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }

  /** Removes a folder with all that is in it, and those above it that are empty then. What is missing is removed. @throws FileWorkFailed */
  async remove(at: Place): Promise<void> {
    await this.#long({ kind: 'removeTree', ...at })
  }

  /** Gives a folder the name `archived-<path>`. What is missing is archived. @throws FileWorkFailed */
  async archive(at: Place, replaces: 'refuse' | 'remove' | 'number'): Promise<void> {
    await this.#long({ kind: 'archiveTree', ...at, replaces })
  }

  /** Packs a folder. An archive that is there whole is not made again. @throws FileWorkFailed CLASH where another thing lies in its place */
  async pack({ from, into, name, ...how }: ArchiveOrder, onProgress?: OnProgress) {
    const place = { root: into.root, directory: into.path, name }
    return await this.#long({ kind: 'pack', ...from, into: place, ...how }, onProgress)
  }

  /** Unpacks the archive of a name, whatever its ending. @throws FileWorkFailed ENOENT where there is none */
  async unpack(from: Place, name: string, into: Place, onProgress?: OnProgress): Promise<void> {
    const { entries } = await this.#short({ kind: 'list', ...from, limit: mostInSnapshot })
    const found = endings.map(ending => `${name}${ending}`).find(one => entries.some(entry => entry.name === one))
    const archive = { root: from.root, path: `${from.path}/${found ?? `${name}${endings[0]}`}` }
    await this.#long({ kind: 'unpack', ...into, archive, limits: archiveLimits }, onProgress)
  }

  /** Does what `cp -a from/. into` does. @throws FileWorkFailed */
  async copy(from: Place, into: Place, onProgress?: OnProgress): Promise<void> {
    await this.#long({ kind: 'copyTree', ...into, from }, onProgress)
  }

  #short<Kind extends FileWorkKind>(work: FileWorkOf<Kind>): Promise<FileWorkResult<Kind>> {
    return this.#workers.run(work, { limitMs: shortMs })
  }

  #long<Kind extends FileWorkKind>(work: FileWorkOf<Kind>, onProgress?: OnProgress): Promise<FileWorkResult<Kind>> {
    return this.#workers.run(work, { limitMs: longMs, stallMs, ...(onProgress === undefined ? {} : { onProgress }) })
  }
}

/** In the order in which they are looked for: upstream's two, then ours. */
const endings = ['.tar.gz', '.tar', '.tar.zst'] as const
const mostInSnapshot = 100
