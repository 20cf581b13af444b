// Ballast as it is shipped, for agents that are to start fast and to weigh what they weigh in a cluster: bundled once for this process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment as ofTheImage } from '../../../../scripts/image/build-image.ts'
import { bundle, writeBundle } from '../../../../scripts/image/bundle.ts'
import { atEnd } from '../../endings.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
let made: Promise<string> | undefined

/** What our manifests give the agent's process; `BALLAST_AGENT_FLAGS` adds to it: `--cpu-prof`. */
const memoryFlags = `--max-old-space-size=112 --max-semi-space-size=1 --v8-pool-size=1 ${process.env['BALLAST_AGENT_FLAGS'] ?? ''}`

const { PATH: _pathInTheImage, ...cLibrary } = ofTheImage

/** Variables of the agent's process, of our manifests and of our image. */
export const agentEnvironment = { ...cLibrary, NODE_OPTIONS: memoryFlags } as const

/** Path of the program. `BALLAST_PROGRAM` names one that is there already. */
export function ownProgram(): Promise<string> {
  const named = process.env['BALLAST_PROGRAM']
  made ??= named === undefined ? bundled() : Promise.resolve(named)
  return made
}

async function bundled(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bp-'))
  atEnd(() => rmSync(directory, { recursive: true, force: true }))
  writeBundle(await bundle(root), directory)
  return join(directory, 'ballast.mjs')
}
