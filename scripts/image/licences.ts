// The licences of what the bundle carries.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LockFile } from './lock-file.ts'

/** `licences/<package>@<version>/<file>` for each package of the bundle; one that brings no file is named by its licence alone. */
export function licenceFiles(root: string, packages: readonly string[], lock: LockFile): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  for (const path of packages) {
    const { name, version, license } = lock.packageAt(path)
    const directory = join(root, 'node_modules', path)
    const files = readdirSync(directory, { withFileTypes: true }).filter(
      file => file.isFile() && /^(licen[cs]e|copying|notice)/i.test(file.name),
    )
    const place = `licences/${name}@${version}`
    for (const file of files) found.set(`${place}/${file.name}`, readFileSync(join(directory, file.name)))
    if (files.length === 0) found.set(`${place}/LICENSE`, Buffer.from(`${license ?? 'no licence named'}\n`))
  }
  return found
}
