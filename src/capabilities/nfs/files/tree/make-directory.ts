// The directory of a volume.
import type { FileWorkOf, FileWorkResult } from '../file-work.ts'
import { FileWorkFailed, hasCode } from '../file-work-failed.ts'
import { enter, OpenDirectory, orMissing } from '../open-directory.ts'
import { partsOf } from '../relative-path.ts'

const allBits = 0o7777
/** A directory above may be removed as empty between two steps, by who deletes the last volume in it: that often it is made again. */
const mostTries = 8

/** @throws FileWorkFailed UNSAFE_PATH, ENOTDIR where a file is in the way, or what the system says */
export function makeDirectory({ root, path, mode }: FileWorkOf<'makeDirectory'>): FileWorkResult<'makeDirectory'> {
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > allBits))
    throw new FileWorkFailed('EINVAL', `mode of ${path}: found ${mode}, expected a whole number from 0 to 07777`)
  using base = OpenDirectory.root(root)
  const parts = partsOf(path)
  for (let tries = 1; ; tries++) {
    try {
      const { directory, made } = makeAll(base, parts)
      using last = directory
      const warning = mode === undefined ? undefined : setMode(last, mode)
      return { made, ...(warning === undefined ? {} : { warning }) }
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || tries === mostTries) throw error
    }
  }
}

function makeAll(base: OpenDirectory, parts: ReturnType<typeof partsOf>): { directory: OpenDirectory; made: boolean } {
  let directory = base.again()
  let made = false
  for (const part of parts) {
    using left = directory
    const found = orMissing(() => enter(base, left, part))
    made = found === undefined && left.makeDirectory(part, 0o777)
    directory = found ?? enter(base, left, part)
  }
  return { directory, made }
}

/** @returns why it could not be set: a share may keep others from it, and is of use all the same */
function setMode(directory: OpenDirectory, mode: number): string | undefined {
  if (Number(directory.stat().mode & BigInt(allBits)) === mode) return undefined
  try {
    directory.setOwnMode(mode)
    return undefined
  } catch (error) {
    if (error instanceof FileWorkFailed) return error.message
    throw error
  }
}
