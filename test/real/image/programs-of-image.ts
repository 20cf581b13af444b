// HAProxy and nginx as the image has them: the same packages, with the C library of theirs, so that they run on any machine.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { baseEntries, readBaseLock } from '../../../scripts/image/debian-base.ts'
import { platforms } from '../../../scripts/image/platforms.ts'
import { testCache } from '../../reach/passes.ts'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'

const lockPath = join(import.meta.dirname, '..', '..', '..', 'deploy', 'image', 'base.lock')

const names = ['haproxy', 'nginx'] as const

/** A folder whose `haproxy` and `nginx` are those of the image. @throws PartUnavailable where the packages cannot be had */
export function programsOfImage(): Promise<string> {
  return builtOnce('programs of the image', unpacked)
}

/** Has them on PATH. @throws PartUnavailable */
export async function needProgramsOfImage(): Promise<void> {
  const folder = await programsOfImage()
  const path = process.env['PATH'] ?? ''
  if (!path.split(delimiter).includes(folder)) process.env['PATH'] = `${folder}${delimiter}${path}`
}

async function unpacked(): Promise<string> {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const platform = platforms.find(one => one.architecture === architecture)
  if (platform === undefined) throw new PartUnavailable(`the image is not made for ${process.arch}`)
  const hash = createHash('sha256').update(readFileSync(lockPath)).digest('hex').slice(0, 12)
  const directory = join(cacheDirectory('image-programs'), hash)
  const programs = join(directory, 'programs')
  if (existsSync(programs)) return programs
  const cache = join(testCache(), 'image')
  mkdirSync(cache, { recursive: true })
  const entries = await baseEntries(platform, readBaseLock(lockPath), cache).catch((error: unknown) => {
    throw new PartUnavailable(error instanceof Error ? error.message : String(error))
  })
  const unfinished = mkdtempSync(join(cacheDirectory('image-programs'), 'unfinished-'))
  try {
    for (const [path, entry] of entries) {
      if (!/^usr\/(lib|lib64|sbin)\//.test(path) || entry.type === 'directory') continue
      const at = join(unfinished, 'root', path)
      mkdirSync(dirname(at), { recursive: true })
      if (entry.type === 'link') symlinkSync(entry.target, at)
      else writeFileSync(at, entry.content, { mode: entry.isProgram === true ? 0o755 : 0o644 })
    }
    const root = join(directory, 'root')
    const loader = globSync('usr/lib{64,}/ld-linux-*.so.*', { cwd: join(unfinished, 'root') })[0]
    if (loader === undefined) throw new PartUnavailable('the base of the image has no loader')
    const libraries = join(root, 'usr', 'lib', platform.triplet)
    mkdirSync(join(unfinished, 'programs'))
    for (const name of names) {
      const program = join(unfinished, 'programs', name)
      const real = join(root, 'usr/sbin', name)
      writeFileSync(program, `#!/bin/sh\nexec '${join(root, loader)}' --library-path '${libraries}' '${real}' "$@"\n`)
      chmodSync(program, 0o755)
    }
    renameSync(unfinished, directory)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return programs
}
