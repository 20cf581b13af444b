// The licences of what the application's layer carries.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LayerEntry } from './layer.ts'
import type { LockFile } from './lock-file.ts'

/** `licences/<package>@<version>/<file>` for each package of the bundle; one that brings no file is named by its licence alone. */
export function licenceEntries(root: string, packages: readonly string[], lock: LockFile): ReadonlyMap<string, LayerEntry> {
  const entries = new Map<string, LayerEntry>()
  for (const path of packages) {
    const { name, version, license } = lock.packageAt(path)
    const directory = join(root, 'node_modules', path)
    const files = readdirSync(directory, { withFileTypes: true }).filter(
      file => file.isFile() && /^(licen[cs]e|copying|notice)/i.test(file.name),
    )
    const place = `licences/${name}@${version}`
    for (const file of files)
      entries.set(`${place}/${file.name}`, { type: 'file', content: readFileSync(join(directory, file.name)) })
    if (files.length === 0)
      entries.set(`${place}/LICENSE`, { type: 'file', content: Buffer.from(`${license ?? 'no licence named'}\n`) })
  }
  return entries
}
