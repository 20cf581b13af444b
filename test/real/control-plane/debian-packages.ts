// Debian packages with all that they depend on, unpacked together into the cache; nothing is installed.
import { existsSync, globSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory, PartUnavailable } from '../cache.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { aptOptions, machineSuite } from './debian.ts'

interface PackagesTogether {
  /** The folder's name in the cache of the machine's suite. */
  readonly name: string
  readonly packages: readonly string[]
  /** Packages that they depend on and that the machine has itself. */
  readonly never: RegExp
  /** Does what is left to do in the folder, before it has its place; `place` is where it will lie. */
  readonly finish?: (unfinished: string, place: string) => void
}

/**
 * The folder in which `root` holds the files of the packages and of those that they depend on.
 * @throws PartUnavailable where the packages cannot be had
 */
export async function unpackedPackages({ name, packages, never, finish }: PackagesTogether): Promise<string> {
  const suite = machineSuite()
  const cache = cacheDirectory(`debian-${suite}`)
  const directory = join(cache, name)
  if (existsSync(directory)) return directory
  const what = `Debian packages for ${packages.join(', ')} of ${suite}`
  const options = await aptOptions(suite, cache)
  const simulated = await runCommand('apt-get', [...options, '--simulate', '--no-install-recommends', 'install', ...packages])
  const names = [...simulated.stdout.matchAll(/^Inst (\S+)/gm)].flatMap(([, found = '']) => (never.test(found) ? [] : [found]))
  if (simulated.code !== 0 || names.length === 0) throw new PartUnavailable(`${what}: ${simulated.stderr.trim()}`)
  const unfinished = mkdtempSync(join(cache, `${name}-`))
  try {
    const fetched = await runCommand('apt-get', [...options, 'download', ...names], { cwd: unfinished })
    if (fetched.code !== 0) throw new PartUnavailable(`${what}: ${fetched.stderr.trim()}`)
    for (const archive of globSync('*.deb', { cwd: unfinished })) {
      await commandOutput('dpkg', ['-x', join(unfinished, archive), join(unfinished, 'root')])
      rmSync(join(unfinished, archive))
    }
    finish?.(unfinished, directory)
    renameSync(unfinished, directory)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return directory
}
