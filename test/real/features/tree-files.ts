// Trees of machines, written to a directory.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { workerConfigPath } from '../../../src/capabilities/features/discovery/worker-config.ts'
import type { Tree } from './trees.ts'

/** Writes a tree below `root`. */
export function writeTree(root: string, { files, config }: Pick<Tree, 'files' | 'config'>): void {
  for (const [path, entry] of Object.entries(files)) {
    const whole = join(root, path)
    if (typeof entry === 'object' && 'directory' in entry) {
      mkdirSync(whole, { recursive: true })
      continue
    }
    mkdirSync(dirname(whole), { recursive: true })
    if (typeof entry === 'string') writeFileSync(whole, entry)
    else symlinkSync(entry.link, whole)
  }
  if (config === undefined) return
  mkdirSync(join(root, 'etc/kubernetes/node-feature-discovery'), { recursive: true })
  writeFileSync(join(root, workerConfigPath), config)
}
