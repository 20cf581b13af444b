// Small files of ours on a share, and names that change in one step: what a driver has decided is there, or it is not.
import { closeSync, constants, fstatSync, fsyncSync, readFileSync, writeFileSync } from 'node:fs'
import { type ByteText, bytesOf, joined, shown } from '../byte-text.ts'
import type { Below, FileWorkOf, FileWorkResult } from '../file-work.ts'
import { attempt, FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { OpenDirectory, openBelow } from '../open-directory.ts'
import { partsOf } from '../relative-path.ts'
import { makeDirectory } from './make-directory.ts'

const { O_CREAT, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants
/** Ours are far smaller; what is larger is somebody else's. */
const largestRecordBytes = 1024 * 1024
const mostTries = 8
/** Behind the name of a record that is being written; the next process that writes it begins it anew. */
const unwritten = '.partial'

/** @throws FileWorkFailed LIMIT; what the system says */
export function readRecord({ root, path }: FileWorkOf<'readRecord'>): FileWorkResult<'readRecord'> {
  using base = OpenDirectory.root(root)
  const { above, name } = split(path)
  try {
    using directory = openBelow(base, above)
    const fd = directory.openFile(name, O_RDONLY | O_NONBLOCK)
    try {
      const where = directory.pathOf(name)
      const { size } = attempt('look at', where, () => fstatSync(fd))
      if (size > largestRecordBytes)
        throw new FileWorkFailed('LIMIT', `${shown(where)} has ${size} bytes, expected at most ${largestRecordBytes}`)
      return { text: attempt('read', where, () => readFileSync(fd, 'utf8')) }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { text: undefined }
    throw error
  }
}

/** @throws FileWorkFailed LIMIT; what the system says */
export function writeRecord({ root, path, text }: FileWorkOf<'writeRecord'>): FileWorkResult<'writeRecord'> {
  if (Buffer.byteLength(text) > largestRecordBytes)
    throw new FileWorkFailed('LIMIT', `write ${path}: found more than ${largestRecordBytes} bytes`)
  const { above, name } = split(path)
  using base = OpenDirectory.root(root)
  using directory = made(base, { root, path }, above)
  const partial = joined(name, bytesOf(unwritten))
  const fd = directory.openFile(partial, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  try {
    attempt('write', directory.pathOf(partial), () => {
      writeFileSync(fd, text)
      fsyncSync(fd)
    })
  } finally {
    closeSync(fd)
  }
  directory.rename(partial, directory, name)
  directory.sync()
  return { written: true }
}

/** A file replaces a file. @throws FileWorkFailed CLASH where a directory is in the way, ENOENT where neither name is there; what the system says */
export function rename({ root, from, to }: FileWorkOf<'rename'>): FileWorkResult<'rename'> {
  const [source, target] = [split(from), split(to)]
  using base = OpenDirectory.root(root)
  using into = openBelow(base, target.above)
  const there = into.find(target.name)
  const isTaken = there !== undefined
  let out: OpenDirectory
  try {
    out = openBelow(base, source.above)
  } catch (error) {
    if (isTaken && hasCode(error, 'ENOENT')) return { moved: false }
    throw error
  }
  using left = out
  const moving = left.find(source.name)
  if (moving === undefined && isTaken) return { moved: false }
  if (isTaken && (moving?.isFile() !== true || !there.isFile()))
    throw new FileWorkFailed('CLASH', `rename ${from}: ${shown(into.pathOf(target.name))} is there already`)
  left.rename(source.name, into, target.name)
  into.sync()
  left.sync()
  return { moved: true }
}

/** The folder of a record. It may be removed as empty between two steps, by who removes the last record in it: then it is made again. */
function made(base: OpenDirectory, { root, path }: Below, above: readonly ByteText[]): OpenDirectory {
  for (let tries = 1; ; tries++) {
    try {
      if (above.length > 0) makeDirectory({ kind: 'makeDirectory', root, path: path.slice(0, path.lastIndexOf('/')) })
      return openBelow(base, above)
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || tries === mostTries) throw error
    }
  }
}

function split(path: string) {
  const parts = partsOf(path)
  const name = parts.at(-1)
  if (name === undefined) throw new TypeError('a path has at least one part')
  return { above: parts.slice(0, -1), name }
}
