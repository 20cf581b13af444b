// One bundle of the command line for all tests that start it as a process: a start costs a third of what the sources cost.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const name = 'BALLAST_BUNDLE'

/** The program that tests start: the bundle where the run has made one, else the sources. */
export const commandLine =
  process.env[name] === undefined ? join(root, 'src', 'cli', 'main.ts') : join(process.env[name], 'ballast.mjs')

/** Vitest calls it before the first test of a run, in the process that starts the workers. */
export async function setup(): Promise<void> {
  const { bundle, writeBundle } = await import('../../scripts/image/bundle.ts')
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bundle-'))
  writeBundle(await bundle(root), directory)
  process.env[name] = directory
}

/** Vitest calls it after the last test. */
export function teardown(): void {
  const directory = process.env[name]
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
}
