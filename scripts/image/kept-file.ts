// Files of a cache that several processes may fill at once: each is whole or not there.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Under another name first, so that nobody reads half of it. */
export function writeWhole(path: string, content: Uint8Array): void {
  const partial = `${path}.${process.pid}`
  writeFileSync(partial, content)
  renameSync(partial, path)
}
