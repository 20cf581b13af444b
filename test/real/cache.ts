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

const underWay = new Map<string, Promise<string>>()

/** Builds a part once at a time, however many checks ask for it; a build that failed is tried again by the next that asks. */
export function builtOnce(part: string, build: () => Promise<string>): Promise<string> {
  const known = underWay.get(part)
  if (known !== undefined) return known
  const building = build().finally(() => underWay.delete(part))
  underWay.set(part, building)
  return building
}
