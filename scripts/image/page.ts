// The page's scripts and styles for the image: built anew, whatever lies in `dist/web` and whoever's compressor made it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { BuildOutcome } from '../../src/dashboard/build/bundle-process.ts'
import { buildEnvironment, sourceHash } from '../../src/dashboard/build/source-hash.ts'
import { readStored } from '../../src/dashboard/build/stored-bundle.ts'

export interface Page {
  /** What each file holds, by its name below `dist/web`, sorted. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Packages whose code is in it, as the lock file's paths below node_modules, sorted. */
  readonly packages: readonly string[]
}

const program = 'src/dashboard/build/bundle-process.ts'

/** @throws Error where the repository at `root` has no page, or it cannot be built: with the compiler's first message */
export async function builtPage(root: string): Promise<Page> {
  const hash = sourceHash(root)
  if (hash === undefined) throw new Error(`${root}: there is no page to build`)
  const folder = mkdtempSync(join(tmpdir(), 'ballast-page-'))
  try {
    const outcome = await outcomeOf(root, { root, hash, folders: [folder] })
    if ('failed' in outcome) throw new Error(`the page could not be built: ${outcome.failed}`)
    const stored = readStored(folder, hash)
    if (stored === undefined) throw new Error(`${folder}: the page that was built there cannot be read`)
    const names = readdirSync(folder).toSorted()
    return {
      files: new Map(names.map(name => [name, readFileSync(join(folder, name))])),
      packages: stored.manifest.packages,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function outcomeOf(root: string, workerData: object): Promise<BuildOutcome> {
  const { promise, resolve, reject } = Promise.withResolvers<BuildOutcome>()
  const worker = new Worker(join(root, program), { workerData, execArgv: [], env: buildEnvironment, stdout: true, stderr: true })
  worker.once('message', resolve)
  worker.once('error', reject)
  worker.once('exit', code => reject(new Error(`the page could not be built: the build ended with ${code} and no answer`)))
  return await promise
}
