// What the controller does with files of shares. None of it runs in this process: a look at a path of a share may never come back.

import type { Clock } from '#kube/clock.ts'
import { bytesOf } from '../files/byte-text.ts'
import type {
  Below,
  Compression,
  FileWorkKind,
  FileWorkOf,
  FileWorkProgress,
  FileWorkResult,
  ListedEntry,
  SurveyEntry,
  UnpackLimits,
} from '../files/file-work.ts'
import { FileWorkFailed, hasCode } from '../files/file-work-failed.ts'
import type { FileWorkers } from '../files/file-workers.ts'
import { archiveName, archiveNames, isPartialName } from '../files/tar/archive-names.ts'

/** A folder below the place at which a share is mounted. */
export interface Place {
  /** Whose files they are. */
  readonly server: string
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

interface ArchiveOrder {
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
type OnProgress = (progress: FileWorkProgress) => void

export class ShareFiles {
  readonly #workers: Pick<FileWorkers, 'run'>
  readonly #clock: Clock

  constructor(workers: Pick<FileWorkers, 'run'>, clock: Clock) {
    this.#workers = workers
    this.#clock = clock
  }

  /** Makes a folder and those above it; `warning` says why its permissions could not be set. @throws FileWorkFailed */
  makeFolder(at: Place, permissions: number): Promise<FileWorkResult<'makeDirectory'>> {
    const mode = permissions > 0 ? { mode: permissions & 0o7777 } : {}
    return this.#short(at.server, { kind: 'makeDirectory', ...below(at), ...mode })
  }

  /** @throws FileWorkFailed */
  async isFolder({ server, root, path }: Place): Promise<boolean> {
    try {
      const { type } = await this.#short(server, { kind: 'stat', path: `${root}/${path}` })
      return type === 'directory'
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }

  /** Removes a folder with all that is in it, and those above it that are empty then. What is missing is removed. @throws FileWorkFailed */
  async remove(at: Place): Promise<void> {
    await this.#long(at.server, { kind: 'removeTree', ...below(at) })
  }

  /** Gives a folder the name `archived-<path>`. What is missing is archived. @throws FileWorkFailed */
  async archive(at: Place, replaces: 'refuse' | 'remove' | 'number'): Promise<void> {
    await this.#long(at.server, { kind: 'archiveTree', ...below(at), replaces })
  }

  /** Packs a folder. An archive that is there whole is not made again. @throws FileWorkFailed CLASH where another thing lies in its place */
  async pack({ from, into, name, ...how }: ArchiveOrder, onProgress?: OnProgress) {
    const place = { root: into.root, directory: into.path, name }
    return await this.#long(from.server, { kind: 'pack', ...below(from), into: place, ...how }, onProgress)
  }

  /** The archive of a name in the folder of a snapshot, whatever its ending; undefined where there is none. @throws FileWorkFailed */
  async archiveOf(at: Place, source: string): Promise<NonNullable<SurveyEntry['archive']> | undefined> {
    try {
      const { entries } = await this.#short(at.server, { kind: 'list', ...below(at), limit: mostInSnapshot })
      const found = archiveNames(source).flatMap(known => entries.filter(({ name, type }) => name === known && type === 'file'))
      const [archive] = found
      return archive === undefined ? undefined : { name: archive.name, source, bytes: archive.size, mtimeMs: archive.mtimeMs }
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }

  /** What lies in the folder of a snapshot and is no archive of its source, nor part of one; undefined where nothing does. @throws FileWorkFailed */
  async strangerIn(at: Place, source: string): Promise<string | undefined> {
    const known = new Set(archiveNames(source))
    const entries = await this.names(at, mostInSnapshot)
    return entries.find(({ name, type }) => type !== 'file' || !(known.has(name) || isPartialName(bytesOf(name))))?.name
  }

  /** Unpacks the archive of a name, whatever its ending. @throws FileWorkFailed ENOENT where there is none */
  async unpack(from: Place, name: string, into: Place, onProgress?: OnProgress): Promise<void> {
    const found = await this.archiveOf(from, name)
    const archive = { root: from.root, path: `${from.path}/${found?.name ?? archiveName(name, 'gzip')}` }
    await this.#long(into.server, { kind: 'unpack', ...below(into), archive, limits: archiveLimits }, onProgress)
  }

  /** Reads an archive from its beginning to its end. @throws FileWorkFailed BROKEN_ARCHIVE, CUT_ARCHIVE; what the system says */
  verify({ server, ...archive }: Place): Promise<FileWorkResult<'verify'>> {
    return this.#long(server, { kind: 'verify', archive })
  }

  /** Does what `cp -a from/. into` does. @throws FileWorkFailed */
  async copy(from: Place, into: Place, onProgress?: OnProgress): Promise<void> {
    await this.#long(into.server, { kind: 'copyTree', ...below(into), from: below(from) }, onProgress)
  }

  /** What lies right below a share, from a place in its order on: so many names are looked at. @throws FileWorkFailed */
  survey(
    { server, root }: Pick<Place, 'server' | 'root'>,
    after: string | undefined,
    limit: number,
  ): Promise<FileWorkResult<'survey'>> {
    return this.#long(server, { kind: 'survey', root, limit, ...(after === undefined ? {} : { after }) })
  }

  /** What a folder is now; see FingerprintResult. @throws FileWorkFailed */
  fingerprint(at: Place): Promise<FileWorkResult<'fingerprint'>> {
    return this.#long(at.server, { kind: 'fingerprint', ...below(at) })
  }

  /** Names in a folder; none where it is not there. @throws FileWorkFailed */
  async names(at: Place, limit: number): Promise<readonly ListedEntry[]> {
    try {
      return (await this.#short(at.server, { kind: 'list', ...below(at), limit })).entries
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []
      throw error
    }
  }

  /** A small file of ours; undefined where there is none. @throws FileWorkFailed */
  async record(at: Place): Promise<string | undefined> {
    return (await this.#short(at.server, { kind: 'readRecord', ...below(at) })).text
  }

  /** Writes a small file of ours, whole or not at all. @throws FileWorkFailed */
  async writeRecord(at: Place, text: string): Promise<void> {
    await this.#short(at.server, { kind: 'writeRecord', ...below(at), text })
  }

  /** Gives a file or a folder another name below its share. @throws FileWorkFailed CLASH, ENOENT */
  async rename({ server, root, path: from }: Place, to: string): Promise<void> {
    await this.#short(server, { kind: 'rename', root, from, to })
  }

  /** Removes an archived folder in which nothing was changed since `beforeMs`. @throws FileWorkFailed */
  expire({ server, root, path }: Place, beforeMs: number): Promise<FileWorkResult<'expireTree'>> {
    return this.#long(server, { kind: 'expireTree', root, name: path, beforeMs })
  }

  /** Bytes that a share has left for who is not root. It is the file system's figure. @throws FileWorkFailed */
  async available({ server, root }: Pick<Place, 'server' | 'root'>): Promise<bigint> {
    const { availableBlocks, blockSize } = await this.#short(server, { kind: 'statfs', path: root })
    return BigInt(availableBlocks) * BigInt(blockSize)
  }

  /** What a folder takes up, at a pace that leaves the server to others. @throws FileWorkFailed; `signal.reason` */
  usage(
    at: Place,
    limits: { readonly entries: number; readonly entriesPerSecond: number },
    signal: AbortSignal,
  ): Promise<FileWorkResult<'usage'>> {
    return this.#long(at.server, { kind: 'usage', ...below(at), limits }, undefined, signal)
  }

  #short<Kind extends FileWorkKind>(server: string, work: FileWorkOf<Kind>): Promise<FileWorkResult<Kind>> {
    return this.#workers.run(work, { limitMs: shortMs, signal: never, server })
  }

  /** Without an end of its own: who asked may have given up, and asks again for what it came to. */
  async #long<Kind extends FileWorkKind>(
    server: string,
    work: FileWorkOf<Kind>,
    onProgress?: OnProgress,
    signal: AbortSignal = never,
  ): Promise<FileWorkResult<Kind>> {
    const stalled = new AbortController()
    const stall = () =>
      stalled.abort(
        new FileWorkFailed('DEADLINE', `${work.kind}: nothing came on for ${stallMs / 60_000} min; its server may not answer`),
      )
    // The program `cp` says nothing of how far it has come.
    const isTold = work.kind !== 'copyTree'
    let cancel = isTold ? this.#clock.schedule(stallMs, stall) : () => undefined
    try {
      return await this.#workers.run(work, {
        limitMs: longMs,
        signal: AbortSignal.any([stalled.signal, signal]),
        server,
        onProgress: progress => {
          cancel()
          if (isTold) cancel = this.#clock.schedule(stallMs, stall)
          onProgress?.(progress)
        },
      })
    } finally {
      cancel()
    }
  }
}

const never = new AbortController().signal

const below = ({ root, path }: Place): Below => ({ root, path })

const mostInSnapshot = 100
