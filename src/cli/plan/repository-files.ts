// Files of a folder that somebody else owns: read without leaving it, written only where git could bring back what was there.
import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { ManifestFile } from '#planning/manifest-patches/manifests.ts'
import type { FileChange, FileRemoval } from '#planning/manifest-patches/unified-diff.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

const largestManifestBytes = 10 * 1024 * 1024
const mostManifests = 50_000
const deepestManifest = 40
const gitLimitMs = 30_000
const skippedFolders: ReadonlySet<string> = new Set(['.git', 'node_modules'])

/** The folder itself, with links to it resolved. @throws InputError where it is none */
export function folderAt(path: string, option: string): string {
  try {
    const real = realpathSync(path)
    if (!lstatSync(real).isDirectory()) throw new Error('it is no folder')
    return real
  } catch (error) {
    throw new InputError([
      { code: 'repository-folder', where: option, found: path, expected: `a folder that can be read (${messageOf(error)})` },
    ])
  }
}

/** Every YAML file below `root`; links are not followed, so nothing outside of it is read. */
export function manifestsBelow(root: string): { readonly files: readonly ManifestFile[]; readonly skipped: readonly string[] } {
  const files: ManifestFile[] = []
  const skipped: string[] = []
  const walk = (folder: string, depth: number) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name) && depth < deepestManifest) walk(path, depth + 1)
        continue
      }
      if (!/\.ya?ml$|^Kustomization$/.test(entry.name)) continue
      if (!entry.isFile()) skipped.push(`${path}: it is a link`)
      else if (files.length >= mostManifests) skipped.push(`${path}: there are more than ${mostManifests} files`)
      else if (lstatSync(join(root, path)).size > largestManifestBytes)
        skipped.push(`${path}: it has more than ${largestManifestBytes} bytes`)
      else files.push({ path, text: readFileSync(join(root, path), 'utf8') })
    }
  }
  walk('', 0)
  return { files, skipped }
}

/** How git knows a folder. */
interface Keeping {
  readonly isKept: boolean
  /** The folder's way from the top of its repository, with a `/` at its end; empty at the top. */
  readonly prefix: string
}

/** Asks git about the folder. @throws CommandRefused where one of the files has changes that are not committed, or is not git's */
export function refuseDirty(
  root: string,
  changes: readonly (FileChange | FileRemoval)[],
  environment: Readonly<Record<string, string | undefined>>,
): Keeping {
  const git = (args: readonly string[]) => {
    // Nothing that a repository's own configuration names is run, and no variable leads elsewhere.
    const kept = Object.entries(environment).filter(([name]) => !name.startsWith('GIT_'))
    const safe = ['-C', root, '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'core.quotePath=false']
    return execFileSync('git', [...safe, ...args], {
      encoding: 'utf8',
      timeout: gitLimitMs,
      env: Object.fromEntries(kept),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
  let prefix = ''
  try {
    prefix = git(['rev-parse', '--show-prefix']).trimEnd()
  } catch {
    // No git here, or none that knows the folder: whoever writes says what follows from it.
    return { isKept: false, prefix }
  }
  const paths = changes.map(({ path }) => path)
  if (paths.length === 0) return { isKept: true, prefix }
  const entries = git([
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=all',
    '--ignored=matching',
    '--',
    ...paths.map(path => `:(literal)${path}`),
  ])
    .split('\0')
    .filter(entry => entry !== '')
  const foreign = entries.filter(entry => /^(\?\?|!!)/.test(entry)).map(entry => entry.slice(3))
  if (foreign.length > 0)
    throw new CommandRefused(`${foreign.join(', ')}: not kept by git, so it could not be brought back; nothing was written`)
  const dirty = entries.map(entry => entry.slice(3))
  if (dirty.length > 0)
    throw new CommandRefused(
      `${dirty.join(', ')}: changed since the last commit; commit or stash that first, nothing was written`,
    )
  return { isKept: true, prefix }
}

/**
 * Writes each file below `root`: all new texts beside the old ones first, then each in one step. A line a file. @throws CommandRefused, before the
 * first is written, for one that leads out of the folder, is a link, or is no longer what was read, and where one of the texts has no room
 */
export function writeBelow(root: string, changes: readonly (FileChange | FileRemoval)[]): readonly string[] {
  for (const change of changes) checkPlace(root, change)
  const parts: string[] = []
  let file = root
  try {
    for (const { path, before, after } of changes) {
      file = join(root, path)
      if (after === undefined) continue
      mkdirSync(dirname(file), { recursive: true })
      const mode = before === undefined ? 0o644 : lstatSync(file).mode & 0o777
      parts.push(partOf(file))
      writeFileSync(partOf(file), after, { flag: 'wx', mode })
    }
    return changes.map(({ path, before, after }) => {
      file = join(root, path)
      if (after === undefined) rmSync(file)
      else renameSync(partOf(file), file)
      return `${path}: ${after === undefined ? 'removed' : before === undefined ? 'written' : 'changed'}`
    })
  } catch (error) {
    for (const part of parts) rmSync(part, { force: true })
    throw new CommandRefused(`write ${file}: ${messageOf(error)}`, exitCodes.failed)
  }
}

const partOf = (file: string): string => `${file}.ballast-new`

function checkPlace(root: string, { path, before }: FileChange | FileRemoval): void {
  const parts = path.split('/')
  if (path.startsWith('/') || parts.some(part => part === '..' || part === '' || part === '.'))
    throw new CommandRefused(`${path}: it leads out of ${root}; nothing was written`)
  for (let length = 1; length <= parts.length; length++) {
    const place = join(root, ...parts.slice(0, length))
    const found = lstatSync(place, { throwIfNoEntry: false })
    if (found === undefined) break
    if (found.isSymbolicLink()) throw new CommandRefused(`${place}: it is a link; nothing was written`)
    if (length < parts.length && !found.isDirectory()) throw new CommandRefused(`${place}: it is no folder; nothing was written`)
    if (length === parts.length && !found.isFile()) throw new CommandRefused(`${place}: it is no file; nothing was written`)
  }
  const file = join(root, path)
  const now = lstatSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(file, 'utf8')
  if (now !== before)
    throw new CommandRefused(
      `${file}: ${before === undefined ? 'it is there already, and it is not ours' : 'it was changed meanwhile'}; nothing was written`,
    )
}
