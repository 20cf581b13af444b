// Files that a command writes for people: what they changed since is never written over without a word.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CommandRefused, exitCodes } from './surroundings.ts'

interface WrittenFile {
  /** Below the folder. */
  readonly path: string
  readonly text: string
}

/**
 * Writes `files` below `folder`. A file that is there and says something else is left alone, all of them together, unless `force` is set.
 * @returns a line a file: what was done @throws CommandRefused naming the files that differ, or the one that cannot be written
 */
export function writeFiles(folder: string, files: readonly WrittenFile[], force: boolean): readonly string[] {
  const known = files.map(file => {
    const path = join(folder, file.path)
    return { ...file, path, before: existsSync(path) ? readFileSync(path, 'utf8') : undefined }
  })
  const different = known.filter(({ text, before }) => before !== undefined && before !== text)
  if (different.length > 0 && !force)
    throw new CommandRefused(
      `${different.map(({ path }) => path).join(', ')}: there already, and different; nothing was written (--force replaces them)`,
    )
  return known.map(({ path, text, before }) => {
    if (before === text) return `${path}: unchanged`
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    } catch (error) {
      throw new CommandRefused(`write ${path}: ${error instanceof Error ? error.message : String(error)}`, exitCodes.failed)
    }
    return `${path}: ${before === undefined ? 'written' : 'replaced'}`
  })
}
