// The files of the machine that is looked at: its own root in a pod lies beside where the host's directories are mounted.

import { closeSync, fstatSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'

/** Where feature files lie. */
export const featureFilesDirectory = 'etc/kubernetes/node-feature-discovery/features.d'

interface HostPlaces {
  /** In front of `sys`, `etc`, `usr`, `lib`, `boot` and `proc/swaps` of the host: `/host-` in a pod, `/` on the host itself. */
  readonly hostPrefix: string
  /** Where `/proc` is, and the folders of feature files and rules. */
  readonly ownRoot: string
}

/** A file in `/dev`; numbers of 0 where it is an ordinary one, as in trees for tests. */
interface DeviceFile {
  /** The number of the group that it belongs to. */
  readonly group: number
  readonly major: number
  readonly minor: number
}

/** An attribute in sysfs has at most a page; lists such as `/proc/modules` and configurations of kernels are longer. */
const mostBytes = 4 * 1024 * 1024

/** Reads that answer `undefined` where there is nothing to read: files come and go, and some answer with an error by nature. */
export class HostTree {
  readonly #places: HostPlaces

  constructor(places: HostPlaces) {
    this.#places = places
  }

  /** The path of a file of the host, such as `sys/class/net`. */
  host(path: string): string {
    return `${this.#places.hostPrefix}${path}`
  }

  /** The path of a file that this process sees under its own root. */
  own(path: string): string {
    return join(this.#places.ownRoot, path)
  }

  /** What a file holds, up to four mebibytes; `undefined` where it cannot be read. */
  bytes(path: string): Buffer | undefined {
    let file: number | undefined
    try {
      // A pipe that lies where a file is expected must not be waited for.
      if (!statSync(path).isFile()) return undefined
      file = openSync(path, 'r')
      return readAll(file)
    } catch {
      // The reason counts for nothing: whoever asked tells what he misses.
      return undefined
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }

  /** The text of a file without blanks around it. */
  text(path: string): string | undefined {
    return this.bytes(path)?.toString('utf8').trim()
  }

  /** The text of a file as it is. */
  rawText(path: string): string | undefined {
    return this.bytes(path)?.toString('utf8')
  }

  /** The names in a directory, in the order of their bytes; `undefined` where it cannot be read. */
  names(path: string): readonly string[] | undefined {
    try {
      return readdirSync(path).sort(byBytes)
    } catch {
      // As with files.
      return undefined
    }
  }

  /** Where a symbolic link points, as it is written; `undefined` where there is no link. */
  link(path: string): string | undefined {
    try {
      return readlinkSync(path)
    } catch {
      // As with files.
      return undefined
    }
  }

  /** The path without any link in it; `undefined` where it leads nowhere. */
  resolved(path: string): string | undefined {
    try {
      return realpathSync(path)
    } catch {
      // As with files.
      return undefined
    }
  }

  /** What a device's file says of itself; `undefined` where there is none. */
  node(path: string): DeviceFile | undefined {
    const stats = found(path)
    if (stats === undefined) return undefined
    const { gid: group, rdev } = stats
    return { group, major: ((rdev >> 8) & 0xfff) | 0, minor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00) }
  }

  exists(path: string): boolean {
    return found(path) !== undefined
  }

  isDirectory(path: string): boolean {
    return found(path)?.isDirectory() === true
  }
}

/** What lies at a path; `undefined` also where links lead in a circle, or nobody may look. */
function found(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // What cannot be looked at is not there for us.
    return undefined
  }
}

/** In sysfs a file says that it has a page, whatever it holds: it is read to its end. */
function readAll(file: number): Buffer {
  const { size } = fstatSync(file)
  const pieces: Buffer[] = []
  let length = 0
  while (length < mostBytes) {
    const piece = Buffer.allocUnsafe(Math.min(Math.max(size, 4096), 64 * 1024))
    const read = readSync(file, piece)
    if (read === 0) break
    pieces.push(piece.subarray(0, read))
    length += read
  }
  return Buffer.concat(pieces).subarray(0, mostBytes)
}

/** Orders texts by their bytes in UTF-8, as Go lists directories. */
function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
