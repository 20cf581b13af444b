import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty directory that is removed when the test that runs has ended. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ballast-kube-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}
