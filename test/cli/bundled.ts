// One bundle of the command line for all tests that start it as a process: a start costs a third of what the sources cost.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, writeBundle } from '../../scripts/image/bundle.ts'

/** @returns what takes it away again */
export default async function setup(): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bundle-'))
  writeBundle(await bundle(join(import.meta.dirname, '..', '..')), directory)
  process.env['BALLAST_BUNDLE'] = directory
  return () => rmSync(directory, { recursive: true, force: true })
}
