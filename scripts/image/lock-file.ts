// What package-lock.json says of the packages that were installed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const lockedPackage = z.object({
  version: z.string(),
  integrity: z.string(),
  license: z.string().exactOptional(),
  dependencies: z.record(z.string(), z.string()).exactOptional(),
})
const rootPackage = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})
const lockFile = z.object({ packages: z.record(z.string(), z.unknown()) })

export interface LockedPackage {
  /** Its path below node_modules. */
  readonly path: string
  readonly name: string
  readonly version: string
  /** Hash of its archive: `sha512-…`. */
  readonly integrity: string
  /** SPDX expression. */
  readonly license?: string
  readonly dependencies: readonly string[]
}

export class LockFile {
  readonly #packages: Readonly<Record<string, unknown>>

  /** @throws Error where there is no lock file below `root`, or it is no lock file */
  constructor(root: string) {
    const text = readFileSync(join(root, 'package-lock.json'), 'utf8')
    this.#packages = lockFile.parse(JSON.parse(text)).packages
  }

  /** Names of the packages that the project itself asks for: for the program, and for what it is built with or from. */
  get dependencies(): readonly string[] {
    const { dependencies, devDependencies } = rootPackage.parse(this.#packages[''])
    return [...Object.keys(dependencies), ...Object.keys(devDependencies)]
  }

  /** The package that is installed at this path below node_modules. @throws Error naming one that the lock file does not have */
  packageAt(path: string): LockedPackage {
    const found = lockedPackage.safeParse(this.#packages[`node_modules/${path}`])
    if (!found.success)
      throw new Error(`package-lock.json: node_modules/${path}: ${found.error.issues[0]?.message ?? 'not there'}`)
    const { version, integrity, license, dependencies = {} } = found.data
    const name = path.split('node_modules/').at(-1) ?? path
    return {
      path,
      name,
      version,
      integrity,
      dependencies: Object.keys(dependencies),
      ...(license === undefined ? {} : { license }),
    }
  }

  /** Where `name` is found from the package at `path`: beside it, or above. */
  resolve(path: string, name: string): string | undefined {
    for (let above = path; ; ) {
      const candidate = above === '' ? name : `${above}/node_modules/${name}`
      if (this.#packages[`node_modules/${candidate}`] !== undefined) return candidate
      if (above === '') return undefined
      const cut = above.lastIndexOf('/node_modules/')
      above = cut === -1 ? '' : above.slice(0, cut)
    }
  }
}
