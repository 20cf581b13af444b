// Where the real parts are kept between runs, and the error that says why one cannot be had.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { testCache } from '../reach/passes.ts'

/** A real part that this machine cannot build or fetch; the checks that need it are skipped with this message. */
export class PartUnavailable extends Error {
  override name = 'PartUnavailable'
}

/** `<cache>/real/<part>`, made on the first call. */
export function cacheDirectory(part: string): string {
  const directory = join(testCache(), 'real', part)
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
