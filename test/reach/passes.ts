// What passed on this machine, in the cache outside the clone: a file a kind of check, written anew after each that ended.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import type { Pass } from './choose.ts'

const schema = z.record(z.string(), z.object({ hash: z.string(), at: z.string() }))

/** Folder of what tests keep between runs. `BALLAST_CACHE` wins over `XDG_CACHE_HOME`, that over `~/.cache`. */
export function testCache(): string {
  return process.env['BALLAST_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ballast')
}

export class Passes {
  readonly #path: string
  readonly #byName: Record<string, Pass>

  /** The checks of a kind, `deep` or `real`, as the cache has them. A file that cannot be read is as none: the checks run again. */
  constructor(kind: string, folder = join(testCache(), 'passed')) {
    mkdirSync(folder, { recursive: true })
    this.#path = join(folder, `${kind}.json`)
    this.#byName = existsSync(this.#path) ? known(readFileSync(this.#path, 'utf8')) : {}
  }

  get byName(): Readonly<Record<string, Pass>> {
    return this.#byName
  }

  /** Notes that a row passed whole on these bytes, or that it did not: then it is reached until it does. */
  note(name: string, hash: string, hasPassed: boolean): void {
    this.#byName[name] = { hash: hasPassed ? hash : 'failed', at: new Date().toISOString() }
    const unfinished = `${this.#path}.${process.pid}`
    writeFileSync(unfinished, `${JSON.stringify(this.#byName, null, 2)}\n`)
    renameSync(unfinished, this.#path)
  }
}

function known(text: string): Record<string, Pass> {
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return {} // cut off in the middle, or of another time: nothing is taken for seen
  }
}
