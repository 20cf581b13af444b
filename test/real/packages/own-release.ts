// The folder of artefacts, made once for all checks of a run by the command that makes it.
import { strictEqual } from 'node:assert'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { atEnd } from '../endings.ts'
import { commandOutput, runCommand } from '../run-command.ts'

const root = join(import.meta.dirname, '..', '..', '..')

export interface ReleaseList {
  readonly version: string
  readonly artefacts: readonly {
    readonly name: string
    readonly kind: string
    readonly platform?: string
    readonly bytes?: number
    readonly sha256?: string
  }[]
}

/** What `release.json` says. */
export function listOf(folder: string): ReleaseList {
  const list: ReleaseList = JSON.parse(readFileSync(join(folder, 'release.json'), 'utf8'))
  return list
}

let shared: Promise<string> | undefined

/** The folder: one that `BALLAST_RELEASE` names, else it is made. @throws PartUnavailable where parts of others cannot be had */
export function ownRelease(): Promise<string> {
  const made = process.env['BALLAST_RELEASE'] ?? ''
  if (made !== '') return Promise.resolve(made)
  shared ??= (async () => {
    const directory = join(temporaryFolder(), 'release')
    const result = await runCommand(process.execPath, [join(root, 'scripts', 'release', 'main.ts'), '--out', directory])
    if (/cannot be had|could not fetch|knows no mirror/.test(result.stderr)) throw new PartUnavailable(result.stderr.trim())
    strictEqual(result.code, 0, result.stderr)
    return directory
  })()
  return shared
}

/** An executable for a platform, unpacked in a folder of its own with its other names beside it. */
export async function ownExecutable(architecture: 'amd64' | 'arm64'): Promise<string> {
  const release = await ownRelease()
  const folder = temporaryFolder()
  const { version } = listOf(release)
  await commandOutput('tar', ['-xzf', join(release, `ballast-${version}-linux-${architecture}.tar.gz`), '-C', folder])
  return join(folder, 'ballast')
}

/** A folder that is gone when this process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-release-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'home'))
  return folder
}
