// The node part as all of a process: what `ballast agent --role=nfs` becomes.
import { extname, join } from 'node:path'
import type { AloneEntry } from '#coordination/capability.ts'

/** V8's later compilers read Node's program and take memory: 18 MiB after 300 volumes, which cost as much of a processor with them as without. Measured with this V8; another may not have these flags. */
const flags = process.versions.v8.startsWith('13.6.') ? ['--no-maglev', '--no-turbofan'] : []

export const nodeAlone: AloneEntry = {
  entry: join(import.meta.dirname, `nfs-node-process${extname(import.meta.filename)}`),
  flags,
}
