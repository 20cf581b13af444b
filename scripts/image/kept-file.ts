// Files of a cache that several processes may fill at once: each is whole or not there.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

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

/** Where packages of others are kept between builds. */
export function packageCache(environment: Readonly<Record<string, string | undefined>>): string {
  const own = environment['BALLAST_CACHE'] ?? join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ballast')
  const folder = join(own, 'image')
  mkdirSync(folder, { recursive: true })
  return folder
}
