// The file of a snapshot: piece by piece into a draft that only its owner may read, and in its place when it is whole.
import { existsSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

/**
 * Writes `pieces` to `path` with mode 0600, packed where the name ends with `.gz`; whatever fails, `path` is as it was.
 * The draft is made before the first piece is asked for. @throws CommandRefused naming the file; whatever `pieces` throws
 */
export async function writeSnapshotFile(path: string, pieces: AsyncIterable<string>): Promise<void> {
  let draft: string | undefined
  try {
    const target = targetOf(path)
    draft = `${target}.${process.pid}.draft`
    const sink = (await open(draft, 'wx', 0o600)).createWriteStream({ flush: true })
    const source = Readable.from(pieces)
    if (path.endsWith('.gz')) await pipeline(source, createGzip(), sink)
    else await pipeline(source, sink)
    renameSync(draft, target)
  } catch (error) {
    if (draft !== undefined && existsSync(draft)) rmSync(draft)
    // Errors of the file system name their call; those of the cluster are told as they are.
    if (error instanceof Error && 'syscall' in error && 'path' in error)
      throw new CommandRefused(`write ${path}: ${error.message}`, exitCodes.failed)
    throw error
  }
}

/** Where the file really is: a link goes on leading to it. @throws CommandRefused for what is there and no file */
function targetOf(path: string): string {
  if (!existsSync(path)) return path
  if (!statSync(path).isFile()) throw new CommandRefused(`write ${path}: it exists and is not a file; use - for standard output`)
  return realpathSync(path)
}
