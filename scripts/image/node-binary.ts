// Node for a platform out of its npm package, whatever this machine is: checked against the lock file, and cut down to what runs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { withoutSections } from './elf.ts'
import { readIfThere, writeWhole } from './kept-file.ts'
import type { LockFile } from './lock-file.ts'
import type { Platform } from './platforms.ts'
import { tarEntries } from './tar-file.ts'

export interface NodeBinary {
  readonly version: string
  readonly program: Buffer
  /** The words of its licence. */
  readonly licence: Buffer
}

const packageName = /^[\w.-]+-[\d.]+\.tgz$/

/**
 * Fetches the platform's package through npm (its cache first) into `cache`.
 * @throws Error where npm cannot fetch it, or its bytes are not those that the lock file names
 */
export async function nodeBinary(platform: Platform, lock: LockFile, cache: string): Promise<NodeBinary> {
  const { nodePackage } = platform
  const { version } = lock.packageAt(nodePackage)
  const files = await filesOf(gunzipSync(nodeArchive(platform, lock, cache)), ['package/bin/node', 'package/LICENSE'])
  const [program, licence] = files
  if (program === undefined || licence === undefined)
    throw new Error(`${nodePackage} ${version}: no bin/node or no LICENSE in it`)
  return { version, program: withoutSections(program), licence }
}

/** The package as the registry has it. @throws Error as `nodeBinary` */
export function nodeArchive({ nodePackage }: Platform, lock: LockFile, cache: string): Buffer {
  const { version, integrity } = lock.packageAt(nodePackage)
  return fetchPackage(`${nodePackage}@${version}`, integrity, cache)
}

function fetchPackage(name: string, integrity: string, cache: string): Buffer {
  mkdirSync(cache, { recursive: true })
  const kept = join(cache, `${integrity.replaceAll(/[^\w-]/g, '_')}.tgz`)
  const known = readIfThere(kept)
  if (known !== undefined && integrityOf(known) === integrity) return known
  const directory = mkdtempSync(join(tmpdir(), 'ballast-node-'))
  try {
    const args = ['pack', name, '--prefer-offline', '--loglevel=error', '--pack-destination', directory]
    const { status, stdout, stderr, error } = spawnSync('npm', args, { encoding: 'utf8', cwd: directory })
    const file = stdout?.trim() ?? ''
    if (status !== 0 || !packageName.test(file))
      throw new Error(`npm could not fetch ${name}: ${error?.message ?? (stderr.trim() || file || `it ended with ${status}`)}`)
    const archive = readFileSync(join(directory, file))
    const found = integrityOf(archive)
    if (found !== integrity) throw new Error(`${name}: its hash is ${found}, package-lock.json says ${integrity}`)
    writeWhole(kept, archive)
    return archive
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function integrityOf(archive: Uint8Array): string {
  return `sha512-${createHash('sha512').update(archive).digest('base64')}`
}

/** The files of these names in a tar file, in their order. */
async function filesOf(tar: Buffer, names: readonly string[]): Promise<readonly (Buffer | undefined)[]> {
  const found = new Map<string, Buffer>()
  for await (const { header, content } of tarEntries(tar)) if (names.includes(header.name)) found.set(header.name, content)
  return names.map(name => found.get(name))
}
