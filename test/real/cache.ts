// Where the real parts are kept between runs, and the error that says why one cannot be had.
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** A real part that this machine cannot build or fetch; the checks that need it are skipped with this message. */
export class PartUnavailable extends Error {
  override name = 'PartUnavailable'
}

/** `<cache>/real/<part>`, made on the first call. `BALLAST_CACHE` wins over `XDG_CACHE_HOME`, that over `~/.cache`. */
export function cacheDirectory(part: string): string {
  const base = process.env.BALLAST_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ballast')
  const directory = join(base, 'real', part)
  mkdirSync(directory, { recursive: true })
  return directory
}
