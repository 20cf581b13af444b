// A file that only its owner may read, whole or not at all.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

/** Writes `text` to `path` with mode 0600; readers see the old file or the new one. @throws CommandRefused naming the file */
export function writePrivately(path: string, text: string): void {
  const draft = `${path}.${process.pid}.draft`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(draft, text, { mode: 0o600 })
    renameSync(draft, path)
  } catch (error) {
    if (existsSync(draft)) rmSync(draft)
    throw new CommandRefused(`write ${path}: ${error instanceof Error ? error.message : String(error)}`, exitCodes.failed)
  }
}
